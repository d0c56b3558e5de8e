"""What a European option is worth, how it moves, and what volatility a price implies.

Black-Scholes-Merton with a continuous dividend yield (Hull, Options, Futures, and Other
Derivatives, ch. 15, 17 and 19). Everything is vectorised: arguments are scalars or arrays that
broadcast against each other, answers are arrays. Where an option has no time, no spot, no strike
or no volatility left, or one of them is no number, there is no answer: NaN, and no warning.

Units, also of what goes in: `years` of 365 days, `rate` and `dividend_yield` continuous in parts
a year (0.05 is 5 %), `volatility` in parts a year, prices in dollars per share; theta in dollars
per calendar day, vega per volatility point (0.01), rho per percentage point of the rate.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Input = Any
"""A number, or what numpy can make an array of numbers from."""
Fixed = tuple[Input, Input, Input, Input, Input]
"""Spot, strike, years, rate and dividend yield."""

LOWEST: Final = 1e-4
HIGHEST: Final = 10.0
"""Between these an implied volatility is looked for."""
_STEPS: Final = 60
_CLOSE: Final = 1e-14
_ROUNDING: Final = 1e-15
_DAYS: Final = 365
_TICK: Final = 0.01
_SLACK: Final = 0.02
_POINT: Final = 0.01
_ROOT_TAU: Final = math.sqrt(2 * math.pi)
_SIDES: Final = {"call": 1.0, "c": 1.0, "put": -1.0, "p": -1.0}


class Greeks(NamedTuple):
    """Price and sensitivities of options, and their probability to end in the money.

    `delta` per dollar, `gamma` per dollar squared, `theta` dollars per calendar day, `vega`
    dollars per volatility point, `rho` dollars per percentage point, `probability_itm` from 0
    to 1: N(d2) for a call, N(-d2) for a put.
    """

    price: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    rho: Floats
    probability_itm: Floats


def greeks(
    side: Input,
    spot: Input,
    strike: Input,
    years: Input,
    rate: Input,
    dividend_yield: Input,
    volatility: Input,
) -> Greeks:
    """Price, greeks and P(ITM) of each option.

    `side` is "call" or "put" (also "c", "p"; or +1, -1). Raises ValueError for any other.
    """
    sign, rate, carry = signs(side), _finite(rate), _finite(dividend_yield)
    spot, strike, years, volatility = map(_positive, (spot, strike, years, volatility))
    with np.errstate(all="ignore"):
        root = np.sqrt(years)
        deviation = volatility * root
        d1 = (np.log(spot / strike) + (rate - carry) * years) / deviation + deviation / 2
        d2 = d1 - deviation
        kept, owed = np.exp(-carry * years), np.exp(-rate * years)
        inside, exercised = ndtr(sign * d1), ndtr(sign * d2)
        density = np.exp(-(d1**2) / 2) / _ROOT_TAU
        share, cash = spot * kept * inside, strike * owed * exercised
        slope = spot * kept * density
        decay = slope * volatility / (2 * root)
        return Greeks(
            price=np.maximum(sign * (share - cash), 0.0),
            delta=sign * kept * inside,
            gamma=kept * density / (spot * deviation),
            theta=(-decay + sign * (carry * share - rate * cash)) / _DAYS,
            vega=slope * root * _POINT,
            rho=sign * years * cash * _POINT,
            probability_itm=exercised,
        )


def implied_volatility(
    side: Input,
    price: Input,
    spot: Input,
    strike: Input,
    years: Input,
    rate: Input,
    dividend_yield: Input,
) -> Floats:
    """The volatility at which each option is worth its price; NaN where none is.

    That is: at or below the discounted intrinsic value, at or above what an option can be worth
    at all, without time left, and outside of 1e-4 to 10. Newton's method inside a bracket, on the
    log of the out-of-the-money option's price, where put-call parity says the same.
    """
    sign, rate, carry = signs(side), _finite(rate), _finite(dividend_yield)
    price, spot, strike, years = map(_positive, (price, spot, strike, years))
    with np.errstate(all="ignore"):
        forward = spot * np.exp((rate - carry) * years)
        intrinsic = np.maximum(sign * (forward - strike), 0.0)
        excess = price * np.exp(rate * years) - intrinsic
        rounding = np.where(intrinsic > 0, _ROUNDING * np.maximum(forward, strike), 0.0)
        sought = np.where(excess > rounding, excess / np.sqrt(forward * strike), np.nan)
        moneyness, root = np.abs(np.log(forward / strike)), np.sqrt(years)
        shape = np.broadcast_shapes(sought.shape, moneyness.shape, root.shape)
        flat = [np.broadcast_to(each, shape).ravel() for each in (sought, moneyness, root)]
        found = np.full(flat[0].shape, np.nan)
        there = np.flatnonzero(np.isfinite(flat[0]) & np.isfinite(flat[1]) & np.isfinite(flat[2]))
        found[there] = _solved(*(each[there] for each in flat))
        return found.reshape(shape)


def _solved(sought: Floats, moneyness: Floats, root: Floats) -> Floats:
    """Volatilities of out-of-the-money options: prices in units of the root of forward x strike.

    In these units the option is worth exp(-x/2) N(x/-s + s/2) - exp(x/2) N(x/-s - s/2), with x
    its log distance and s its total deviation; the price rises with s, so a bracket never loses it.
    """
    low, high = LOWEST * root, HIGHEST * root
    down, up = np.exp(-moneyness / 2), np.exp(moneyness / 2)
    target = np.log(sought)
    at_most = _otm(high, moneyness, down, up)[0]
    deviation = _guess(sought, moneyness, low, high)
    going = np.arange(sought.size)
    for _ in range(_STEPS):
        s, x = deviation[going], moneyness[going]
        worth, slope = _otm(s, x, down[going], up[going])
        above = worth > sought[going]
        high[going] = np.where(above, s, high[going])
        low[going] = np.where(above, low[going], s)
        step = (np.log(worth) - target[going]) * worth / slope
        moved = s - step
        wild = ~((moved > low[going]) & (moved < high[going]))
        moved = np.where(wild, np.sqrt(low[going] * high[going]), moved)
        deviation[going] = moved
        going = going[np.abs(moved - s) > _CLOSE * s]
        if not going.size:
            break
    answer = deviation / root
    beyond = (at_most <= sought) | (answer <= LOWEST * (1 + 1e-9))
    return np.where(beyond, np.nan, answer)


def _otm(s: Floats, x: Floats, down: Floats, up: Floats) -> tuple[Floats, Floats]:
    """Normalised price and its slope by the deviation."""
    d1 = s / 2 - x / s
    worth: Floats = down * ndtr(d1) - up * ndtr(d1 - s)
    slope: Floats = down * np.exp(-(d1**2) / 2) / _ROOT_TAU
    return worth, slope


def _guess(sought: Floats, moneyness: Floats, low: Floats, high: Floats) -> Floats:
    """Far strikes: the inflection; near ones: as if at the money (Brenner and Subrahmanyam)."""
    near: Floats = sought * _ROOT_TAU
    guess = np.maximum(np.sqrt(2 * moneyness), np.minimum(near, 1.0))
    return np.clip(guess, low, high)


def misfits(side: Input, volatility: Input, quote: tuple[Input, Input], fixed: Fixed) -> Mask:
    """Whether a volatility cannot be that of an option which is quoted at such a bid and ask.

    It fits within half the spread, a cent and a fiftieth of the middle; where the middle implies
    no volatility, nothing is known against one. Who told one that does not fit has reckoned with
    another time, say, or another price.
    """
    bid, ask = (np.asarray(each, np.float64) for each in quote)
    middle = (bid + ask) / 2
    implied = implied_volatility(side, middle, *fixed)
    off = np.abs(greeks(side, *fixed, volatility).price - middle)
    with np.errstate(invalid="ignore"):
        apart: Mask = off > (ask - bid) / 2 + _TICK + _SLACK * middle
    return apart & ~np.isnan(implied)


def carried(paid: Input, spot: Input, years: Input) -> Floats:
    """Dividends in dollars per share as a continuous yield until then; 0 where there is none."""
    paid, spot, years = (np.asarray(each, np.float64) for each in (paid, spot, years))
    with np.errstate(all="ignore"):
        return np.where(
            (years > 0) & (paid > 0) & (paid < spot), -np.log1p(-paid / spot) / years, 0
        )


def strike_at(sigmas: Input, side: Input, spot: Input, years: Input, volatility: Input) -> Floats:
    """The strike so many standard deviations out of the money: spot x exp(n x vol x sqrt(T)).

    Above the spot for a call, below for a put.
    """
    sign, n = signs(side), _finite(sigmas)
    spot, years, volatility = map(_positive, (spot, years, volatility))
    with np.errstate(all="ignore"):
        strike: Floats = spot * np.exp(sign * n * volatility * np.sqrt(years))
    return strike


def sigma_distance(spot: Input, strike: Input, years: Input, volatility: Input) -> Floats:
    """How many standard deviations a strike is away: |ln(K/S)| / (vol x sqrt(T))."""
    spot, strike, years, volatility = map(_positive, (spot, strike, years, volatility))
    with np.errstate(all="ignore"):
        distance: Floats = np.abs(np.log(strike / spot)) / (volatility * np.sqrt(years))
    return distance


def expected_loss(
    side: Input,
    spot: Input,
    strike: Input,
    years: Input,
    rate: Input,
    dividend_yield: Input,
    volatility: Input,
) -> Floats:
    """How far beyond the strike the price is expected to end if it does, in dollars per share.

    E[K - S | S < K] for a put, E[S - K | S > K] for a call, at expiration: the undiscounted price
    over P(ITM), as both are of the same lognormal distribution. 0 where it never gets there.
    """
    worth = greeks(side, spot, strike, years, rate, dividend_yield, volatility)
    with np.errstate(all="ignore"):
        growth = np.exp(_finite(rate) * _positive(years))
        loss = worth.price * growth / worth.probability_itm
    return np.where(worth.probability_itm == 0, 0.0, loss)


def signs(side: Input) -> Floats:
    """+1 for calls, -1 for puts. Raises ValueError for what is neither."""
    given = np.asarray(side)
    if given.dtype.kind in "US" or given.dtype == object:
        try:
            named = [_SIDES[str(each).lower()] for each in given.ravel().tolist()]
        except KeyError as unknown:
            raise ValueError(f"{unknown} is neither a call nor a put") from unknown
        return np.array(named, dtype=np.float64).reshape(given.shape)
    numbers = given.astype(np.float64)
    if not np.all(np.abs(numbers) == 1):
        raise ValueError("a side is +1 for a call or -1 for a put")
    return numbers


def _finite(numbers: Input) -> Floats:
    given = np.asarray(numbers, np.float64)
    return np.where(np.isfinite(given), given, np.nan)


def _positive(numbers: Input) -> Floats:
    given = np.asarray(numbers, np.float64)
    return np.where((given > 0) & (given < np.inf), given, np.nan)
