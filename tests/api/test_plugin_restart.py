"""Plugins across a restart of their worker: nothing is lost, nothing runs twice."""

from datetime import timedelta
from typing import Any

from tests.api import house as houses
from tests.api.client import Client
from tests.api.test_plugins import FINE, ready, written
from tests.api.waiting import until


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
