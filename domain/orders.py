"""An order with what it is told of the world, and the facts it leads to before they are stored."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import msgspec

from domain import calendar, commands, facts, fees, moments, money, refusals
from domain import trade as trades
from domain.story import Story


class Order(msgspec.Struct, frozen=True):
    """A command with what it is told of the world: who, when, and what the broker takes."""

    command: commands.WheelCommand | commands.TradeCommand
    now: datetime
    command_id: UUID
    tariff: fees.Schedule = fees.Schedule()
    portfolio_id: UUID | None = None
    trade_id: UUID | None = None
    fact_version: int | None = None


class Draft(msgspec.Struct, frozen=True):
    """A fact before it has a place in the log."""

    fact: facts.WheelFact | facts.Amendment
    at: datetime


def when(order: Order) -> datetime:
    text = order.command.effective_at
    return order.now if text is None else moments.happened("effective_at", text, order.now)


def of_wheel(story: Story) -> dict[str, Any]:
    """The fields by which a fact names its wheel."""
    return {"portfolio_id": story.wheel.portfolio_id, "symbol": story.wheel.symbol}


def of_trade(story: Story, trade: trades.Trade) -> dict[str, Any]:
    """The fields by which a fact names its trade."""
    return of_wheel(story) | {
        "trade_id": trade.id,
        "direction": trade.direction,
        "strike": trade.strike,
        "expiration_date": trade.expiration_date,
    }


def started(story: Story) -> None:
    if not story.wheel.started:
        raise refusals.Unknown("wheel", story.wheel_id)


def fees_of(given: Decimal | None, order: Order, contracts: int, at: datetime) -> Decimal:
    if given is None:
        return order.tariff.for_contracts(contracts, calendar.trading_day(at))
    return money.paid("fees", given)


def sale(
    story: Story,
    order: Order,
    command: commands.SellOption,
    at: datetime,
    rolled_from: UUID | None = None,
) -> facts.OptionSold:
    contracts = money.counted("contracts", command.contracts)
    multiplier = money.counted("multiplier", command.multiplier, most=100_000)
    strike = money.entered("strike", command.strike)
    premium = money.entered("premium_per_share", command.premium_per_share)
    sale = facts.OptionSold(
        **of_wheel(story),
        trade_id=uuid5(story.wheel_id, f"trade:{order.command_id}"),
        direction=command.direction,
        strike=strike,
        expiration_date=command.expiration_date,
        contracts=contracts,
        premium_per_share=premium,
        fees=fees_of(command.fees, order, contracts, at),
        multiplier=multiplier,
        rolled_from=rolled_from,
    )
    meant(sale, at)
    return sale


def opened_at(order: Order, command: commands.SellOption) -> datetime:
    if command.opened_at is None:
        return when(order)
    at = moments.happened("opened_at", command.opened_at, order.now)
    if command.effective_at is not None and when(order) != at:
        raise refusals.Invalid(
            "effective_at", command.effective_at, "must be the same as opened_at"
        )
    return at


def meant(sale: facts.OptionSold, at: datetime) -> None:
    """Refuse a sale whose fields make sense one by one, but not together."""
    shares = sale.multiplier * sale.contracts
    money.notional("strike", sale.strike * shares)
    money.notional("premium_per_share", sale.premium_per_share * shares)
    moments.expiration("expiration_date", sale.expiration_date, calendar.trading_day(at))
