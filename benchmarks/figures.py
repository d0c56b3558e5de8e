"""What a measurement yields: a figure, a yardstick taken in the same run, and the aim."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import msgspec

Better = Literal["more", "less"]
Now: Final = time.perf_counter


class Aim(msgspec.Struct, frozen=True):
    """What was asked for, and whether this figure is it."""

    says: str
    met: bool


class Yardstick(msgspec.Struct, frozen=True):
    """What the same machine did with something simpler in the same run, in the same unit."""

    name: str
    value: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table; `key` is its name among the baselines, `better` which way is up."""

    key: str
    name: str
    value: float
    unit: str
    better: Better
    yardstick: Yardstick | None = None
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        """The figure in yardsticks: what can be compared between machines."""
        if self.yardstick is None or not self.yardstick.value:
            return None
        return self.value / self.yardstick.value


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything is measured; times in seconds, rates a second."""

    spell: float = 8.0
    small: int = 10_000
    large: int = 1_000_000
    positions: int = 1_000
    commands: int = 50
    reads: int = 75
    lists: int = 20
    quotes: int = 250
    quote_rate: int = 20
    readers: int = 200
    scanned: int = 200
    repeats: int = 3


FULL: Final = Sizes()
QUICK: Final = Sizes(
    spell=1.0,
    small=1_000,
    large=5_000,
    positions=100,
    quotes=40,
    quote_rate=40,
    readers=20,
    scanned=20,
    repeats=1,
)


def timed(act: Callable[[], object], repeats: int = 1) -> float:
    """The shortest time that it took, in seconds: the others had company."""
    taken = []
    for _ in range(repeats):
        began = Now()
        act()
        taken.append(Now() - began)
    return min(taken)


@contextmanager
def no_collector() -> Iterator[None]:
    """Bulk work keeps millions of objects without a cycle: `rebuild` switches the collector off."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def rate(act: Callable[[], int], seconds: float) -> float:
    """How many a second, doing it again and again; `act` answers how many it did."""
    done, began = 0, Now()
    while (passed := Now() - began) < seconds:
        done += act()
    return done / passed


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of them do not exceed."""
    ranked = sorted(values)
    place = -(-len(ranked) * percent // 100)
    return ranked[max(int(place) - 1, 0)]


def latencies(
    key: str, name: str, taken: Sequence[float], bare: Sequence[float], *, within: float | None
) -> Iterator[Line]:
    """The median and the 99th percentile of some seconds, in milliseconds.

    `bare` is what the yardstick took; `within` is the aim for the 99th percentile.
    """
    for percent, limit in ((50, None), (99, within)):
        value = percentile(taken, percent) * 1e3
        yield Line(
            key=f"{key}.p{percent}",
            name=f"{name}, p{percent}",
            value=value,
            unit="ms",
            better="less",
            yardstick=Yardstick("the same, bare", percentile(bare, percent) * 1e3),
            aim=None if limit is None else Aim(f"under {limit:.0f} ms", value < limit),
        )
