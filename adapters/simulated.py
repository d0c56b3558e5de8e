"""A market without an account or a network: seeded, and the same however it is asked.

Every price is a pure function of (seed, symbol, instant): each random block is drawn from
a Philox generator keyed by a hash of the seed, the symbol and the time it belongs to, and
nothing depends on which question came first. What is kept in memory is only a shortcut.

The model, in log prices, one step a session (252 a year) from the first session of 2000:

- market volatility is a log Ornstein-Uhlenbeck process (kappa 4, level 16 %, volatility of
  volatility 1.4, correlation -0.7 with the market's own moves); the market jumps twice a
  year, by -3 % on average;
- a symbol moves by its beta times the market, a diffusion of its own, a jump every 63
  sessions when it reports, and its dividend every 63 sessions; a slow pull (0.35 a year)
  keeps it in reach of its reference price at whatever date a run starts;
- a session opens after a gap (jumps happen at night) and runs to its close as a Brownian
  bridge over its minutes; between two minutes the price moves in a straight line;
- options are Black-Scholes-Merton on an SSVI smile (Gatheral and Jacquier, 2014), never
  under their intrinsic value, with bids and asks on ticks of 0.01 below 3 and 0.05 above.

A Script forces prices, gaps, splits, halts, staleness and failures. Prices can also be
driven from outside while a run goes on: by a mapping, or by a JSON file of symbol: price.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from itertools import accumulate, cycle, repeat
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from domain import calendar, market

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SOURCE = "simulated"
EPOCH = date(2000, 1, 3)

SESSIONS_PER_YEAR = 252
QUARTER = 63
RATE = 0.04

LEVEL, KAPPA, VOL_OF_VOL, LEVERAGE = 0.16, 4.0, 1.4, -0.7
JUMPS_PER_YEAR, JUMP_MEAN, JUMP_SPREAD = 2.0, -0.03, 0.02
REPORT_SPREAD = 0.05
PULL = 0.35
NIGHT = 0.3
RISK_PREMIUM = 1.08

WEEKLY_DAYS = 60
LISTED_DAYS = 190
NARROWEST, WIDEST, WIDTH_IN_SIGMAS = 0.10, 0.60, 2.7
TICK_CHANGE = 3.0

_CENT = Decimal("0.01")
_FRIDAY = 4
_THIRD_WEEK = range(15, 22)
_DIRECTIONS: tuple[market.Direction, market.Direction] = ("call", "put")


# --- the script: what a test or a demonstration makes happen ---------------------------------


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens to a symbol (None: to all) from `since` on, until `until`."""

    symbol: str | None
    since: datetime
    until: datetime | None = None

    def concerns(self, symbol: str, instant: datetime) -> bool:
        mine = self.symbol is None or self.symbol == symbol
        return mine and self.since <= instant and (self.until is None or instant < self.until)


class Price(Act, frozen=True, kw_only=True):
    """The last price is this, to the cent, whatever the path says."""

    price: Decimal


class Gap(Act, frozen=True, kw_only=True):
    """The price jumps by this fraction: -0.12 is 12 % down."""

    change: Decimal


class Split(Act, frozen=True, kw_only=True):
    """One share becomes `ratio` shares, each at its part of the price."""

    ratio: Decimal


class Halt(Act, frozen=True, kw_only=True):
    """No trading: the last price stands and nobody bids or offers."""


class Stale(Act, frozen=True, kw_only=True):
    """The provider repeats what it knew when this began, and says so."""


class NoGreeks(Act, frozen=True, kw_only=True):
    """The chain comes without implied volatilities and greeks."""


class Failure(Act, frozen=True, kw_only=True):
    """Every question about the symbol ends in this fault."""

    fault: Callable[[str], market.MarketFault] = market.ProviderDown


