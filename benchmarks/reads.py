"""How late answers to questions are while commands come in at a steady pace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from benchmarks import client, echo
from benchmarks.figures import Line, Sizes, latencies
from benchmarks.instance import Instance
from benchmarks.positions import Watched
from benchmarks.trading import Trader, paced

WITHIN: Final = 20.0
"""Milliseconds."""
POSITIONS: Final = "/api/v1/positions/open"
WHOLE: Final = f"{POSITIONS}?page_size=500"
CONNECTIONS: Final = 16
_WARM_UP: Final = 1.0


async def measured(running: Instance, watched: Watched, sizes: Sizes) -> list[Line]:
    """One question after the other, each for a while, all under the same load."""
    wheels = cycle(f"/api/v1/wheels/{wheel}" for wheel in watched.held)
    questions: tuple[tuple[str, str, Callable[[], str], Sizes], ...] = (
        ("wheel", "GET wheel", lambda: next(wheels), sizes),
        ("positions", "GET positions", lambda: POSITIONS, sizes),
        ("positions_500", "GET positions, 500 to a page", lambda: WHOLE, rarer(sizes)),
    )
    await under_load(running, watched.traded, replace(sizes, spell=_WARM_UP), lambda: POSITIONS)
    found, orders, echoes = list[Line](), list[float](), list[float]()
    for key, name, path, asked in questions:
        taken, ordered, bare = await under_load(running, watched.traded, asked, path)
        found += latencies(f"reads.{key}", name, taken, bare, within=WITHIN)
        orders += ordered
        echoes += bare
    return [
        *found,
        *latencies("reads.command", "command beside these", orders, echoes, within=None),
    ]


def rarer(sizes: Sizes) -> Sizes:
    """Large answers are asked for less often, and for longer."""
    return replace(sizes, reads=max(1, sizes.reads // 5), spell=sizes.spell * 2)


async def under_load(
    running: Instance, traded: Sequence[UUID], sizes: Sizes, path: Callable[[], str]
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of every read, of every command, and of bare answers at the same pace."""
    trader = Trader(traded)
    with echo.serving() as bare_port:
        async with (
            client.connections(running.api_port, CONNECTIONS) as reading,
            client.connections(running.api_port, CONNECTIONS) as trading,
            client.connections(bare_port, CONNECTIONS) as echoing,
        ):
            readers, traders, echoes = map(client.Pool, (reading, trading, echoing))
            taken, ordered, bare = await asyncio.gather(
                paced(asks(readers, path), sizes.reads, sizes.spell),
                paced(_trades(traders, trader), sizes.commands, sizes.spell),
                paced(asks(echoes, lambda: "/"), sizes.reads, sizes.spell),
            )
    return taken, ordered, bare


def asks(pool: client.Pool, path: Callable[[], str]) -> Callable[[], Awaitable[None]]:
    """To ask for the next path on a free connection."""

    async def ask() -> None:
        async with pool.one() as connection:
            await connection.get(path())

    return ask


def _trades(pool: client.Pool, trader: Trader) -> Callable[[], Awaitable[None]]:
    async def trade() -> None:
        async with pool.one() as connection:
            await trader.next(connection)

    return trade
