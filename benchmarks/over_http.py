"""Durable commands a second over HTTP, from one client and from ten at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters import event_store
from benchmarks import client, instance, raw
from benchmarks.clerk import Clerk
from benchmarks.figures import Aim, Line, Sizes
from benchmarks.trading import Trader, as_fast_as_possible

CLIENTS: Final = (1, 10)
WHEELS_EACH: Final = 10
SHARE: Final = 0.25
_WARM_UP: Final = 0.25


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """One instance, first alone with one client, then with all of them."""
    data_dir = place / "over_http"
    wheels = _wheels(data_dir)
    with instance.running(data_dir) as running:
        for count in CLIENTS:
            instance.settle(running.api_port)
            yield _line(place, sizes, running.api_port, wheels, count)


def _line(place: Path, sizes: Sizes, port: int, wheels: list[UUID], count: int) -> Line:
    asyncio.run(_rate(port, wheels, count, sizes.spell * _WARM_UP))
    value, yardstick = raw.beside_commits(
        place, sizes.spell, lambda: asyncio.run(_rate(port, wheels, count, sizes.spell))
    )
    aim = None
    if count == max(CLIENTS):
        aim = Aim(f"at least {SHARE} of raw", value >= SHARE * yardstick.value)
    return Line(
        key=f"commands.http.{count}",
        name=f"durable commands over HTTP, {count} client{'s' if count > 1 else ''}",
        value=value,
        unit="/s",
        better="more",
        yardstick=yardstick,
        aim=aim,
    )


def _wheels(data_dir: Path) -> list[UUID]:
    """Wheels to trade on, recorded before the instance starts."""
    with closing(event_store.open_sqlite(data_dir / "ledger.db")) as log:
        clerk = Clerk(log)
        portfolio_id = clerk.open_portfolio("Commands")
        return [
            clerk.start_wheel(portfolio_id, f"C{n:03d}") for n in range(max(CLIENTS) * WHEELS_EACH)
        ]


async def _rate(port: int, wheels: list[UUID], count: int, seconds: float) -> float:
    """Commands a second; every client has wheels of its own."""
    async with client.connections(port, count) as opened:

        async def trade(connection: client.Connection, own: list[UUID]) -> int:
            trader = Trader(own)
            return await as_fast_as_possible(lambda: trader.next(connection), seconds)

        done = await asyncio.gather(
            *(trade(each, wheels[n::count]) for n, each in enumerate(opened))
        )
    return sum(done) / seconds
