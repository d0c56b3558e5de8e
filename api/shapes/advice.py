"""What is advised: contracts worth selling, and what an open option can become."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from api.shapes.envelope import Fault
from domain import facts, market, recommendation, rolling


class Volatility(msgspec.Struct, frozen=True, kw_only=True):
    """Decimals a year: realised over 20 and 60 sessions, implied at the money a month out.

    `forecast` is 0.30 RV20 + 0.20 RV60 + 0.50 ATM; null where one is unknown. Rank and percentile
    in percent of the `iv_days` sessions of a year that are known, null under 20.
    """

    rv20: float | None
    rv60: float | None
    atm: float | None
    forecast: float | None
    iv_rank: float | None
    iv_percentile: float | None
    iv_days: int


class Earnings(msgspec.Struct, frozen=True, kw_only=True):
    """The dates ahead; `known` false: nobody was asked, or answered."""

    known: bool
    dates: list[date]
    source: str | None
    fetched_at: datetime | None


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What else is known of the symbol."""

    current_price: Decimal
    price_as_of: datetime
    price_source: str
    price_state: market.PriceState
    volatility: Volatility
    earnings: Earnings
    ex_dividends: list[market.Dividend]


class Recommended(msgspec.Struct, frozen=True, kw_only=True):
    """What is worth selling in a wheel, the best first.

    `rejected` counts, by rule, the contracts against which it spoke first; with `explain`
    every one of them is in `rejections`.
    """

    wheel_id: UUID
    symbol: str
    direction: market.Direction
    profile: facts.Profile
    ranking: recommendation.Ranking
    max_dte: int
    free_collateral: Decimal | None
    uncovered_shares: int
    context: Context
    considered: int
    recommendations: list[Recommendation]
    rejected: dict[str, int]
    rejections: list[recommendation.Rejection]


class Recommendation(recommendation.Recommendation, frozen=True, kw_only=True):
    """A contract worth selling in a wheel, with every term of its rank."""

    wheel_id: UUID


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For which wheels something is to be recommended, and on which terms.

    Wheels by id or by symbol, or a portfolio's; without any of them all that are active.
    """

    wheel_ids: list[UUID] | None = None
    symbols: list[str] | None = None
    portfolio_id: UUID | None = None
    direction: market.Direction | None = None
    profile: facts.Profile | None = None
    max_dte: int | None = None
    expiration_date: date | None = None
    ranking: recommendation.Ranking = "income"
    limit: int = 3
    allow_below_basis: bool = False
    explain: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel's part of a batch: what is recommended, or why nothing is."""

    wheel_id: UUID | None
    symbol: str | None
    recommended: Recommended | None
    error: Fault | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is recommended for several wheels: an error of one does not spoil the others."""

    results: list[Outcome]
    succeeded: int
    failed: int


class RollAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done with an open option: roll it, the best first, close it, take assignment.

    `left_out` counts the contracts that it cannot well be rolled into, by what speaks against them.
    """

    trade_id: UUID
    wheel_id: UUID
    symbol: str
    direction: market.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    context: Context
    considered: int
    rolls: list[rolling.Roll]
    left_out: dict[str, int]
    close_now: rolling.CloseNow
    take_assignment: rolling.TakeAssignment


def plain(found: msgspec.Struct) -> dict[str, Any]:
    """A struct's fields, for one that has them and more."""
    return msgspec.structs.asdict(found)
