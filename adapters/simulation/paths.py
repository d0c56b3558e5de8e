"""Every symbol's prices, a year at a time, each session's minutes between its open and close."""

import math
from datetime import date, datetime
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from adapters.simulation import chance, sessions
from adapters.simulation.chance import Floats, Integers
from adapters.simulation.symbols import profile
from domain import calendar, market

LEVEL, KAPPA, VOL_OF_VOL, LEVERAGE = 0.16, 4.0, 1.4, -0.7
JUMPS_PER_YEAR, JUMP_MEAN, JUMP_SPREAD = 2.0, -0.03, 0.02
REPORT_SPREAD = 0.05
PULL = 0.35
NIGHT = 0.3


class _Tape(NamedTuple):
    """The market of sessions in a row: annual volatility, diffusion and jump, in log returns."""

    volatility: Floats
    diffusion: Floats
    jump: Floats
    last: float
    """The log volatility's distance from its level, after the last of them."""


class _Path(NamedTuple):
    """Each session's log distance from the reference price, and its standard deviation."""

    opens: Floats
    closes: Floats
    deviation: Floats
    volume: Integers


def _recursion(shocks: Floats, keep: float, start: float) -> Floats:
    """x[0] = start, x[i+1] = keep x[i] + shock[i]: one longer than the shocks."""
    return np.array(list(accumulate(shocks.tolist(), lambda x, e: keep * x + e, initial=start)))


def _market_year(seed: int, year: int, start: float) -> _Tape:
    """The market's year; `start` is the log volatility's distance from its level."""
    draws = chance.draws(seed, "market", year)
    mine, other, size, luck = draws.standard_normal((4, len(sessions.of_year(year))))
    step = 1 / sessions.PER_YEAR
    keep = math.exp(-KAPPA * step)
    noise = LEVERAGE * mine + math.sqrt(1 - LEVERAGE**2) * other
    spread = VOL_OF_VOL * math.sqrt((1 - keep**2) / (2 * KAPPA))
    log_volatility = _recursion(spread * noise, keep, start)
    volatility = LEVEL * np.exp(log_volatility[:-1])
    jumps = ndtr(luck) < JUMPS_PER_YEAR * step
    jump = np.where(jumps, JUMP_MEAN + JUMP_SPREAD * size, 0.0) - JUMPS_PER_YEAR * JUMP_MEAN * step
    last = float(log_volatility[-1])
    return _Tape(volatility, volatility * math.sqrt(step) * mine, jump, last)


def _symbol_year(seed: int, symbol: str, year: int, tape: _Tape) -> _Path:
    """The symbol's year, the last one on the market's tape, which begins with the first session.

    Of the years before only the shocks are made: what is left of them is where the year begins.
    """
    about, through = profile(symbol), len(tape.diffusion)
    draws = chance.draws(seed, "symbol", symbol)
    mine, night, report, crowd = draws.standard_normal((through, 4)).T
    step = 1 / sessions.PER_YEAR
    place = np.arange(through) % sessions.QUARTER
    reports = about.reports & (place == about.report_phase)
    diffusion = about.beta * tape.diffusion + about.own * math.sqrt(step) * mine
    jump = about.beta * tape.jump + np.where(reports, REPORT_SPREAD * report, 0.0)
    jump[place == about.dividend_phase] -= about.dividend_yield * sessions.QUARTER * step
    keep = math.exp(-PULL * step)
    year_alone = slice(through - len(sessions.of_year(year)), None)
    start = _left(diffusion[: year_alone.start] + jump[: year_alone.start], keep)
    diffusion, jump = diffusion[year_alone], jump[year_alone]
    level = _recursion(diffusion + jump, keep, start)
    volatility = np.hypot(about.beta * tape.volatility[year_alone], about.own)
    deviation = volatility * math.sqrt(step)
    gap = NIGHT * diffusion + math.sqrt(NIGHT * (1 - NIGHT)) * deviation * night[year_alone]
    volume = np.exp(0.3 * crowd[year_alone]) * about.crowd * 500
    return _Path(
        opens=keep * level[:-1] + jump + gap,
        closes=level[1:],
        deviation=deviation,
        volume=volume.astype(np.int64),
    )


def _left(shocks: Floats, keep: float) -> float:
    """What the recursion comes to behind these shocks from 0, in one sum."""
    return float(np.sum(shocks * keep ** np.arange(len(shocks) - 1, -1, -1)))


