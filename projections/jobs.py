"""Where the jobs stand, as the views know it: from there on the log is followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import msgspec

from domain import facts
from projections import rows, tables


class Standing(msgspec.Struct, frozen=True):
    """The jobs that were set up, and the last due time of each that has its run recorded.

    `first` and `latest` are the earliest and the latest due time of all. What the log has behind
    `position` is not known here.
    """

    position: int = 0
    jobs: Sequence[UUID] = ()
    last: Mapping[UUID, datetime] = MappingProxyType({})
    first: datetime | None = None
    latest: datetime | None = None


def standing(link: Path, until: datetime) -> Standing:
    """Where the jobs stand; `last` is none that is due later than an instant.

    Nothing is known without views. Raises refusals.Unavailable.
    """
    if not tables.fit(link):
        return Standing()
    with tables.reading(link) as connection:
        jobs = connection.execute("SELECT id FROM jobs").fetchall()
        last = connection.execute(
            "SELECT entry, MAX(due_at) FROM job_runs WHERE trigger<>'manual' AND due_at<=?"
            " GROUP BY entry",
            (rows.text(until),),
        ).fetchall()
        first, latest = connection.execute(
            "SELECT MIN(due_at), MAX(due_at) FROM job_runs WHERE trigger<>'manual'"
        ).fetchone()
        return Standing(
            tables.position(connection),
            [UUID(row[0]) for row in jobs],
            {UUID(entry): datetime.fromisoformat(at) for entry, at in last},
            first and datetime.fromisoformat(first),
            latest and datetime.fromisoformat(latest),
        )


def last_success(link: Path, job: str, portfolio_id: UUID | None) -> datetime | None:
    """When a run of a job began that succeeded, the last one; None where none did."""
    entry = facts.job_stream(job, portfolio_id)
    with tables.reading(link) as connection:
        (at,) = connection.execute(
            "SELECT MAX(started_at) FROM job_runs WHERE entry=? AND outcome='succeeded'",
            (entry.hex,),
        ).fetchone()
    return at and datetime.fromisoformat(at)
