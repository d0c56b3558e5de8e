"""Plugins across a restart of their worker: nothing is lost, nothing runs twice."""

import signal
import subprocess
from datetime import timedelta
from typing import Any
from uuid import UUID

from adapters import confined
from tests.api import house as houses
from tests.api.client import Client
from tests.api.test_plugins import FINE, found, ready, run, written
from tests.api.waiting import PATIENCE, until
from workers import plugins


def runs(client: Client) -> list[Any]:
    return list(client.get("/plugins/daily/runs").data)


def later(house: houses.House, **time: float) -> None:
    house.watch.turn_to(house.watch.now() + timedelta(**time))


def test_what_was_due_while_nobody_ran_it_is_caught_up_once(
    house: houses.House, client: Client
) -> None:
    with houses.plugged(house) as directory:
        ready(client, written(directory, "daily", FINE))
        later(house, hours=7)
        [first] = until(lambda: runs(client))
    later(house, days=3)
    with houses.plugged(house):
        caught_up, *_ = until(lambda: runs(client) if len(runs(client)) == 2 else None)
    assert (first["due_at"], first["trigger"]) == ("2026-03-02T21:00:00Z", "schedule")
    assert (caught_up["due_at"], caught_up["trigger"]) == ("2026-03-05T21:00:00Z", "catch_up")
    until(lambda: client.get("/health").data["parts"]["views"]["position"] == client.head())
    head = client.head()
    with houses.plugged(house):
        until(lambda: client.get("/plugins/discovered").data)
    assert (len(runs(client)), client.head()) == (2, head)
    assert client.get("/plugins/daily").data["status"] == "healthy"


def test_a_run_in_which_the_worker_died_has_failed_and_is_not_caught_up(
    house: houses.House, client: Client
) -> None:
    notes = house.settings.data_dir / plugins.NOTES
    with houses.plugged(house) as directory:
        ready(client, written(directory, "fatal", "import time\ntime.sleep(10_000)"))
        client.put("/plugins/fatal/schedule", {"schedule": {"interval_seconds": 3600}})
        later(house, hours=1)
        [note] = until(lambda: list(notes.glob("*.json")))
        said = note.read_bytes()
    assert not note.exists()
    note.write_bytes(said)  # as a death would have left it, and somebody whom it had started
    started = subprocess.Popen(["sleep", "10000"], env={confined.MARK: UUID(note.stem).hex})
    with houses.plugged(house):
        assert started.wait(PATIENCE) == -signal.SIGKILL
        [ran] = until(lambda: client.get("/plugins/fatal/runs").data)
        until(lambda: found(client, "fatal"))
        assert (ran["outcome"], ran["error"], ran["trigger"]) == (
            "failed",
            plugins.DIED,
            "schedule",
        )
        assert client.get("/plugins/fatal").data["status"] == "failed"
        until(lambda: not list(notes.iterdir()))
        client.delete("/plugins/fatal")


def test_a_run_that_is_recorded_leaves_no_note(house: houses.House, client: Client) -> None:
    with houses.plugged(house) as directory:
        ready(client, written(directory, "brief", FINE))
        run(client, "brief")
        until(lambda: not list((house.settings.data_dir / plugins.NOTES).iterdir()))
