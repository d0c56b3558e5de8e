"""Piecework: what a chore does piece by piece.

A piece that fails is tried again a few times where that may help, then told with its reason; it
stops no other.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, TypeVar

import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from adapters import bus
from domain import market, refusals
from workers import chore

_logger = logging.getLogger(__name__)

T = TypeVar("T")
AT_ONCE: Final = 4
TRIES: Final = 3
FIRST_PAUSE: Final = 0.1
"""Real seconds, doubled with each try."""
_PASSING: Final = (
    refusals.Unavailable,
    refusals.Conflict,
    market.MarketFault,
    bus.BusFault,
    sqlite3.OperationalError,
)
"""What may be over in a moment. Other refusals would be the same again."""


class Amiss(Exception):
    """A piece that was looked at and found wrong, in words for people."""


class Result(msgspec.Struct, frozen=True):
    """How many pieces are done, how many of these only now, and which failed."""

    done: int
    new: int
    failed: tuple[chore.Missed, ...]


async def tried(do: Callable[[], Awaitable[T]]) -> T:
    """Do what may fail for a moment, a few times; the last failure is raised as it is."""
    trying = AsyncRetrying(
        retry=retry_if_exception_type(_PASSING),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(FIRST_PAUSE),
        reraise=True,
    )
    return await trying(do)


async def every(
    pieces: Iterable[T], do: Callable[[T], Awaitable[bool]], name: Callable[[T], str]
) -> Result:
    """Do each piece, a few at once; `do` answers whether there was anything left to do."""
    hands = asyncio.Semaphore(AT_ONCE)

    async def one(piece: T) -> bool | chore.Missed:
        async with hands:
            try:
                return await tried(partial(do, piece))
            except Exception as reason:  # noqa: BLE001  one failing piece never stops the others
                return chore.Missed(name(piece), _why(name(piece), reason))

    outcomes = await asyncio.gather(*(one(each) for each in pieces))
    failed = tuple(each for each in outcomes if isinstance(each, chore.Missed))
    return Result(len(outcomes) - len(failed), outcomes.count(True), failed)


def _why(name: str, reason: Exception) -> str:
    if isinstance(reason, market.MarketFault):
        return reason.why
    if isinstance(reason, (Amiss, refusals.Refusal, *_PASSING)):
        return str(reason)
    _logger.error("%s failed", name, exc_info=reason)
    return "an internal error; the scheduler's log has it"