class Script(msgspec.Struct, frozen=True):
    """The acts in any order; they play in the order of their `since`."""

    acts: tuple[Act, ...] = ()

    def fault(self, symbol: str, instant: datetime) -> market.MarketFault | None:
        """What the symbol's question fails with now, if it does."""
        failures = [act for act in self._now(symbol, instant) if isinstance(act, Failure)]
        return failures[-1].fault(symbol) if failures else None

    def freeze(self, symbol: str, instant: datetime) -> Halt | Stale | None:
        """The halt or the staleness that holds the symbol now, the earliest if several."""
        held = [act for act in self._now(symbol, instant) if isinstance(act, Halt | Stale)]
        return held[0] if held else None

    def blind(self, symbol: str, instant: datetime) -> bool:
        """Whether the chain comes without greeks."""
        return any(isinstance(act, NoGreeks) for act in self._now(symbol, instant))

    def level(self, symbol: str, instant: datetime, path: Decimal) -> Decimal:
        """The price that the acts make of the path's, dollars per share."""
        price = path
        for act in self._now(symbol, instant):
            match act:
                case Price():
                    price = act.price
                case Gap():
                    price *= 1 + act.change
                case Split():
                    price /= act.ratio
                case _:
                    pass
        return _to_the_cent(price)

    def moved(self, symbol: str, instant: datetime) -> datetime | None:
        """When an act last moved the symbol's price, if one did."""
        moves = [act for act in self._now(symbol, instant) if isinstance(act, Price | Gap | Split)]
        return moves[-1].since if moves else None

    def _now(self, symbol: str, instant: datetime) -> list[Act]:
        here = [act for act in self.acts if act.concerns(symbol, instant)]
        return sorted(here, key=lambda act: act.since)


def _to_the_cent(price: Decimal) -> Decimal:
    """The price in whole cents, at least one: a share is never free."""
    return max(_CENT, price.quantize(_CENT, ROUND_HALF_EVEN))


# --- chance ----------------------------------------------------------------------------------


def _draws(*key: object) -> np.random.Generator:
    """A generator that belongs to this key alone, in any process and in any order."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))


# --- who is who ------------------------------------------------------------------------------


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
    draws = _draws("profile", symbol)
    u = draws.random(6)
    made = (10 * 50 ** u[0], 0.5 + 1.3 * u[1], 0.1 + 0.25 * u[2], max(0.0, 0.05 * u[3] - 0.01))
    price, beta, own, dividend_yield = _KNOWN.get(symbol, made)
    known, index = symbol in _KNOWN, symbol in _INDICES
    report_phase, dividend_phase = draws.integers(0, QUARTER, 2).tolist()
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


def _session_number(day: date) -> int:
    """How many sessions lie between the epoch and the last session by the day."""
    return calendar.dte_trading(EPOCH, day)


def _turns(phase: int, after: int, through: int) -> int:
    """How many sessions of the phase there are in (after, through]."""
    return (through - phase) // QUARTER - (after - phase) // QUARTER


# --- the paths, a year at a time -------------------------------------------------------------


class _MarketYear(NamedTuple):
    """Each session's market: annual volatility, diffusion and jump, in log returns."""

    volatility: Floats
    diffusion: Floats
    jump: Floats
    last: float


class _Path(NamedTuple):
    """Each session's log distance from the reference price, and its standard deviation."""

    opens: Floats
    closes: Floats
    deviation: Floats
    volatility: Floats
    volume: Integers


@lru_cache(maxsize=512)
def _sessions(year: int) -> tuple[date, ...]:
    return calendar.sessions(max(date(year, 1, 1), EPOCH), date(year, 12, 31))


@lru_cache(maxsize=512)
def _places(year: int) -> dict[date, int]:
    return {day: place for place, day in enumerate(_sessions(year))}


def _recursion(shocks: Floats, keep: float, start: float) -> Floats:
    """x[0] = start, x[i+1] = keep x[i] + shock[i]: one longer than the shocks."""
    return np.array(list(accumulate(shocks.tolist(), lambda x, e: keep * x + e, initial=start)))


def _market_year(seed: int, year: int, start: float) -> _MarketYear:
    """The market's year; `start` is the log volatility's distance from its level."""
    draws = _draws(seed, "market", year)
    mine, other, size, chance = draws.standard_normal((4, len(_sessions(year))))
    step = 1 / SESSIONS_PER_YEAR
    keep = math.exp(-KAPPA * step)
    noise = LEVERAGE * mine + math.sqrt(1 - LEVERAGE**2) * other
    spread = VOL_OF_VOL * math.sqrt((1 - keep**2) / (2 * KAPPA))
    log_volatility = _recursion(spread * noise, keep, start)
    volatility = LEVEL * np.exp(log_volatility[:-1])
    jumps = ndtr(chance) < JUMPS_PER_YEAR * step
    jump = np.where(jumps, JUMP_MEAN + JUMP_SPREAD * size, 0.0) - JUMPS_PER_YEAR * JUMP_MEAN * step
    last = float(log_volatility[-1])
    return _MarketYear(volatility, volatility * math.sqrt(step) * mine, jump, last)


