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
    """An open option at the last price; price fields are null without one."""

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
    option_mid: Decimal | None
    delta: float | None
    probability_itm: float | None
    extrinsic: Decimal | None
    unrealized_pnl: Decimal | None
    price_as_of: datetime | None
    price_source: str | None
    price_state: market.PriceState
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
