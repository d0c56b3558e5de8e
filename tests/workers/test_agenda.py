"""Every due time of every job has one run, whatever becomes of who runs them."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import event_store
from adapters.event_store import EventStore
from domain import calendar, facts, ports, refusals, subjects
from domain import job as jobs
from tests.conftest import soon
from tests.workers.year import END, NEW_YEAR, Memory, Office, planned, times, twice
from workers import agenda, asked, chore, scheduler
from workers.job_log import JobLog

MONDAY = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""Midnight in New York."""
DAY = timedelta(days=1)
NOON = MONDAY + timedelta(hours=12, minutes=2)
RUN = UUID(int=9)
INTERRUPTIONS = st.lists(st.integers(1, 5 * 1440), min_size=2, max_size=8, unique=True)


@pytest.fixture
def office() -> Office:
    return Office(Memory(), MONDAY)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventStore]:
    with closing(event_store.open_sqlite(tmp_path / "ledger.db")) as opened:
        yield opened


def set_up(office: Office, job: str, portfolio_id: UUID | None = None, **said: Any) -> None:
    """Set a job up otherwise, as the API does it."""
    state = jobs.Job(job, portfolio_id)
    state = jobs.fold(state, office.log.stream(state.id))
    order = jobs.Configure(portfolio_id=portfolio_id, **said)
    recorded = jobs.decide(state, order, now=office.clock.now(), command_id=RUN)
    office.log.append_each([ports.Append([each]) for each in recorded])


def only(office: Office, *names: str) -> None:
    """Let no other job run."""
    for name in jobs.JOBS:
        set_up(office, name, enabled=name in names)


# --- a year -----------------------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_in_a_year_every_job_runs_at_exactly_its_due_times() -> None:
    office = Office(Memory())
    await office.begin()
    await office.live(END)
    for name in jobs.JOBS:
        expected = planned(name, NEW_YEAR, END)
        assert times(office.runs, name, "succeeded") == expected
        assert [each.at for each in office.asked if each.job == name] == expected
    assert Counter(each.job for each in office.asked) == {
        "price_refresh": 249 * 78 + 2 * 42,
        "risk_monitoring": 249 * 26 + 2 * 14,
        "daily_snapshot": 251,
        "opportunity_scanning": 251,
        "expiration_review": 251,
        "performance_rollup": 365,
        "ledger_checkpoint": 365,
        "backup": 365,
    }
    assert {each.trigger for each in office.runs} == {"schedule"}


@pytest.mark.timeout(300)
async def test_in_a_year_with_gaps_nothing_is_twice_and_nothing_missed_that_is_caught_up() -> None:
    office, chance = Office(Memory()), random.Random(2026)
    await office.begin()
    while office.clock.at < END:
        alive = min(END, office.clock.at + timedelta(minutes=chance.expovariate(1 / 10_000)))
        await office.live(alive)
        if alive < END:
            gap = timedelta(minutes=chance.expovariate(1 / 3_000))
            office.clock.at = min(END, office.clock.at + gap)
            await office.begin()
    assert_whole(office, END)


@given(INTERRUPTIONS)
@settings(max_examples=20, deadline=None)
def test_whatever_the_gaps_each_due_time_has_one_run(minutes: list[int]) -> None:
    asyncio.run(interrupted(minutes))


async def interrupted(minutes: list[int]) -> None:
    """A week in which the process is stopped and started at these minutes."""
    office = Office(Memory(), MONDAY)
    only(office, "risk_monitoring", "daily_snapshot", "opportunity_scanning", "backup")
    await office.begin()
    moments = [MONDAY + timedelta(minutes=each) for each in sorted(minutes)]
    for stopped, started in zip(moments[::2], moments[1::2], strict=False):
        await office.live(stopped)
        office.clock.at = started
        await office.begin()
    await office.live(MONDAY + 7 * DAY)
    assert_whole(office, MONDAY + 7 * DAY, "daily_snapshot", "opportunity_scanning", "backup")


