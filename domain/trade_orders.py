"""Orders on a trade: how its contracts end, and how its record is put right."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from domain import (
    calendar,
    commands,
    facts,
    history,
    moments,
    money,
    orders,
    refusals,
)
from domain import trade as trades
from domain.story import Story

_SALE_FIELDS = (
    "direction",
    "strike",
    "expiration_date",
    "contracts",
    "premium_per_share",
    "fees",
    "multiplier",
)


def _trade(story: Story, order: orders.Order) -> trades.Trade:
    """The trade an order is about; a voided one is known, but out of turn."""
    assert order.trade_id is not None
    trade = story.wheel.trades.get(order.trade_id)
    if trade is not None:
        return trade
    if order.trade_id in story.voided_trades:
        raise refusals.OutOfTurn("the trade is voided", trade_id=str(order.trade_id))
    raise refusals.Unknown("trade", order.trade_id)


class _Ending(msgspec.Struct, frozen=True):
    """A trade as it stood when contracts of it ended, how many are free to, and when."""

    trade: trades.Trade
    contracts: int
    at: datetime


def _ending(story: Story, order: orders.Order, asked: int | None = None) -> _Ending:
    """What an order that ends contracts is about; without a count, all that may end then.

    A late order is about the trade as it stood then: before a split that came since, say.
    """
    now = _trade(story, order)
    if not now.open_contracts:
        raise refusals.OutOfTurn(
            f"the trade is {now.outcome}, not open", outcome=now.outcome, expected="open"
        )
    at = _ended_at(order, now)
    then = story.wheel_at(at).trades.get(now.id)
    if then is None or not then.open_contracts:
        raise refusals.OutOfTurn(
            f"the trade was not open at {at:%Y-%m-%dT%H:%M:%SZ}",
            expected="a moment at which it was open",
        )
    if asked is not None:
        return _Ending(then, money.counted("contracts", asked), at)
    left = min(then.open_contracts, now.open_contracts * then.contracts // now.contracts)
    if not left:
        raise refusals.OutOfTurn(
            f"what is open now was less than a contract at {at:%Y-%m-%dT%H:%M:%SZ}",
            expected="a moment after the split",
        )
    return _Ending(then, left, at)


def _ended_at(order: orders.Order, trade: trades.Trade) -> datetime:
    """When an open trade ended: as said, else now, but not after it expired."""
    if order.command.effective_at is not None:
        return orders.when(order)
    return min(order.now, max(calendar.close_at(trade.expiration_date), trade.opened_at))


def expire(story: Story, order: orders.Order, command: commands.Expire) -> list[orders.Draft]:
    ending = _ending(story, order)
    trade, at = ending.trade, ending.at
    price = money.entered("stock_price_at_expiry", command.stock_price_at_expiry, least=money.ZERO)
    close = calendar.close_at(trade.expiration_date)
    if at < close:
        raise refusals.OutOfTurn(
            f"the option does not expire before {close:%Y-%m-%dT%H:%M:%SZ}; "
            "an early assignment has its own command",
            expected=f"at or after {close:%Y-%m-%dT%H:%M:%SZ}",
            expiration_date=trade.expiration_date.isoformat(),
        )
    inside = trade.strike - price if trade.direction == "put" else price - trade.strike
    exercised = inside >= trades.IN_THE_MONEY if command.assigned is None else command.assigned
    if exercised:
        fact: facts.WheelFact = facts.OptionAssigned(
            **orders.of_trade(story, trade),
            contracts=ending.contracts,
            stock_price=price,
            at_expiry=True,
        )
    else:
        fact = facts.OptionExpired(
            **orders.of_trade(story, trade), contracts=ending.contracts, stock_price=price
        )
    return [orders.Draft(fact, at)]


def close(story: Story, order: orders.Order, command: commands.Close) -> list[orders.Draft]:
    ending = _ending(story, order, command.contracts)
    trade, contracts, at = ending.trade, ending.contracts, ending.at
    fact = facts.OptionBoughtBack(
        **orders.of_trade(story, trade),
        contracts=contracts,
        price_per_share=_buy_back_price("price_per_share", command.price_per_share, trade),
        fees=orders.fees_of(command.fees, order, contracts, at),
    )
    return [orders.Draft(fact, at)]


def _buy_back_price(field: str, price: Decimal, trade: trades.Trade) -> Decimal:
    kept = money.entered(field, price, least=money.ZERO)
    money.notional(field, kept * trade.multiplier * trade.open_contracts)
    return kept


def assign(story: Story, order: orders.Order, command: commands.Assign) -> list[orders.Draft]:
    ending = _ending(story, order, command.contracts)
    trade, at = ending.trade, ending.at
    price = command.stock_price
    if price is not None:
        price = money.entered("stock_price", price, least=money.ZERO)
    fact = facts.OptionAssigned(
        **orders.of_trade(story, trade),
        contracts=ending.contracts,
        stock_price=price,
        fees=money.paid("fees", command.fees),
        at_expiry=at >= calendar.close_at(trade.expiration_date),
    )
    return [orders.Draft(fact, at)]


def roll(story: Story, order: orders.Order, command: commands.Roll) -> list[orders.Draft]:
    ending = _ending(story, order, command.contracts)
    trade, contracts, at = ending.trade, ending.contracts, ending.at
    closing_fees, opening_fees = _roll_fees(command.fees, order, contracts, at)
    sale = orders.sale(
        story,
        order,
        commands.SellOption(
            direction=trade.direction,
            strike=command.strike,
            expiration_date=command.expiration_date,
            contracts=contracts,
            premium_per_share=command.premium_per_share,
            fees=opening_fees,
            multiplier=int(trade.multiplier),
        ),
        at,
        rolled_from=trade.id,
    )
    bought_back = facts.OptionBoughtBack(
        **orders.of_trade(story, trade),
        contracts=contracts,
        price_per_share=_buy_back_price("close_price", command.close_price, trade),
        fees=closing_fees,
        rolled_to=sale.trade_id,
    )
    return [orders.Draft(bought_back, at), orders.Draft(sale, at)]


def _roll_fees(
    given: Decimal | None, order: orders.Order, contracts: int, at: datetime
) -> tuple[Decimal, Decimal]:
    """The order's fees over its two legs, in whole cents, the remainder on the sale."""
    if given is None:
        each = orders.fees_of(None, order, contracts, at)
        return each, each
    given = money.paid("fees", given)
    half = money.part(given, 1, 2, None)
    return half, given - half


