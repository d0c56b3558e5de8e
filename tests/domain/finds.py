"""What a scan may find: one contract, complete, and others like it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from domain import facts

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
FOUND = facts.OpportunityFound(
    day=date(2026, 3, 2),
    symbol="AAPL",
    direction="put",
    strike=Decimal("142.50"),
    expiration_date=date(2026, 3, 13),
    scan_id=UUID(int=7),
    profile="conservative",
    dte=11,
    premium_per_share=Decimal("0.62"),
    bid=Decimal("0.62"),
    ask=Decimal("0.66"),
    total_premium=Decimal("62.00"),
    net_premium=Decimal("61.33"),
    collateral=Decimal("14250.00"),
    sigma_distance=1.75,
    probability_itm=0.045,
    delta=-0.06,
    implied_volatility=0.28,
    annualized_yield_pct=14.28,
    expected_return_pct=9.5,
    bias_score=0.79,
    score=9.5,
    open_interest=1_204,
    current_price=Decimal("153.10"),
    break_even=Decimal("141.89"),
    warnings=(),
    volatility_source="contract",
    rank=1,
    price_as_of=NOON,
    price_source="simulated",
    price_state="live",
)


async def find(symbol: str, profile: facts.Profile) -> list[facts.OpportunityFound]:
    """That one contract, in whichever symbol is searched."""
    return [found(symbol=symbol, profile=profile)]


def found(**other: Any) -> facts.OpportunityFound:
    """The same with some fields of another value."""
    return msgspec.structs.replace(FOUND, **other)
