"""How a job is set up, from when on, and what becomes of its due times."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import facts, refusals
from domain import job as jobs

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = facts.Schedule(interval_seconds=3600)
ID = UUID(int=1)
GRACE = timedelta(minutes=1)


def told(job: jobs.Job, at: datetime = NOW, **said: Any) -> jobs.Job:
    """The job once it has been set up."""
    order = jobs.Configure(**said)
    return jobs.fold(job, jobs.decide(job, order, now=at, command_id=ID))


def test_every_job_of_the_catalogue_is_set_up_lawfully() -> None:
    for name in jobs.JOBS:
        assert told(jobs.Job(name)).setup == jobs.standard(name)


def test_what_is_left_out_stays() -> None:
    job = told(jobs.Job("backup"), retries=5, settings={"keep": 3})
    again = told(job, NOW + HOUR, schedule=HOURLY)
    assert (again.setup.retries, again.setup.settings, again.version) == (5, {"keep": 3}, 2)
    assert again.setup.schedule == HOURLY


def test_a_setup_that_changes_nothing_is_no_fact() -> None:
    job = told(jobs.Job("backup"))
    assert jobs.decide(job, jobs.Configure(enabled=True), now=NOW, command_id=ID) == []


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"retries": -1}, "retries"),
        ({"retries": 11}, "retries"),
        ({"backoff_seconds": 0}, "backoff_seconds"),
        ({"settings": {"colour": "red"}}, "settings.colour"),
        ({"settings": {"keep": "many"}}, "settings.keep"),
        ({"settings": {"keep": True}}, "settings.keep"),
        ({"effective_at": "2026-01-05"}, "effective_at"),
        ({"schedule": facts.Schedule(interval_seconds=-1)}, "schedule.interval_seconds"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        told(jobs.Job("backup"), **said)
    assert refused.value.details["field"] == field


def test_a_job_that_nobody_knows_is_unknown() -> None:
    with pytest.raises(refusals.Unknown):
        jobs.known("mowing")


def test_until_something_is_said_it_is_due_by_the_catalogue_but_for_no_single_portfolio() -> None:
    assert len(list(jobs.due(jobs.Job("backup"), NOW, NOW + 48 * HOUR))) == 2
    assert list(jobs.due(jobs.Job("backup", ID), NOW, NOW + 48 * HOUR)) == []
    assert jobs.next_due(jobs.Job("backup", ID), NOW) is None


def test_each_time_is_due_by_what_was_set_up_then() -> None:
    job = told(jobs.Job("backup"), NOW, schedule=HOURLY)
    job = told(job, NOW + 2.5 * HOUR, enabled=False)
    job = told(job, NOW + 4.5 * HOUR, enabled=True)
    times = list(jobs.due(job, NOW - 9 * HOUR, NOW + 6 * HOUR))
    assert [(at - NOW) / HOUR for at in times] == [-8, 1, 2, 5, 6]
    assert list(jobs.due(job, NOW + HOUR, NOW + 5 * HOUR)) == times[2:4]


def test_the_next_time_is_by_what_is_set_up_now() -> None:
    job = told(jobs.Job("backup"), schedule=HOURLY)
    assert jobs.next_due(job, NOW) == NOW + HOUR
    assert jobs.next_due(told(job, NOW, enabled=False), NOW) is None


def test_a_portfolios_own_job_is_another_one() -> None:
    own, everybodys = jobs.Job("backup", ID), jobs.Job("backup")
    assert own.id != everybodys.id
    assert told(own, retries=1).setup.portfolio_id == ID


@pytest.mark.parametrize(
    ("catch_up", "late", "expected"),
    [
        ("all", 3, ["catch_up", "catch_up", "catch_up"]),
        ("latest", 3, [None, None, "catch_up"]),
        ("none", 3, [None, None, None]),
        ("all", 2, ["catch_up", "catch_up", "schedule"]),
        ("latest", 2, [None, None, "schedule"]),
        ("none", 2, [None, None, "schedule"]),
    ],
)
def test_of_what_was_missed_as_much_is_made_up_for_as_the_job_says(
    catch_up: jobs.CatchUp, late: int, expected: list[str | None]
) -> None:
    times = [NOW, NOW + HOUR, NOW + 2 * HOUR]
    now = NOW + 2 * HOUR + (GRACE * 2 if late == len(times) else GRACE)
    turns = list(jobs.turns(times, now, GRACE, catch_up))
    assert [each.due_at for each in turns] == times
    assert [each.trigger for each in turns] == expected


def test_a_due_time_has_one_run_whoever_runs_it() -> None:
    here = NOW.astimezone(UTC)
    there = here.astimezone()
    assert facts.run_stream("backup", None, here) == facts.run_stream("backup", None, there)
    others = {
        facts.run_stream("backup", ID, here),
        facts.run_stream("risk_monitoring", None, here),
        facts.run_stream("backup", None, here + HOUR),
    }
    assert len(others | {facts.run_stream("backup", None, here)}) == 4
