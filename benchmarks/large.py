"""Lists and figures of a large ledger beside those of a small one, while commands come in.

And how quick the instance still is with everybody while it tells one of them everything.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from adapters import clock, event_store
from benchmarks import big_ledger, client, echo, instance, memory, positions, reads
from benchmarks.clerk import Clerk
from benchmarks.figures import Aim, Line, Now, Sizes, Yardstick, latencies, percentile
from benchmarks.instance import Instance, Trouble
from benchmarks.trading import paced
from domain import calendar
from projections import rebuild, tables

WITHIN: Final = 100.0
HEALTH_WITHIN: Final = 20.0
"""Milliseconds."""
MORE: Final = 100
"""Megabytes by which the API may grow while it tells everything."""
HEALTH: Final = "/api/v1/health"
API: Final = "api"
DEEP: Final = 0.9
"""How far back a deep page is."""
_PAGE: Final = 50
_CHUNK: Final = 1 << 16
_YEAR: Final = timedelta(days=365)
_OK: Final = 200
_PATIENCE: Final = 600.0
_WARM_UP: Final = 1.0
_MEDIAN: Final = 50

Taken = dict[str, list[float]]
"""Seconds of every answer, by question."""


class Subject(msgspec.Struct, frozen=True):
    """What the questions are about, and the wheels that commands are for."""

    portfolio_id: UUID
    trades: int
    traded: list[UUID]


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """The same questions to both ledgers; then the large one is told whole."""
    with _ledger(place, sizes.small) as (small, about):
        bare = asyncio.run(_answered(small, about, sizes))
    with _ledger(place, sizes.large) as (large, about):
        taken = asyncio.run(_answered(large, about, sizes))
        for question, seconds in taken.items():
            yield from _beside(question, seconds, bare[question], sizes)
        yield from asyncio.run(_told_whole(large, sizes))


@contextmanager
def _ledger(place: Path, events: int) -> Iterator[tuple[Instance, Subject]]:
    """An instance on a ledger of so many events, its views made before it starts."""
    data_dir = place / f"large-{events}"
    about = written(data_dir, events)
    with instance.running(data_dir) as running:
        instance.settle(running.api_port)
        yield running, about


def written(data_dir: Path, events: int) -> Subject:
    """Write a ledger that ends in these weeks, and its views."""
    today = calendar.trading_day(clock.SYSTEM.now())
    with closing(event_store.open_sqlite(data_dir / "ledger.db")) as log:
        big_ledger.write(log, events, monday=big_ledger.lately(today))
        traded = positions.to_trade(Clerk(log))
        made = rebuild.rebuild(log, data_dir / "views.db")
    with tables.reading(made.path) as views:
        ((trades,),) = views.execute("SELECT COUNT(*) FROM trades")
        ((portfolio_id,),) = views.execute("SELECT portfolio_id FROM trades LIMIT 1")
    return Subject(UUID(portfolio_id), trades, traded)


def questions(about: Subject, today: date) -> dict[str, str]:
    """What is asked, by its name."""
    deep = max(1, int(about.trades * DEEP) // _PAGE)
    lately = today - timedelta(days=90)
    portfolio = f"portfolios/{about.portfolio_id}"
    return {
        "trades": "trades",
        "trades, deep page": f"trades?page={deep}",
        "trades by net premium": "trades?sort=-net_premium",
        "trades by strike, deep page": f"trades?sort=strike&page={deep}",
        "trades assigned": "trades?outcome=assigned",
        "calls": "trades?direction=call",
        "trades ended in 90 days": f"trades?closed_from={lately}",
        "trades of a portfolio": f"trades?portfolio_id={about.portfolio_id}",
        "wheels": "wheels",
        "wheels by cash": "wheels?sort=-cash",
        "open positions": "positions/open",
        "portfolio summary": f"{portfolio}/summary",
        "performance of everything": "performance/aggregate",
        "timeline of 90 days": "performance/timeline?period=90d",
    }


async def _answered(running: Instance, about: Subject, sizes: Sizes) -> Taken:
    """One question after the other, each for a while, all under the same load."""
    sizes = replace(sizes, reads=sizes.lists)
    today, taken = calendar.trading_day(clock.SYSTEM.now()), Taken()
    warm_up = replace(sizes, spell=_WARM_UP)
    await reads.under_load(running, about.traded, warm_up, lambda: HEALTH)
    for name, question in questions(about, today).items():
        path = partial(str, f"/api/v1/{question}")
        taken[name], _, _ = await reads.under_load(running, about.traded, sizes, path)
    return taken


def _beside(name: str, large: list[float], small: list[float], sizes: Sizes) -> Iterator[Line]:
    """The large ledger's milliseconds; the ratio is by how much the small one's have grown."""
    for percent in (50, 99):
        value = percentile(large, percent) * 1e3
        yield Line(
            key=f"large.{name.replace(', ', '.').replace(' ', '_')}.p{percent}",
            name=f"{name}, {sizes.large:,} events, p{percent}",
            value=value,
            unit="ms",
            better="less",
            yardstick=Yardstick(f"{sizes.small:,} events", percentile(small, percent) * 1e3),
            aim=Aim(f"under {WITHIN:.0f} ms", value < WITHIN) if percent > _MEDIAN else None,
        )


async def _told_whole(running: Instance, sizes: Sizes) -> list[Line]:
    """Everything, as it is and as it was, and how others fare meanwhile."""
    then = (clock.SYSTEM.now() - _YEAR).strftime("%Y-%m-%dT%H:%M:%SZ")
    wholes = {"export": "ledger/export", "year_ago": f"trades?as_of={then}"}
    found = list[Line]()
    for key, question in wholes.items():
        scales = memory.Scales(running.pid)
        before = scales.weighed().get(API, 0.0)
        seconds, health, bare = await scales.during(_beside_health(running, question, sizes))
        name = question.partition("=")[0]
        found += [
            _plain(f"large.{key}", f"GET {name}, everything", seconds, "s"),
            *latencies(
                f"large.{key}.health", f"health beside {name}", health, bare, within=HEALTH_WITHIN
            ),
            _grown(f"large.{key}.memory", name, scales.heaviest(API), before),
        ]
    return found


async def _beside_health(
    running: Instance, question: str, sizes: Sizes
) -> tuple[float, list[float], list[float]]:
    """Seconds that a large answer took, and those of health and of bare answers meanwhile."""
    large = asyncio.create_task(asyncio.to_thread(drained, running.api_port, question))
    with echo.serving() as bare_port:
        async with (
            client.connections(running.api_port, reads.CONNECTIONS) as asking,
            client.connections(bare_port, reads.CONNECTIONS) as echoing,
        ):
            health, bare = await asyncio.gather(
                paced(reads.asks(client.Pool(asking), lambda: HEALTH), sizes.reads, sizes.spell),
                paced(reads.asks(client.Pool(echoing), lambda: "/"), sizes.reads, sizes.spell),
            )
            return await large, health, bare


def drained(port: int, question: str) -> float:
    """Take all of an answer and keep nothing; the seconds that it took."""
    began = Now()
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    with closing(line):
        line.request("GET", f"/api/v1/{question}")
        answer = line.getresponse()
        if answer.status != _OK:
            raise Trouble(f"GET {question}: {answer.read(400).decode(errors='replace')}")
        while answer.read(_CHUNK):
            pass
    return Now() - began


def _plain(key: str, name: str, value: float, unit: str) -> Line:
    return Line(key=key, name=name, value=value, unit=unit, better="less")


def _grown(key: str, name: str, after: float, before: float) -> Line:
    return Line(
        key=key,
        name=f"the API beside {name}",
        value=after,
        unit="MB",
        better="less",
        yardstick=Yardstick("before", before),
        aim=Aim(f"under {MORE} MB more", after - before < MORE),
    )