def correct(
    story: Story, order: orders.Order, command: commands.CorrectTrade
) -> list[orders.Draft]:
    trade = _trade(story, order)
    drafts = []
    at = orders.when(order)
    sale = _sale_changes(story, order, command, trade)
    ending = _ending_changes(story, order, command, trade)
    if (sale or ending) and command.reason is None:
        raise refusals.Invalid("reason", None, "must be given with a correction")
    if sale:
        drafts.append(_correction(story, command, trade.version, sale, at))
    if ending:
        drafts.append(_correction(story, command, trade.closings[-1].version, ending, at))
    if command.notes is not UNSET:
        note = facts.TradeNoted(**orders.of_wheel(story), trade_id=trade.id, notes=command.notes)
        drafts.append(orders.Draft(note, max(at, trade.opened_at)))
    if not drafts:
        raise refusals.Invalid("body", None, "must change something")
    return drafts


def _correction(
    story: Story,
    command: commands.CorrectTrade,
    version: int,
    changes: dict[str, facts.Scalar],
    at: datetime,
) -> orders.Draft:
    fact = facts.FactCorrected(
        **orders.of_wheel(story), fact_version=version, changes=changes, reason=command.reason or ""
    )
    return orders.Draft(fact, at)


def _sale_changes(
    story: Story, order: orders.Order, command: commands.CorrectTrade, trade: trades.Trade
) -> dict[str, facts.Scalar]:
    changes: dict[str, facts.Scalar] = {}
    for field in _SALE_FIELDS:
        value = getattr(command, field)
        if value is not UNSET:
            changes[field] = _checked(field, value)
    if isinstance(command.opened_at, str):
        opened = moments.happened("opened_at", command.opened_at, order.now)
        changes["effective_at"] = opened.isoformat()
    if changes:
        corrected = history.corrected(story.entries[trade.version], changes)
        assert isinstance(corrected.fact, facts.OptionSold)
        orders.meant(corrected.fact, corrected.effective_at)
    return changes


def _checked(field: str, value: Any) -> facts.Scalar:
    if isinstance(value, Decimal):
        return str((money.paid if field == "fees" else money.entered)(field, value))
    if isinstance(value, int):
        return money.counted(field, value, most=100_000 if field == "multiplier" else 1_000_000)
    return str(value)


def _ending_changes(
    story: Story, order: orders.Order, command: commands.CorrectTrade, trade: trades.Trade
) -> dict[str, facts.Scalar]:
    changes: dict[str, facts.Scalar] = {}
    if isinstance(command.close_price, Decimal):
        price = money.entered("close_price", command.close_price, least=money.ZERO)
        changes["price_per_share"] = str(price)
    if isinstance(command.stock_price_at_expiry, Decimal):
        price = money.entered(
            "stock_price_at_expiry", command.stock_price_at_expiry, least=money.ZERO
        )
        changes["stock_price"] = str(price)
    if isinstance(command.closed_at, str):
        closed = moments.happened("closed_at", command.closed_at, order.now)
        changes["effective_at"] = closed.isoformat()
    if changes and not trade.closings:
        raise refusals.OutOfTurn("nothing of the trade is closed yet", outcome=trade.outcome)
    if changes:
        ended = history.corrected(story.entries[trade.closings[-1].version], changes).fact
        if isinstance(ended, facts.OptionBoughtBack):
            shares = trade.multiplier * ended.contracts
            money.notional("close_price", ended.price_per_share * shares)
    return changes


def void(story: Story, order: orders.Order, command: commands.VoidTrade) -> list[orders.Draft]:
    """The sale and everything that speaks of it, newest first."""
    trade = _trade(story, order)
    versions = sorted(
        (each.version for each in story.line if getattr(each.fact, "trade_id", None) == trade.id),
        reverse=True,
    )
    at = orders.when(order)
    return [
        orders.Draft(
            facts.FactVoided(**orders.of_wheel(story), fact_version=version, reason=command.reason),
            at,
        )
        for version in versions
    ]
