"""Open positions to watch, and wheels to trade on beside them.

The puts of a symbol have strikes so far apart that a price which falls past one is not yet near
the next.
"""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from adapters import event_store
from benchmarks.clerk import Clerk

STRIKES: Final = tuple(round(Decimal(100) * Decimal("0.88") ** n, 2) for n in range(10))
SYMBOLS_OF_ONE: Final = 50
WHEELS_TO_TRADE: Final = 100
ABOVE_ALL: Final = Decimal(110)


class Watched(msgspec.Struct, frozen=True):
    """What has been set up: wheels with a position each, and others to trade on."""

    symbols: list[str]
    held: list[UUID]
    traded: list[UUID]


def seed(data_dir: Path, positions: int) -> Watched:
    """Record so many open puts, before the instance starts."""
    symbols = [f"P{n:03d}" for n in range(min(SYMBOLS_OF_ONE, positions))]
    held = []
    with closing(event_store.open_sqlite(data_dir / "ledger.db")) as log:
        clerk = Clerk(log)
        for number in range(positions // len(symbols)):
            portfolio_id = clerk.open_portfolio(f"Portfolio {number}")
            for symbol in symbols:
                wheel_id = clerk.start_wheel(portfolio_id, symbol)
                clerk.sell_put(wheel_id, STRIKES[number // 2 % len(STRIKES)])
                held.append(wheel_id)
        traded = to_trade(clerk)
    return Watched(symbols, held, traded)


def to_trade(clerk: Clerk) -> list[UUID]:
    """Wheels of a portfolio of their own, with nothing open."""
    portfolio_id = clerk.open_portfolio("Traded")
    return [clerk.start_wheel(portfolio_id, f"T{n:03d}") for n in range(WHEELS_TO_TRADE)]


def falling(symbols: list[str], levels: int) -> list[tuple[str, Decimal]]:
    """Prices that each go past one strike, symbol after symbol, strike after strike."""
    return [
        (symbol, round(strike * Decimal("0.99"), 2))
        for strike in STRIKES[:levels]
        for symbol in symbols
    ]
