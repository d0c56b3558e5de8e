"""Risk evaluations a second: every option of a symbol at once, beside the exact rule in a loop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters import clock
from benchmarks.figures import Line, Sizes, Yardstick, rate
from domain import calendar, risk

BOOKS: Final = (20, 1_000)
_PRICE: Final = Decimal("101.37")


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:  # noqa: ARG001 - one shape for all parts
    """A book of a few options, and one of many."""
    today = calendar.trading_day(clock.SYSTEM.now())
    for size in BOOKS:
        yield from _of_book([_option(n, today) for n in range(size)], today, sizes.spell / 4)


def _of_book(options: list[risk.OpenOption], today: date, seconds: float) -> Iterator[Line]:
    book, now, size = risk.book(options), clock.SYSTEM.now(), len(options)
    standing = risk.nothing_raised(book)

    def exactly() -> int:
        return len([risk.assess(each, _PRICE, today) for each in options])

    def at_once() -> int:
        return len(risk.evaluate(book, _PRICE).level)

    def judged() -> int:
        return len(risk.judge(book, standing, _PRICE, now).dte)

    exact = Yardstick("exact rule in a loop/s", rate(exactly, seconds))
    for key, name, act in (
        ("evaluate", "risk evaluations", at_once),
        ("judge", "with every alert rule", judged),
    ):
        yield Line(
            key=f"risk.{key}.{size}",
            name=f"{name}, {size:,} options a quote",
            value=rate(act, seconds),
            unit="/s",
            better="more",
            yardstick=exact,
        )


def _option(n: int, today: date) -> risk.OpenOption:
    return risk.OpenOption(
        wheel_id=UUID(int=n),
        trade_id=UUID(int=n),
        portfolio_id=UUID(int=0),
        symbol="XYZ",
        direction="put" if n % 2 else "call",
        strike=Decimal(60 + n % 80),
        expiration_date=today + timedelta(days=7 * (1 + n % 10)),
        contracts=1 + n % 3,
    )
