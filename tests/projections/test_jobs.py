"""The jobs and their runs, as the views have them."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from domain import facts, refusals
from domain import job as catalogue
from projections import jobs, questions, rebuild, tables
from tests.domain.desk import MONDAY, Memory
from tests.projections.ledger import projected, run_job, set_up_job

ENTRY = catalogue.Job("backup").id
HOUR = timedelta(hours=1)


def ran(log: Memory, hours: int, outcome: facts.RunOutcome, trigger: facts.Trigger) -> None:
    at = MONDAY + hours * HOUR
    run = UUID(int=hours) if trigger == "manual" else facts.run_stream("backup", None, at)
    fact = facts.JobRan(
        job="backup",
        run_id=run,
        due_at=at,
        trigger=trigger,
        outcome=outcome,
        started_at=at,
        finished_at=at,
    )
    log.append([facts.Recorded(0, run, 1, at, at, "scheduler", run, None, fact)])


@pytest.fixture
def log() -> Memory:
    log = Memory()
    set_up_job(log, retries=4)
    ran(log, 1, "succeeded", "schedule")
    ran(log, 2, "missed", "schedule")
    ran(log, 3, "failed", "catch_up")
    ran(log, 4, "failed", "manual")
    return log


async def test_where_the_jobs_stand_is_their_last_due_time_whoever_asked_for_more(
    log: Memory, tmp_path: Path
) -> None:
    link = tmp_path / "views.db"
    assert jobs.standing(link, MONDAY + 9 * HOUR) == jobs.Standing()
    with closing(tables.create(tables.current(link))) as connection:
        rebuild.project(log, connection, log.head())
    first, latest = MONDAY + HOUR, MONDAY + 3 * HOUR
    told = jobs.standing(link, MONDAY + 9 * HOUR)
    assert told == jobs.Standing(5, [ENTRY], {ENTRY: latest}, first, latest)
    told = jobs.standing(link, MONDAY + 2 * HOUR)
    assert told == jobs.Standing(5, [ENTRY], {ENTRY: MONDAY + 2 * HOUR}, first, latest)


async def test_the_last_run_is_the_last_that_was_made(log: Memory) -> None:
    ran(log, 5, "missed", "schedule")
    with projected(log) as views:
        assert (await questions.last_runs(views))[ENTRY].due_at == MONDAY + 4 * HOUR
        assert [each.retries for each in await questions.all_jobs(views)] == [4]


async def test_what_has_succeeded_since_is_no_trouble(log: Memory) -> None:
    with projected(log) as views:
        found = await questions.troubles(views, MONDAY)
        assert found == {("backup", "missed"): 1, ("backup", "failed"): 2}
        assert await questions.troubles(views, MONDAY + 3 * HOUR) == {("backup", "failed"): 1}
    run_job(log, MONDAY + 6 * HOUR)
    with projected(log) as views:
        assert await questions.troubles(views, MONDAY) == {}


async def test_runs_are_counted_by_what_became_of_them(log: Memory) -> None:
    with projected(log) as views:
        counts = {each.outcome: each.count for each in await questions.count_runs(views)}
    assert counts == {"succeeded": 1, "missed": 1, "failed": 2}


async def test_runs_are_found_by_all_that_they_are_asked_by(log: Memory) -> None:
    with projected(log) as views:
        wanted = questions.RunFilter("backup", "failed", "manual", None, MONDAY.date())
        found = await questions.all_runs(views, wanted, questions.Slice())
        assert (found.total, len(found.items)) == (1, 1)
        with pytest.raises(refusals.Invalid, match="due_at"):
            await questions.all_runs(views, wanted, questions.Slice(sort="colour"))
