"""When a job or a plugin is due: New York time, the exchange's days, both changes of the clock.

| schedule            | due                                                                     |
|---------------------|-------------------------------------------------------------------------|
| interval_seconds    | at whole multiples since 1970: every five minutes is :00, :05, :10      |
| cron                | when the clocks of its zone show the time, once on each day that has it |
| after_close_minutes | so long after the close of every session, half days too                 |

A market rule leaves of these what falls on a session's day (`sessions`), or between its open and
its close (`market_hours`: the open is inside, the close is not).

When the clocks go forward, a time that they skip is due an hour later by the clock, which is when
it would have been. When they go back, a time that they show twice is due the first time; only what
is due in every hour is due in both. APScheduler's own answer differs (it repeats all that clocks
show twice, and names times that they skip), so that its trigger reads the clock's face here, and
the instants are ours.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from apscheduler.triggers.cron import CronTrigger

from domain import calendar, facts, refusals

HORIZON: Final = timedelta(days=9 * 366)
"""A schedule that names no time in nine years (two of them leap years, 2100 or not) names none."""
SHORTEST: Final = 60
LONGEST: Final = 7 * 86_400
LATEST: Final = 7 * 60
"""Minutes after the close that are still the same day."""
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MOST_TEXT: Final = 100

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_BACK: Final = (timedelta(hours=1), _DAY, timedelta(days=8), timedelta(days=366))
_NUMBERS: Final = re.compile(r"[0-9*,/-]+")
_NAMES: Final = re.compile(r"[0-9a-z*,/-]+")
_FIELDS: Final = (_NUMBERS, _NUMBERS, _NUMBERS, _NAMES, _NAMES)


def due(
    schedule: facts.Schedule, rule: facts.MarketHours, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Every due instant in (after, until], in order, in UTC."""
    first = after + _MOMENT
    if schedule.after_close_minutes is not None:
        yield from _after_closes(timedelta(minutes=schedule.after_close_minutes), first, until)
        return
    times = _at_intervals if schedule.interval_seconds is not None else _by_cron
    for opens, closes in _windows(rule, first, until):
        yield from times(schedule, opens, closes)


@lru_cache(maxsize=256)
def next_due(schedule: facts.Schedule, rule: facts.MarketHours, after: datetime) -> datetime | None:
    """The first due instant after another; None where none comes within the horizon."""
    return next(due(schedule, rule, after, after + HORIZON), None)


def latest(
    schedule: facts.Schedule, rule: facts.MarketHours, after: datetime, until: datetime
) -> datetime | None:
    """The last due instant in (after, until]; None where there is none.

    Looked for from the end, so that a year of five minutes that were missed is not gone through.
    """
    first = next_due(schedule, rule, after)
    if first is None or first > until:
        return None
    begins = (max(after, until - span) for span in (*_BACK, until - after))
    return next(at for begin in begins for at in deque(due(schedule, rule, begin, until), 1))


def check(schedule: facts.Schedule, rule: facts.MarketHours, now: datetime) -> None:
    """Raise refusals.Invalid for a schedule that cannot be meant, or never comes."""
    said = [field for field in _KINDS if getattr(schedule, field) is not None]
    if len(said) != 1:
        raise refusals.Invalid("schedule", ", ".join(said), f"must say one of {', '.join(_KINDS)}")
    if schedule.timezone not in available_timezones():
        raise refusals.Invalid(
            "schedule.timezone", schedule.timezone, "must be a time zone, as in America/New_York"
        )
    _in_bounds("interval_seconds", schedule.interval_seconds, SHORTEST, LONGEST)
    _in_bounds("after_close_minutes", schedule.after_close_minutes, 0, LATEST)
    if schedule.cron is not None:
        _check_cron(schedule.cron)
    if schedule.after_close_minutes is not None and rule == "market_hours":
        raise refusals.Invalid(
            "market_hours", rule, "must be sessions or any: after the close the market is closed"
        )
    if next_due(schedule, rule, now) is None:
        raise refusals.Invalid(
            "schedule", getattr(schedule, said[0]), f"must come at some time (rule: {rule})"
        )


_KINDS: Final = ("interval_seconds", "cron", "after_close_minutes")


