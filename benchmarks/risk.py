"""Risk evaluations a second: every option of a symbol at once, beside the exact rule in a loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters import clock
from benchmarks.figures import Line, Sizes, Yardstick, rate
from domain import calendar, columns, judging, look, market, risk

BOOKS: Final = (20, 1_000)
_PRICE: Final = Decimal("101.37")


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:  # noqa: ARG001 - one shape for all parts
    """A book of a few options, and one of many."""
    today = calendar.trading_day(clock.SYSTEM.now())
    for size in BOOKS:
        yield from _of_book([_option(n, today) for n in range(size)], today, sizes.spell / 4)


def _of_book(options: list[risk.OpenOption], today: date, seconds: float) -> Iterator[Line]:
    book, now, size = columns.book(options), clock.SYSTEM.now(), len(options)
    standing, limits = judging.nothing_raised(book), look.Limits()
    known = look.Known(
        since=now,
        quote=market.Quote("XYZ", _PRICE, None, None, now, "bench", "live"),
        marks=look.marks(book, _marks(options, now)),
    )

    def exactly() -> int:
        return len([risk.assess(each, _PRICE, today) for each in options])

    def at_once() -> int:
        return len(columns.evaluate(book, _PRICE).level)

    def judged() -> int:
        return len(judging.judge(book, standing, known, now, limits).seen.dte)

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
        premium=Decimal(150),
    )


def _marks(options: Sequence[risk.OpenOption], now: datetime) -> market.HeldMarks:
    """Every option at 0.50, with a dividend and earnings ahead: no rule is spared."""
    today = calendar.trading_day(now)
    return market.HeldMarks(
        symbol="XYZ",
        price=_PRICE,
        options=tuple(_mark(each) for each in options),
        dividend=market.Dividend("XYZ", calendar.next_session(today), Decimal("0.55")),
        earnings=(today + timedelta(days=3),),
        as_of=now,
        source="bench",
        state="live",
    )


def _mark(option: risk.OpenOption) -> market.OptionMark:
    return market.OptionMark(
        symbol=option.symbol,
        direction=option.direction,
        strike=option.strike,
        expiration=option.expiration_date,
        bid=Decimal("0.45"),
        ask=Decimal("0.50"),
        last=None,
        implied_volatility=None,
        delta=None,
        gamma=None,
        theta=None,
        vega=None,
        open_interest=None,
        volume=None,
    )
