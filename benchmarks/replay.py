"""Replay and rebuild: events a second at two sizes, beside reading the raw rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters import event_store
from adapters.event_store import EventStore
from benchmarks import big_ledger, raw
from benchmarks.figures import Aim, Line, Now, Sizes, Yardstick, no_collector, timed
from domain import facts, history
from domain import wheel as wheels
from projections import rebuild, tables

BATCH: Final = 5_000
MILLION: Final = 1_000_000
REBUILD_WITHIN: Final = 60.0
LINEAR: Final = 1.3
"""An event may cost this much more in the large ledger: its indexes are deeper, caches colder."""


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """Both ledgers, and how the cost of an event grows from one to the other."""
    small = _Ledger(place, sizes.small, sizes.repeats)
    yield from small.lines()
    large = _Ledger(place, sizes.large, 1)
    yield from large.lines()
    yield _growth("replay", small.replay, large.replay, None)
    growth = large.rebuild / small.rebuild
    aim = Aim(f"linear: at most × {LINEAR}", growth <= LINEAR)
    yield _growth("rebuild", small.rebuild, large.rebuild, aim)


class _Ledger:
    """One size; `replay` and `rebuild` are seconds an event."""

    def __init__(self, place: Path, events: int, repeats: int) -> None:
        self._path = place / f"replay-{events}" / "ledger.db"
        self._events = events
        self._repeats = repeats
        self.replay = self.rebuild = 0.0

    def lines(self) -> Iterator[Line]:
        """Write it, read it in three ways, remove it."""
        with closing(event_store.open_sqlite(self._path)) as log:
            big_ledger.write(log, self._events)
            rows = Yardstick("raw rows/s", self._events / raw.reading(self._path))
            with no_collector():
                decoding = timed(lambda: decoded(log), self._repeats)
                replaying = timed(lambda: folded(log), self._repeats)
            yield self._line("decode", "decode the log", decoding, rows)
            self.replay = replaying / self._events
            yield self._line("replay", "replay: decode and fold", replaying, rows)
            rebuilding = min(self._rebuilt(log) for _ in range(self._repeats))
            self.rebuild = rebuilding / self._events
            aim = None
            if self._events >= MILLION:
                says = f"1 million under {REBUILD_WITHIN:.0f} s: {rebuilding:.1f} s"
                aim = Aim(says, rebuilding < REBUILD_WITHIN)
            yield self._line("rebuild", "rebuild the views", rebuilding, rows, aim)
        self._path.unlink()

    def _rebuilt(self, log: EventStore) -> float:
        link = self._path.with_name("views.db")
        began = Now()
        made = rebuild.rebuild(log, link)
        taken = Now() - began
        link.unlink()
        tables.discard(made.path)
        return taken

    def _line(
        self, key: str, name: str, seconds: float, rows: Yardstick, aim: Aim | None = None
    ) -> Line:
        return Line(
            key=f"{key}.{self._events}",
            name=f"{name}, {self._events:,} events",
            value=self._events / seconds,
            unit="/s",
            better="more",
            yardstick=rows,
            aim=aim,
        )


def decoded(log: EventStore) -> int:
    """Read the whole log as facts; answers how many."""
    return sum(1 for _ in _all(log))


def folded(log: EventStore) -> int:
    """Read the whole log and fold every wheel on, as recorded; answers how many wheels."""
    states: dict[UUID, wheels.Wheel] = {}
    for each in _all(log):
        if each.kind == "wheel" and not isinstance(each.fact, facts.Amendment):
            before = states.get(each.stream_id) or wheels.Wheel()
            states[each.stream_id] = wheels.evolve(before, history.entry(each))
    return len(states)


def _all(log: EventStore) -> Iterator[facts.Recorded]:
    position = 0
    while batch := log.after(position, BATCH):
        yield from batch
        position = batch[-1].position


def _growth(key: str, small: float, large: float, aim: Aim | None) -> Line:
    return Line(
        key=f"{key}.growth",
        name=f"{key}, cost of an event, large ledger",
        value=large * 1e6,
        unit="µs",
        better="less",
        yardstick=Yardstick("small ledger", small * 1e6),
        aim=aim,
    )
