"""The alerts that are raised, for whoever watches what they are about."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from projections import tables


def active(link: Path) -> list[tuple[UUID | None, str]]:
    """Of every alert that stands the trade, if there is one, and the rule; none without views."""
    if not link.exists():
        return []
    with tables.reading(link) as connection:
        found = connection.execute("SELECT trade_id, rule FROM alerts WHERE status='active'")
        return [(UUID(trade_id) if trade_id else None, rule) for trade_id, rule in found]
