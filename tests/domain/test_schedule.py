"""When a job is due, through the year and both changes of the clock."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import calendar, facts, refusals, schedule
from domain import job as jobs
from domain.facts import Schedule

FORWARD = date(2026, 3, 8)
BACK = date(2026, 11, 1)
HALF_DAYS = (date(2026, 11, 27), date(2026, 12, 24))
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def ny(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), calendar.NEW_YORK).astimezone(UTC)


def due(day: date, rule: facts.MarketHours = "any", **said: Any) -> list[datetime]:
    """All that is due on a New York day."""
    before = ny(day, 0) - timedelta(microseconds=1)
    return list(schedule.due(Schedule(**said), rule, before, calendar.day_end(day)))


def clocks(times: list[datetime]) -> list[str]:
    """What New York's clocks show then, with their distance from UTC."""
    return [at.astimezone(calendar.NEW_YORK).strftime("%H:%M %z")[:-2] for at in times]


def of_year(job: str, year: int = 2026) -> list[datetime]:
    kind = jobs.JOBS[job]
    before = ny(date(year, 1, 1), 0) - timedelta(microseconds=1)
    end = calendar.day_end(date(year, 12, 31))
    return list(schedule.due(kind.schedule, kind.market_hours, before, end))


def test_prices_are_due_every_five_minutes_from_the_open_to_before_the_close() -> None:
    times = due(date(2026, 3, 2), "market_hours", interval_seconds=300)
    assert (len(times), clocks(times)[0], clocks(times)[-1]) == (78, "09:30 -05", "15:55 -05")


def test_on_a_half_day_they_end_at_one() -> None:
    times = due(HALF_DAYS[0], "market_hours", interval_seconds=300)
    assert (len(times), clocks(times)[-1]) == (42, "12:55 -05")


@pytest.mark.parametrize("day", [date(2026, 4, 3), date(2026, 3, 7), date(2026, 7, 3)])
def test_on_a_day_without_a_session_nothing_of_the_market_is_due(day: date) -> None:
    assert due(day, "market_hours", interval_seconds=300) == []
    assert due(day, "sessions", cron="45 9 * * *") == []
    assert due(day, after_close_minutes=30) == []
    assert len(due(day, cron="45 9 * * *")) == 1


def test_a_snapshot_is_due_half_an_hour_after_every_close_of_the_year() -> None:
    times = of_year("daily_snapshot")
    days = calendar.sessions(date(2026, 1, 1), date(2026, 12, 31))
    expected = [ny(day, 13 if day in HALF_DAYS else 16, 30) for day in days]
    assert times == expected
    assert len(times) == 251


@pytest.mark.parametrize(("year", "sessions"), [(2024, 252), (2025, 250), (2026, 251)])
def test_there_are_as_many_snapshots_as_sessions(year: int, sessions: int) -> None:
    assert len(of_year("daily_snapshot", year)) == sessions


@pytest.mark.parametrize("job", ["performance_rollup", "ledger_checkpoint", "backup"])
def test_what_is_nightly_is_due_once_on_every_day_of_the_year(job: str) -> None:
    days = [calendar.trading_day(at) for at in of_year(job)]
    assert days == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def test_a_time_that_the_clocks_skip_is_due_an_hour_later() -> None:
    assert clocks(due(FORWARD, cron="0 2 * * *")) == ["03:00 -04"]
    assert clocks(due(FORWARD, cron="30 2 * * *")) == ["03:30 -04"]


def test_a_time_that_the_clocks_show_twice_is_due_the_first_time() -> None:
    assert clocks(due(BACK, cron="30 1 * * *")) == ["01:30 -04"]
    assert clocks(due(BACK, cron="0 2 * * *")) == ["02:00 -05"]


def test_what_is_due_every_hour_is_due_in_both_and_in_none_that_is_skipped() -> None:
    assert len(due(FORWARD, cron="*/30 * * * *")) == 46
    twice = due(BACK, cron="*/30 * * * *")
    assert len(twice) == 50
    assert all(b - a == timedelta(minutes=30) for a, b in pairwise(twice))


@pytest.mark.parametrize(("day", "count"), [(FORWARD, 23 * 12), (BACK, 25 * 12)])
def test_an_interval_is_time_that_passes_whatever_the_clocks_do(day: date, count: int) -> None:
    assert len(due(day, interval_seconds=300)) == count


