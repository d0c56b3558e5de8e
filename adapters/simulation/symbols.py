"""Who is who: what distinguishes one symbol from another."""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from adapters.simulation import chance, sessions
from domain import calendar


class Profile(NamedTuple):
    """What distinguishes a symbol: price in dollars, volatility and yield in parts a year.

    `tightness` scales the option spreads, `crowd` is the open interest of a popular strike;
    the phases say on which sessions of a quarter it reports and goes ex-dividend.
    """

    price: float
    beta: float
    own: float
    dividend_yield: float
    skew: float
    smile: float
    reports: bool
    tightness: float
    crowd: float
    report_phase: int
    dividend_phase: int


_KNOWN: dict[str, tuple[float, float, float, float]] = {
    # symbol: reference price, beta, own volatility, dividend yield
    "SPY": (500.0, 1.0, 0.0, 0.013),
    "QQQ": (430.0, 1.15, 0.06, 0.006),
    "IWM": (205.0, 1.15, 0.09, 0.013),
    "DIA": (390.0, 0.9, 0.04, 0.017),
    "AAPL": (190.0, 1.15, 0.16, 0.005),
    "AMD": (150.0, 1.7, 0.32, 0.0),
    "AMZN": (180.0, 1.2, 0.2, 0.0),
    "BAC": (38.0, 1.2, 0.16, 0.025),
    "DIS": (100.0, 1.05, 0.18, 0.01),
    "F": (12.0, 1.3, 0.24, 0.05),
    "GOOGL": (165.0, 1.1, 0.18, 0.005),
    "JPM": (200.0, 1.1, 0.14, 0.022),
    "KO": (62.0, 0.55, 0.1, 0.03),
    "META": (500.0, 1.25, 0.24, 0.004),
    "MSFT": (415.0, 1.0, 0.14, 0.007),
    "NVDA": (120.0, 1.8, 0.3, 0.0),
    "PLTR": (25.0, 1.7, 0.42, 0.0),
    "T": (18.0, 0.6, 0.14, 0.06),
    "TSLA": (220.0, 1.8, 0.4, 0.0),
    "XOM": (112.0, 0.8, 0.18, 0.033),
}
_INDICES = frozenset({"SPY", "QQQ", "IWM", "DIA"})


@lru_cache(maxsize=4096)
def profile(symbol: str) -> Profile:
    """The symbol's character: from the table, else from its name alone (not the seed)."""
    draws = chance.draws("profile", symbol)
    u = draws.random(6)
    made = (10 * 50 ** u[0], 0.5 + 1.3 * u[1], 0.1 + 0.25 * u[2], max(0.0, 0.05 * u[3] - 0.01))
    price, beta, own, dividend_yield = _KNOWN.get(symbol, made)
    known, index = symbol in _KNOWN, symbol in _INDICES
    report_phase, dividend_phase = draws.integers(0, sessions.QUARTER, 2).tolist()
    return Profile(
        price=float(price),
        beta=float(beta),
        own=float(own),
        dividend_yield=float(dividend_yield),
        skew=-0.37 if index else -0.07,
        smile=1.16 if index else 1.0,
        reports=not index,
        tightness=1.0 if known else float(1.5 + 2 * u[4]),
        crowd=20_000.0 if known else float(2_000 + 8_000 * u[5]),
        report_phase=report_phase,
        dividend_phase=dividend_phase,
    )


def reports(
    about: Profile, first: date, last: date
) -> Iterator[tuple[date, Literal["bmo", "amc"]]]:
    """The days from first to last on which it reports, and whether before or after the session.

    The price jumps in the night before the session of its phase: so a report after the close
    is the session's before.
    """
    evening = bool(about.report_phase % 2)
    days = calendar.sessions(max(first, sessions.EPOCH), calendar.next_session(last))
    for day in days if about.reports else ():
        if sessions.number(day) % sessions.QUARTER == about.report_phase:
            told = calendar.previous_session(day) if evening else day
            if first <= told <= last:
                yield told, "amc" if evening else "bmo"
