"""How often something is asked again, and how long is waited before."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from tenacity import RetryCallState, retry_if_exception_type

from client import errors

PASSING = (errors.Passing, errors.Unreachable)
"""What may be otherwise the next time."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Asked `tries` times in all; waits double from `first` seconds to `longest`, or are told.

    Each wait is drawn between half of it and all, so that many who were turned away together
    do not come back together. Who is told to wait longer than `longest` does not wait.
    """

    tries: int = 5
    first: float = 0.2
    longest: float = 10.0

    def wait(self, tried: int, reason: BaseException | None) -> float | None:
        """Seconds to wait after so many tries, None when it is enough."""
        told = getattr(reason, "retry_after", None)
        if tried >= self.tries or (told is not None and told > self.longest):
            return None
        if told is not None:
            return float(told)
        most = min(self.first * 2.0 ** (tried - 1), self.longest)
        return most * random.uniform(0.5, 1)  # noqa: S311  nothing secret is drawn

    @property
    def retrying(self) -> dict[str, Any]:
        """The same for tenacity, which has a form for those who wait and one for who awaits."""

        def wait(state: RetryCallState) -> float | None:
            reason = None if state.outcome is None else state.outcome.exception()
            return self.wait(state.attempt_number, reason)

        return {
            "retry": retry_if_exception_type(PASSING),
            "stop": lambda state: wait(state) is None,
            "wait": lambda state: wait(state) or 0.0,
            "reraise": True,
        }