def _symbol_year(seed: int, symbol: str, year: int, tape: _MarketYear, start: float) -> _Path:
    """The symbol's year on the market's tape; `start` is its log distance at the last close."""
    about, days = profile(symbol), _sessions(year)
    draws = _draws(seed, "symbol", symbol, year)
    mine, night, report, crowd = draws.standard_normal((4, len(days)))
    step = 1 / SESSIONS_PER_YEAR
    number = _session_number(days[0]) + np.arange(len(days))
    reports = about.reports & (number % QUARTER == about.report_phase)
    ex_days = number % QUARTER == about.dividend_phase
    diffusion = about.beta * tape.diffusion + about.own * math.sqrt(step) * mine
    jump = about.beta * tape.jump + np.where(reports, REPORT_SPREAD * report, 0.0)
    jump -= np.where(ex_days, about.dividend_yield * QUARTER * step, 0.0)
    keep = math.exp(-PULL * step)
    level = _recursion(diffusion + jump, keep, start)
    volatility = np.hypot(about.beta * tape.volatility, about.own)
    deviation = volatility * math.sqrt(step)
    gap = NIGHT * diffusion + math.sqrt(NIGHT * (1 - NIGHT)) * deviation * night
    volume = np.exp(0.3 * crowd) * about.crowd * 500
    return _Path(
        opens=keep * level[:-1] + jump + gap,
        closes=level[1:],
        deviation=deviation,
        volatility=tape.volatility,
        volume=volume.astype(np.int64),
    )


@lru_cache(maxsize=4096)
def _bridge(seed: int, symbol: str, day: date, minutes: int) -> Floats:
    """A standard Brownian bridge from open to close, at every minute, both ends 0."""
    steps = _draws(seed, "minutes", symbol, day).standard_normal(minutes) / math.sqrt(minutes)
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    bridge: Floats = walk - walk[-1] * np.linspace(0.0, 1.0, minutes + 1)
    bridge.flags.writeable = False
    return bridge


def _minutes(day: date) -> int:
    return int((calendar.close_at(day) - calendar.open_at(day)).total_seconds()) // 60


class Paths:
    """Every symbol's prices for one seed; years are computed when first asked, then kept."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._market: dict[int, _MarketYear] = {}
        self._symbols: dict[tuple[str, int], _Path] = {}

    def price(self, symbol: str, instant: datetime) -> tuple[float, datetime]:
        """The price in dollars at the instant, and when it was made: now, or the last close."""
        day = calendar.trading_day(instant)
        if calendar.is_open(instant) and day >= EPOCH:
            return self._trading(symbol, day, instant), instant
        day = self.known(symbol, calendar.last_close(instant))
        path, place = self._at(symbol, day)
        return profile(symbol).price * math.exp(path.closes[place]), calendar.close_at(day)

    def volatility(self, day: date) -> float:
        """The market's annual volatility of that session."""
        return float(self._tape(day.year).volatility[_places(day.year)[day]])

    def bar(self, symbol: str, day: date) -> tuple[Floats, int]:
        """Open, high, low and close in dollars, and the volume in shares."""
        path, place = self._at(symbol, day)
        walk = self._walk(symbol, day)
        level = np.array([walk[0], walk.max(), walk.min(), walk[-1]])
        return profile(symbol).price * np.exp(level), int(path.volume[place])

    @staticmethod
    def known(symbol: str, day: date) -> date:
        """The day itself; NoData when it lies before the first session."""
        if day < EPOCH:
            raise market.NoData(symbol, f"the simulated market opened on {EPOCH}")
        return day

    def _trading(self, symbol: str, day: date, instant: datetime) -> float:
        walk = self._walk(symbol, day)
        minute, rest = divmod((instant - calendar.open_at(day)).total_seconds() / 60, 1.0)
        here, there = float(walk[int(minute)]), float(walk[int(minute) + 1])
        return profile(symbol).price * math.exp(here + rest * (there - here))

    def _walk(self, symbol: str, day: date) -> Floats:
        """The log distance from the reference price at every minute of the session."""
        path, place = self._at(symbol, day)
        minutes = _minutes(day)
        first, last = float(path.opens[place]), float(path.closes[place])
        spread = float(path.deviation[place]) * math.sqrt(1 - NIGHT)
        straight = np.linspace(first, last, minutes + 1)
        return straight + spread * _bridge(self._seed, symbol, day, minutes)

    def _at(self, symbol: str, day: date) -> tuple[_Path, int]:
        return self._path(symbol, day.year), _places(day.year)[day]

    def _tape(self, year: int) -> _MarketYear:
        for each in range(EPOCH.year, year + 1):
            if each not in self._market:
                start = self._market[each - 1].last if each > EPOCH.year else 0.0
                self._market[each] = _market_year(self._seed, each, start)
        return self._market[year]

    def _path(self, symbol: str, year: int) -> _Path:
        found = self._symbols.get((symbol, year))
        return found if found is not None else self._extended(symbol, year)

    def _extended(self, symbol: str, year: int) -> _Path:
        level = 0.0
        for each in range(EPOCH.year, year + 1):
            if (symbol, each) not in self._symbols:
                made = _symbol_year(self._seed, symbol, each, self._tape(each), level)
                self._symbols[symbol, each] = made
            level = float(self._symbols[symbol, each].closes[-1])
        return self._symbols[symbol, year]


