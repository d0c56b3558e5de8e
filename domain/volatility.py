"""How much a share has moved, how much its options say it will, and how unusual that is.

Volatilities are decimals a year (0.25 is 25 %). What was realised is annualised with the 252
sessions of a year; what options imply is over years of 365 days, as everywhere in pricing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from domain import calendar, market, pricing

Floats = npt.NDArray[np.float64]
Estimator = Literal["close", "parkinson", "garman_klass", "yang_zhang"]
Source = Literal["blend", "rv20"]

SESSIONS: Final = 252
MONTH: Final = 30
FEWEST_DAYS: Final = 20

_SPLITS: Final = np.log([2.0, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50])
_LEAPS: Final = np.concatenate([-_SPLITS, [0.0], _SPLITS])
_NEAR_A_SPLIT: Final = 0.05
_OVER_RV20, _OVER_RV60, _OVER_IMPLIED = 0.30, 0.20, 0.50


# --- realised --------------------------------------------------------------------------------


class _Moves(NamedTuple):
    """Sessions in log prices: from the close before to the open, and from there on."""

    gap: Floats
    high: Floats
    low: Floats
    close: Floats


def realised(
    bars: Sequence[market.Bar], sessions: int = 20, estimator: Estimator = "close"
) -> float | None:
    """The volatility of the last so many sessions; None when there are too few bars.

    The bars are in order and as traded, and one more is needed than sessions, as the first move
    starts at the close before. None too where nothing moved, or a price is not above 0: there is
    nothing to divide by. Dividends are not taken out of the moves: they are too small to matter.
    Raises ValueError for fewer than two sessions.
    """
    if sessions < 2:  # noqa: PLR2004
        raise ValueError("a volatility is of two sessions or more")
    if len(bars) <= sessions:
        return None
    variance = _ESTIMATORS[estimator](_moves(bars[-sessions - 1 :])) * SESSIONS
    return math.sqrt(variance) if math.isfinite(variance) and variance > 0 else None


def _moves(bars: Sequence[market.Bar]) -> _Moves:
    prices = np.array([(bar.open, bar.high, bar.low, bar.close) for bar in bars], dtype=np.float64)
    logs = np.log(np.where(prices > 0, prices, np.nan))
    opens, highs, lows, closes = logs[1:].T
    gap = _without_splits(opens - logs[:-1, 3])
    return _Moves(gap, highs - opens, lows - opens, closes - opens)


def _without_splits(gaps: Floats) -> Floats:
    """Gaps over night, without what a split makes of them.

    Providers do not tell of splits, so one is guessed: a gap within 5 % of a ratio by which
    shares are split, two for one or more, either way. What is left is the move of that night.
    Less than that (3:2, 1.0027:1) is believed to be a move: a report that goes wrong takes a
    third off a price more often than a split does, and to overlook it would cost more.
    """
    leap = _LEAPS[np.argmin(np.abs(gaps[:, None] - _LEAPS), axis=1)]
    return np.where(np.abs(gaps - leap) < _NEAR_A_SPLIT, gaps - leap, gaps)


def _close_to_close(moves: _Moves) -> float:
    """The sample variance of log returns (Hull, ch. 15)."""
    return float(np.var(moves.gap + moves.close, ddof=1))


def _parkinson(moves: _Moves) -> float:
    """From the range alone: mean of ln(H/L)^2 / (4 ln 2); Parkinson, J. of Business 53, 1980.

    It sees nothing of the nights.
    """
    return float(np.mean((moves.high - moves.low) ** 2)) / (4 * math.log(2))


def _garman_klass(moves: _Moves) -> float:
    """Mean of ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2; Garman, Klass, J. of Business 53, 1980.

    It sees nothing of the nights.
    """
    spread = (moves.high - moves.low) ** 2 / 2
    return float(np.mean(spread - (2 * math.log(2) - 1) * moves.close**2))


def _yang_zhang(moves: _Moves) -> float:
    """Nights, days and ranges, whatever the drift; Yang, Zhang, J. of Business 73, 2000.

    V(o) + k V(c) + (1 - k) V(rs), k = 0.34 / (1.34 + (n + 1) / (n - 1)), with the sample
    variances of gaps and of days, and the mean of Rogers and Satchell's h (h - c) + l (l - c).
    """
    n, (gap, high, low, close) = len(moves.gap), moves
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    ranges = np.mean(high * (high - close) + low * (low - close))
    return float(np.var(gap, ddof=1) + k * np.var(close, ddof=1) + (1 - k) * ranges)


_ESTIMATORS: Final[Mapping[Estimator, Callable[[_Moves], float]]] = MappingProxyType(
    {
        "close": _close_to_close,
        "parkinson": _parkinson,
        "garman_klass": _garman_klass,
        "yang_zhang": _yang_zhang,
    }
)


# --- implied ---------------------------------------------------------------------------------


class _Smile(NamedTuple):
    """One expiration's options, as columns; `years` to its end."""

    years: float
    sign: Floats
    strike: Floats
    mid: Floats
    told: Floats


