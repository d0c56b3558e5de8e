"""Which symbols there are to watch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from domain import refusals
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
