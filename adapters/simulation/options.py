"""How volatile options take a share to be, an SSVI smile, and their market makers' quotes."""

import numpy as np

from adapters.simulation.chance import Floats
from adapters.simulation.paths import KAPPA, LEVEL, REPORT_SPREAD
from adapters.simulation.symbols import Profile

RATE = 0.04
RISK_PREMIUM = 1.08
TICK_CHANGE = 3.0


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


def market_makers(price: Floats, tightness: float) -> tuple[list[int], list[int], list[int]]:
    """Bid, ask and last of each contract, in cents and on ticks; a bid can be nothing."""
    half = tightness * (0.01 + 0.008 * price)
    tick = np.where(price < TICK_CHANGE, 1, 5)
    bid = np.floor((price - half) * 100 / tick + 1e-9) * tick
    ask = np.ceil((price + half) * 100 / tick - 1e-9) * tick
    last = np.rint(price * 100 / tick) * tick
    bids, asks, lasts = np.maximum([bid, ask, last], [[0], [1], [1]]).astype(np.int64).tolist()
    return bids, asks, lasts