class _Point(NamedTuple):
    """What an expiration says at the money: total variance at its years."""

    years: float
    variance: float


def at_the_money(chain: market.Chain, days: float = MONTH, rate: float = 0.0) -> float | None:
    """The volatility that options at the money imply so many days out; None where none can be told.

    Total variance is interpolated between the expirations before and after that say anything
    (as in the Cboe's VIX). Where all are on one side the nearest one's volatility stands for it,
    from half to twice the days. `rate` discounts the prices of options that come without a
    volatility; it hardly matters a month out.
    """
    tenor = days / 365
    smiles = sorted(_smiles(chain).values(), key=lambda smile: smile.years)
    before = (smile for smile in reversed(smiles) if smile.years <= tenor)
    after = (smile for smile in smiles if smile.years > tenor)
    spot = float(chain.underlying.last)
    return _between(_first(before, spot, rate), _first(after, spot, rate), tenor)


def by_expiration(chain: market.Chain, rate: float = 0.0) -> dict[date, float]:
    """The volatility at the money of each expiration that says anything."""
    spot = float(chain.underlying.last)
    points = {day: _point(smile, spot, rate) for day, smile in _smiles(chain).items()}
    return {day: math.sqrt(point.variance / point.years) for day, point in points.items() if point}


def _between(before: _Point | None, after: _Point | None, tenor: float) -> float | None:
    if before and after:
        part = (tenor - before.years) / (after.years - before.years)
        variance = before.variance + part * (after.variance - before.variance)
        return math.sqrt(variance / tenor)
    point = before or after
    if point is None or not tenor / 2 <= point.years <= tenor * 2:
        return None
    return math.sqrt(point.variance / point.years)


def _first(smiles: Iterable[_Smile], spot: float, rate: float) -> _Point | None:
    """What the first of the expirations says that says anything."""
    points = (_point(smile, spot, rate) for smile in smiles)
    return next((point for point in points if point), None)


def _smiles(chain: market.Chain) -> dict[date, _Smile]:
    listed: dict[date, list[market.OptionMark]] = {}
    for option in chain.options:
        listed.setdefault(option.expiration, []).append(option)
    years = {
        day: calendar.years_to_expiry(chain.as_of, calendar.last_session(day)) for day in listed
    }
    return {day: _smile(years[day], options) for day, options in listed.items() if years[day] > 0}


def _smile(years: float, options: Sequence[market.OptionMark]) -> _Smile:
    told = [option.implied_volatility or math.nan for option in options]
    return _Smile(
        years,
        pricing.signs([option.direction for option in options]),
        np.array([option.strike for option in options], dtype=np.float64),
        np.array([_mid(option) for option in options], dtype=np.float64),
        np.array(told, dtype=np.float64),
    )


