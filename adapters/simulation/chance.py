"""Chance that belongs to its key alone, and the arrays it comes in."""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def draws(*key: object) -> np.random.Generator:
    """A generator that belongs to this key alone, in any process and in any order."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))
