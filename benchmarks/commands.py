"""Durable commands a second in process: decided, appended and folded, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Final

from adapters import event_store
from benchmarks import raw
from benchmarks.clerk import Clerk
from benchmarks.figures import Line, Sizes, rate

WHEELS: Final = 100
_STRIKE: Final = Decimal(90)


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """Sell and buy back in turn, on one wheel after the other."""
    with closing(event_store.open_sqlite(place / "commands" / "ledger.db")) as log:
        clerk = Clerk(log)
        portfolio_id = clerk.open_portfolio("Commands")
        wheels = cycle([clerk.start_wheel(portfolio_id, f"C{n:03d}") for n in range(WHEELS)])

        def two() -> int:
            wheel_id = next(wheels)
            clerk.buy_back(wheel_id, clerk.sell_put(wheel_id, _STRIKE))
            return 2

        value, yardstick = raw.beside_commits(place, sizes.spell, lambda: rate(two, sizes.spell))
    yield Line(
        key="commands.in_process",
        name="durable commands, in process",
        value=value,
        unit="/s",
        better="more",
        yardstick=yardstick,
    )