def assert_whole(office: Office, until: datetime, *names: str) -> None:
    """Nothing is twice, nothing is unaccounted for, and what is to be caught up was."""
    runs = office.runs
    begun = next(each.recorded_at for each in office.log.after(0, 1))
    since = min(begun, min(each.due_at for each in runs) - timedelta(microseconds=1))
    assert twice(runs) == []
    for name in names or jobs.JOBS:
        expected = planned(name, since, until)
        assert times(runs, name) == expected
        made = times(runs, name, "succeeded")
        assert sorted(each.at for each in office.asked if each.job == name) == made
        missed = set(expected) - set(made)
        if jobs.JOBS[name].catch_up == "all":
            assert missed == set()
        if jobs.JOBS[name].catch_up == "latest":
            assert_latest(office, name, expected, missed)


def assert_latest(
    office: Office, name: str, expected: list[datetime], missed: set[datetime]
) -> None:
    """Behind a row of missed ones the last was made, late or when it was due."""
    made = {each.due_at: each for each in office.runs if each.job == name}
    for before, after in pairwise(expected):
        if before in missed and after not in missed:
            told = made[before].finished_at
            assert made[after].due_at <= told


# --- the laptop's lid -------------------------------------------------------------------------


async def test_a_snapshot_whose_time_passed_under_a_closed_lid_is_taken_once_on_waking_up(
    office: Office,
) -> None:
    await office.begin()
    await office.live(NOON)
    office.clock.at = MONDAY + timedelta(hours=20)
    await office.turn()
    [snapshot] = [each for each in office.runs if each.job == "daily_snapshot"]
    assert (snapshot.trigger, snapshot.outcome) == ("catch_up", "succeeded")
    assert snapshot.due_at == calendar.close_at(MONDAY.date()) + timedelta(minutes=30)


async def test_every_session_that_was_missed_gets_its_snapshot_and_a_scan_only_the_last(
    office: Office,
) -> None:
    for name in jobs.JOBS:
        set_up(office, name)
    await office.begin()
    office.clock.at = MONDAY + 4 * DAY
    await office.begin()
    assert len(times(office.runs, "daily_snapshot", "succeeded")) == 4
    assert len(times(office.runs, "opportunity_scanning", "succeeded")) == 1
    assert len(times(office.runs, "opportunity_scanning", "missed")) == 3
    assert len(times(office.runs, "price_refresh", "missed")) == 4 * 78
    assert times(office.runs, "price_refresh", "succeeded") == []
    assert office.asked[-1].at <= office.clock.at


async def test_what_is_missed_is_told(office: Office) -> None:
    await office.begin()
    office.clock.at = MONDAY + 2 * DAY
    await office.turn()
    told = [each for each in office.told if each.job == "opportunity_scanning"]
    assert [each.outcome for each in told] == ["missed", "started", "succeeded"]
    assert told[0].message == agenda.MISSED


async def test_in_an_empty_ledger_nothing_was_missed(office: Office) -> None:
    office.clock.at = MONDAY + 30 * DAY
    await office.begin()
    assert office.log.after(0, 1) == []


async def test_of_what_never_ran_the_last_day_is_made_up_for(office: Office) -> None:
    """As where a laptop is switched off every night, or a ledger is older than its scheduler."""
    set_up(office, "price_refresh", enabled=False)
    office.clock.at = MONDAY + 30 * DAY + timedelta(hours=12)
    await office.begin()
    assert Counter(each.job for each in office.asked) == {
        "risk_monitoring": 1,
        "daily_snapshot": 1,
        "opportunity_scanning": 1,
        "expiration_review": 1,
        "performance_rollup": 1,
        "ledger_checkpoint": 1,
        "backup": 1,
    }


