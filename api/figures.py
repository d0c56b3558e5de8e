"""Performance: counts, premiums and gains under a policy, and what is still open at the market."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from api.office import Office, When
from api.shapes.performance import Performance
from domain import calendar, money, policies, refusals
from projections import held, questions, sums
from projections import views as past
from projections.prices import Prices

_PERIODS = {"30d": 30, "90d": 90, "365d": 365}
_ANNUALIZED_FROM = 30
_YEAR = 365
NOTHING = Decimal("0.00")


class Over(msgspec.Struct, frozen=True):
    """What a question about performance is over: a policy, a span of dates, and its today."""

    policy: policies.Policy
    span: sums.Span
    today: date

    def lived(self, beginning: date | None) -> sums.Span | None:
        """The days of the span from a book's beginning to today, None when there are none."""
        if beginning is None:
            return None
        first = max(self.span.first or beginning, beginning)
        last = min(self.span.last or self.today, self.today)
        return sums.Span(first, last) if first <= last else None

    @property
    def reaches_today(self) -> bool:
        """Whether what is held now belongs to the span."""
        first, last = self.span.first, self.span.last
        return (first is None or first <= self.today) and (last is None or last >= self.today)


class Earned(msgspec.Struct, frozen=True):
    """What performance is told from; `tied` are the dollar-days of the `days` lived."""

    income: sums.Income
    activity: Sequence[sums.Activity]
    days: int
    tied: Decimal
    unrealized: Decimal | None


def span(today: date, period: str | None, first: date | None, last: date | None) -> sums.Span:
    """The dates that a question is about; a period and dates of one's own exclude each other."""
    if period is None:
        if first and last and first > last:
            raise refusals.Invalid("from", first, "must not be after to")
        return sums.Span(first, last)
    if first or last:
        raise refusals.Invalid("period", period, "must not come with from or to")
    if period == "all":
        return sums.Span()
    if period == "ytd":
        return sums.Span(date(today.year, 1, 1), today)
    if period not in _PERIODS:
        raise refusals.Invalid("period", period, f"must be one of {', '.join(_PERIODS)}, ytd, all")
    return sums.Span(today - timedelta(days=_PERIODS[period] - 1), today)


def today(office: Office, clocks: When) -> date:
    """The New York day that a question calls today."""
    return calendar.trading_day(clocks.told_at(office.clock.now()))


async def performance(
    office: Office, source: past.Views, over: Over, clocks: When, scope: sums.Scope
) -> Performance:
    """The performance of a wheel, of a portfolio, or of everything."""
    return Performance(**told(over, await earned(office, source, over, clocks, scope)))


async def earned(
    office: Office, source: past.Views, over: Over, clocks: When, scope: sums.Scope
) -> Earned:
    """What a wheel, a portfolio or everything has earned."""
    lived = over.lived(await sums.beginning(source, scope))
    return Earned(
        await sums.income_sum(source, scope, over.policy, over.span),
        await sums.activity_sum(source, scope, over.span),
        length(lived),
        await sums.tied_days(source, scope, lived) if lived else NOTHING,
        await unrealized(office, source, over, clocks, scope),
    )


def drawn(over: Over, beginning: date | None) -> sums.Span:
    """The days that a timeline shows: the span's, from the beginning to today where it is open."""
    last = min(over.span.last or over.today, over.today)
    return sums.Span(over.span.first or beginning, last)


def length(lived: sums.Span | None) -> int:
    """How many days a closed span has."""
    if lived is None or lived.first is None or lived.last is None:
        return 0
    return (lived.last - lived.first).days + 1


def told(over: Over, earned: Earned) -> dict[str, Any]:
    """The fields of performance."""
    realized = earned.income.total
    unrealized = earned.unrealized
    return {
        "policy": over.policy,
        "first": over.span.first,
        "last": over.span.last,
        **incomes(earned.income),
        "unrealized_pnl": unrealized,
        "total_pnl": None if unrealized is None else realized + unrealized,
        **_returns(realized, earned.tied, earned.days),
        **_counts(earned.activity),
    }


def incomes(income: sums.Income) -> dict[str, Decimal]:
    """The three incomes, and their sum."""
    return {
        "option_income": income.option,
        "stock_gain": income.stock,
        "dividends": income.dividend,
        "realized_pnl": income.total,
    }


