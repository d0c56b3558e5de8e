"""Wall times in named zones: when quiet hours end, when a digest is due.

A span of wall times is told as two instants before it is compared with one. So the hour that a
zone has twice, or not at all, makes no span longer than it is by the sun, and ends none twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain import facts, refusals

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_WALL: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def wall(field: str, text: str) -> time:
    """A time of day as people write it, 00:00 to 23:59; raises refusals.Invalid."""
    if not _WALL.fullmatch(text):
        raise refusals.Invalid(field, text, "must be a time of day such as 22:00")
    return time.fromisoformat(text)


def zone(field: str, name: str) -> ZoneInfo:
    """A zone by its name; raises refusals.Invalid for one that nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise refusals.Invalid(field, name, "must be a zone such as America/New_York") from error


def quiet_until(quiet: facts.Quiet | None, now: datetime) -> datetime | None:
    """When the quiet hours end that it is in, if it is in some: the end itself is not quiet."""
    if quiet is None:
        return None
    place = ZoneInfo(quiet.zone)
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    for day in _about(now, place):
        begins = _at(day, start, place)
        ends = _at(day + _DAY if end <= start else day, end, place)
        if begins <= now < ends:
            return ends
    return None


def next_digest(digest: facts.Digest, now: datetime) -> datetime:
    """The first hour of a digest that is still to come."""
    if digest.every == "hourly" or digest.at is None:
        return now.replace(minute=0, second=0, microsecond=0) + _HOUR
    place, at = ZoneInfo(digest.zone), time.fromisoformat(digest.at)
    return min(hour for day in _about(now, place) if (hour := _at(day, at, place)) > now)


def _about(now: datetime, place: ZoneInfo) -> Iterator[date]:
    """The days whose hours can be meant: yesterday, today and tomorrow, as the zone has them."""
    today = now.astimezone(place).date()
    return iter((today - _DAY, today, today + _DAY))


def _at(day: date, at: time, place: ZoneInfo) -> datetime:
    return datetime.combine(day, at, place).astimezone(UTC)
