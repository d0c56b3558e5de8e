"""Performance: counts, premiums and gains under a policy, and what is still open at the market."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.office import Office, When
from api.shapes.performance import Performance
from domain import calendar, money, policies, refusals
from projections import answers, questions, views


def span(today: date, period: str | None, first: date | None, last: date | None) -> questions.Span:
    """The dates that a question is about; a period and dates of one's own exclude each other."""
    if period is None:
        if first and last and first > last:
            raise refusals.Invalid("from", first, "must not be after to")
        return questions.Span(first, last)
    if first or last:
        raise refusals.Invalid("period", period, "must not come with from or to")
    if period == "all":
        return questions.Span()
    if period == "ytd":
        return questions.Span(date(today.year, 1, 1), today)
    days = {"30d": 30, "90d": 90, "365d": 365}.get(period)
    if days is None:
        raise refusals.Invalid("period", period, "must be one of 30d, 90d, 365d, ytd, all")
    return questions.Span(today - timedelta(days=days - 1), today)


async def performance(
    office: Office,
    source: views.Views,
    policy: policies.Policy,
    over: questions.Span,
    clocks: When,
    *,
    wheel_id: UUID | None = None,
    portfolio_id: UUID | None = None,
) -> Performance:
    """The performance of a wheel, of a portfolio, or of everything."""
    sums = await questions.income(
        source, policy, over, wheel_id=wheel_id, portfolio_id=portfolio_id
    )
    counted = await questions.tally(source, over, wheel_id=wheel_id, portfolio_id=portfolio_id)
    held = await questions.holdings(source, wheel_id=wheel_id, portfolio_id=portfolio_id)
    option, stock, dividend = (money.cents(sums[kind]) for kind in ("option", "stock", "dividend"))
    realized = money.cents(sum(sums.values(), money.ZERO))
    unrealized = _unrealized(office, held, clocks, policy, over)
    return Performance(
        policy=policy,
        first=over.first,
        last=over.last,
        option_income=option,
        stock_gain=stock,
        dividends=dividend,
        realized_pnl=realized,
        unrealized_pnl=unrealized,
        total_pnl=None if unrealized is None else realized + unrealized,
        **_counts(counted),
    )


def _counts(counted: answers.Tally) -> dict[str, Any]:
    average = money.cents(counted.gross / counted.trades) if counted.trades else None
    return {
        "total_trades": counted.trades,
        "trades_ended": counted.ended,
        "winning_trades": counted.wins,
        "losing_trades": counted.losses,
        "win_rate": counted.win_rate,
        "premium_collected": money.cents(counted.gross),
        "net_premium": money.cents(counted.net),
        "average_premium": average,
        "fees": money.cents(counted.fees),
        "puts_sold": counted.puts,
        "calls_sold": counted.calls,
        "assignments": counted.assigned,
        "called_away": counted.called_away,
    }


def _unrealized(
    office: Office,
    held: list[questions.Holding],
    clocks: When,
    policy: policies.Policy,
    over: questions.Span,
) -> Decimal | None:
    """Shares at their last price against the policy's basis; an open option has no mark yet.

    A span that ended before today has nothing unrealized of its own.
    """
    if over.last is not None and over.last < today(office, clocks):
        return None
    total = Decimal("0.00")
    for each in held:
        if each.open_trades:
            return None
        if not each.shares:
            continue
        quote = office.quotes.get(each.symbol)
        if quote is None or not clocks.is_now:
            return None
        basis = each.tax_basis if policy == "us_tax" else each.basis
        total += money.moved(quote.last, each.shares) - basis
    return money.cents(total)


def today(office: Office, clocks: When) -> date:
    """The New York day that a question calls today."""
    return calendar.trading_day(clocks.told_at(office.clock.now()))