async def test_what_never_ran_is_made_up_for_since_the_first_run_of_any(office: Office) -> None:
    await office.begin()
    await office.live(MONDAY + timedelta(hours=1))
    assert {each.job for each in office.runs} == {"performance_rollup"}
    office.clock.at = MONDAY + 4 * DAY
    await office.begin()
    assert len(times(office.runs, "daily_snapshot", "succeeded")) == 4


# --- the clock --------------------------------------------------------------------------------


async def test_what_a_clock_that_was_ahead_recorded_keeps_no_job_from_running(
    office: Office,
) -> None:
    await office.begin()
    await office.live(MONDAY + timedelta(hours=1))
    office.clock.at = MONDAY + 30 * DAY
    await office.begin()
    office.clock.at = MONDAY + timedelta(hours=1, minutes=10)
    await office.begin()
    assert office.agenda.report["ahead"] > 28 * DAY.total_seconds()
    office.asked.clear()
    await office.live(MONDAY + DAY)
    assert {each.job for each in office.asked} == set(jobs.JOBS) - {"performance_rollup"}
    assert twice(office.runs) == []
    for due in office.asked:
        told = [each.outcome for each in office.runs if each.run_id == due.run_id]
        assert told == ["succeeded"]


async def test_a_clock_that_was_behind_leaves_nothing_to_be_made_up_for_from_before_the_ledger(
    office: Office,
) -> None:
    only(office, "backup")
    await office.begin()
    await office.live(MONDAY + DAY)
    office.clock.at = MONDAY - 1_000 * DAY
    await office.begin()
    await office.live(MONDAY - 999 * DAY)
    office.clock.at = MONDAY + 2 * DAY
    set_up(office, "daily_snapshot", enabled=True)
    await office.begin()
    assert times(office.runs, "daily_snapshot") == []
    assert min(each.due_at for each in office.runs if each.trigger == "catch_up") > MONDAY - DAY


async def test_after_years_a_year_is_made_up_for(office: Office) -> None:
    await office.begin()
    await office.live(MONDAY + DAY)
    office.clock.at = MONDAY + 1_500 * DAY
    await office.begin()
    late = [each.due_at for each in office.runs if each.trigger == "catch_up"]
    assert min(late) > office.clock.at - 367 * DAY
    assert twice(office.runs) == []


async def test_a_change_made_while_the_clock_was_ahead_counts_no_later_than_the_next(
    office: Office,
) -> None:
    office.clock.at = MONDAY + 30 * DAY
    set_up(office, "backup", retries=1)
    office.clock.at = MONDAY
    set_up(office, "backup", enabled=False)
    for days in range(1, 4):
        await office.begin()
        await office.live(MONDAY + days * DAY)
    assert times(office.runs, "backup") == []


async def test_who_sees_the_clock_turned_back_begins_anew(office: Office) -> None:
    class Still:
        agenda = office.agenda

        async def turn(self) -> None: ...

    async def pause(_: float) -> None:
        office.clock.at -= timedelta(hours=1)

    await office.begin()
    watched = scheduler.watched(Still(), office.clock, pause, asyncio.Event(), {})  # type: ignore[arg-type]
    await soon(watched)


# --- how jobs are set up ----------------------------------------------------------------------


async def test_a_change_counts_from_when_it_is_recorded_on(office: Office) -> None:
    only(office, "backup")
    await office.begin()
    office.clock.at = NOON
    set_up(office, "backup", schedule=facts.Schedule(interval_seconds=3600))
    await office.turn()
    await office.live(NOON + timedelta(hours=3))
    hours = [at.astimezone(calendar.NEW_YORK).hour for at in times(office.runs, "backup")]
    assert hours == [2, 13, 14, 15]


async def test_what_is_set_up_is_still_so_after_a_restart(office: Office) -> None:
    only(office, "backup")
    set_up(office, "backup", schedule=facts.Schedule(cron="0 23 * * *"))
    await office.begin()
    await office.begin()
    assert office.agenda.next_at == MONDAY + timedelta(hours=23)
    assert office.book.jobs[jobs.Job("backup").id].version == 2


