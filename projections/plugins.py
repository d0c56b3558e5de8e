"""What the views know of plugins, for whoever runs them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from domain import facts, refusals
from projections import tables


class Known(msgspec.Struct, frozen=True):
    """The plugins that were ever registered, and the instant for which each ran last."""

    names: frozenset[str] = frozenset()
    last_due: dict[str, datetime] = {}


def known(link: Path) -> Known:
    """What the views say of plugins; nothing without views."""
    if not link.exists():
        return Known()
    with suppress(refusals.Unavailable), tables.reading(link) as connection:
        names = connection.execute("SELECT name FROM plugins").fetchall()
        last = connection.execute(
            "SELECT plugin, MAX(due_at) FROM plugin_runs WHERE trigger<>'manual' GROUP BY plugin"
        ).fetchall()
        return Known(
            frozenset(row[0] for row in names),
            {name: datetime.fromisoformat(due) for name, due in last},
        )
    return Known()


def alerts(link: Path, name: str) -> list[UUID]:
    """The streams of a plugin's alerts that stand; none without views."""
    if not link.exists():
        return []
    with suppress(refusals.Unavailable), tables.reading(link) as connection:
        found = connection.execute(
            "SELECT id FROM alerts WHERE status='active' AND rule=?", [facts.plugin_rule(name)]
        )
        return [UUID(row[0]) for row in found]
    return []
