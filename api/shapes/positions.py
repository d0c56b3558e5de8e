"""What positions and their risk are told as."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain import facts, market
from projections import answers
from projections.snapshots import Moneyness


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An open option at the last price; price fields are null without one.

    `bid`, `ask`, their middle `option_mid` and the `extrinsic` value in it are the option's, per
    share. With a bid of 0 the mid is half the ask; without an ask there is none. The estimates are
    the provider's, or reckoned from its volatility or the mid's: `theta` per calendar day, `vega`
    per volatility point. `mark_state` tells whether these still count; null with nothing open.
    `unrealized_pnl` is the premium collected less what buying back at the mid would cost, without
    fees; with nothing open, the shares' gain. `price_age_seconds` is how old the share's price is.
    `provider_state` tells how the provider of prices is now; null of the past.
    """

    wheel_id: UUID
    trade_id: UUID | None
    portfolio_id: UUID
    symbol: str
    state: str
    direction: facts.Direction | None
    contracts: int
    current_price: Decimal | None
    strike: Decimal | None
    expiration: date | None
    dte_calendar: int | None
    dte_trading: int | None
    moneyness: Moneyness | None
    risk_level: facts.Severity | None
    risk_icon: str | None
    premium_collected: Decimal
    bid: Decimal | None
    ask: Decimal | None
    option_mid: Decimal | None
    implied_volatility: float | None
    delta: float | None
    gamma: float | None
    theta: float | None
    vega: float | None
    probability_itm: float | None
    extrinsic: Decimal | None
    unrealized_pnl: Decimal | None
    mark_as_of: datetime | None
    mark_state: market.PriceState | None
    price_as_of: datetime | None
    price_age_seconds: int | None
    price_source: str | None
    price_state: market.PriceState
    provider_state: market.ProviderState | None
    last_updated: datetime


class WheelRisk(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel's risk: that of its most endangered open option."""

    wheel_id: UUID
    symbol: str
    state: str
    risk_level: facts.Severity | None
    risk_icon: str | None
    collateral_in_use: Decimal
    positions: list[Position]
    alerts: list[answers.Alert]
