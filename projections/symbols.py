"""Which symbols there are to watch."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def held(link: Path) -> set[str]:
    """The symbols of all active wheels, and of all with options open; none without views."""
    if not link.exists():
        return set()
    with closing(sqlite3.connect(f"file:{link.resolve()}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT DISTINCT symbol FROM wheels WHERE is_active OR open_trades"
        )
        return {row[0] for row in found}
