"""A book's days as a line of days, weeks or months, each with what it brought and where it led.

Equity is the capital that has come in and what has been realized since the beginning. Drawdown
is how far realized P&L lies below the highest that it has been at the end of a day, so that
capital that comes or goes is no gain and no loss; in percent of what equity would be at that
height.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Literal, get_args

import msgspec

from domain import money, refusals
from projections import sums

Interval = Literal["day", "week", "month"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)
MOST = 4_000
_NOTHING = Decimal("0.00")
_DAY = timedelta(days=1)


class Drawdown(msgspec.Struct, frozen=True):
    """How far below its highest the book stood: in USD, and in percent where there is equity."""

    amount: Decimal = _NOTHING
    percent: Decimal | None = None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """What some days brought, and how things stood at the end of the last; USD.

    `cumulative_pnl` counts from the first bucket on, `equity`, `drawdown` and `capital_tied_up`
    from the book's beginning. `unrealized_pnl` is told of today alone.
    """

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    option_income: Decimal
    stock_gain: Decimal
    dividends: Decimal
    realized_pnl: Decimal
    cumulative_pnl: Decimal
    equity: Decimal
    drawdown: Decimal
    drawdown_pct: Decimal | None
    trades_opened: int
    trades_ended: int
    capital_tied_up: Decimal
    unrealized_pnl: Decimal | None = None


class Deepest(msgspec.Struct, frozen=True):
    """The deepest drawdown at the end of any day, and the first such day; none without days."""

    drawdown: Drawdown = Drawdown()
    on: date | None = None


def named(text: str) -> Interval:
    """The interval of that name; raises refusals.Invalid for any other."""
    for interval in INTERVALS:
        if text == interval:
            return interval
    raise refusals.Invalid("interval", text, f"must be one of {', '.join(INTERVALS)}")


def spans(interval: Interval, first: date, last: date) -> list[tuple[date, date]]:
    """The buckets of the days from first to last: whole weeks begin on Mondays, ends are cut.

    Raises refusals.Invalid when there would be more than 4,000.
    """
    if _about(interval, first, last) > MOST:
        raise refusals.Invalid(
            "interval", interval, f"must leave at most {MOST} buckets: take a longer one, or from"
        )
    found = []
    while first <= last:
        end = min(_end(interval, first), last)
        found.append((first, end))
        first = end + _DAY
    return found


def _about(interval: Interval, first: date, last: date) -> int:
    return (last - first).days // {"day": 1, "week": 7, "month": 30}[interval]


def _end(interval: Interval, day: date) -> date:
    """The last day of the bucket that a day is in."""
    match interval:
        case "day":
            return day
        case "week":
            return day + timedelta(days=6 - day.weekday())
        case "month":
            return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - _DAY


class _Running:
    """Amounts by day, and their sum up to any day."""

    def __init__(self, amounts: Iterable[tuple[date, Decimal]]) -> None:
        self.days: list[date] = []
        self._sums = [_NOTHING]
        for day, amount in amounts:
            self.days.append(day)
            self._sums.append(self._sums[-1] + amount)
        self._peaks = list(accumulate(self._sums, max))

    def at(self, day: date) -> Decimal:
        """The sum at the end of a day."""
        return self._sums[bisect_right(self.days, day)]

    def before(self, day: date) -> Decimal:
        """The sum at a day's beginning."""
        return self._sums[bisect_left(self.days, day)]

    def peak(self, day: date) -> Decimal:
        """The highest that the sum has been by the end of a day, at least 0."""
        return self._peaks[bisect_right(self.days, day)]


class Line:
    """A book's days from its beginning, in order: what a timeline is drawn from."""

    def __init__(
        self,
        income: Sequence[sums.Income],
        activity: Sequence[sums.Activity],
        capital: Sequence[sums.Capital],
    ) -> None:
        self._income = income
        self._activity = activity
        self._realized = _Running((_dated(each.date), each.total) for each in income)
        self._contributed = _Running((each.date, each.contributed) for each in capital)
        self._tied = _Running((each.date, each.tied) for each in capital)
        self._active = [_dated(each.date) for each in activity]

    def buckets(self, interval: Interval, first: date, last: date) -> list[Bucket]:
        """Every day, week or month from first to last, also the quiet ones."""
        before = self._realized.before(first)
        return [self._bucket(*span, before) for span in spans(interval, first, last)]

    def _bucket(self, first: date, last: date, before: Decimal) -> Bucket:
        days = self._realized.days
        income = self._income[bisect_left(days, first) : bisect_right(days, last)]
        activity = self._activity[
            bisect_left(self._active, first) : bisect_right(self._active, last)
        ]
        option = sum((each.option for each in income), _NOTHING)
        stock = sum((each.stock for each in income), _NOTHING)
        dividends = sum((each.dividend for each in income), _NOTHING)
        drawdown = self.drawdown(last)
        return Bucket(
            first=first,
            last=last,
            option_income=option,
            stock_gain=stock,
            dividends=dividends,
            realized_pnl=option + stock + dividends,
            cumulative_pnl=self._realized.at(last) - before,
            equity=self._contributed.at(last) + self._realized.at(last),
            drawdown=drawdown.amount,
            drawdown_pct=drawdown.percent,
            trades_opened=sum(each.trades for each in activity),
            trades_ended=sum(each.ended for each in activity),
            capital_tied_up=self._tied.at(last),
        )

    def drawdown(self, day: date) -> Drawdown:
        """How far below its highest the book stood at the end of a day."""
        peak = self._realized.peak(day)
        amount, height = peak - self._realized.at(day), self._contributed.at(day) + peak
        return Drawdown(amount, money.cents(100 * amount / height) if height > 0 else None)

    def deepest(self, first: date, last: date) -> Deepest:
        """The deepest drawdown, in USD and in percent, at the end of any day from first to last."""
        if first > last:
            return Deepest()
        moved = {*self._realized.days, *self._contributed.days}
        days = sorted({first, *(day for day in moved if first <= day <= last)})
        found = [self.drawdown(day) for day in days]
        worst = max(found, key=lambda each: each.amount)
        percents = [each.percent for each in found if each.percent is not None]
        on = days[found.index(worst)] if worst.amount else None
        return Deepest(Drawdown(worst.amount, max(percents, default=None)), on)


def _dated(day: date | None) -> date:
    assert day is not None
    return day