def test_another_zone_has_clocks_of_its_own() -> None:
    times = due(date(2026, 3, 2), cron="0 9 * * *", timezone="Europe/Berlin")
    assert times == [datetime(2026, 3, 2, 8, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("cron", "weekdays"),
    [
        ("0 9 * * 0", {6}),
        ("0 9 * * 7", {6}),
        ("0 9 * * 1-5", {0, 1, 2, 3, 4}),
        ("0 9 * * mon,wed", {0, 2}),
        ("0 9 * * 5-7", {4, 5, 6}),
        ("0 9 * * */3", {6, 2, 5}),
        ("0 9 * * 2/2", {1, 3, 5}),
    ],
)
def test_sunday_is_day_nought_of_a_crontab(cron: str, weekdays: set[int]) -> None:
    until = NOW + timedelta(days=28)
    times = schedule.due(Schedule(cron=cron), "any", NOW, until)
    assert {calendar.trading_day(at).weekday() for at in times} == weekdays


@pytest.mark.parametrize("zone", ["America/Nuuk", "America/Scoresbysund"])
@pytest.mark.parametrize("cron", ["30 23 * * *", "30 0,23 * * *", "30 * * * *"])
def test_where_clocks_skip_the_hour_before_midnight_nothing_is_twice_and_nothing_lost(
    zone: str, cron: str
) -> None:
    table = Schedule(cron=cron, timezone=zone)
    begin = datetime(2026, 3, 27, tzinfo=UTC)
    whole = list(schedule.due(table, "any", begin, begin + timedelta(days=4)))
    assert whole == sorted(set(whole))
    hours = [begin + timedelta(hours=n) for n in range(4 * 24 + 1)]
    parts = [list(schedule.due(table, "any", *each)) for each in pairwise(hours)]
    assert [at for part in parts for at in part] == whole


@pytest.mark.parametrize("days", [0, 1, 5, 40, 400, 4_000])
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("any", {"cron": "*/5 * * * *"}),
        ("market_hours", {"interval_seconds": 300}),
        ("sessions", {"cron": "0 9 1 * *"}),
        ("any", {"cron": "0 9 29 2 *"}),
        ("any", {"after_close_minutes": 30}),
    ],
)
def test_of_all_that_was_due_the_last_is_known(
    days: int, rule: facts.MarketHours, said: dict[str, Any]
) -> None:
    until, table = NOW + timedelta(days=days), Schedule(**said)
    last = schedule.latest(table, rule, NOW, until)
    after = schedule.next_due(table, rule, last or NOW)
    assert after is not None
    assert (last or NOW) <= until < after


def test_the_last_that_was_due_is_behind_what_was_run() -> None:
    table, tomorrow = Schedule(cron="0 9 * * *"), NOW + timedelta(days=1)
    last = schedule.latest(table, "any", NOW, tomorrow)
    assert last == ny(date(2026, 3, 3), 9)
    assert schedule.latest(table, "any", last, tomorrow) is None


def test_a_crontab_of_leap_days_comes() -> None:
    found = schedule.next_due(Schedule(cron="0 0 29 2 *"), "any", NOW)
    assert found == ny(date(2028, 2, 29), 0)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "schedule"),
        ({"cron": "0 9 * * *", "interval_seconds": 300}, "schedule"),
        ({"interval_seconds": -300}, "schedule.interval_seconds"),
        ({"interval_seconds": 0}, "schedule.interval_seconds"),
        ({"interval_seconds": 59}, "schedule.interval_seconds"),
        ({"interval_seconds": 10**30}, "schedule.interval_seconds"),
        ({"after_close_minutes": -1}, "schedule.after_close_minutes"),
        ({"after_close_minutes": 421}, "schedule.after_close_minutes"),
        ({"cron": ""}, "schedule.cron"),
        ({"cron": "at nine"}, "schedule.cron"),
        ({"cron": "* * * *"}, "schedule.cron"),
        ({"cron": "* * * * * *"}, "schedule.cron"),
        ({"cron": "61 * * * *"}, "schedule.cron"),
        ({"cron": "* 24 * * *"}, "schedule.cron"),
        ({"cron": "* * last * *"}, "schedule.cron"),
        ({"cron": "* * * * 8"}, "schedule.cron"),
        ({"cron": "* * * * 5-1"}, "schedule.cron"),
        ({"cron": "* * * * */0"}, "schedule.cron"),
        ({"cron": "* * 13 * fri"}, "schedule.cron"),
        ({"cron": "-1 * * * *"}, "schedule.cron"),
        ({"cron": "0 9 * * *" * 100}, "schedule.cron"),
        ({"cron": "0 0 30 2 *"}, "schedule"),
        ({"cron": "0 9 * * *", "timezone": "Mars/Olympus"}, "schedule.timezone"),
        ({"cron": "0 9 * * *", "timezone": "../UTC"}, "schedule.timezone"),
        ({"cron": "0 9 * * *", "timezone": ""}, "schedule.timezone"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        schedule.check(Schedule(**said), "any", NOW)
    assert refused.value.details["field"] == field


def test_after_the_close_is_not_in_market_hours() -> None:
    with pytest.raises(refusals.Invalid, match="market_hours must be sessions or any"):
        schedule.check(Schedule(after_close_minutes=30), "market_hours", NOW)


def test_what_never_comes_in_market_hours_is_refused() -> None:
    with pytest.raises(refusals.Invalid, match="market_hours"):
        schedule.check(Schedule(cron="0 3 * * *"), "market_hours", NOW)


@given(
    st.sampled_from(["*/7 * * * *", "30 1,2 * * *", "15 */2 * * 1-5", "0 0 1 * *"]),
    st.sampled_from([FORWARD, BACK, date(2026, 6, 1)]),
    st.lists(st.integers(0, 4 * 86_400), max_size=5),
)
def test_a_span_cut_into_pieces_has_the_same_due_times(
    cron: str, day: date, cuts: list[int]
) -> None:
    said = Schedule(cron=cron)
    start, end = ny(day, 0) - timedelta(days=2), ny(day, 0) + timedelta(days=2)
    places = [start, *sorted(start + timedelta(seconds=each) for each in cuts), end]
    pieces = [
        at
        for first, last in pairwise(places)
        for at in schedule.due(said, "any", first, min(last, end))
    ]
    assert pieces == list(schedule.due(said, "any", start, end))
    assert pieces == sorted(set(pieces))
