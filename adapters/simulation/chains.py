"""Which contracts are listed, what each is quoted at, and how many hold it."""

from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import cycle, repeat
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.simulation import chance, options, sessions
from adapters.simulation.chance import Floats, Integers
from adapters.simulation.paths import Paths
from adapters.simulation.symbols import Profile, profile
from domain import calendar, market, pricing

WEEKLY_DAYS = 60
LISTED_DAYS = 190
MONTH = timedelta(days=30)
NARROWEST, WIDEST, WIDTH_IN_SIGMAS = 0.10, 0.60, 2.7

_FRIDAY = 4
_THIRD_WEEK = range(15, 22)
_DIRECTIONS: tuple[market.Direction, market.Direction] = ("call", "put")


class _Listing(NamedTuple):
    """Contracts as columns: place in the ladder, +1 for calls and -1 for puts, expiration."""

    place: Integers
    side: Floats
    expiry: Integers


@lru_cache(maxsize=4096)
def expirations(day: date) -> tuple[date, ...]:
    """Fridays for sixty days, then the third Fridays; a holiday's Friday is a Thursday."""
    friday = day + timedelta(days=(_FRIDAY - day.weekday()) % 7)
    fridays = [friday + timedelta(weeks=n) for n in range(LISTED_DAYS // 7)]
    near = timedelta(days=WEEKLY_DAYS)
    chosen = (each for each in fridays if each - day <= near or each.day in _THIRD_WEEK)
    return tuple(expiry for each in chosen if (expiry := calendar.last_session(each)) >= day)


def marks(
    underlying: market.Quote, listed: tuple[date, ...], prices: Paths
) -> tuple[market.OptionMark, ...]:
    """Price the contracts of these expirations all at once, as columns."""
    symbol, spot, as_of = underlying.symbol, float(underlying.last), underlying.as_of
    about = profile(symbol)
    day = prices.known(symbol, calendar.last_session(calendar.trading_day(as_of)))
    years = np.array([calendar.years_to_expiry(as_of, each) for each in listed])
    reports = _reports_before(about, day, listed)
    theta = options.atm_variance(about, prices.volatility(day), years, reports)
    listing = _listing(spot, np.sqrt(theta), years * 365 > WEEKLY_DAYS)
    strike, tenor = _ladder()[listing.place], years[listing.expiry]
    moneyness = np.log(strike / spot) - (options.RATE - about.dividend_yield) * tenor
    variance = options.smile(moneyness, theta[listing.expiry], about.skew, about.smile)
    volatility = np.sqrt(variance / tenor)
    greeks = pricing.greeks(
        listing.side, spot, strike, tenor, options.RATE, about.dividend_yield, volatility
    )
    price = np.maximum(greeks.price, listing.side * (spot - strike))
    bids, asks, lasts = options.market_makers(price, about.tightness)
    ends = np.array([each.toordinal() for each in listed])[listing.expiry]
    distance = moneyness / np.sqrt(variance)
    interest, volume = _crowd(symbol, listing, ends, distance, sessions.part(as_of))
    return tuple(
        map(
            market.OptionMark,
            repeat(symbol),
            cycle(_DIRECTIONS),
            map(_strikes().__getitem__, listing.place.tolist()),
            map(listed.__getitem__, listing.expiry.tolist()),
            map(_dollars, bids),
            map(_dollars, asks),
            map(_dollars, lasts),
            volatility.round(6).tolist(),
            greeks.delta.round(6).tolist(),
            greeks.gamma.round(6).tolist(),
            greeks.theta.round(6).tolist(),
            greeks.vega.round(6).tolist(),
            interest,
            volume,
        )
    )


def at_the_money(symbol: str, day: date, prices: Paths) -> float:
    """The volatility that options at the money imply at a session's close, a month out."""
    about, end = profile(symbol), day + MONTH
    years = np.array([MONTH.days / 365])
    theta = options.atm_variance(
        about, prices.volatility(day), years, _reports_before(about, day, (end,))
    )
    return float(np.sqrt(theta / years)[0])


def blinded(option: market.OptionMark) -> market.OptionMark:
    """The contract as a provider sends it when its model gave NaN."""
    return msgspec.structs.replace(
        option, implied_volatility=None, delta=None, gamma=None, theta=None, vega=None
    )


@lru_cache(maxsize=1)
def _ladder() -> Floats:
    """Every strike there can be, in dollars: a strike once listed stays on the ladder."""
    rungs = ((0.5, 25, 0.5), (25, 100, 1), (100, 250, 2.5), (250, 1000, 5), (1000, 10_000, 25))
    return np.concatenate([np.arange(*rung, dtype=np.float64) for rung in rungs])


@lru_cache(maxsize=1)
def _strikes() -> tuple[Decimal, ...]:
    return tuple(Decimal(f"{strike:.2f}") for strike in _ladder().tolist())


def _listing(spot: float, deviation: Floats, far: NDArray[np.bool_]) -> _Listing:
    """The contracts on offer: strikes within reach of the spot, every other one when far.

    `deviation` is the standard deviation of the log price at each expiration.
    """
    width = np.clip(WIDTH_IN_SIGMAS * deviation, NARROWEST, WIDEST)
    low = np.searchsorted(_ladder(), spot * np.exp(-width), side="right") - 1
    high = np.searchsorted(_ladder(), spot * np.exp(width), side="left") + 1
    step = np.where(far, 2, 1)
    low = np.maximum(low, 0) // step * step
    places = [
        np.arange(*row) for row in zip(low.tolist(), high.tolist(), step.tolist(), strict=True)
    ]
    clipped = [row[row < len(_ladder())] for row in places]
    expiry = np.repeat(np.arange(len(clipped)), [len(row) for row in clipped])
    place = np.concatenate(clipped) if clipped else np.empty(0, dtype=np.int64)
    side = np.tile([1.0, -1.0], len(place))
    return _Listing(np.repeat(place, 2), side, np.repeat(expiry, 2))


def _reports_before(about: Profile, day: date, listed: tuple[date, ...]) -> Floats:
    """How many times the symbol reports between the day's close and each expiration."""
    if not about.reports:
        return np.zeros(len(listed))
    after = sessions.number(day)
    counts = (sessions.turns(about.report_phase, after, sessions.number(each)) for each in listed)
    return np.array(list(counts), dtype=np.float64)


def _crowd(
    symbol: str, listing: _Listing, ends: Integers, distance: Floats, part: float
) -> tuple[list[int], list[int]]:
    """Open interest and volume in contracts: most near the money, by the strike's popularity.

    `ends` are the expirations' ordinals, `distance` the log-moneyness in deviations.
    """
    kind = listing.place * 31 + ends * 17 + np.where(listing.side > 0, 7, 0)
    liked = _popularity(symbol)
    near = profile(symbol).crowd * np.exp(-((distance / 1.5) ** 2) / 2)
    interest = near * liked[kind % len(liked)]
    volume = 0.15 * part * interest * liked[(kind + 1) % len(liked)]
    return interest.astype(np.int64).tolist(), volume.astype(np.int64).tolist()


@lru_cache(maxsize=4096)
def _popularity(symbol: str) -> Floats:
    """How much a contract is liked, around 1: one number for each of 4,096 kinds."""
    liked: Floats = np.exp(0.6 * chance.draws("popularity", symbol).standard_normal(4096))
    return liked


@lru_cache(maxsize=1 << 16)
def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
