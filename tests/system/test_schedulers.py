"""Two schedulers as processes of their own, killed without a word: one run per due time."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import facts, schedule
from tests.api.client import Client
from tests.api.waiting import until
from tests.system.conftest import Make
from tests.system.instance import ROOT, Instance

BEGUN = datetime(2026, 3, 2, 14, 29, tzinfo=UTC)
"""A minute before the open, New York."""
EVERY_MINUTE = facts.Schedule(interval_seconds=60)
PATIENCE = 60.0


@contextmanager
def second(instance: Instance) -> Iterator[subprocess.Popen[bytes]]:
    """Another scheduler beside the instance's own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers", "scheduler"],
        cwd=ROOT,
        env=os.environ | instance.environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_two_schedulers_killed_again_and_again_leave_one_run_per_due_time(make: Make) -> None:
    chance = random.Random(7)
    instance = make(WHEEL_CLOCK=BEGUN.isoformat(), WHEEL_CLOCK_SPEED="60")
    instance.begin()
    until(lambda: instance.process("scheduler") and instance.health(), PATIENCE)
    with instance.client() as client:
        setup = {"schedule": {"interval_seconds": 60}, "market_hours": "any", "retries": 0}
        since = datetime.fromisoformat(
            client.put("/scheduler/jobs/risk_monitoring", setup).data["configured_at"]
        )
        for kills in range(1, 5):
            with second(instance):
                ran(client, kills * 5)
                if chance.random() < 0.5:
                    instance.kill("scheduler")
                    ran(client, kills * 5 + 2)
        times = [datetime.fromisoformat(each["due_at"]) for each in runs(client)]
    due = [at for at in times if at > since]
    assert set(Counter(due).values()) == {1}
    end = max(due)
    expected = schedule.due(EVERY_MINUTE, "any", since, end - timedelta(minutes=4))
    assert set(expected) <= set(due)


def ran(client: Client, count: int) -> None:
    """Wait until so many runs are recorded."""
    until(lambda: len(runs(client)) >= count, PATIENCE)


def runs(client: Client) -> list[Any]:
    """What became of the job's due times, made or missed."""
    found: list[Any] = client.get("/scheduler/history", job="risk_monitoring", page_size=500).data
    return found
