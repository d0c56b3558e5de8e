"""The exchange's days: when New York trades, and how far away an expiration is.

Sessions and early closes are those of the New York Stock Exchange as the `holidays`
package knows them. Where it knows nothing (before 1863, after 2100) every weekday counts
as a full session, so that no date is ever an error.

Instants are aware datetimes; the ones given back are in UTC. A business date is a New
York date.
"""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import msgspec
from holidays.constants import HALF_DAY

NEW_YORK = ZoneInfo("America/New_York")
OPEN = time(9, 30)
CLOSE = time(16, 0)
EARLY_CLOSE = time(13, 0)
SESSION = timedelta(hours=6, minutes=30)
"""How long a whole session is."""

SECONDS_PER_YEAR = 365 * 86_400

_DAY = timedelta(days=1)
_LAST_MOMENT = time(23, 59, 59, 999_999)
_SATURDAY = 5


class _Year(msgspec.Struct, frozen=True, gc=False):
    """One year's sessions in order, and which of them close early."""

    sessions: tuple[date, ...]
    half_days: frozenset[date]


@lru_cache(maxsize=1024)
def _year(year: int) -> _Year:
    closed = holidays.financial_holidays("NYSE", years=year)
    early = holidays.financial_holidays("NYSE", years=year, categories=(HALF_DAY,))
    first = date(year, 1, 1)
    length = (date(year, 12, 31) - first).days + 1
    days = (first + timedelta(days=n) for n in range(length))
    sessions = tuple(day for day in days if day.weekday() < _SATURDAY and day not in closed)
    return _Year(sessions, frozenset(early) & frozenset(sessions))


def is_session(day: date) -> bool:
    """Whether the exchange opens on this day at all."""
    sessions = _year(day.year).sessions
    place = bisect_left(sessions, day)
    return place < len(sessions) and sessions[place] == day


def is_half_day(day: date) -> bool:
    """Whether the session of this day ends at 13:00."""
    return day in _year(day.year).half_days


@lru_cache(maxsize=8192)
def open_at(day: date) -> datetime:
    """When the day's session opens; for a day without one, when it would have."""
    return datetime.combine(day, OPEN, NEW_YORK).astimezone(UTC)


@lru_cache(maxsize=8192)
def close_at(day: date) -> datetime:
    """When the day's session closes; for a day without one, when it would have."""
    close = EARLY_CLOSE if is_half_day(day) else CLOSE
    return datetime.combine(day, close, NEW_YORK).astimezone(UTC)


def is_open(instant: datetime) -> bool:
    """Whether regular trading is on: the open is inside, the close is not."""
    day = trading_day(instant)
    return is_session(day) and open_at(day) <= instant < close_at(day)


@lru_cache(maxsize=8192)
def trading_day(instant: datetime) -> date:
    """The business date of an instant: the date on a New York wall calendar."""
    return instant.astimezone(NEW_YORK).date()


def day_end(day: date) -> datetime:
    """The last instant of a New York date."""
    return datetime.combine(day, _LAST_MOMENT, NEW_YORK).astimezone(UTC)


def next_session(day: date) -> date:
    """The first session strictly after the day."""
    following = day + _DAY
    while not is_session(following):
        following += _DAY
    return following


def previous_session(day: date) -> date:
    """The last session strictly before the day."""
    preceding = day - _DAY
    while not is_session(preceding):
        preceding -= _DAY
    return preceding


def last_session(day: date) -> date:
    """The day itself when the exchange opens, else the session before it.

    Options that would expire on a holiday's Friday expire on this day.
    """
    return day if is_session(day) else previous_session(day)


def last_close(instant: datetime) -> date:
    """The latest session that has closed by the instant."""
    day = last_session(trading_day(instant))
    return day if close_at(day) <= instant else previous_session(day)


def sessions(first: date, last: date) -> tuple[date, ...]:
    """Every session from first to last, both included, in order."""
    return tuple(
        day
        for year in range(first.year, last.year + 1)
        for day in _year(year).sessions
        if first <= day <= last
    )


def traded(since: datetime, until: datetime) -> timedelta:
    """How long the market was open between two instants; nothing where the first is the later."""
    days = sessions(trading_day(since), trading_day(until))
    open_for = (min(until, close_at(day)) - max(since, open_at(day)) for day in days)
    return sum((each for each in open_for if each > timedelta(0)), timedelta(0))


def dte_calendar(as_of: date, expiration: date) -> int:
    """Days to the expiration: 0 on the day itself, negative once it has passed."""
    return (expiration - as_of).days


def dte_trading(as_of: date, expiration: date) -> int:
    """Sessions in (as_of, expiration]: 0 on the day itself and afterwards."""
    if expiration <= as_of:
        return 0
    if as_of.year == expiration.year:
        return _sessions_to(expiration) - _sessions_to(as_of)
    between = sum(len(_year(year).sessions) for year in range(as_of.year, expiration.year))
    return between - _sessions_to(as_of) + _sessions_to(expiration)


def years_to_expiry(instant: datetime, expiration: date) -> float:
    """Years of 365 days to 16:00 New York on the expiration; negative once it has passed."""
    end = datetime.combine(expiration, CLOSE, NEW_YORK)
    return (end - instant).total_seconds() / SECONDS_PER_YEAR


def _sessions_to(day: date) -> int:
    """How many sessions the day's year has had by the day, itself included."""
    return bisect_right(_year(day.year).sessions, day)
