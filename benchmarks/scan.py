"""How late answers are while many symbols are scanned for opportunities."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import client, instance, positions, reads
from benchmarks.figures import Aim, Line, Now, Sizes, Yardstick, percentile
from benchmarks.instance import Instance, Trouble

_WITHIN: Final = 120.0
_LOOK_EVERY: Final = 0.05
_CONNECTIONS: Final = 2
_SCAN: Final = "/api/v1/watchlist/scan"


class _Scan(msgspec.Struct):
    """How a scan stands, as far as it is read."""

    status: str
    done: int


class _Told(msgspec.Struct):
    data: _Scan


_TOLD: Final = msgspec.json.Decoder(_Told)


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """The same questions under the same load, without a scan and beside one."""
    data_dir = place / "scan"
    watched = positions.seed(data_dir, sizes.positions)
    with instance.running(data_dir) as running:
        instance.settle(running.api_port)
        yield from asyncio.run(_measured(running, watched, sizes))


async def _measured(running: Instance, watched: positions.Watched, sizes: Sizes) -> list[Line]:
    async with client.connections(running.api_port, _CONNECTIONS) as (asking, looking):
        for number in range(sizes.scanned):
            symbol = msgspec.json.encode({"symbol": f"S{number}"})
            await asking.post("/api/v1/watchlist", symbol)
        quiet = await _answers(running, watched, sizes)
        first = asyncio.create_task(_scanned(asking, looking))
        beside = await _answers(running, watched, sizes)
        taken = await first
        alone = await _scanned(asking, looking)
        quiet += await _answers(running, watched, sizes)
    return [*_late(quiet, beside, sizes), *_long(taken, alone, sizes)]


async def _answers(running: Instance, watched: positions.Watched, sizes: Sizes) -> list[float]:
    """Seconds of each answer, while commands come in."""
    taken, _, _ = await reads.under_load(running, watched.traded, sizes, lambda: reads.POSITIONS)
    return taken


async def _scanned(asking: client.Connection, looking: client.Connection) -> float:
    """Seconds of a scan of all that is watched."""
    began = Now()
    await asking.post(_SCAN, b"{}")
    while (told := _TOLD.decode(await looking.get(_SCAN)).data).status == "running":
        if Now() - began > _WITHIN:
            raise Trouble(f"the scan is at {told.done} symbols after {_WITHIN:.0f} s")
        await asyncio.sleep(_LOOK_EVERY)
    if told.status != "succeeded":
        raise Trouble(f"the scan has {told.status}")
    return Now() - began


def _late(quiet: list[float], beside: list[float], sizes: Sizes) -> Iterator[Line]:
    for percent in (50, 99):
        value, before = (percentile(each, percent) * 1e3 for each in (beside, quiet))
        yield Line(
            key=f"scan.reads.p{percent}",
            name=f"GET positions beside a scan of {sizes.scanned}, p{percent}",
            value=value,
            unit="ms",
            better="less",
            yardstick=Yardstick("without a scan", before),
            aim=Aim(f"under {reads.WITHIN:.0f} ms", value < reads.WITHIN)
            if percent == 99  # noqa: PLR2004
            else None,
        )


def _long(taken: float, alone: float, sizes: Sizes) -> Iterator[Line]:
    yield Line(
        key="scan.whole",
        name=f"scan of {sizes.scanned} symbols, beside commands and questions",
        value=taken,
        unit="s",
        better="less",
        yardstick=Yardstick("again, chains kept, nothing else", alone),
    )
