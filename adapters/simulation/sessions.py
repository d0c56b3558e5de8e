"""Trading days as the simulation counts them: from the first session of 2000."""

from datetime import date, datetime
from functools import lru_cache

from domain import calendar

EPOCH = date(2000, 1, 3)
PER_YEAR = 252
QUARTER = 63


@lru_cache(maxsize=512)
def of_year(year: int) -> tuple[date, ...]:
    return calendar.sessions(max(date(year, 1, 1), EPOCH), date(year, 12, 31))


@lru_cache(maxsize=512)
def places(year: int) -> dict[date, int]:
    return {day: place for place, day in enumerate(of_year(year))}


def number(day: date) -> int:
    """How many sessions lie between the epoch and the last session by the day."""
    return calendar.dte_trading(EPOCH, day)


def turns(phase: int, after: int, through: int) -> int:
    """How many sessions of the phase there are in (after, through]."""
    return (through - phase) // QUARTER - (after - phase) // QUARTER


def minutes(day: date) -> int:
    return int((calendar.close_at(day) - calendar.open_at(day)).total_seconds()) // 60


def part(instant: datetime) -> float:
    """How much of its session has passed at the instant, 0 to 1; 1 outside the session."""
    if not calendar.is_open(instant):
        return 1.0
    day = calendar.trading_day(instant)
    return (instant - calendar.open_at(day)).total_seconds() / 60 / minutes(day)
