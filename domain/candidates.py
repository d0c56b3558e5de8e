"""The contracts of one side of a chain, and what is estimated of each: columns, one place each.

Prices are whole micro-dollars, so that a quote on the very edge of a rule falls on its right side.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from domain import calendar, market, pricing, volatility
from domain.outlook import Outlook, Source

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MICROS: Final = 1_000_000
UNSAID: Final = -1
"""In place of a price or a count that the provider did not say."""
_SOURCES: Final[tuple[Source, ...]] = ("contract", "mid", "blend", "rv20")


class Sheet(NamedTuple):
    """`strike`, `bid`, `ask` in micro-dollars, `spot` in dollars; DTE in calendar days.

    `volatility` is each contract's own, where it has one; `source` its place in SOURCES; `expected`
    the one that is expected to be realised. `sigmas` is the distance to the strike in standard
    deviations, `probability` that of ending in the money, `loss` how far beyond the strike it is
    then expected to end, in dollars per share.
    """

    options: tuple[market.OptionMark, ...]
    spot: float
    strike: Ints
    bid: Ints
    ask: Ints
    interest: Ints
    dte: Ints
    years: Floats
    outside: Ints
    volatility: Floats
    source: Ints
    expected: Floats
    sigmas: Floats
    probability: Floats
    delta: Floats
    loss: Floats

    def source_of(self, place: int) -> Source:
        """Where a contract's volatility is from."""
        return _SOURCES[int(self.source[place])]


class _Ends(NamedTuple):
    """What belongs to each expiration, spread over the contracts.

    `expected` is the volatility that is expected to be realised until then, over `years`; NaN
    where the contract's own is the best there is.
    """

    years: Floats
    dte: Ints
    carry: Floats
    expected: Floats


def sheet(
    chain: market.Chain, direction: market.Direction, outlook: Outlook, now: datetime
) -> Sheet:
    """Estimate every contract of a side. Takes milliseconds, so not where others wait.

    Time runs from the instant of the quotes, whose prices are of then; DTE from today.
    """
    options = tuple(each for each in chain.options if each.direction == direction)
    spot = float(chain.underlying.last)
    strike = np.array([micros(each.strike) for each in options], dtype=np.int64)
    ends = _ends(chain, options, spot, outlook, now)
    strikes = strike / MICROS
    bid, ask = _prices([e.bid for e in options]), _prices([e.ask for e in options])
    own, source = _volatility(options, direction, spot, strikes, (bid, ask), ends, outlook)
    greeks = pricing.greeks(direction, spot, strikes, ends.years, outlook.rate, ends.carry, own)
    expected = np.where(np.isnan(ends.expected), own, ends.expected)
    return Sheet(
        options,
        spot,
        strike,
        bid,
        ask,
        np.array(
            [UNSAID if e.open_interest is None else e.open_interest for e in options],
            dtype=np.int64,
        ),
        ends.dte,
        ends.years,
        (strike - micros(chain.underlying.last)) * (1 if direction == "call" else -1),
        own,
        source,
        expected,
        pricing.sigma_distance(spot, strikes, ends.years, own),
        greeks.probability_itm,
        _said([e.delta for e in options], greeks.delta),
        pricing.expected_loss(
            direction, spot, strikes, ends.years, outlook.rate, ends.carry, expected
        ),
    )


def micros(amount: Decimal) -> int:
    """Whole micro-dollars."""
    return int((amount * MICROS).to_integral_value())


def _prices(said: list[Decimal | None]) -> Ints:
    return np.array([UNSAID if each is None else micros(each) for each in said], dtype=np.int64)


def _said(said: list[float | None], else_: Floats) -> Floats:
    given = np.array([np.nan if each is None else each for each in said], dtype=np.float64)
    return np.where(np.isnan(given), else_, given)


def _ends(
    chain: market.Chain,
    options: tuple[market.OptionMark, ...],
    spot: float,
    outlook: Outlook,
    now: datetime,
) -> _Ends:
    today = calendar.trading_day(now)
    dates = sorted({each.expiration for each in options})
    place = {day: n for n, day in enumerate(dates)}
    which = np.array([place[each.expiration] for each in options], dtype=np.int64)
    seen = min(chain.as_of, now)
    years = np.array([calendar.years_to_expiry(seen, day) for day in dates], dtype=np.float64)
    dte = np.array([calendar.dte_calendar(today, day) for day in dates], dtype=np.int64)
    carry = [_carry(outlook, today, day, years[n], spot) for n, day in enumerate(dates)]
    return _Ends(
        years[which],
        dte[which],
        np.array(carry, dtype=np.float64)[which],
        np.array(_expected(chain, outlook, today, dates, years), dtype=np.float64)[which],
    )


def _expected(
    chain: market.Chain, outlook: Outlook, today: date, dates: list[date], years: Floats
) -> list[float]:
    """What is forecast until each expiration; without a forecast what it implies at the money.

    A forecast counts sessions, of which a day has one and a weekend none, and is told over the
    `years` of the calendar. Of a report to come it knows nothing: then the market knows better.
    """
    at_the_money = {} if outlook.forecast is not None else volatility.by_expiration(chain)
    found = []
    for day, length in zip(dates, years.tolist(), strict=True):
        if outlook.reports_by(today, day) or length <= 0:
            found.append(math.nan)
        elif outlook.forecast is None:
            found.append(at_the_money.get(day, math.nan))
        else:
            sessions = calendar.traded(chain.as_of, calendar.close_at(day)) / calendar.SESSION
            found.append(outlook.forecast * math.sqrt(sessions / volatility.SESSIONS / length))
    return found


def _carry(outlook: Outlook, today: date, expiration: date, years: float, spot: float) -> float:
    """The dividends before an expiration as a continuous yield until then."""
    return float(pricing.carried(outlook.dividends_before(today, expiration), spot, years))


def _volatility(
    options: tuple[market.OptionMark, ...],
    direction: market.Direction,
    spot: float,
    strikes: Floats,
    quotes: tuple[Ints, Ints],
    ends: _Ends,
    outlook: Outlook,
) -> tuple[Floats, Ints]:
    """Each contract's own: as the provider says, else as its mid implies, else ours for all.

    The provider's word counts where it fits the provider's own quotes: one that was reckoned with
    another time to expiration, say, is worth nothing.
    """
    bid, ask = (each / MICROS for each in quotes)
    mid = np.where((bid > 0) & (ask >= bid), (bid + ask) / 2, np.nan)
    fixed = spot, strikes, ends.years, outlook.rate, ends.carry
    implied = pricing.implied_volatility(direction, mid, *fixed)
    told = _said([each.implied_volatility for each in options], np.full(len(options), np.nan))
    quoted = np.where(np.isnan(mid), np.nan, bid), np.where(np.isnan(mid), np.nan, ask)
    with np.errstate(invalid="ignore"):
        own = np.where((told > 0) & ~pricing.misfits(direction, told, quoted, fixed), told, np.nan)
    ours = outlook.rv20 if outlook.forecast is None else outlook.forecast
    last = np.full(len(options), np.nan if ours is None else ours)
    among = np.array([own, implied, last])
    first = np.where(np.isnan(own), np.where(np.isnan(implied), 2, 1), 0)
    source = np.where((first == 2) & (outlook.forecast is None), 3, first)  # noqa: PLR2004
    return among[first, np.arange(len(options))], source