@lru_cache(maxsize=4096)
def _bridge(seed: int, symbol: str, day: date, minutes: int) -> Floats:
    """A standard Brownian bridge from open to close, at every minute, both ends 0."""
    steps = chance.draws(seed, "minutes", symbol, day).standard_normal(minutes) / math.sqrt(minutes)
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    bridge: Floats = walk - walk[-1] * np.linspace(0.0, 1.0, minutes + 1)
    bridge.flags.writeable = False
    return bridge


class Paths:
    """Every symbol's prices for one seed; years are computed when first asked, then kept.

    The market's own are, from the beginning, those through `known`.
    """

    def __init__(self, seed: int, known: int = sessions.EPOCH.year) -> None:
        self._seed = seed
        self._market: dict[int, _Tape] = {}
        self._tapes: dict[int, _Tape] = {}
        self._symbols: dict[tuple[str, int], _Path] = {}
        self._tape_through(max(known, sessions.EPOCH.year))

    def price(self, symbol: str, instant: datetime) -> tuple[float, datetime]:
        """The price in dollars at the instant, and when it was made: now, or the last close."""
        day = calendar.trading_day(instant)
        if calendar.is_open(instant) and day >= sessions.EPOCH:
            return self._trading(symbol, day, instant), instant
        day = self.known(symbol, calendar.last_close(instant))
        path, place = self._at(symbol, day)
        return profile(symbol).price * math.exp(path.closes[place]), calendar.close_at(day)

    def volatility(self, day: date) -> float:
        """The market's annual volatility of that session."""
        return float(self._tape(day.year).volatility[sessions.places(day.year)[day]])

    def bar(self, symbol: str, day: date) -> tuple[Floats, int]:
        """Open, high, low and close in dollars, and the volume in shares."""
        path, place = self._at(symbol, day)
        walk = self._walk(symbol, day)
        level = np.array([walk[0], walk.max(), walk.min(), walk[-1]])
        return profile(symbol).price * np.exp(level), int(path.volume[place])

    @staticmethod
    def known(symbol: str, day: date) -> date:
        """The day itself; NoData when it lies before the first session."""
        if day < sessions.EPOCH:
            raise market.NoData(symbol, f"the simulated market opened on {sessions.EPOCH}")
        return day

    def _trading(self, symbol: str, day: date, instant: datetime) -> float:
        walk = self._walk(symbol, day)
        minute, rest = divmod((instant - calendar.open_at(day)).total_seconds() / 60, 1.0)
        here, there = float(walk[int(minute)]), float(walk[int(minute) + 1])
        return profile(symbol).price * math.exp(here + rest * (there - here))

    def _walk(self, symbol: str, day: date) -> Floats:
        """The log distance from the reference price at every minute of the session."""
        path, place = self._at(symbol, day)
        minutes = sessions.minutes(day)
        first, last = float(path.opens[place]), float(path.closes[place])
        spread = float(path.deviation[place]) * math.sqrt(1 - NIGHT)
        straight = np.linspace(first, last, minutes + 1)
        return straight + spread * _bridge(self._seed, symbol, day, minutes)

    def _at(self, symbol: str, day: date) -> tuple[_Path, int]:
        return self._path(symbol, day.year), sessions.places(day.year)[day]

    def _tape(self, year: int) -> _Tape:
        for each in range(sessions.EPOCH.year, year + 1):
            if each not in self._market:
                start = self._market[each - 1].last if each > sessions.EPOCH.year else 0.0
                self._market[each] = _market_year(self._seed, each, start)
        return self._market[year]

    def _tape_through(self, year: int) -> _Tape:
        """All sessions from the first one through the end of the year."""
        if year not in self._tapes:
            years = [self._tape(each) for each in range(sessions.EPOCH.year, year + 1)]
            self._tapes[year] = _Tape(
                np.concatenate([each.volatility for each in years]),
                np.concatenate([each.diffusion for each in years]),
                np.concatenate([each.jump for each in years]),
                years[-1].last,
            )
        return self._tapes[year]

    def _path(self, symbol: str, year: int) -> _Path:
        found = self._symbols.get((symbol, year))
        if found is None:
            found = _symbol_year(self._seed, symbol, year, self._tape_through(year))
            self._symbols[symbol, year] = found
        return found
