"""What is still to be told to channels, for whoever tells it; and how that goes, for the rest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from projections import tables
from projections.views import Views

STUBBORN: Final = 3
"""A channel is failing once it has refused the same thing so often; once is an accident."""


class Left(msgspec.Struct, frozen=True):
    """What the views know as unfinished, at a position of the log: notifications, by their ids.

    `escalating` are those of alerts that stand, for which another channel may have to be told.
    """

    position: int
    waiting: list[UUID]
    escalating: list[UUID]


def left(link: Path) -> Left:
    """What is unfinished; raises refusals.Unavailable when there are no views yet."""
    with tables.reading(link) as connection:
        waiting = connection.execute("SELECT id FROM deliveries WHERE status='waiting'")
        escalating = connection.execute(
            "SELECT deliveries.id FROM deliveries JOIN alerts ON alerts.id=deliveries.alert_id "
            "WHERE escalate_at NOTNULL AND alerts.status='active'"
        )
        return Left(
            tables.position(connection),
            [UUID(row[0]) for row in waiting.fetchall()],
            [UUID(row[0]) for row in escalating.fetchall()],
        )


class Failing(msgspec.Struct, frozen=True):
    """A channel that does not take what it is told: since when, why, and how much waits."""

    channel: str
    since: datetime
    error: str
    waiting: int


async def failing(views: Views) -> list[Failing]:
    """The channels that fail: nothing came through since something was refused again and again."""
    found = await views.rows(
        "SELECT channel, MIN(failing_since), MAX(error), SUM(status='waiting') "
        "FROM deliveries AS d "
        "WHERE ((status='waiting' AND attempts>=?) OR status='failed') AND failing_since>COALESCE("
        "(SELECT MAX(ended_at) FROM deliveries AS e WHERE e.channel=d.channel "
        "AND e.status='delivered'), '') AND channel IN (SELECT name FROM channels) "
        "GROUP BY channel ORDER BY channel",
        [STUBBORN],
    )
    return [Failing(row[0], datetime.fromisoformat(row[1]), row[2], row[3]) for row in found]


async def counts(views: Views) -> dict[tuple[str, str], int]:
    """How many notifications there are, by channel and status."""
    found = await views.rows(
        "SELECT channel, status, COUNT(*) FROM deliveries GROUP BY channel, status"
    )
    return {(row[0], row[1]): row[2] for row in found}