async def test_a_portfolios_own_job_runs_beside_that_for_all(office: Office) -> None:
    only(office, "performance_rollup")
    set_up(office, "performance_rollup", RUN)
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    assert {each.portfolio_id for each in office.asked} == {RUN, None}
    assert len(office.asked) == 2
    assert twice(office.runs) == []


async def test_a_job_is_given_its_settings(office: Office) -> None:
    set_up(office, "backup", settings={"keep": 3})
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    assert [each.settings for each in office.asked if each.job == "backup"] == [{"keep": 3}]


# --- failures ---------------------------------------------------------------------------------


async def test_what_fails_is_tried_again_after_growing_pauses_and_then_has_failed(
    office: Office,
) -> None:
    def fails(due: chore.Due) -> chore.Done:
        raise refusals.Unavailable("the disk is full")

    only(office, "backup")
    office.do = fails
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    [ran] = office.runs
    assert (ran.outcome, ran.attempts, ran.error) == ("failed", 3, "the disk is full")
    assert office.slept == [30, 60]
    assert office.told[-1].outcome == "failed"


async def test_a_try_that_succeeds_is_a_run_that_succeeded(office: Office) -> None:
    def fails_at_first(due: chore.Due) -> chore.Done:
        if len(office.asked) == 1:
            raise ZeroDivisionError
        return chore.Done(done=2, failed=(chore.Missed("SPY", "no price"),), message="so so")

    only(office, "backup")
    office.do = fails_at_first
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    [ran] = office.runs
    assert (ran.outcome, ran.attempts, ran.done, ran.failed) == ("succeeded", 2, 2, 1)
    assert (ran.items, ran.message) == ((facts.FailedItem("SPY", "no price"),), "so so")


async def test_a_run_that_came_to_nothing_has_failed(office: Office) -> None:
    only(office, "backup")
    office.do = lambda _: chore.Done(failed=(chore.Missed("SPY", "no price"),))
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    assert [each.outcome for each in office.runs] == ["failed"]


async def test_a_job_that_fails_keeps_no_other_from_running(office: Office) -> None:
    def fails(due: chore.Due) -> chore.Done:
        if due.job == "performance_rollup":
            raise ZeroDivisionError
        return chore.Done()

    office.do = fails
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    outcomes = [(each.job, each.outcome) for each in office.runs]
    assert outcomes == [
        ("performance_rollup", "failed"),
        ("ledger_checkpoint", "succeeded"),
        ("backup", "succeeded"),
    ]


async def test_a_run_that_another_has_recorded_is_not_made(office: Office) -> None:
    only(office, "backup")
    await office.begin()
    await office.live(MONDAY + timedelta(hours=3))
    other = Office(office.log, office.clock.at)
    await other.begin()
    assert (other.asked, len(office.runs)) == ([], 1)


async def test_of_two_that_make_the_same_run_one_is_recorded(office: Office) -> None:
    """As when a lease lies."""
    only(office, "backup")
    other = Office(office.log, office.clock.at)
    await office.begin()
    await other.begin()
    office.clock.at = other.clock.at = MONDAY + timedelta(hours=2)
    await asyncio.gather(office.turn(), other.turn())
    assert len(office.asked) + len(other.asked) == 2
    assert len(office.runs) == 1
    outcomes = [each.outcome for each in (*office.told, *other.told)]
    assert sorted(outcomes) == ["started", "started", "succeeded"]


# --- one run at a time ------------------------------------------------------------------------


