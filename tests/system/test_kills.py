"""Whatever is killed while orders come in: nothing acknowledged is lost, nothing done twice."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from nats.aio.msg import Msg

from adapters import event_store
from projections import rebuild, tables
from tests.api.client import Client
from tests.api.waiting import until
from tests.system.instance import MARKED, WORKERS, Instance

PATIENCE = 60.0
WELL_AGAIN_WITHIN = 20.0
"""Twice what is promised, for a machine that does other things as well."""


class Writer:
    """Records one sale after the other, each under a key, again until it is acknowledged."""

    def __init__(self, instance: Instance, symbol: str) -> None:
        self.acknowledged: list[str] = []
        self._url = instance.url
        with instance.desk() as desk:
            wheel = desk.wheel(symbol, capital_allocated=1_000, collateral="margin")
            self._path = f"/wheels/{wheel}/trades"
            self._sale = desk.sale(expiration_date="2026-04-17")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        with closing(Client(self._url)) as client:
            while not self._stop.is_set():
                self.acknowledged.append(self._recorded(client, uuid4().hex))

    def _recorded(self, client: Client, key: str) -> str:
        return until(lambda: self._acknowledged(client, {"Idempotency-Key": key}), PATIENCE)

    def _acknowledged(self, client: Client, key: dict[str, str]) -> str | None:
        """The trade, unless nobody answers, or it cannot be taken now."""
        try:
            answered = client.post(self._path, self._sale, headers=key)
        except httpx.TransportError:
            return None
        return str(answered.data["id"]) if answered.status < 500 else None

    @contextmanager
    def writing(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(60)


def test_whatever_is_killed_nothing_is_lost_and_nothing_is_done_twice(
    instance: Instance, tmp_path: Path
) -> None:
    first, second = (Writer(instance, symbol) for symbol in ("SPY", "QQQ"))
    with first.writing(), second.writing():
        for name in MARKED:
            survives_without(instance, name, first)
    acknowledged = sorted(first.acknowledged + second.acknowledged)
    assert sold_on_the_ledger(instance) == acknowledged
    assert sold_in_the_views(instance) == acknowledged
    assert views_are_what_a_rebuild_makes(instance, tmp_path)
    assert on_the_bus(instance) == list(range(1, head(instance) + 1))


def survives_without(instance: Instance, name: str, writer: Writer) -> None:
    """Kill a process, and see that it comes back, that all is well, and that orders go on."""
    then, done = instance.health()["timestamp"], len(writer.acknowledged)
    missed = (name,) if name in WORKERS else WORKERS
    instance.kill(name)
    until(lambda: instance.is_well_since(then, missed), WELL_AGAIN_WITHIN)
    until(lambda: len(writer.acknowledged) > done)


def on_the_bus(instance: Instance) -> list[int]:
    """The positions under which the bus has the ledger's facts, once it has them all."""

    def everything() -> list[Msg] | None:
        stored = asyncio.run(instance.bus.stored("LEDGER"))
        return stored if len(stored) >= head(instance) else None

    return [int((each.headers or {})["Nats-Msg-Id"]) for each in until(everything)]


def head(instance: Instance) -> int:
    with instance.client() as client:
        return client.head()


def sold_on_the_ledger(instance: Instance) -> list[str]:
    with instance.client() as client:
        assert client.get("/ledger/verify").data["ok"] is True
        events = client.events()
    assert [each["position"] for each in events] == list(range(1, len(events) + 1))
    return sorted(each["data"]["trade_id"] for each in events if each["type"] == "OptionSold")


def sold_in_the_views(instance: Instance) -> list[str]:
    found: list[str] = []
    with instance.client() as client:
        page: Any = {"pagination": {"total_pages": 1}}
        number = 0
        while number < page["pagination"]["total_pages"]:
            number += 1
            page = client.get("/trades", page=number, page_size=500, sort="created_at").body
            found += [each["id"] for each in page["data"]]
    return sorted(found)


def views_are_what_a_rebuild_makes(instance: Instance, tmp_path: Path) -> bool:
    """Whether the live views, once they are as far, equal fresh ones."""

    def equal() -> bool:
        with closing(event_store.open_store(instance.settings)) as log:
            rebuilt = rebuild.rebuild(log, tmp_path / "fresh.db")
        with closing(tables.create(instance.settings.views_path.resolve())) as connection:
            if tables.position(connection) != rebuilt.position:
                return False
            return tables.digest(connection) == rebuilt.after

    return until(equal)
