"""Chains of the simulated market, and implied volatilities beside QuantLib's."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from adapters import simulated
from benchmarks.figures import Aim, Line, Now, Sizes, Yardstick, timed
from domain import pricing

CHAINS: Final = 50
CHAINS_WITHIN: Final = 0.100
OPTIONS: Final = 2_000
MANY: Final = 100_000
PART: Final = 1 / 3
GAP: Final = 0.020
TICK: Final = 0.001
SPOT, RATE, CARRY = 100.0, 0.04, 0.01
_AT: Final = datetime(2026, 3, 11, 16, 0, tzinfo=UTC)


class Quoted(NamedTuple):
    """Out-of-the-money options of one share, as columns; each costs a cent at least."""

    sign: pricing.Floats
    price: pricing.Floats
    strike: pricing.Floats
    years: pricing.Floats

    def implied(self) -> pricing.Floats:
        return pricing.implied_volatility(
            self.sign, self.price, SPOT, self.strike, self.years, RATE, CARRY
        )

    def greeks(self, volatility: pricing.Floats) -> pricing.Greeks:
        return pricing.greeks(self.sign, SPOT, self.strike, self.years, RATE, CARRY, volatility)

    def both(self) -> pricing.Greeks:
        return self.greeks(self.implied())


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:  # noqa: ARG001 - one shape for all parts
    """Fifty chains; two thousand volatilities by us and by QuantLib; many beside an event loop."""
    repeats = sizes.repeats * 3
    yield from _chains(repeats)
    yield from _beside_quantlib(quoted(OPTIONS), repeats)
    yield _gap(quoted(MANY))


def _chains(repeats: int) -> Iterator[Line]:
    symbols = [f"S{n:02d}" for n in range(CHAINS)]
    provider = simulated.Simulated(lambda: _AT)

    def asked() -> int:
        return sum(len(provider.chain_at(each, _AT, None, None).options) for each in symbols)

    first, again = timed(asked), timed(asked, repeats)
    some = quoted(asked())
    alone = Yardstick("pricing alone, ms", timed(lambda: some.greeks(some.years), repeats) * 1e3)
    for key, name, value in (
        ("again", "", again),
        ("first", ", symbols never asked for before", first),
    ):
        yield Line(
            key=f"market.chains.{key}",
            name=f"{CHAINS} simulated chains{name}",
            value=value * 1e3,
            unit="ms",
            better="less",
            yardstick=alone,
            aim=Aim(f"under {CHAINS_WITHIN * 1e3:.0f} ms", value < CHAINS_WITHIN),
        )


def _beside_quantlib(options: Quoted, repeats: int) -> Iterator[Line]:
    ours = timed(options.both, repeats)
    for key, name, way in (
        ("formula", "QuantLib, formulas", by_formula),
        ("engine", "QuantLib, engine", by_engine),
    ):
        theirs = timed(lambda way=way: way(options), repeats)  # type: ignore[misc]
        yield Line(
            key=f"market.implied.{key}",
            name=f"{OPTIONS:,} implied volatilities with greeks",
            value=ours * 1e3,
            unit="ms",
            better="less",
            yardstick=Yardstick(f"{name}, ms", theirs * 1e3),
            aim=Aim("under a third", ours < theirs * PART),
        )


def _gap(options: Quoted) -> Line:
    """The longest that an event loop had to wait while a thread reckoned."""
    working = asyncio.run(_largest_gap(options.both))
    took = timed(options.both)
    resting = asyncio.run(_largest_gap(lambda: time.sleep(took)))
    return Line(
        key="market.gap",
        name=f"longest wait of an event loop beside {MANY:,} of them",
        value=working * 1e3,
        unit="ms",
        better="less",
        yardstick=Yardstick("beside a thread that sleeps, ms", resting * 1e3),
        aim=Aim(f"under {GAP * 1e3:.0f} ms", working < GAP),
    )


async def _largest_gap(work: Callable[[], object]) -> float:
    """How late the loop was at most, in seconds, while the work was done in a thread."""
    thread = asyncio.create_task(asyncio.to_thread(work))
    largest = 0.0
    while not thread.done():
        began = Now()
        await asyncio.sleep(TICK)
        largest = max(largest, Now() - began - TICK)
    await thread
    return largest


# --- the options -----------------------------------------------------------------------------


def quoted(count: int) -> Quoted:
    """So many options, from five days to half a year, each at a volatility of its own."""
    luck = np.random.default_rng(1)
    found = [_some(luck, count)]
    while sum(len(each.price) for each in found) < count:
        found.append(_some(luck, count))
    return Quoted(*(np.concatenate(column)[:count] for column in zip(*found, strict=True)))


def _some(luck: np.random.Generator, count: int) -> Quoted:
    strike = np.round(SPOT * np.exp(luck.uniform(-0.3, 0.3, count)), 1)
    years = luck.integers(5, 180, count) / 365
    sign = np.where(strike > SPOT, 1.0, -1.0)
    volatility = luck.uniform(0.2, 0.5, count)
    price = pricing.greeks(sign, SPOT, strike, years, RATE, CARRY, volatility).price
    dear = price >= 0.01  # noqa: PLR2004
    return Quoted(sign[dear], price[dear], strike[dear], years[dear])


# --- QuantLib --------------------------------------------------------------------------------


def by_formula(options: Quoted) -> list[tuple[float, ...]]:
    """QuantLib's quickest way: its formulas for one option each, without any object that observes.

    Volatility to 1e-6, which is its default, then the greeks.
    """
    import QuantLib as ql  # noqa: N813, PLC0415  for development only, and slow to load

    found: list[tuple[float, ...]] = []
    for sign, price, strike, years in _one_by_one(options):
        kind = ql.Option.Call if sign > 0 else ql.Option.Put
        owed, forward = math.exp(-RATE * years), SPOT * math.exp((RATE - CARRY) * years)
        deviation = ql.blackFormulaImpliedStdDev(kind, strike, forward, price, owed)
        payoff = ql.PlainVanillaPayoff(kind, strike)
        told = ql.BlackCalculator(payoff, forward, deviation, owed)
        greeks = told.delta(SPOT), told.gamma(SPOT), told.theta(SPOT, years), told.vega(years)
        found.append((deviation / math.sqrt(years), *greeks, told.rho(years)))
    return found


def by_engine(options: Quoted) -> list[tuple[float, ...]]:
    """QuantLib's usual way: an instrument for each option, and the analytic engine."""
    import QuantLib as ql  # noqa: N813, PLC0415  for development only, and slow to load

    today, count = ql.Date(11, 3, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    volatility = ql.SimpleQuote(0.2)
    process = _process(ql, today, count, volatility)
    engine = ql.AnalyticEuropeanEngine(process)
    found: list[tuple[float, ...]] = []
    for sign, price, strike, years in _one_by_one(options):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
        option = ql.VanillaOption(payoff, ql.EuropeanExercise(today + round(years * 365)))
        implied = option.impliedVolatility(price, process, 1e-8, 100, 1e-4, 10.0)
        volatility.setValue(implied)
        option.setPricingEngine(engine)
        greeks = option.delta(), option.gamma(), option.theta(), option.vega(), option.rho()
        found.append((implied, *greeks))
    return found


def _process(ql: Any, today: Any, count: Any, volatility: Any) -> Any:
    def flat(rate: float) -> Any:
        return ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count))

    level = ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(volatility), count)
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(SPOT)),
        flat(CARRY),
        flat(RATE),
        ql.BlackVolTermStructureHandle(level),
    )


def _one_by_one(options: Quoted) -> Iterator[tuple[float, ...]]:
    return zip(*(column.tolist() for column in options), strict=True)
