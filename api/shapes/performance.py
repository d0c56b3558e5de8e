"""What performance is told as."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from domain import policies


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned; USD. `realized_pnl` is the sum of the three incomes before it.

    `unrealized_pnl` is null as soon as one open position has no price.
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
