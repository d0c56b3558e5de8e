"""A load of commands over HTTP: puts sold and bought back in turn, on one wheel after another.

Their strike is so far from any price that no alert is raised: alerts are measured elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from typing import Final
from uuid import UUID

import msgspec

from benchmarks.clerk import far_away
from benchmarks.client import CREATED, Connection
from benchmarks.figures import Now

_BUY_BACK: Final = b'{"price_per_share": 0.05}'


class Trader:
    """Knows a few wheels, and which of them has a put open."""

    def __init__(self, wheels: Sequence[UUID]) -> None:
        self._sale = msgspec.json.encode(
            {
                "direction": "put",
                "strike": 1,
                "expiration_date": far_away(),
                "contracts": 1,
                "premium_per_share": 0.15,
            }
        )
        self._open: dict[UUID, str] = {}
        self._locks = {wheel: asyncio.Lock() for wheel in wheels}
        self._turns = cycle(wheels)

    async def next(self, connection: Connection) -> None:
        """One command on the wheel whose turn it is."""
        wheel = next(self._turns)
        async with self._locks[wheel]:
            trade = self._open.pop(wheel, None)
            if trade is not None:
                await connection.post(f"/api/v1/trades/{trade}/close", _BUY_BACK)
            else:
                answer = await connection.post(f"/api/v1/wheels/{wheel}/trades", self._sale)
                self._open[wheel] = CREATED.decode(answer).data.id


async def as_fast_as_possible(act: Callable[[], Awaitable[None]], seconds: float) -> int:
    """Again and again, one after the other; answers how many times."""
    done, end = 0, Now() + seconds
    while Now() < end:
        await act()
        done += 1
    return done


async def paced(act: Callable[[], Awaitable[None]], rate: float, seconds: float) -> list[float]:
    """So many a second whether or not the earlier ones are done; the seconds that each took."""
    taken: list[float] = []

    async def one() -> None:
        began = Now()
        await act()
        taken.append(Now() - began)

    began = Now()
    async with asyncio.TaskGroup() as group:
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(began + n / rate - Now(), 0))
            group.create_task(one())
    return taken
