"""The one table that a run prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich import box
from rich.table import Table

from benchmarks.baseline import Baseline, Kept
from benchmarks.figures import Line

NOTABLE: Final = 0.2
"""A ratio that has moved by less than this is told without colour: it moves by itself."""


def of(parts: Iterable[list[Line]], kept: Baseline | None) -> Table:
    """All lines, a section for each part."""
    table = Table(box=box.SIMPLE_HEAD, title="Wheelwright, measured", caption=_caption(kept))
    table.add_column("measured")
    table.add_column("figure", justify="right")
    table.add_column("beside")
    table.add_column("yardstick", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("kept", justify="right")
    table.add_column("aim")
    for lines in parts:
        for line in lines:
            table.add_row(*_row(line, kept.lines.get(line.key) if kept else None))
        table.add_section()
    return table


def _caption(kept: Baseline | None) -> str:
    says = "ratio: figure / yardstick, both of this run; kept: the baseline's ratio"
    if kept is None:
        return f"{says} (there is none)"
    machine = kept.machine
    return f"{says}, {kept.size}, {kept.taken_on}, {machine.cores} cores, Python {machine.python}"


def _row(line: Line, kept: Kept | None) -> tuple[str, ...]:
    yardstick = line.yardstick
    return (
        line.name,
        f"{_number(line.value)} {line.unit}",
        yardstick.name if yardstick else "",
        _number(yardstick.value) if yardstick else "",
        _number(line.ratio) if line.ratio is not None else "",
        _compared(line, kept),
        _aim(line),
    )


def _number(value: float) -> str:
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def _compared(line: Line, kept: Kept | None) -> str:
    """What was kept, in the colour of what has become of it."""
    if kept is None or kept.ratio is None or line.ratio is None:
        return ""
    change = line.ratio / kept.ratio - 1
    if abs(change) < NOTABLE:
        return _number(kept.ratio)
    better = (change > 0) == (line.better == "more")
    return f"[{'green' if better else 'red'}]{_number(kept.ratio)}[/]"


def _aim(line: Line) -> str:
    if line.aim is None:
        return ""
    met = "[green]met[/]" if line.aim.met else "[red]missed[/]"
    return f"{line.aim.says}: {met}"
