"""The sums that performance is read from, held against the facts each night."""

from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import facts
from projections import tables
from tests.domain.desk import MONDAY, PORTFOLIO
from tests.projections import ledger
from tests.workers.chores.yard import HALF_PAST_FOUR, Yard, failed
from workers import chore
from workers.chores import performance_rollup

NIGHT = HALF_PAST_FOUR + timedelta(days=8)


@pytest.fixture
async def lively(yard: Yard) -> Yard:
    for symbol in ("ABC", "XYZ"):
        desk = yard.desk(symbol)
        desk.closes(desk.put("100", "1.50", 2), "0.40")
    yard.project()
    return yard


async def reckoned(yard: Yard, **due: Any) -> chore.Done:
    asked = yard.due("performance_rollup", **{"settings": {"days": 30}, **due})
    return await performance_rollup.run(yard.context, asked)


def change(yard: Yard, statement: str) -> None:
    with closing(tables.create(yard.settings.views_path.resolve())) as views:
        for (name,) in views.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            views.execute(f"DROP TRIGGER {name}")
        views.execute(statement)


async def test_views_that_are_right_agree_with_the_facts(lively: Yard) -> None:
    done = await reckoned(lively)
    assert (done.done, done.failed) == (3, ())
    assert done.message == ("2 wheels and 1 portfolios reckoned anew under cash, close, us_tax")


async def test_all_that_makes_views_hard_to_keep_is_reckoned_right(yard: Yard) -> None:
    desk = ledger.lively(yard.log, found=False)
    yard.time.turn_to(desk.now)
    yard.project()
    assert (await reckoned(yard, at=desk.now)).failed == ()


async def test_a_day_of_a_wheel_that_is_not_what_the_facts_say_is_told(lively: Yard) -> None:
    change(lively, "UPDATE income SET option=option+1 WHERE symbol='XYZ' AND policy='cash'")
    done = await reckoned(lively)
    assert done.done == 1
    assert failed(done)["XYZ"] == (
        "income of cash 2026-01-05 (option/stock/dividend, in cents and counts): "
        "22001/0/0 in the views, 22000/0/0 by the facts"
    )


async def test_sums_that_are_not_those_of_the_wheels_are_told(lively: Yard) -> None:
    change(lively, "UPDATE capital_of SET contributed=1 WHERE scope<>'all'")
    done = await reckoned(lively)
    assert done.done == 2
    assert list(failed(done)) == [f"portfolio {PORTFOLIO}"]


async def test_a_wheel_that_has_not_changed_since_a_run_went_well_is_left_alone(
    lively: Yard,
) -> None:
    assert (await reckoned(lively, at=NIGHT, settings={})).done == 3
    went_well(lively, NIGHT)
    assert (await reckoned(lively, at=NIGHT + timedelta(days=9), settings={})).done == 0
    assert (await reckoned(lively, portfolio_id=UUID(int=99))).done == 0


async def test_what_changed_before_a_longer_pause_is_reckoned_too(lively: Yard) -> None:
    went_well(lively, MONDAY - timedelta(days=1))
    assert (await reckoned(lively, at=NIGHT, settings={})).done == 3


def went_well(yard: Yard, at: datetime) -> None:
    """Have a run on record that began then."""
    ran = facts.JobRan(
        job="performance_rollup",
        run_id=uuid4(),
        due_at=at,
        trigger="schedule",
        outcome="succeeded",
        started_at=at,
        finished_at=at,
    )
    yard.log.append([facts.Recorded(0, ran.run_id, 1, at, at, "scheduler", ran.run_id, None, ran)])
    yard.project()
