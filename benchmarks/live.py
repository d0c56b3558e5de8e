"""One instance with open positions: how late its answers and its alerts are, and its memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks import alerts, instance, memory, positions, reads
from benchmarks.figures import Line, Sizes


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """Reads under load, then alerts; the memory is the most that was held during either."""
    data_dir = place / "live"
    watched = positions.seed(data_dir, sizes.positions)
    with instance.running(data_dir) as running:
        instance.settle(running.api_port)
        scales = memory.Scales(running.pid)
        yield from asyncio.run(scales.during(reads.measured(running, watched, sizes)))
        yield from asyncio.run(scales.during(alerts.measured(running, watched, sizes)))
        yield from scales.lines()
