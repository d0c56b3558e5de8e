"""The exchange's days, against its published holidays and golden distances."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from domain import calendar

GOLDEN = Path(__file__).parent / "trading_dte_golden.csv"


def _golden() -> list[tuple[date, date, int, int]]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return [
            (
                date.fromisoformat(row["asof"]),
                date.fromisoformat(row["expiration"]),
                int(row["dte_calendar"]),
                int(row["dte_trading"]),
            )
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("as_of", "expiration", "days", "sessions"), _golden())
def test_the_distance_to_an_expiration_is_the_golden_one(
    as_of: date, expiration: date, days: int, sessions: int
) -> None:
    counted = calendar.dte_calendar(as_of, expiration), calendar.dte_trading(as_of, expiration)
    assert counted == (days, sessions)


@pytest.mark.parametrize("start", [date(2019, 11, 20), date(2020, 2, 28), date(2021, 12, 30)])
def test_trading_days_are_the_sessions_counted_one_by_one(start: date) -> None:
    ends = [start + timedelta(days=n) for n in range(0, 900, 13)]
    counted = [
        sum(calendar.is_session(start + timedelta(days=n + 1)) for n in range((end - start).days))
        for end in ends
    ]
    assert [calendar.dte_trading(start, end) for end in ends] == counted


def test_an_expiration_that_has_passed_is_days_ago_and_no_sessions_away() -> None:
    as_of, expiration = date(2026, 3, 10), date(2026, 3, 6)
    assert calendar.dte_calendar(as_of, expiration) == -4
    assert calendar.dte_trading(as_of, expiration) == 0


@pytest.mark.parametrize(
    "day",
    [
        date(2021, 1, 1),
        date(2021, 4, 2),
        date(2021, 12, 24),
        date(2022, 6, 20),
        date(2025, 1, 9),
        date(2026, 3, 7),
        date(2026, 6, 19),
    ],
)
def test_the_exchange_is_closed_on_weekends_holidays_and_days_of_mourning(day: date) -> None:
    assert not calendar.is_session(day)


def test_2021_had_252_sessions() -> None:
    assert len(calendar.sessions(date(2021, 1, 1), date(2021, 12, 31))) == 252


def test_a_window_of_sessions_includes_both_its_ends() -> None:
    days = calendar.sessions(date(2021, 12, 31), date(2022, 1, 3))
    assert days == (date(2021, 12, 31), date(2022, 1, 3))


@pytest.mark.parametrize("day", [date(2025, 7, 3), date(2026, 11, 27), date(2026, 12, 24)])
def test_a_half_day_closes_at_one_in_the_afternoon(day: date) -> None:
    assert calendar.is_half_day(day)
    assert calendar.close_at(day).astimezone(calendar.NEW_YORK).hour == 13


def test_hours_are_given_in_utc_and_follow_new_yorks_summer_time() -> None:
    winter, summer = date(2026, 3, 6), date(2026, 3, 9)
    assert calendar.open_at(winter) == datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
    assert calendar.close_at(summer) == datetime(2026, 3, 9, 20, 0, tzinfo=UTC)
    assert calendar.close_at(summer).tzinfo is UTC


@pytest.mark.parametrize(
    ("instant", "trading"),
    [
        (datetime(2026, 3, 6, 14, 29, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 6, 14, 30, tzinfo=UTC), True),
        (datetime(2026, 3, 6, 20, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 6, 21, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 7, 16, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 18, 30, tzinfo=UTC), False),
    ],
)
def test_trading_is_on_from_the_open_until_the_close(instant: datetime, trading: bool) -> None:
    assert calendar.is_open(instant) is trading


def test_a_business_date_is_new_yorks_and_not_greenwichs() -> None:
    assert calendar.trading_day(datetime(2026, 3, 7, 4, 59, tzinfo=UTC)) == date(2026, 3, 6)


@pytest.mark.parametrize("day", [date(2026, 3, 7), date(2026, 3, 8), date(2026, 11, 1)])
def test_a_days_end_is_its_last_instant_also_when_clocks_change(day: date) -> None:
    end = calendar.day_end(day)
    assert calendar.trading_day(end) == day
    assert calendar.trading_day(end + timedelta(microseconds=1)) == day + timedelta(days=1)


def test_the_next_session_skips_weekends_and_holidays() -> None:
    assert calendar.next_session(date(2026, 4, 2)) == date(2026, 4, 6)


def test_the_previous_session_is_strictly_before() -> None:
    assert calendar.previous_session(date(2026, 4, 6)) == date(2026, 4, 2)


def test_an_expiration_on_a_holidays_friday_is_the_thursday() -> None:
    assert calendar.last_session(date(2026, 6, 19)) == date(2026, 6, 18)
    assert calendar.last_session(date(2026, 6, 18)) == date(2026, 6, 18)


def test_the_last_close_is_todays_once_the_bell_has_rung() -> None:
    bell = calendar.close_at(date(2026, 4, 6))
    assert calendar.last_close(bell) == date(2026, 4, 6)
    assert calendar.last_close(bell - timedelta(seconds=1)) == date(2026, 4, 2)


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        ("2026-01-05T15:00", "2026-01-05T15:30", 30),
        ("2026-01-05T20:50", "2026-01-06T14:50", 30),  # the last ten minutes, the first twenty
        ("2026-01-02T20:50", "2026-01-05T14:29", 10),  # and a weekend
        ("2025-11-28T17:50", "2025-12-01T14:30", 10),  # a half day
        ("2026-01-03T15:00", "2026-01-04T20:00", 0),
        ("2026-01-05T15:30", "2026-01-05T15:00", 0),
        ("2026-01-07T15:30", "2026-01-05T15:00", 0),
        ("2025-12-31T20:00", "2026-01-02T15:00", 90),  # from one year into the next
    ],
)
def test_only_the_time_in_which_the_market_was_open_counts_as_traded(
    since: str, until: str, minutes: int
) -> None:
    first, last = (datetime.fromisoformat(f"{each}:00+00:00") for each in (since, until))
    assert calendar.traded(first, last) == timedelta(minutes=minutes)


def test_a_year_to_expiry_is_365_days_to_four_in_the_afternoon_in_new_york() -> None:
    instant = datetime(2025, 3, 20, 20, 0, tzinfo=UTC)
    assert calendar.years_to_expiry(instant, date(2026, 3, 20)) == pytest.approx(1.0)


def test_an_expiry_that_has_passed_is_negative_years_away() -> None:
    assert calendar.years_to_expiry(datetime(2026, 3, 20, 20, 1, tzinfo=UTC), date(2026, 3, 20)) < 0


@pytest.mark.parametrize("year", [2, 1776, 1900, 2200, 9990])
def test_no_date_is_too_far_away(year: int) -> None:
    sessions = calendar.dte_trading(date(year, 1, 1), date(year, 12, 31))
    assert 245 <= sessions <= 262
    assert calendar.next_session(date(year, 1, 1)) > date(year, 1, 1)
    assert calendar.open_at(date(year, 7, 1)) < calendar.close_at(date(year, 7, 1))