def _returns(realized: Decimal, tied: Decimal, days: int) -> dict[str, Any]:
    """Rates on the average capital tied up, from the exact dollar-days."""
    rate = annualized = None
    if tied > 0:
        rate = money.cents(100 * realized * days / tied)
        if days >= _ANNUALIZED_FROM:
            annualized = money.cents(100 * realized * _YEAR / tied)
    return {
        "days": days,
        "capital_tied_up": money.cents(tied / days) if days else NOTHING,
        "return_on_collateral": rate,
        "annualized_return": annualized,
    }


def _counts(activity: Sequence[sums.Activity]) -> dict[str, Any]:
    trades = sum(each.trades for each in activity)
    ended = sum(each.ended for each in activity)
    wins = sum(each.wins for each in activity)
    gross = sum((each.gross for each in activity), NOTHING)
    sold = {each.direction: each.trades for each in activity}
    return {
        "total_trades": trades,
        "trades_ended": ended,
        "winning_trades": wins,
        "losing_trades": sum(each.losses for each in activity),
        "win_rate": money.cents(Decimal(100 * wins) / ended) if ended else None,
        "premium_collected": gross,
        "net_premium": sum((each.net for each in activity), NOTHING),
        "average_premium": money.cents(gross / trades) if trades else None,
        "fees": sum((each.fees for each in activity), NOTHING),
        "puts_sold": sold.get("put", 0),
        "calls_sold": sold.get("call", 0),
        "assignments": sum(each.assigned for each in activity),
        "called_away": sum(each.called_away for each in activity),
    }


async def unrealized(
    office: Office, source: past.Views, over: Over, clocks: When, scope: sums.Scope
) -> Decimal | None:
    """What the holdings of a scope would gain at their last prices.

    Options are not even read where all of one symbol are without marks.
    """
    if not over.reaches_today:
        return None
    if clocks.is_now and not await held.open_symbols(source, scope) <= office.boards.keys():
        return None
    holds = await held.held(source, scope)
    prices = await office.prices_at(clocks, {each.symbol for each in holds})
    return at_the_market(prices, holds, over)


def at_the_market(prices: Prices, holds: Iterable[held.Held], over: Over) -> Decimal | None:
    """Shares at their last price and options at their mid, less what the policy has of them.

    None where something has no price; and for a span without today, which has nothing unrealized
    of its own.
    """
    if not over.reaches_today:
        return None
    total = NOTHING
    for each in holds:
        gains = (_on_shares(prices, each, over), *_on_options(prices, each, over))
        for gain in gains:
            if gain is None:
                return None
            total += gain
    return money.cents(total)


def _on_shares(prices: Prices, hold: held.Held, over: Over) -> Decimal | None:
    if not hold.shares:
        return NOTHING
    quote = prices.quote(hold.symbol, hold.split_on)
    if quote is None:
        return None
    value = money.moved(quote.last, hold.shares)
    return policies.unrealized_on_shares(over.policy, value, hold.basis, hold.tax_basis)


def _on_options(prices: Prices, hold: held.Held, over: Over) -> Iterator[Decimal | None]:
    for each in hold.options:
        mark = prices.mark(hold.symbol, each.contract, hold.split_on)
        cost = None if mark is None else mark.cost(each.contracts)
        if cost is None:
            yield None
        else:
            yield policies.unrealized_on_option(over.policy, each.premium, cost)


@asynccontextmanager
async def views(office: Office, clocks: When, scope: sums.Scope) -> AsyncIterator[past.Views]:
    """The views that answer for a scope, now or then; raises refusals.Unknown for who is not."""
    async with office.views(clocks, await _streams(office, clocks, scope)) as source:
        if scope.wheel_id is not None:
            await questions.wheel(source, scope.wheel_id)
        if scope.portfolio_id is not None:
            await questions.portfolio(source, scope.portfolio_id)
        yield source


async def _streams(office: Office, clocks: When, scope: sums.Scope) -> list[UUID] | None:
    """The streams that a question about the past needs, None for all."""
    if clocks.is_now or scope == sums.Scope(symbol=scope.symbol):
        return None
    named = [] if scope.wheel_id is None else [scope.wheel_id]
    if scope.portfolio_id is None:
        return named
    return [*named, *await office.streams_of(scope.portfolio_id)]
