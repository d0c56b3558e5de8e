"""The one way in which a test waits: for a condition, not for ever."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 20.0
EVERY = 0.02


def until(condition: Callable[[], T | None], within: float = PATIENCE) -> T:
    """What the condition answers once that is true."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(EVERY)
    return answer
