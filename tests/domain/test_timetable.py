"""When something is due: New York time, with its two odd days, holidays, and what was missed."""

from datetime import UTC, datetime, timedelta

import pytest

from domain import calendar, refusals, timetable
from domain.facts import Timetable

FRIDAY = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 31, 8, 0, tzinfo=UTC)


def dues(table: Timetable, after: datetime, count: int) -> list[str]:
    """The next few instants, as a New York clock tells them."""
    told = []
    for _ in range(count):
        due = timetable.following(table, after, FRIDAY - timedelta(days=3_000))
        assert due is not None
        told.append(f"{due.astimezone(calendar.NEW_YORK):%m-%d %H:%M %Z}")
        after = due
    return told


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 9 * * 1-5", FRIDAY, ["03-09 09:00 EDT", "03-10 09:00 EDT"]),
        ("0 9 * * 0", FRIDAY, ["03-08 09:00 EDT", "03-15 09:00 EDT"]),
        ("0 9 * * sun", FRIDAY, ["03-08 09:00 EDT", "03-15 09:00 EDT"]),
        ("*/20 10 * * *", FRIDAY, ["03-06 10:20 EST", "03-06 10:40 EST"]),
        ("30 2 * * *", FRIDAY, ["03-07 02:30 EST", "03-08 03:30 EDT"]),
        ("30 1 * * *", AUTUMN, ["11-01 01:30 EDT", "11-02 01:30 EST"]),
        ("30 * 1 * *", AUTUMN, ["11-01 00:30 EDT", "11-01 01:30 EDT", "11-01 01:30 EST"]),
    ],
)
def test_a_cron_expression_is_read_on_a_new_york_clock(
    cron: str, after: datetime, expected: list[str]
) -> None:
    assert dues(Timetable(cron=cron), after, len(expected)) == expected


def test_an_interval_counts_from_when_it_is_wanted() -> None:
    table = Timetable(interval_seconds=300)
    at = FRIDAY + timedelta(seconds=1_000)
    assert timetable.following(table, at, FRIDAY) == FRIDAY + timedelta(seconds=1_200)
    assert timetable.latest(table, FRIDAY, at, FRIDAY) == FRIDAY + timedelta(seconds=900)


def test_on_sessions_only_it_is_due_on_no_holiday_and_no_weekend() -> None:
    thursday = datetime(2026, 4, 2, 20, 0, tzinfo=UTC)
    daily = Timetable(cron="0 9 * * *", sessions_only=True)
    often = Timetable(interval_seconds=3_600, sessions_only=True)
    assert dues(daily, thursday, 2) == ["04-06 09:00 EDT", "04-07 09:00 EDT"]
    assert dues(often, datetime(2026, 4, 3, 3, 30, tzinfo=UTC), 1) == ["04-06 00:00 EDT"]


@pytest.mark.parametrize("days", [1, 5, 40, 400, 4_000])
def test_of_all_that_was_missed_the_last_is_known(days: int) -> None:
    until = FRIDAY + timedelta(days=days)
    for table in (
        Timetable(cron="*/5 * * * *"),
        Timetable(interval_seconds=300),
        Timetable(cron="0 9 1 * *"),
    ):
        latest = timetable.latest(table, FRIDAY, until, FRIDAY)
        after = timetable.following(table, latest or FRIDAY, FRIDAY)
        assert after is not None
        assert (latest or FRIDAY) <= until < after


def test_nothing_is_due_twice() -> None:
    table = Timetable(cron="0 9 * * *")
    due = timetable.latest(table, FRIDAY, FRIDAY + timedelta(days=1), FRIDAY)
    assert due is not None
    assert timetable.latest(table, due, FRIDAY + timedelta(days=1), FRIDAY) is None


@pytest.mark.parametrize(
    ("table", "field"),
    [
        (Timetable(), "schedule"),
        (Timetable(interval_seconds=60, cron="* * * * *"), "schedule"),
        (Timetable(interval_seconds=9), "interval_seconds"),
        (Timetable(interval_seconds=-300), "interval_seconds"),
        (Timetable(interval_seconds=10**9), "interval_seconds"),
        *(
            (Timetable(cron=cron), "cron")
            for cron in ("", "daily", "* * * * * *", "61 * * * *", "0 9 * * 8", "0 0 31 2 *")
        ),
    ],
)
def test_what_can_never_be_meant_is_refused(table: Timetable, field: str) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        timetable.check(table)
    assert refused.value.details["field"] == field
