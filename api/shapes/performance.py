"""What performance is told as: USD in whole cents, rates in percent, New York dates."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain import facts, policies
from projections import explained, outcomes, timelines


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned. `realized_pnl` is the sum of the three incomes before it.

    `unrealized_pnl` is what the policy has not counted yet of what is open, at the market: with it
    `total_pnl` is the same under every policy. Both are null as soon as one open position has no
    price. `capital_tied_up` is the
    average over the `days` of the span that the book has lived: collateral of open puts and
    basis of shares held, at each day's end. `return_on_collateral` is realized P&L over it, and
    `annualized_return` that for 365 days, null below 30 days.
    """

    policy: policies.Policy
    first: date | None = msgspec.field(name="from")
    last: date | None = msgspec.field(name="to")
    option_income: Decimal
    stock_gain: Decimal
    dividends: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    total_pnl: Decimal | None
    days: int
    capital_tied_up: Decimal
    return_on_collateral: Decimal | None
    annualized_return: Decimal | None
    total_trades: int
    trades_ended: int
    winning_trades: int
    losing_trades: int
    win_rate: Decimal | None
    premium_collected: Decimal
    net_premium: Decimal
    average_premium: Decimal | None
    fees: Decimal
    puts_sold: int
    calls_sold: int
    assignments: int
    called_away: int


class OfSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """What a symbol brought, in all portfolios together."""

    symbol: str
    option_income: Decimal
    stock_gain: Decimal
    dividends: Decimal
    realized_pnl: Decimal


class OfPortfolio(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio brought."""

    portfolio_id: UUID
    name: str
    option_income: Decimal
    stock_gain: Decimal
    dividends: Decimal
    realized_pnl: Decimal


class Aggregate(Performance, frozen=True, kw_only=True):
    """Everything, and what brought the most and the least of its realized P&L."""

    symbols: int
    best_symbols: list[OfSymbol]
    worst_symbols: list[OfSymbol]
    portfolios: int
    best_portfolios: list[OfPortfolio]
    worst_portfolios: list[OfPortfolio]


class Compared(Performance, frozen=True, kw_only=True):
    """A portfolio beside others."""

    portfolio_id: UUID
    name: str


class RecordOfSymbol(outcomes.Record, frozen=True, kw_only=True):
    """How a symbol's trades ended."""

    symbol: str


class WinLoss(msgspec.Struct, frozen=True, kw_only=True):
    """How the trades of a span ended, in all, by direction, and of the symbols with most."""

    first: date | None = msgspec.field(name="from")
    last: date | None = msgspec.field(name="to")
    direction: facts.Direction | None
    overall: outcomes.Record
    streaks: outcomes.Streaks
    puts: outcomes.Record
    calls: outcomes.Record
    symbols: int
    by_symbol: list[RecordOfSymbol]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A span in buckets that sum to it, from the book's first day to today where it is open.

    The deepest drawdown is looked for at the end of every day, whatever the interval;
    `max_drawdown_on` is the first day of it, `max_drawdown_pct` the deepest in percent.
    """

    policy: policies.Policy
    interval: timelines.Interval
    first: date | None = msgspec.field(name="from")
    last: date | None = msgspec.field(name="to")
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    max_drawdown: Decimal
    max_drawdown_pct: Decimal | None
    max_drawdown_on: date | None
    buckets: list[timelines.Bucket]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one event adds to a figure, by which rule, and where it stands in the ledger.

    `amended_by` are the positions of the corrections that made the event what it is.
    """

    position: int
    wheel_id: UUID
    portfolio_id: UUID
    symbol: str
    version: int
    type: str
    date: date
    amount: Decimal
    kind: policies.Kind
    rule: str
    trade_id: UUID | None
    lot: int | None
    effective_at: datetime
    recorded_at: datetime
    source: str
    amended_by: list[int]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, in a sentence; `amount` is what the parts of this page under it come to."""

    rule: str
    meaning: str
    parts: int
    amount: Decimal


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its parts, by wheel, in the order in which things happened.

    All pages' parts sum to `amount`, a page's to `page_amount`. `position` is the ledger's
    position of which it is told, on further pages too; `next_after` asks for the next page.
    """

    figure: explained.Figure
    policy: policies.Policy
    first: date | None = msgspec.field(name="from")
    last: date | None = msgspec.field(name="to")
    amount: Decimal
    page_amount: Decimal
    position: int
    rules: list[Rule]
    parts: list[Part]
    next_after: str | None
