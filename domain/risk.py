"""Where an open option stands at a price of its share.

Said exactly, in decimals, for one option; domain/columns.py says the same for all of a symbol at
once. When that needs somebody's attention, say the rules (domain/rules.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

import msgspec

from domain import calendar, facts, market, money

NEAR_PERCENT: Final = Decimal(5)
LEVELS: Final[tuple[facts.Severity, ...]] = ("LOW", "MEDIUM", "HIGH")
ICONS: Final[Mapping[facts.Severity, str]] = {"LOW": "🟢", "MEDIUM": "🟡", "HIGH": "🔴"}
SILENCE: Final = timedelta(days=4)
"""No regular closing of the exchange is longer: an older price says nothing about now."""

STANDARD: Final = Decimal(100)
"""The multiplier of a contract that is listed as it was made; adjusted ones have another."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PCT: Final = Decimal("0.0001")
_TENTH: Final = Decimal("0.1")
_LARGEST: Final = Decimal(10) ** 12


class OpenOption(msgspec.Struct, frozen=True):
    """Contracts sold and still open, as far as the market can endanger them.

    `strike` is USD per share, `contracts` what is still open, `premium` its net opening premium in
    USD, `multiplier` in shares a contract: who only asks where it stands needs neither of the two.
    `split_on` is the day of the last split of its shares: no price of a day before is theirs.
    """

    wheel_id: UUID
    trade_id: UUID
    portfolio_id: UUID
    symbol: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    multiplier: Decimal = STANDARD
    premium: Decimal = money.ZERO
    split_on: date | None = None


class Assessment(msgspec.Struct, frozen=True):
    """How an option stands at a price; `pct` is in percent of the strike, to 4 decimals."""

    pct: Decimal
    is_itm: bool
    is_otm: bool
    label: str
    level: facts.Severity
    icon: str
    dte_calendar: int
    dte_trading: int


def assess(option: OpenOption, price: Decimal, on: date) -> Assessment:
    """How the option stands at this price of its share, on this New York date.

    At the strike counts as in the money: who watches a position wants to know.
    """
    price = money.micro(price)
    pct = (price - option.strike) / option.strike * 100
    is_itm = price <= option.strike if option.direction == "put" else price >= option.strike
    near = 100 * abs(price - option.strike) <= NEAR_PERCENT * option.strike
    level: facts.Severity = "HIGH" if is_itm else "MEDIUM" if near else "LOW"
    return Assessment(
        pct=pct.quantize(_PCT) + 0,  # + 0: no minus before a zero
        is_itm=is_itm,
        is_otm=not is_itm,
        label=f"{'ITM' if is_itm else 'OTM'} by {abs(pct).quantize(_TENTH, ROUND_HALF_UP)}%",
        level=level,
        icon=ICONS[level],
        dte_calendar=calendar.dte_calendar(on, option.expiration_date),
        dte_trading=calendar.dte_trading(on, option.expiration_date),
    )


def trusted(quote: market.Quote, now: datetime) -> bool:
    """Whether a position may be judged by this price: a real one, and not out of date."""
    return (
        quote.state in {"live", "delayed"}
        and quote.last.is_finite()
        and 0 < quote.last < _LARGEST
        and abs(now - quote.as_of) <= SILENCE
    )


class PositionRisk(msgspec.Struct, frozen=True, kw_only=True):
    """An option's risk as it is told when it has changed; `price` of its share, in USD."""

    portfolio_id: UUID
    wheel_id: UUID
    trade_id: UUID
    symbol: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    level: facts.Severity
    is_itm: bool
    pct: Decimal
    label: str
    dte_calendar: int
    dte_trading: int
    price: Decimal
    price_as_of: datetime
    price_state: market.PriceState


def moment(instant: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def position_risk(option: OpenOption, quote: market.Quote, on: date) -> PositionRisk:
    """What is told about an option at this price, on this New York date."""
    assessed = assess(option, quote.last, on)
    return PositionRisk(
        portfolio_id=option.portfolio_id,
        wheel_id=option.wheel_id,
        trade_id=option.trade_id,
        symbol=option.symbol,
        direction=option.direction,
        strike=option.strike,
        expiration_date=option.expiration_date,
        contracts=option.contracts,
        level=assessed.level,
        is_itm=assessed.is_itm,
        pct=assessed.pct,
        label=assessed.label,
        dte_calendar=assessed.dte_calendar,
        dte_trading=assessed.dte_trading,
        price=quote.last,
        price_as_of=quote.as_of,
        price_state=quote.state,
    )
