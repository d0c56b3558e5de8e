"""Accounting: one history, several legitimate books.

A policy is a pure function from what the wheel was and what then happened to dated,
explained amounts. Over a closed cycle every policy gives the same total, which is the sum
of the cash flows; they differ in the day on which an amount counts, and in whether an
option's premium is income of its own or part of the shares' price.

cash    an amount counts on the day cash moved; a stock gain on the day shares leave
close   an option's net result counts on the day its contracts end
us_tax  an assigned put's net premium lowers the shares' basis; a called-away call's net
        premium raises the proceeds; other options count on the day they end
        (26 U.S.C. 1234(b); IRS Publication 550, "Options")

What is not realized yet follows from that: what is open, at the market, less what the policy has
still to count of it. So realized and unrealized together are the same under every policy at any
moment: cash and the market value of all that is open, less what was put in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID

import msgspec

from domain import calendar, facts, history, lots, money, refusals, wheel

Policy = Literal["cash", "close", "us_tax"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
Kind = Literal["option", "stock", "dividend"]


class Amount(msgspec.Struct, frozen=True):
    """What one fact adds to one book: a New York date, USD, and why."""

    date: date
    amount: Decimal
    kind: Kind
    rule: str
    version: int
    trade: UUID | None = None
    lot: int | None = None


class _Line(msgspec.Struct, frozen=True):
    """An amount before it is dated."""

    amount: Decimal
    kind: Kind
    rule: str
    trade: UUID | None = None
    lot: int | None = None


RULES: dict[str, str] = {
    "premium_received": "premium less fees, on the day the option was sold",
    "bought_back": "what the buy-back cost with its fees, on its day",
    "option_closed": "the contracts' premium less fees and less the buy-back, on the day it ended",
    "option_expired": "the contracts' premium less fees, on the day they expired",
    "option_assigned": "the contracts' premium less fees, on the day they were assigned",
    "shares_left": "proceeds less the lot's basis, on the day the shares left",
    "shares_left_net_of_premiums": (
        "proceeds, with a called-away call's net premium, less the lot's basis, lowered by an "
        "assigned put's net premium, on the day the shares left"
    ),
    "dividend": "a cash dividend on its day",
    "cash_in_lieu": "cash for a fraction of a share that a split left, less any basis it ended",
}


def amounts(policy: Policy, before: wheel.Wheel, entry: history.Entry) -> list[Amount]:
    """What a fact adds to a policy's books, given the wheel before it."""
    fact = entry.fact
    if getattr(fact, "trade_id", None) not in before.trades and not isinstance(
        fact, facts.OptionSold | facts.SharesSold | facts.DividendReceived | facts.SplitApplied
    ):
        return []
    match fact:
        case facts.OptionSold():
            lines = _opened(fact) if policy == "cash" else []
        case facts.OptionBoughtBack():
            lines = _bought_back(policy, before, fact)
        case facts.OptionExpired():
            lines = _expired(policy, before, fact)
        case facts.OptionAssigned():
            lines = _assigned(policy, before, fact)
        case facts.SharesSold():
            lines = _left(policy, before, fact.shares, wheel.proceeds(fact))
        case facts.DividendReceived():
            lines = [_Line(money.moved(fact.amount_per_share, fact.shares), "dividend", "dividend")]
        case facts.SplitApplied():
            lines = _split(policy, before, fact)
        case _:
            return []
    if not lines:
        return []
    day = calendar.trading_day(entry.effective_at)
    return [
        Amount(day, line.amount, line.kind, line.rule, entry.version, line.trade, line.lot)
        for line in lines
    ]


def _opened(fact: facts.OptionSold) -> list[_Line]:
    net = wheel.premium(fact) - fact.fees
    return [_Line(net, "option", "premium_received", fact.trade_id)]


def _bought_back(policy: Policy, before: wheel.Wheel, fact: facts.OptionBoughtBack) -> list[_Line]:
    trade = before.trades[fact.trade_id]
    cost = trade.buy_back(fact)
    if policy == "cash":
        return [_Line(-cost, "option", "bought_back", trade.id)]
    net = trade.premium_on(fact.contracts) - cost
    return [_Line(net, "option", "option_closed", trade.id)]


def _expired(policy: Policy, before: wheel.Wheel, fact: facts.OptionExpired) -> list[_Line]:
    if policy == "cash":
        return []
    premium = before.trades[fact.trade_id].premium_on(fact.contracts)
    return [_Line(premium, "option", "option_expired", fact.trade_id)]


def _assigned(policy: Policy, before: wheel.Wheel, fact: facts.OptionAssigned) -> list[_Line]:
    trade = before.trades[fact.trade_id]
    premium = trade.premium_on(fact.contracts)
    lines = [_Line(premium, "option", "option_assigned", trade.id)] if policy == "close" else []
    if trade.direction == "put":
        return lines
    proceeds = trade.exercise_amount(fact.contracts) - fact.fees
    if policy == "us_tax":
        proceeds += premium
    return lines + _left(policy, before, trade.deliverable(fact.contracts), proceeds, trade.id)


def _left(
    policy: Policy,
    before: wheel.Wheel,
    shares: int,
    proceeds: Decimal,
    trade: UUID | None = None,
) -> list[_Line]:
    """The gain on shares that leave, a line for each lot they leave."""
    taken = lots.first_out(before.lots, shares)
    if not taken:
        return []
    rule = "shares_left_net_of_premiums" if policy == "us_tax" else "shares_left"
    return [
        _Line(
            part - (each.tax_basis if policy == "us_tax" else each.basis),
            "stock",
            rule,
            trade,
            each.lot.id,
        )
        for each, part in zip(taken, lots.spread(proceeds, taken), strict=True)
    ]


def _split(policy: Policy, before: wheel.Wheel, fact: facts.SplitApplied) -> list[_Line]:
    after = lots.split(before.lots, fact)
    if policy == "us_tax":
        lost = sum((each.tax_left for each in before.lots), money.ZERO) - sum(
            (each.tax_left for each in after), money.ZERO
        )
    else:
        lost = before.basis - sum((each.basis_left for each in after), money.ZERO)
    gain = fact.cash_in_lieu - lost
    return [_Line(gain, "stock", "cash_in_lieu")] if gain else []


def income(policy: Policy, entries: Iterable[history.Entry]) -> list[Amount]:
    """A whole timeline's amounts under one policy, in the order of the facts."""
    state, booked = wheel.Wheel(), list[Amount]()
    for entry in entries:
        booked += amounts(policy, state, entry)
        state = wheel.evolve(state, entry)
    return booked


def unrealized_on_shares(
    policy: Policy, value: Decimal, basis: Decimal, tax_basis: Decimal
) -> Decimal:
    """What shares worth `value` would gain; a put's premium is in their basis for taxes."""
    return value - (tax_basis if policy == "us_tax" else basis)


def unrealized_on_option(policy: Policy, premium: Decimal, cost: Decimal) -> Decimal:
    """What open contracts would gain if buying them back cost `cost`.

    `premium` is the net opening premium on them, which for `cash` is realized already.
    """
    return -cost if policy == "cash" else premium - cost


def total(booked: Iterable[Amount]) -> Decimal:
    """The exact sum of amounts."""
    return sum((each.amount for each in booked), money.ZERO)


def named(text: str) -> Policy:
    """The policy of that name; raises refusals.Invalid for any other."""
    for policy in POLICIES:
        if text == policy:
            return policy
    raise refusals.Invalid("policy", text, f"must be one of {', '.join(POLICIES)}")