# --- the options -----------------------------------------------------------------------------


class _Greeks(NamedTuple):
    price: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


class _Listing(NamedTuple):
    """Contracts as columns: place in the ladder, +1 for calls and -1 for puts, expiration."""

    place: Integers
    side: Floats
    expiry: Integers


@lru_cache(maxsize=1)
def _ladder() -> Floats:
    """Every strike there can be, in dollars: a strike once listed stays on the ladder."""
    rungs = ((0.5, 25, 0.5), (25, 100, 1), (100, 250, 2.5), (250, 1000, 5), (1000, 10_000, 25))
    return np.concatenate([np.arange(*rung, dtype=np.float64) for rung in rungs])


@lru_cache(maxsize=1)
def _strikes() -> tuple[Decimal, ...]:
    return tuple(Decimal(f"{strike:.2f}") for strike in _ladder().tolist())


@lru_cache(maxsize=4096)
def _expirations(day: date) -> tuple[date, ...]:
    """Fridays for sixty days, then the third Fridays; a holiday's Friday is a Thursday."""
    friday = day + timedelta(days=(_FRIDAY - day.weekday()) % 7)
    fridays = [friday + timedelta(weeks=n) for n in range(LISTED_DAYS // 7)]
    near = timedelta(days=WEEKLY_DAYS)
    chosen = (each for each in fridays if each - day <= near or each.day in _THIRD_WEEK)
    return tuple(expiry for each in chosen if (expiry := calendar.last_session(each)) >= day)


@lru_cache(maxsize=4096)
def _popularity(symbol: str) -> Floats:
    """How much a contract is liked, around 1: one number for each of 4,096 kinds."""
    liked: Floats = np.exp(0.6 * _draws("popularity", symbol).standard_normal(4096))
    return liked


def _smile(moneyness: Floats, theta: Floats, rho: float, eta: float) -> Floats:
    """The SSVI total implied variance at log-moneyness ln(K/F), with theta at the money."""
    phi = eta / np.sqrt(theta * (1 + theta))
    x = phi * moneyness
    variance: Floats = theta / 2 * (1 + rho * x + np.sqrt((x + rho) ** 2 + 1 - rho**2))
    return variance


def _black_scholes_merton(
    spot: float,
    strike: Floats,
    years: Floats,
    volatility: Floats,
    side: Floats,
    rate: float,
    dividend: float,
) -> _Greeks:
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
    return _Greeks(
        price=side * (share - cash),
        delta=side * carry * ndtr(side * d1),
        gamma=carry * density / (spot * root),
        theta=(-decay + side * (dividend * share - rate * cash)) / 365,
        vega=spot * carry * density * np.sqrt(years) / 100,
    )


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


def _atm_variance(about: Profile, tape: float, years: Floats, reports: Floats) -> Floats:
    """Total variance at the money: today's volatility reverting, plus the reports to come."""
    now = (about.beta * tape) ** 2 + about.own**2
    ever = (about.beta * LEVEL) ** 2 + about.own**2
    reach = -np.expm1(-KAPPA * years) / (KAPPA * years)
    diffusion = (ever + (now - ever) * reach) * years
    variance: Floats = diffusion * RISK_PREMIUM**2 + reports * REPORT_SPREAD**2
    return variance


@lru_cache(maxsize=1 << 16)
def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _reports_before(about: Profile, day: date, expirations: tuple[date, ...]) -> Floats:
    """How many times the symbol reports between the day's close and each expiration."""
    if not about.reports:
        return np.zeros(len(expirations))
    after = _session_number(day)
    counts = (_turns(about.report_phase, after, _session_number(each)) for each in expirations)
    return np.array(list(counts), dtype=np.float64)


def _session_part(instant: datetime) -> float:
    """How much of its session has passed at the instant, 0 to 1; 1 outside the session."""
    if not calendar.is_open(instant):
        return 1.0
    day = calendar.trading_day(instant)
    return (instant - calendar.open_at(day)).total_seconds() / 60 / _minutes(day)


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


def _blinded(option: market.OptionMark) -> market.OptionMark:
    """The contract as a provider sends it when its model gave NaN."""
    return msgspec.structs.replace(
        option, implied_volatility=None, delta=None, gamma=None, theta=None, vega=None
    )


def _market_makers(price: Floats, tightness: float) -> tuple[list[int], list[int], list[int]]:
    """Bid, ask and last of each contract, in cents and on ticks; a bid can be nothing."""
    half = tightness * (0.01 + 0.008 * price)
    tick = np.where(price < TICK_CHANGE, 1, 5)
    bid = np.floor((price - half) * 100 / tick + 1e-9) * tick
    ask = np.ceil((price + half) * 100 / tick - 1e-9) * tick
    last = np.rint(price * 100 / tick) * tick
    bids, asks, lasts = np.maximum([bid, ask, last], [[0], [1], [1]]).astype(np.int64).tolist()
    return bids, asks, lasts


# --- the provider ----------------------------------------------------------------------------


class _File:
    """Forced prices from a JSON file of symbol: price, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._prices: dict[str, Decimal] = {}

    def prices(self) -> dict[str, Decimal]:
        """What the file says; what it said before while it is missing or half written."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                said = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Decimal])
                self._prices = {symbol: price for symbol, price in said.items() if price > 0}
                self._seen = seen
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, InvalidOperation):
            pass
        return self._prices


class Simulated:
    """The simulated market as a provider; `now` tells the market's time.

    `prices` and `prices_file` force the last price of a symbol for as long as they name it.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        seed: int = 0,
        script: Script | None = None,
        prices: Mapping[str, Decimal] | None = None,
        prices_file: Path | None = None,
    ) -> None:
        self._now = now
        self._paths = Paths(seed)
        self._script = script or Script()
        self._prices: Mapping[str, Decimal] = prices if prices is not None else {}
        self._file = _File(prices_file) if prices_file else None

    async def quotes(self, symbols: Iterable[str]) -> dict[str, market.Quote | market.MarketFault]:
        instant = self._now()
        answers: dict[str, market.Quote | market.MarketFault] = {}
        for symbol in symbols:
            try:
                answers[symbol] = self.quote_at(symbol, instant)
            except market.MarketFault as fault:
                answers[symbol] = fault
        return answers

    async def chain(self, symbol: str, first: date | None, last: date | None) -> market.Chain:
        return self.chain_at(symbol, self._now(), first, last)

    async def history(self, symbol: str, first: date, last: date) -> tuple[market.Bar, ...]:
        instant = self._now()
        known = self._known(symbol, instant)
        closed = calendar.last_close(instant)
        days = calendar.sessions(max(first, EPOCH), min(last, closed))
        return tuple(self._bar(known, day) for day in days)

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        instant = self._now()
        self._known(symbol, instant)
        return self._listed(instant)

    async def ex_dividends(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.Dividend, ...]:
        about = profile(known := self._known(symbol, self._now()))
        amount = Decimal(f"{about.price * about.dividend_yield * QUARTER / SESSIONS_PER_YEAR:.2f}")
        days = calendar.sessions(max(first, EPOCH), last) if amount else ()
        numbers = ((day, _session_number(day)) for day in days)
        return tuple(
            market.Dividend(known, day, amount)
            for day, number in numbers
            if number % QUARTER == about.dividend_phase
        )

    def quote_at(self, symbol: str, instant: datetime) -> market.Quote:
        """The quote at any instant. Raises a MarketFault when there is none."""
        known = self._known(symbol, instant)
        held = self._script.freeze(known, instant)
        seen = held.since if held else instant
        last, as_of = self._price(known, seen)
        spread = max(_CENT, (last / 10_000).quantize(_CENT))
        halted = isinstance(held, Halt)
        return market.Quote(
            symbol=known,
            last=last,
            bid=None if halted or last <= spread else last - spread,
            ask=None if halted else last + spread,
            as_of=as_of,
            source=SOURCE,
            state="stale" if held else "live",
        )

    def chain_at(
        self, symbol: str, instant: datetime, first: date | None, last: date | None
    ) -> market.Chain:
        """The chain at any instant. Raises a MarketFault when there is none."""
        underlying = self.quote_at(symbol, instant)
        expirations = tuple(
            day
            for day in self._listed(instant)
            if (first is None or first <= day) and (last is None or day <= last)
        )
        options = self._options(underlying, expirations) if expirations else ()
        if self._script.blind(underlying.symbol, instant):
            options = tuple(_blinded(option) for option in options)
        return market.Chain(
            symbol=underlying.symbol,
            underlying=underlying,
            options=options,
            as_of=underlying.as_of,
            source=SOURCE,
            state=underlying.state,
        )

    def _known(self, symbol: str, instant: datetime) -> str:
        try:
            known = market.valid_symbol(symbol)
        except ValueError as error:
            raise market.UnknownSymbol(symbol) from error
        if fault := self._script.fault(known, instant):
            raise fault
        return known

    def _price(self, symbol: str, instant: datetime) -> tuple[Decimal, datetime]:
        """The last price to the cent, and the instant it was made at."""
        forced = self._prices.get(symbol)
        if forced is None and self._file:
            forced = self._file.prices().get(symbol)
        if forced is not None:
            return _to_the_cent(forced), instant
        path, as_of = self._paths.price(symbol, instant)
        price = self._script.level(symbol, instant, _to_the_cent(Decimal(path)))
        moved = self._script.moved(symbol, instant)
        return price, max(as_of, moved) if moved else as_of

    def _bar(self, symbol: str, day: date) -> market.Bar:
        prices, volume = self._paths.bar(symbol, day)
        close = calendar.close_at(day)
        ohlc = [
            self._script.level(symbol, close, _to_the_cent(Decimal(price)))
            for price in prices.tolist()
        ]
        return market.Bar(symbol, day, ohlc[0], ohlc[1], ohlc[2], ohlc[3], volume)

    @staticmethod
    def _listed(instant: datetime) -> tuple[date, ...]:
        days = _expirations(calendar.trading_day(instant))
        return tuple(day for day in days if calendar.close_at(day) > instant)

    def _options(
        self, underlying: market.Quote, expirations: tuple[date, ...]
    ) -> tuple[market.OptionMark, ...]:
        """Price the contracts of these expirations all at once, as columns."""
        symbol, spot, as_of = underlying.symbol, float(underlying.last), underlying.as_of
        about = profile(symbol)
        day = self._paths.known(symbol, calendar.last_session(calendar.trading_day(as_of)))
        years = np.array([calendar.years_to_expiry(as_of, each) for each in expirations])
        reports = _reports_before(about, day, expirations)
        theta = _atm_variance(about, self._paths.volatility(day), years, reports)
        listing = _listing(spot, np.sqrt(theta), years * 365 > WEEKLY_DAYS)
        strike, tenor = _ladder()[listing.place], years[listing.expiry]
        moneyness = np.log(strike / spot) - (RATE - about.dividend_yield) * tenor
        variance = _smile(moneyness, theta[listing.expiry], about.skew, about.smile)
        volatility = np.sqrt(variance / tenor)
        greeks = _black_scholes_merton(
            spot, strike, tenor, volatility, listing.side, RATE, about.dividend_yield
        )
        price = np.maximum(greeks.price, listing.side * (spot - strike))
        bids, asks, lasts = _market_makers(price, about.tightness)
        ends = np.array([each.toordinal() for each in expirations])[listing.expiry]
        distance = moneyness / np.sqrt(variance)
        interest, volume = _crowd(symbol, listing, ends, distance, _session_part(as_of))
        return tuple(
            map(
                market.OptionMark,
                repeat(symbol),
                cycle(_DIRECTIONS),
                map(_strikes().__getitem__, listing.place.tolist()),
                map(expirations.__getitem__, listing.expiry.tolist()),
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
