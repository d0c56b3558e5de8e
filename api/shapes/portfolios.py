"""What a portfolio comes to."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio comes to; money in USD, `win_rate` in percent of trades ended."""

    portfolio_id: UUID
    total_wheels: int
    active_wheels: int
    open_positions: int
    capital_allocated: Decimal
    collateral_in_use: Decimal
    cash: Decimal
    premium_collected: Decimal
    wins: int
    losses: int
    win_rate: Decimal | None
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    total_pnl: Decimal | None
