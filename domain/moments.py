"""Instants and dates as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from domain import calendar, refusals

EARLIEST = date(1973, 4, 26)  # the first listed options trade
"""No fact is older than listed options."""
LONGEST = timedelta(days=20 * 365)


def written(field: str, text: str) -> date | datetime:
    """A New York date, or an instant with its offset (as aware UTC).

    Raises refusals.Invalid for anything else, an instant without an offset included.
    """
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise refusals.Invalid(field, text, "must say its offset, as in 2026-01-31T14:30:00Z")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refusals.Invalid(
            field, text, "must be a date (2026-01-31) or an instant (2026-01-31T14:30:00Z)"
        ) from error


def happened(field: str, text: str, now: datetime) -> datetime:
    """When something happened: an instant, or a day, which means its close (or now, if earlier)."""
    when = written(field, text)
    if not isinstance(when, datetime):
        if not EARLIEST <= when <= now.date() + timedelta(days=2):
            raise refusals.Invalid(field, text, _SPAN)
        close = calendar.close_at(when)
        when = min(close, now) if calendar.trading_day(now) == when else close
    if when.date() < EARLIEST or when > now:
        raise refusals.Invalid(field, text, _SPAN)
    return when


def learned(now: datetime, last: datetime | None) -> datetime:
    """When a fact is recorded: now, and always later than the last one of its stream."""
    return now if last is None else max(now, last + timedelta(microseconds=1))


_SPAN = f"must not be in the future, nor before {EARLIEST}"


def until(field: str, text: str | None) -> datetime | None:
    """The end of a span: an instant, or a day, which means its last moment in New York."""
    if text is None:
        return None
    when = written(field, text)
    if isinstance(when, datetime):
        return when
    if not date(1900, 1, 1) <= when <= date(2200, 1, 1):
        raise refusals.Invalid(field, text, "must be from 1900 to 2200")
    return calendar.day_end(when)


def expiration(field: str, day: date, sold_on: date) -> date:
    """An expiration that can be meant: on or after the sale, within twenty years."""
    if not sold_on <= day <= sold_on + LONGEST:
        raise refusals.Invalid(
            field, day, f"must be from the day of the sale ({sold_on}) to twenty years on"
        )
    return day