class Slow:
    """A chore that takes until it is let go on."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def work(self, due: chore.Due) -> chore.Done:
        self.begun.set()
        await self.goes_on.wait()
        return chore.Done(done=1)


async def test_what_is_due_while_the_run_before_goes_on_is_skipped(office: Office) -> None:
    only(office, "price_refresh")
    await office.begin()
    slow = Slow()
    office.agenda._work = slow.work
    office.clock.at = first = MONDAY + timedelta(hours=9, minutes=30)
    office.agenda.turn()
    await soon(slow.begun.wait())
    office.clock.turn(minutes=12)
    slow.goes_on.set()
    await soon(office.agenda.settled())
    told = [(each.due_at - first, each.outcome) for each in office.runs]
    five = timedelta(minutes=5)
    assert told == [(0 * five, "succeeded"), (five, "skipped"), (2 * five, "skipped")]


async def test_a_job_is_run_when_somebody_asks_whatever_the_hour(office: Office) -> None:
    await office.begin()
    order = subjects.JobOrder(RUN, "price_refresh", None, "who asked")
    reply = await office.agenda.reply(subjects.JobQuestion(order))
    assert [each.outcome for each in reply.runs] == ["running"]
    await soon(office.agenda.settled())
    [ran] = office.runs
    assert (ran.run_id, ran.trigger, ran.outcome, ran.due_at) == (
        RUN,
        "manual",
        "succeeded",
        MONDAY,
    )
    [recorded] = office.log.stream(RUN)
    assert (recorded.request_id, recorded.source) == ("who asked", "scheduler")
    again = await office.agenda.reply(subjects.JobQuestion(order))
    assert again.runs == (subjects.job_run(ran),)
    assert len(office.runs) == 1


async def test_a_run_for_a_portfolio_without_a_setup_of_its_own_is_set_up_as_for_all(
    office: Office,
) -> None:
    set_up(office, "expiration_review", settings={"auto_expire": True})
    await office.begin()
    for keep in (True, False):
        set_up(office, "expiration_review", settings={"auto_expire": keep})
        await office.turn()
        order = subjects.JobOrder(uuid4(), "expiration_review", UUID(int=7))
        await office.agenda.reply(subjects.JobQuestion(order))
        await office.agenda.settled()
        assert office.asked[-1].settings == {"auto_expire": keep}
    assert office.agenda.report["jobs"] == len(jobs.JOBS)


async def test_a_job_that_runs_is_not_run_beside_itself(office: Office) -> None:
    await office.begin()
    slow = Slow()
    office.agenda._work = slow.work
    order = subjects.JobOrder(RUN, "backup")
    await office.agenda.reply(subjects.JobQuestion(order))
    await soon(slow.begun.wait())
    other = await office.agenda.reply(
        subjects.JobQuestion(subjects.JobOrder(UUID(int=8), "backup"))
    )
    same = await office.agenda.reply(subjects.JobQuestion(order))
    assert (other.conflict, same.conflict) == (agenda.RUNNING, None)
    assert [each.run_id for each in (*other.runs, *same.runs)] == [RUN, RUN]
    assert len((await office.agenda.reply(subjects.JobQuestion())).runs) == 1
    slow.goes_on.set()
    await soon(office.agenda.settled())


async def test_of_two_that_are_asked_for_at_once_one_is_run(office: Office) -> None:
    await office.begin()
    orders = [subjects.JobOrder(uuid4(), "backup") for _ in range(2)]
    asking = [office.agenda.reply(subjects.JobQuestion(each)) for each in orders]
    replies = await asyncio.gather(*asking)
    assert sorted(each.conflict or "" for each in replies) == ["", agenda.RUNNING]
    await soon(office.agenda.settled())
    assert len(office.runs) == 1


async def test_a_run_that_was_asked_for_and_died_with_its_scheduler_is_told_by_the_next(
    office: Office,
) -> None:
    await office.begin()
    slow = Slow()
    office.agenda._work = slow.work
    order = subjects.JobOrder(RUN, "backup", None, "who asked")
    await office.agenda.reply(subjects.JobQuestion(order))
    await soon(slow.begun.wait())
    killed = office.agenda
    office.clock.turn(minutes=5)
    await office.begin()
    [ran] = office.runs
    assert (ran.run_id, ran.outcome, ran.error) == (RUN, "failed", agenda.TAKEN_OVER)
    assert (ran.started_at, ran.trigger) == (MONDAY, "manual")
    assert office.log.stream(RUN)[0].request_id == "who asked"
    await office.begin()
    assert len(office.runs) == 1
    await killed.stop()


async def test_a_run_that_was_asked_for_and_is_over_leaves_nothing_to_the_next(
    office: Office,
) -> None:
    await office.begin()
    await office.agenda.reply(subjects.JobQuestion(subjects.JobOrder(RUN, "backup")))
    await soon(office.agenda.settled())
    await office.begin()
    assert [each.outcome for each in office.runs] == ["succeeded"]
    assert office.shelf.entries == {asked.KEY: b"[]"}


async def test_a_run_that_was_asked_for_and_is_cut_short_is_told_as_failed(office: Office) -> None:
    await office.begin()
    slow = Slow()
    office.agenda._work = slow.work
    await office.agenda.reply(subjects.JobQuestion(subjects.JobOrder(RUN, "backup")))
    await soon(slow.begun.wait())
    await office.agenda.stop()
    assert [(each.outcome, each.error) for each in office.runs] == [("failed", agenda.INTERRUPTED)]


async def test_a_run_that_was_due_and_is_cut_short_is_caught_up_by_who_comes_next(
    office: Office,
) -> None:
    only(office, "backup")
    await office.begin()
    slow = Slow()
    office.agenda._work = slow.work
    office.clock.at = MONDAY + timedelta(hours=2)
    office.agenda.turn()
    await soon(slow.begun.wait())
    await office.agenda.stop()
    assert office.runs == []
    office.clock.turn(hours=1)
    await office.begin()
    assert [(each.trigger, each.outcome) for each in office.runs] == [("catch_up", "succeeded")]


async def test_a_try_has_its_time(office: Office) -> None:
    only(office, "backup")
    set_up(office, "backup", timeout_seconds=1, retries=0)
    await office.begin()
    office.agenda._work = Slow().work
    office.clock.at = MONDAY + timedelta(hours=2)
    await office.turn()
    [ran] = office.runs
    assert (ran.outcome, ran.attempts, ran.error) == ("timed_out", 1, "not done within 1 s")


async def test_what_waits_is_told_as_lag_and_what_runs_does_not_wait(office: Office) -> None:
    only(office, "backup")
    await office.begin()
    office.agenda._work = Slow().work
    office.clock.at = MONDAY + timedelta(hours=2, minutes=7)
    assert (office.agenda.report["lag"], office.agenda.report["jobs"]) == (420, 1)
    office.agenda.turn()
    assert (office.agenda.report["lag"], office.agenda.report["running"]) == (0, 0)
    await office.agenda.stop()


# --- on a real ledger -------------------------------------------------------------------------


async def test_on_a_disk_a_week_is_the_same(log: EventStore) -> None:
    office = Office(log, MONDAY)
    only(office, "daily_snapshot", "opportunity_scanning", "expiration_review", "backup")
    await office.begin()
    for day in (2, 5, 7):
        await office.live(MONDAY + day * DAY - timedelta(hours=15))
        office.clock.at = MONDAY + day * DAY
        await office.begin()
    assert_whole(office, office.clock.at, "daily_snapshot", "opportunity_scanning", "backup")


async def test_a_ledger_that_does_not_answer_is_waited_for_and_the_run_not_made_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "AGAIN_AFTER", 0)
    only(office, "backup")
    await office.begin()
    refused = iter([True, True, False])
    record = JobLog.record

    async def recorded(book: JobLog, *told: Any) -> list[facts.JobRan]:
        if next(refused):
            raise refusals.Unavailable("the disk is full")
        return await record(book, *told)

    monkeypatch.setattr(JobLog, "record", recorded)
    office.clock.at = MONDAY + timedelta(hours=2)
    await office.turn()
    assert (len(office.asked), len(office.runs)) == (1, 1)
