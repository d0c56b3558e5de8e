"""Where an open option stands at a price of its share.

Two ways to the same answer. `assess` says it exactly, in decimals, for one option. `Book` and
`evaluate` say it for every open option of a symbol at once, in whole micro-dollars, so that a
price on the very edge of a rule falls on the same side of it in both. When that needs somebody's
attention, say the rules (domain/rules.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from domain import calendar, facts, market, money

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NEAR_PERCENT: Final = Decimal(5)
LEVELS: Final[tuple[facts.Severity, ...]] = ("LOW", "MEDIUM", "HIGH")
ICONS: Final[Mapping[facts.Severity, str]] = {"LOW": "🟢", "MEDIUM": "🟡", "HIGH": "🔴"}
SILENCE: Final = timedelta(days=4)
"""No regular closing of the exchange is longer: an older price says nothing about now."""

NEAR: Final = 50
"""Thousandths of the strike: the band near it."""
STANDARD: Final = Decimal(100)
"""The multiplier of a contract that is listed as it was made; adjusted ones have another."""

_LOW, _MEDIUM, _HIGH = range(3)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = Decimal("0.000001")
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
    price = price.quantize(_MICRO)
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


class Book(msgspec.Struct, frozen=True):
    """The open options of one symbol as columns, one place per option.

    `strikes` and `premiums` in micro-dollars, `shares` of all contracts; `sides` is 1 for a put and
    -1 for a call; `expiry` says for each option which of the different `expirations` is its own.
    `split_on` is the day of the symbol's last split.
    """

    options: tuple[OpenOption, ...]
    strikes: Ints
    sides: Ints
    premiums: Floats
    shares: Floats
    expirations: tuple[date, ...]
    expiry: Ints
    split_on: date | None = None

    def dte_trading(self, on: date) -> Ints:
        """Sessions left to each option."""
        left = [calendar.dte_trading(on, each) for each in self.expirations]
        return np.array(left, dtype=np.int64)[self.expiry]

    def years(self, at: datetime) -> Floats:
        """Years left to each option; negative once it has expired."""
        left = [calendar.years_to_expiry(at, each) for each in self.expirations]
        return np.array(left, dtype=np.float64)[self.expiry]

    def where(self, holds: Callable[[date], bool]) -> Mask:
        """Of which options something holds by their expiration alone."""
        return np.array([holds(each) for each in self.expirations], dtype=np.bool_)[self.expiry]


class Evaluation(msgspec.Struct, frozen=True):
    """How every option of a book stands at one price.

    `pct` in percent of the strike; `otm` in micro-dollars out of the money, 0 and below is in
    it; `level` is a place in LEVELS.
    """

    otm: Ints
    pct: Floats
    itm: Mask
    level: npt.NDArray[np.int8]


def book(options: Sequence[OpenOption]) -> Book:
    """Lay the open options of one symbol out in columns."""
    expirations = tuple(sorted({each.expiration_date for each in options}))
    places = {day: place for place, day in enumerate(expirations)}
    return Book(
        tuple(options),
        np.array([micros(each.strike) for each in options], dtype=np.int64),
        np.array([1 if each.direction == "put" else -1 for each in options], dtype=np.int64),
        np.array([micros(each.premium) for each in options], dtype=np.float64),
        np.array([float(each.multiplier * each.contracts) for each in options], dtype=np.float64),
        expirations,
        np.array([places[each.expiration_date] for each in options], dtype=np.int64),
        max((each.split_on for each in options if each.split_on is not None), default=None),
    )


def evaluate(book: Book, price: Decimal) -> Evaluation:
    """How every option stands at this price: the same as `assess`, all at once."""
    above = micros(price) - book.strikes
    otm = above * book.sides
    itm = otm <= 0
    level = np.where(itm, _HIGH, np.where(otm <= share(book.strikes, NEAR), _MEDIUM, _LOW))
    return Evaluation(otm, above / book.strikes * 100, itm, level.astype(np.int8))


def micros(amount: Decimal) -> int:
    """Whole micro-dollars: every figure that is let in has at most six decimals."""
    return int(amount.quantize(_MICRO).scaleb(6))


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


def share(strikes: Ints, thousandths: int) -> Ints:
    """Thousandths of whole numbers, rounded down, without leaving 64 bits on the way."""
    return strikes // 1000 * thousandths + strikes % 1000 * thousandths // 1000
