"""A wheel's marks in the views: one, a page of them, and those that stand for a day or a week."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

import msgspec

from domain import refusals
from projections import questions, snapshots, sums
from projections.views import Views

Interval = Literal["daily", "weekly"]
_LARGEST = 2**63 - 1
"""SQLite compares no larger number."""
SORTS = ("effective_at", "recorded_at", "price", "version")
_DATES: dict[Interval, str] = {"daily": "day", "weekly": "date(day, 'weekday 0', '-6 days')"}
"""The New York date that a mark stands for: its day's, or that of its week's Monday."""


async def one(views: Views, wheel_id: UUID, version: int) -> bytes:
    """One mark's body; raises refusals.Unknown."""
    found = await views.rows(
        "SELECT body FROM marks WHERE wheel_id=? AND version=?",
        [wheel_id.hex, min(version, _LARGEST)],
    )
    if not found:
        raise refusals.Unknown("snapshot", version)
    body: bytes = found[0][0]
    return body


async def latest(views: Views, wheel_id: UUID) -> bytes:
    """The body of the mark that is nearest to now; raises refusals.Unknown without one."""
    found = await views.rows(
        "SELECT body FROM marks WHERE wheel_id=? ORDER BY at DESC, version DESC LIMIT 1",
        [wheel_id.hex],
    )
    if not found:
        raise refusals.Unknown("snapshot of wheel", wheel_id)
    body: bytes = found[0][0]
    return body


async def all_marks(
    views: Views, wheel_id: UUID, span: sums.Span, part: questions.Slice
) -> questions.Found:
    """A wheel's marks within a span of New York dates, the newest first."""
    clause, values = _within(wheel_id, span)
    order = questions.ordered(part.sort, SORTS, "-effective_at", "version")
    total = await views.rows(f"SELECT COUNT(*) FROM marks WHERE {clause}", values)  # noqa: S608
    found = await views.rows(
        f"SELECT body, at AS effective_at FROM marks WHERE {clause} "  # noqa: S608
        f"ORDER BY {order} LIMIT ? OFFSET ?",
        [*values, part.page_size, part.offset],
    )
    return questions.Found([msgspec.Raw(row[0]) for row in found], int(total[0][0]))


async def trend(
    views: Views, wheel_id: UUID, interval: Interval, span: sums.Span
) -> list[snapshots.Point]:
    """The series of a wheel's marks, the last one of each day or week standing for it."""
    clause, values = _within(wheel_id, span)
    found = await views.rows(
        "SELECT date, body FROM (SELECT *, ROW_NUMBER() OVER "  # noqa: S608
        "(PARTITION BY date ORDER BY at DESC, version DESC) AS place FROM "
        f"(SELECT at, version, body, {_DATES[interval]} AS date FROM marks WHERE {clause})) "
        "WHERE place=1 ORDER BY date",
        values,
    )
    return snapshots.trend(
        [
            (date.fromisoformat(day), questions.decoded(body, snapshots.Snapshot))
            for day, body in found
        ]
    )


def _within(wheel_id: UUID, span: sums.Span) -> tuple[str, list[Any]]:
    where = {
        "wheel_id=?": wheel_id.hex,
        "day>=?": span.first and span.first.isoformat(),
        "day<=?": span.last and span.last.isoformat(),
    }
    present = {condition: value for condition, value in where.items() if value is not None}
    return " AND ".join(present), list(present.values())