def _in_bounds(field: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise refusals.Invalid(f"schedule.{field}", value, f"must be from {least} to {most}")


# --- the market's rule ------------------------------------------------------------------------


def _windows(
    rule: facts.MarketHours, first: datetime, last: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The spans, both ends included, in which a job may be due."""
    if rule == "any":
        yield first, last
        return
    for day in _sessions(first):
        opens, closes = _hours(rule, day)
        if opens > last:
            return
        if (begins := max(opens, first)) <= (ends := min(closes, last)):
            yield begins, ends


def _sessions(first: datetime) -> Iterator[date]:
    """The sessions from an instant's New York day on."""
    day = calendar.trading_day(first)
    if calendar.is_session(day):
        yield day
    while True:
        day = calendar.next_session(day)
        yield day


def _hours(rule: facts.MarketHours, day: date) -> tuple[datetime, datetime]:
    if rule == "market_hours":
        return calendar.open_at(day), calendar.close_at(day) - _MOMENT
    begins = datetime.combine(day, time(), calendar.NEW_YORK).astimezone(UTC)
    return begins, calendar.day_end(day)


# --- the kinds of schedule --------------------------------------------------------------------


def _after_closes(offset: timedelta, first: datetime, last: datetime) -> Iterator[datetime]:
    for day in _sessions(first):
        at = calendar.close_at(day) + offset
        if at > last:
            return
        if at >= first:
            yield at


def _at_intervals(schedule: facts.Schedule, first: datetime, last: datetime) -> Iterator[datetime]:
    step = timedelta(seconds=schedule.interval_seconds or LONGEST)
    at = _EPOCH - (_EPOCH - first) // step * step
    while at <= last:
        yield at
        at += step


def _by_cron(schedule: facts.Schedule, first: datetime, last: datetime) -> Iterator[datetime]:
    """Day by day as the zone's clocks show them: within a day an hour may come twice, or never."""
    zone, cron = ZoneInfo(schedule.timezone), schedule.cron or ""
    trigger = _trigger(cron, first.year - 1, last.year + 1)
    every_hour = spelled(cron).split()[1].startswith("*")
    face = _midnight(first.astimezone(zone).date())
    if (face - _DAY).replace(tzinfo=zone).utcoffset() != face.replace(tzinfo=zone).utcoffset():
        face -= _DAY  # what the clocks skipped before midnight is due behind it
    final, found = last.astimezone(zone).date(), set[datetime]()
    while (shown := trigger.get_next_fire_time(None, face)) is not None and shown.date() <= final:
        day = shown.date()
        while shown is not None and shown.date() == day:
            found.update(_instants(shown, zone, every_hour=every_hour))
            shown = trigger.get_next_fire_time(None, shown + _MINUTE)
        ended = {at for at in found if at.astimezone(zone).date() <= day}
        yield from (at for at in sorted(ended) if first <= at <= last)
        found -= ended
        face = _midnight(day) + _DAY
    yield from (at for at in sorted(found) if first <= at <= last)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _instants(shown: datetime, zone: ZoneInfo, *, every_hour: bool) -> list[datetime]:
    """When the zone's clocks show this; UTC stands for their face here."""
    once = shown.replace(tzinfo=zone)
    again = once.replace(fold=1)
    first, second = once.astimezone(UTC), again.astimezone(UTC)
    return [first, second] if every_hour and second > first else [first]


# --- crontabs ---------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _trigger(cron: str, first_year: int, last_year: int) -> CronTrigger:
    """What finds the times on a clock's face. Raises ValueError for no crontab."""
    minute, hour, day, month, weekday = cron.lower().split()
    return CronTrigger(
        year=f"{max(first_year, 1970)}-{min(last_year, 9999)}",
        month=month,
        day=day,
        day_of_week=_named(weekday),
        hour=hour,
        minute=minute,
        timezone=UTC,
    )


def spelled(cron: str) -> str:
    """The same crontab as people read it: days of the week by name, and * where a list holds it."""
    fields = ["*" if "*" in field.split(",") else field for field in cron.lower().split()]
    days = _weekdays(fields[4])
    if len(days) > 1 and days == list(range(days[0], days[-1] + 1)):
        fields[4] = "*" if len(days) == len(DAYS) else f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    else:
        fields[4] = ",".join(DAYS[day] for day in days)
    return " ".join(fields)


def _check_cron(cron: str) -> None:
    fields = cron.lower().split()
    if len(cron) > MOST_TEXT or len(fields) != len(_FIELDS):
        raise refusals.Invalid("schedule.cron", cron, "must have five fields, as in 30 16 * * 1-5")
    if fields[2] != "*" and fields[4] != "*":
        raise refusals.Invalid(
            "schedule.cron", cron, "must name days of the month or of the week, not both"
        )
    if not all(form.fullmatch(field) for form, field in zip(_FIELDS, fields, strict=True)):
        raise refusals.Invalid("schedule.cron", cron, "must be of digits, names and * , - /")
    try:
        _trigger(cron, 2000, 2001)
    except ValueError as error:
        raise refusals.Invalid("schedule.cron", cron, f"must be a crontab: {error}") from error


def _named(field: str) -> str:
    """Days of the week by their names: in a crontab 0 and 7 are Sunday, to APScheduler Monday."""
    return ",".join(DAYS[day] for day in _weekdays(field))


def _weekdays(field: str) -> list[int]:
    return sorted({day % 7 for part in field.split(",") for day in _days(part)})


def _days(part: str) -> range:
    span, _, step = part.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = 0, len(DAYS) - 1
    else:
        low = _day(first)
        high = _day(last) if dash else len(DAYS) - 1 if step else low
    if low > high or (step and not step.isdecimal()) or step == "0":
        raise ValueError(f"{part} names no days of the week")
    return range(low, high + 1, int(step or 1))


def _day(word: str) -> int:
    if word in DAYS:
        return DAYS.index(word)
    if word.isdecimal() and int(word) <= len(DAYS):
        return int(word)
    raise ValueError(f"{word or 'nothing'} is no day of the week")
