"""When something is due that runs by itself: instants in New York time.

An interval counts from the instant since which it is wanted. A cron expression has five fields;
its days of the week are 0 (Sunday) to 6, or names. What falls into the hour that spring leaves out
is due an hour later; what falls into the hour that autumn has twice is due once, unless it is due
every hour.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from apscheduler.triggers.cron import CronTrigger

from domain import calendar, facts, refusals

SHORTEST: Final = 10
LONGEST: Final = 31 * 86_400
_MOMENT: Final = timedelta(microseconds=1)
_SPANS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=8), timedelta(days=366))
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBER: Final = re.compile(r"(?<![/\d])([0-7])(?!\d)")
_FIELDS: Final = 5
_SOME: Final = date(2026, 1, 1)


def check(table: facts.Timetable) -> None:
    """Raise refusals.Invalid unless it says one thing, and that can be meant."""
    if (table.interval_seconds is None) == (table.cron is None):
        raise refusals.Invalid("schedule", None, "must say interval_seconds or cron, one of both")
    seconds = table.interval_seconds
    if seconds is not None and not SHORTEST <= seconds <= LONGEST:
        raise refusals.Invalid("interval_seconds", seconds, f"must be {SHORTEST} to {LONGEST}")
    if table.cron is not None:
        _check_cron(table.cron)


def _check_cron(text: str) -> None:
    try:
        trigger = _trigger(text)
    except (ValueError, KeyError, TypeError) as reason:
        raise refusals.Invalid("cron", text, f"must be a cron expression: {reason}") from reason
    if trigger.get_next_fire_time(None, calendar.open_at(_SOME)) is None:
        raise refusals.Invalid("cron", text, "must be due on some day")


@lru_cache(maxsize=256)
def _trigger(text: str) -> CronTrigger:
    fields = text.split()
    if len(fields) != _FIELDS:
        raise ValueError(f"it has {len(fields)} fields instead of {_FIELDS}")
    minute, hour, day, month, week = fields
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=_NUMBER.sub(lambda found: _DAYS[int(found[1])], week),
        timezone=calendar.NEW_YORK,
    )


def following(table: facts.Timetable, after: datetime, since: datetime) -> datetime | None:
    """The first due instant behind `after`, of a timetable that is wanted `since`; None: never."""
    due = _next(table, max(after, since), since)
    while due is not None and table.sessions_only:
        day = calendar.trading_day(due)
        if calendar.is_session(day):
            break
        due = _next(table, calendar.day_end(calendar.next_session(day) - timedelta(days=1)), since)
    return due


def latest(
    table: facts.Timetable, after: datetime, until: datetime, since: datetime
) -> datetime | None:
    """The last due instant behind `after` and up to `until`, if there is one."""
    for span in _SPANS:
        found = None
        due = following(table, max(after, until - span), since)
        while due is not None and due <= until:
            found, due = due, _skipped(table, due, until, since)
        if found is not None or until - span <= after:
            return found
    return None


def _skipped(
    table: facts.Timetable, due: datetime, until: datetime, since: datetime
) -> datetime | None:
    """The next due instant; of a plain interval at once the last one that counts."""
    seconds = table.interval_seconds
    if seconds is None or table.sessions_only:
        return following(table, due, since)
    left = (until - due).total_seconds() // seconds
    return due + timedelta(seconds=max(left, 1) * seconds)


def _next(table: facts.Timetable, after: datetime, since: datetime) -> datetime | None:
    if table.interval_seconds is not None:
        passed = math.floor((after - since).total_seconds() / table.interval_seconds)
        return since + timedelta(seconds=(passed + 1) * table.interval_seconds)
    assert table.cron is not None
    return _next_by_cron(table.cron, after)


def _next_by_cron(text: str, after: datetime) -> datetime | None:
    trigger, hourly = _trigger(text), text.split()[1].startswith("*")
    while True:
        due: datetime | None = trigger.get_next_fire_time(None, after + _MOMENT)
        if due is None or hourly or not due.fold:
            return None if due is None else due.astimezone(UTC)
        after = due.astimezone(UTC)