def _mid(option: market.OptionMark) -> float:
    """Half way between bid and ask; NaN where nobody bids, or the sides are crossed."""
    if not option.bid or option.ask is None or option.ask < option.bid:
        return math.nan
    return float(option.bid + option.ask) / 2


def _point(smile: _Smile, spot: float, rate: float) -> _Point | None:
    """The total variance at the forward: on the line between the strikes next to it.

    At each strike the out-of-the-money option is asked, the other only where it says nothing.
    None unless there is a strike that says something on both sides.
    """
    forward = _forward(smile, spot, rate)
    volatility = _volatilities(smile, forward, rate)
    log_strike = np.log(smile.strike / forward)
    inside_first = np.argsort(smile.sign * log_strike >= 0, kind="stable")
    known = inside_first[np.isfinite(volatility[inside_first])]
    at = dict(zip(log_strike[known].tolist(), volatility[known].tolist(), strict=True))
    strikes = sorted(at)
    if not strikes or not strikes[0] <= 0 <= strikes[-1]:
        return None
    level = float(np.interp(0.0, strikes, [at[strike] for strike in strikes]))
    return _Point(smile.years, level**2 * smile.years)


def _forward(smile: _Smile, spot: float, rate: float) -> float:
    """What put-call parity says at the strike where call and put are closest; else the spot."""
    priced = list(zip(smile.sign, smile.strike, smile.mid, strict=True))
    call = {strike: mid for sign, strike, mid in priced if sign > 0}
    put = {strike: mid for sign, strike, mid in priced if sign < 0}
    apart = {strike: call[strike] - put[strike] for strike in call.keys() & put.keys()}
    known = {strike: each for strike, each in apart.items() if math.isfinite(each)}
    if not known:
        return spot
    strike = min(known, key=lambda each: (abs(known[each]), each))
    return float(strike + known[strike] * math.exp(rate * smile.years))


def _volatilities(smile: _Smile, forward: float, rate: float) -> Floats:
    """What the provider told where that can be, else what the middle of bid and ask implies."""
    told = (smile.told > pricing.LOWEST) & (smile.told < pricing.HIGHEST)
    implied = pricing.implied_volatility(
        smile.sign, smile.mid, forward, smile.strike, smile.years, rate, rate
    )
    return np.where(told, smile.told, implied)


# --- what is made of them --------------------------------------------------------------------


class Blend(NamedTuple):
    """A volatility to reckon with, and what it was made of; both None where there is none."""

    volatility: float | None
    source: Source | None


def blend(rv20: float | None, rv60: float | None, atm: float | None) -> Blend:
    """30 % of the last month's, 20 % of the last quarter's, 50 % of what options imply.

    Where one of them is unknown, the last month's alone.
    """
    if rv20 is None:
        return Blend(None, None)
    if rv60 is None or atm is None:
        return Blend(rv20, "rv20")
    return Blend(_OVER_RV20 * rv20 + _OVER_RV60 * rv60 + _OVER_IMPLIED * atm, "blend")


def iv_rank(now: float, year: Sequence[market.DayVolatility]) -> float | None:
    """Where it stands between the year's lowest and highest, in percent: 0 to 100.

    Of the last 252 days given, in order, and of `now` itself, so that a new high is 100. None
    under 20 days, and where they are all the same.
    """
    known = _known(year)
    if known is None:
        return None
    low, high = min(now, float(known.min())), max(now, float(known.max()))
    return 100 * (now - low) / (high - low) if high > low else None


def iv_percentile(now: float, year: Sequence[market.DayVolatility]) -> float | None:
    """On how many of the year's days it was lower, in percent. None under 20 days.

    Of the last 252 days given, in order.
    """
    known = _known(year)
    return None if known is None else 100 * float(np.mean(known < now))


def _known(year: Sequence[market.DayVolatility]) -> Floats | None:
    if len(year) < FEWEST_DAYS:
        return None
    return np.array([each.volatility for each in year[-SESSIONS:]], dtype=np.float64)
