"""A figure taken apart: the facts and the rules whose amounts add up to it.

Incomes are a policy's amounts. Counts and premiums are told of trades: a sale and its
premiums on the day it was opened, its end on the day of its last contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

import msgspec

from domain import calendar, history, policies, refusals, wheel
from domain import trade as trades
from projections import answers

Figure = Literal[
    "realized_pnl",
    "option_income",
    "stock_gain",
    "dividends",
    "premium_collected",
    "net_premium",
    "fees",
    "total_trades",
    "trades_ended",
    "winning_trades",
    "losing_trades",
    "assignments",
    "called_away",
]
FIGURES: tuple[Figure, ...] = get_args(Figure)

KINDS: dict[Figure, frozenset[policies.Kind]] = {
    "realized_pnl": frozenset(get_args(policies.Kind)),
    "option_income": frozenset(("option",)),
    "stock_gain": frozenset(("stock",)),
    "dividends": frozenset(("dividend",)),
}
"""The figures that are a policy's amounts of some kinds."""

RULES: dict[str, str] = policies.RULES | {
    "premium": "the premium before fees, on the day the option was sold",
    "sale_fees": "the sale's fees, on the day the option was sold",
    "ending_fees": "the fees of a buy-back or an assignment, on the day the option was sold",
    "net_of_sale": "the premium less the sale's fees, on the day the option was sold",
    "net_of_buy_back": "what a buy-back cost with its fees, on the day the option was sold",
    "opened": "one trade, on the day it was sold",
    "ended": "one trade, on the day its last contracts ended",
    "won": "one trade that expired or was bought back at a net gain, on the day it ended",
    "lost": "one trade that was exercised or bought back at a net loss, on the day it ended",
    "assigned": "one trade of which puts were assigned, on the day it ended",
    "called_away": "one trade of which calls were called away, on the day it ended",
}


class _Share(msgspec.Struct, frozen=True):
    """What one fact of a trade adds to a figure."""

    version: int
    amount: Decimal
    rule: str


def named(text: str) -> Figure:
    """The figure of that name; raises refusals.Invalid for any other."""
    for figure in FIGURES:
        if text == figure:
            return figure
    raise refusals.Invalid("figure", text, f"must be one of {', '.join(FIGURES)}")


def amounts(
    figure: Figure, policy: policies.Policy, line: Sequence[history.Entry]
) -> list[policies.Amount]:
    """What a wheel's timeline adds to a figure, an amount for each fact and rule; no zeros."""
    if figure in KINDS:
        booked = policies.income(policy, line)
        return [each for each in booked if each.kind in KINDS[figure] and each.amount]
    of_trade = _OPENED.get(figure) or _ENDED[figure]
    return [
        policies.Amount(day, share.amount, "option", share.rule, share.version, trade.id)
        for trade in wheel.fold(line).trades.values()
        if (day := _day(trade, at_the_end=figure in _ENDED)) is not None
        for share in of_trade(trade)
        if share.amount
    ]


def _day(trade: trades.Trade, *, at_the_end: bool) -> date | None:
    """The day that a trade counts on, None as long as it has not ended."""
    if not at_the_end:
        return calendar.trading_day(trade.opened_at)
    return None if trade.open_contracts else calendar.trading_day(trade.closings[-1].at)


def _premium(trade: trades.Trade) -> Iterator[_Share]:
    yield _Share(trade.version, trade.total_premium, "premium")


def _fees(trade: trades.Trade) -> Iterator[_Share]:
    yield _Share(trade.version, trade.fees, "sale_fees")
    for each in trade.closings:
        yield _Share(each.version, each.fees, "ending_fees")


def _net_premium(trade: trades.Trade) -> Iterator[_Share]:
    yield _Share(trade.version, trade.total_premium - trade.fees, "net_of_sale")
    for each in trade.closings:
        yield _Share(each.version, -each.cost, "net_of_buy_back")


def _opened(trade: trades.Trade) -> Iterator[_Share]:
    yield _Share(trade.version, Decimal(1), "opened")


def _ended(count: str, rule: str) -> _OfTrade:
    """One for each trade that ended and is counted so."""

    def of_trade(trade: trades.Trade) -> Iterator[_Share]:
        counted: int = getattr(answers.tally(trade), count)
        yield _Share(trade.closings[-1].version, Decimal(counted), rule)

    return of_trade


_OfTrade = Callable[[trades.Trade], Iterator[_Share]]
_OPENED: dict[Figure, _OfTrade] = {
    "premium_collected": _premium,
    "net_premium": _net_premium,
    "fees": _fees,
    "total_trades": _opened,
}
_ENDED: dict[Figure, _OfTrade] = {
    "trades_ended": _ended("ended", "ended"),
    "winning_trades": _ended("wins", "won"),
    "losing_trades": _ended("losses", "lost"),
    "assignments": _ended("assigned", "assigned"),
    "called_away": _ended("called_away", "called_away"),
}
