"""What an option is worth: Black-Scholes-Merton on an SSVI smile, and its market makers' quotes."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from adapters.simulation.chance import Floats
from adapters.simulation.paths import KAPPA, LEVEL, REPORT_SPREAD
from adapters.simulation.symbols import Profile

RATE = 0.04
RISK_PREMIUM = 1.08
TICK_CHANGE = 3.0


class Greeks(NamedTuple):
    price: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


def atm_variance(about: Profile, tape: float, years: Floats, reports: Floats) -> Floats:
    """Total variance at the money: today's volatility reverting, plus the reports to come."""
    now = (about.beta * tape) ** 2 + about.own**2
    ever = (about.beta * LEVEL) ** 2 + about.own**2
    reach = -np.expm1(-KAPPA * years) / (KAPPA * years)
    diffusion = (ever + (now - ever) * reach) * years
    variance: Floats = diffusion * RISK_PREMIUM**2 + reports * REPORT_SPREAD**2
    return variance


def smile(moneyness: Floats, theta: Floats, rho: float, eta: float) -> Floats:
    """The SSVI total implied variance at log-moneyness ln(K/F), with theta at the money."""
    phi = eta / np.sqrt(theta * (1 + theta))
    x = phi * moneyness
    variance: Floats = theta / 2 * (1 + rho * x + np.sqrt((x + rho) ** 2 + 1 - rho**2))
    return variance


def black_scholes_merton(
    spot: float,
    strike: Floats,
    years: Floats,
    volatility: Floats,
    side: Floats,
    rate: float,
    dividend: float,
) -> Greeks:
    """Prices in dollars; theta per calendar day, vega per volatility point (Hull, ch. 17, 19).

    Rate and dividend yield are continuous, in parts a year; side is +1 for calls, -1 for puts.
    """
    root = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - dividend) * years) / root + root / 2
    d2 = d1 - root
    carry, discount = np.exp(-dividend * years), np.exp(-rate * years)
    density = np.exp(-(d1**2) / 2) / math.sqrt(2 * math.pi)
    share = spot * carry * ndtr(side * d1)
    cash = strike * discount * ndtr(side * d2)
    decay = spot * carry * density * volatility / (2 * np.sqrt(years))
    return Greeks(
        price=side * (share - cash),
        delta=side * carry * ndtr(side * d1),
        gamma=carry * density / (spot * root),
        theta=(-decay + side * (dividend * share - rate * cash)) / 365,
        vega=spot * carry * density * np.sqrt(years) / 100,
    )


def market_makers(price: Floats, tightness: float) -> tuple[list[int], list[int], list[int]]:
    """Bid, ask and last of each contract, in cents and on ticks; a bid can be nothing."""
    half = tightness * (0.01 + 0.008 * price)
    tick = np.where(price < TICK_CHANGE, 1, 5)
    bid = np.floor((price - half) * 100 / tick + 1e-9) * tick
    ask = np.ceil((price + half) * 100 / tick - 1e-9) * tick
    last = np.rint(price * 100 / tick) * tick
    bids, asks, lasts = np.maximum([bid, ask, last], [[0], [1], [1]]).astype(np.int64).tolist()
    return bids, asks, lasts
