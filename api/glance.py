"""Looks at parts that may be slow: shared by all who ask, and never waited for long."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
OVERDUE = 2.0
"""Seconds after which what was seen last is worth nothing."""


class Glance(Generic[T]):
    """One look at a time, however many ask. Times are in seconds.

    What was seen is told again while it is `fresh`; a look that takes longer than `patience`
    goes on by itself, and what was seen last is told instead.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[T]],
        *,
        fresh: float = 0.02,
        patience: float = 0.01,
        overdue: float = OVERDUE,
    ) -> None:
        self._look = look
        self._fresh, self._patience, self._overdue = fresh, patience, overdue
        self._looking: asyncio.Future[T] | None = None
        self._seen: tuple[T, float] | None = None

    async def __call__(self) -> T | None:
        """What there is to see, or was a moment ago; None when nothing was seen for too long."""
        if self._age() > self._fresh:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._seen_now())
            patience = self._patience if self._age() < self._overdue else self._overdue
            await asyncio.wait([self._looking], timeout=patience)
            if self._looking.done():
                self._looking.result()
        return None if self._seen is None or self._age() >= self._overdue else self._seen[0]

    def _age(self) -> float:
        if self._seen is None:
            return math.inf
        return asyncio.get_running_loop().time() - self._seen[1]

    async def _seen_now(self) -> T:
        seen = await self._look()
        self._seen = seen, asyncio.get_running_loop().time()
        return seen
