"""What holds in the simulated market whatever the symbol and the day."""

import asyncio
import hashlib
import itertools
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters import simulated
from domain import calendar, market, pricing

ROOT = Path(__file__).parents[2]
SYMBOLS = ("SPY", "AAPL", "F", "T", "BRK.B", *(f"Z{n}" for n in range(7)))
NOW = datetime(2026, 3, 15, 16, 0, tzinfo=UTC)
DAYS = calendar.sessions(date(2024, 1, 2), date(2026, 3, 13))[::60]
INSTANTS = tuple(calendar.open_at(day) + timedelta(hours=2) for day in DAYS)


# --- the same, however it is asked -----------------------------------------------------------


async def digest(order: int) -> str:
    """A fingerprint of everything that a market answers, asked in an order of its own."""
    provider = simulated.Simulated(lambda: NOW, seed=11)
    asked = [(symbol, what) for symbol in SYMBOLS for what in range(5)]
    answers = {}
    for symbol, what in random.Random(order).sample(asked, len(asked)):
        answers[symbol, what] = await _answer(provider, symbol, what)
    told = repr([answers[question] for question in asked])
    return hashlib.sha256(told.encode()).hexdigest()


async def _answer(provider: simulated.Simulated, symbol: str, what: int) -> object:
    window = date(2025, 9, 1), date(2026, 3, 13)
    match what:
        case 0:
            return await provider.chain(symbol, None, None)
        case 1:
            return await provider.history(symbol, *window)
        case 2:
            return await provider.volatilities(symbol, *window)
        case 3:
            return await provider.earnings(symbol, *window)
        case _:
            return [provider.quote_at(symbol, at) for at in INSTANTS]


PRINTED = """
import asyncio
from tests.adapters import test_simulated_law
print(asyncio.run(test_simulated_law.digest({order})))
"""


def test_another_process_and_another_order_give_the_same_digest() -> None:
    program = [sys.executable, "-c", PRINTED.format(order=2)]
    environment = os.environ | {"PYTHONHASHSEED": "5"}
    told = subprocess.run(
        program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == asyncio.run(digest(order=1))


# --- nothing is to be had for nothing --------------------------------------------------------


def _mids(options: list[market.OptionMark]) -> tuple[pricing.Floats, ...]:
    """Strikes, mids and ticks of calls, by strike."""
    quoted = [(float(o.strike), float(o.bid or 0), float(o.ask or 0)) for o in options]
    strikes, bids, asks = np.array(quoted).T
    return strikes, (bids + asks) / 2, np.where(asks > 3, 0.05, 0.01)


def _expirations(symbol: str) -> Iterator[list[list[market.OptionMark]]]:
    """For each day, the calls of every expiration, in order."""
    provider = simulated.Simulated(lambda: NOW, seed=7)
    for at in INSTANTS:
        by: dict[date, list[market.OptionMark]] = {}
        for option in provider.chain_at(symbol, at, None, None).options:
            if option.direction == "call":
                by.setdefault(option.expiration, []).append(option)
        yield list(by.values())


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_call_is_worth_less_at_a_higher_strike_and_by_less_than_the_strikes_differ(
    symbol: str,
) -> None:
    for day in _expirations(symbol):
        for calls in day:
            strikes, mids, ticks = _mids(calls)
            fall = -np.diff(mids)
            assert (fall >= 0).all()
            assert (fall <= np.diff(strikes) + ticks[:-1]).all()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_butterfly_of_calls_costs_something_but_for_a_tick(symbol: str) -> None:
    for day in _expirations(symbol):
        for calls in day:
            strikes, mids, ticks = _mids(calls)
            part = (strikes[2:] - strikes[1:-1]) / (strikes[2:] - strikes[:-2])
            wings = part * mids[:-2] + (1 - part) * mids[2:]
            assert (wings - mids[1:-1] >= -ticks[:-2]).all()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_call_with_more_time_is_not_cheaper_but_for_a_tick(symbol: str) -> None:
    for day in _expirations(symbol):
        for near, far in itertools.pairwise(day):
            later = {float(o.strike): float((o.bid or 0) + (o.ask or 0)) / 2 for o in far}
            strikes, mids, ticks = _mids(near)
            for strike, mid, tick in zip(strikes, mids, ticks, strict=True):
                assert later.get(strike, mid) >= mid - tick - 1e-9
