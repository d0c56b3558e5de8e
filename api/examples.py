"""An example of every operation: the story of one wheel, told in the order in which it happens.

Each step is a request and its answer; the first one of an operation is its example in the API's
document. `tests/api/test_examples.py` holds that every step is answered so.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

FILE = Path(__file__).parent / "examples.json"
OUTSIDE = Path(__file__).parent / "examples_outside.json"
"""Operations that need somebody outside of the service, and so are in no story of its own."""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request and what it is answered: JSON, or text where the answer is none.

    Ids are as the service makes them from the idempotency keys of the steps before.
    """

    operation: str
    path: dict[str, Any] = {}
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    body: Any | UnsetType = UNSET
    status: int = 200
    answer: Any = None

    def sent(self, place: str) -> dict[str, Any]:
        """The parameters that are sent in a place, in the words of OpenAPI."""
        return {"path": self.path, "query": self.query, "header": self.headers}[place]


_DECODER = msgspec.json.Decoder(tuple[Step, ...], float_hook=Decimal)


def story() -> tuple[Step, ...]:
    """All steps, in their order."""
    return _DECODER.decode(FILE.read_bytes())


def outside() -> tuple[Step, ...]:
    """The steps that the story cannot tell."""
    return _DECODER.decode(OUTSIDE.read_bytes())


@cache
def by_operation() -> dict[str, Step]:
    """The example of each operation."""
    return {step.operation: step for step in reversed((*story(), *outside()))}
