"""Kept figures: read to compare with, written when asked."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final, Literal

import msgspec

from adapters import clock
from benchmarks.figures import Line

HERE: Final = Path(__file__).parent
NAME: Final = "baseline"
Size = Literal["full", "quick"]


class Machine(msgspec.Struct, frozen=True):
    """What the figures were taken on."""

    cores: int
    system: str
    python: str
    sqlite: str


class Kept(msgspec.Struct, frozen=True):
    """A line as it is kept."""

    value: float
    unit: str
    ratio: float | None = None


class Baseline(msgspec.Struct, frozen=True):
    """One run, kept."""

    taken_on: date
    size: Size
    machine: Machine
    lines: dict[str, Kept]


def read(size: Size, name: str = NAME) -> Baseline | None:
    """The kept run, if there is one of that size: other sizes have other ratios."""
    path = HERE / f"{name}.json"
    if not path.exists():
        return None
    kept = msgspec.json.decode(path.read_bytes(), type=Baseline)
    return kept if kept.size == size else None


def write(name: str, lines: Sequence[Line], size: Size) -> Path:
    """Keep a run; under the name `baseline` it is what later runs are compared with.

    A line that this run did not take stays as it was kept before.
    """
    before = read(size, name)
    taken = {each.key: _kept(each) for each in lines}
    kept = (before.lines if before else {}) | taken
    run = Baseline(clock.SYSTEM.now().date(), size, _machine(), kept)
    path = HERE / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")
    return path


def _kept(line: Line) -> Kept:
    ratio = None if line.ratio is None else round(line.ratio, 6)
    return Kept(round(line.value, 6), line.unit, ratio)


def _machine() -> Machine:
    return Machine(
        os.cpu_count() or 0,
        f"{platform.system()} {platform.machine()}",
        platform.python_version(),
        sqlite3.sqlite_version,
    )
