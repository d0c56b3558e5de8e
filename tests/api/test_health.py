"""Health tells of what lives and does nothing."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.settings import Settings
from api import system
from api.office import Office
from domain import subjects
from tests.api.house import MONDAY


def beat(pid: int = 1, position: int | None = 5, state: str = "running") -> subjects.Heartbeat:
    return subjects.Heartbeat(
        worker="relay",
        pid=pid,
        state=cast("subjects.WorkerState", state),
        position=position,
        counts={},
        as_of=MONDAY,
    )


@pytest.fixture
def office() -> Office:
    nothing: Any = SimpleNamespace(now=lambda: MONDAY, reached=None)
    return Office(Settings(), nothing, nothing, nothing, nothing)


def test_a_worker_that_goes_on_is_well(office: Office) -> None:
    office.keep_heartbeat(beat())
    assert system.worker(office, "relay", 5).status == "healthy"


def test_a_worker_that_stands_still_behind_the_head_is_not(office: Office) -> None:
    office.keep_heartbeat(beat(), timedelta(seconds=20))
    office.keep_heartbeat(beat())
    assert "stands at 5 of 9" in str(system.worker(office, "relay", 9).reason)


def test_a_worker_that_waits_is_not(office: Office) -> None:
    office.keep_heartbeat(beat(state="waiting"))
    assert system.worker(office, "relay", 5).reason == "waiting"


def test_a_worker_that_begins_again_and_again_is_not(office: Office) -> None:
    for pid in range(5):
        office.keep_heartbeat(beat(pid))
    assert "began 5 times" in str(system.worker(office, "relay", 5).reason)
