"""Which symbols there are to watch."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from domain import facts, refusals
from projections import tables


def held(link: Path) -> set[str]:
    """The symbols of all active wheels and of all with options open, and those that are watched.

    None without views.
    """
    if not link.exists():
        return set()
    with suppress(refusals.Unavailable), tables.reading(link) as connection:
        found = connection.execute(
            "SELECT symbol FROM wheels WHERE is_active OR open_trades "
            "UNION SELECT symbol FROM watchlist"
        )
        return {row[0] for row in found}
    return set()


def held_in(link: Path, portfolio_id: UUID) -> set[str]:
    """The symbols of a portfolio's active wheels, and of its wheels with options open.

    Raises refusals.Unavailable without views.
    """
    with tables.reading(link) as connection:
        found = connection.execute(
            "SELECT symbol FROM wheels WHERE portfolio_id=? AND (is_active OR open_trades)",
            (portfolio_id.hex,),
        )
        return {row[0] for row in found}


Contract = tuple[facts.Direction, str, date]
"""Direction, strike as text without trailing zeros, expiration."""


def contracts(link: Path) -> dict[str, frozenset[Contract]]:
    """By symbol, the contracts of all open options; none without views."""
    if not link.exists():
        return {}
    found: defaultdict[str, set[Contract]] = defaultdict(set)
    with suppress(refusals.Unavailable), tables.reading(link) as connection:
        for symbol, direction, strike, expiration in connection.execute(
            "SELECT DISTINCT symbol, direction, strike, expiration_date FROM open_options"
        ):
            listed = f"{Decimal(strike).normalize():f}"
            found[symbol].add((direction, listed, date.fromisoformat(expiration)))
    return {symbol: frozenset(each) for symbol, each in found.items()}
