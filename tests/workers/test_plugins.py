"""What becomes of runs in the plugins' worker, where what they said is given."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from adapters import clock, confined, errand, run_notes
from adapters.shelf import Shelf
from domain import facts, refusals, subjects
from tests.api.waiting import PATIENCE
from workers import plugin_runs, plugins
from workers.plugin_ledger import Ledger
from workers.proxy import Proxy

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
ALERT = {"message": "look", "severity": "LOW", "symbol": "SPY", "key": "SPY"}
STREAM = facts.plugin_stream("idle")
REGISTERED = facts.PluginRegistered(
    plugin="idle",
    origin="file:idle.py",
    digest="d",
    plugin_version="1",
    description="",
    default_schedule=None,
    config_schema="{}",
)
REMOVED = facts.PluginRemoved(plugin="idle")


class Log:
    """A log in memory, which takes the next writes only where `takes` says so."""

    def __init__(self) -> None:
        self.takes: list[bool] = []
        self.taken: list[facts.Recorded] = []

    def head(self) -> int:
        return len(self.taken)

    def stream(self, stream_id: UUID, *, after: int = 0) -> Sequence[facts.Recorded]:
        ours = [each for each in self.taken if each.stream_id == stream_id]
        return [each for each in ours if each.version > after]

    def append(self, recorded: Sequence[facts.Recorded]) -> Sequence[int]:
        if self.takes and not self.takes.pop(0):
            raise refusals.Unavailable("it is locked", part="event_store")
        self.taken.extend(recorded)
        return [len(self.taken)]

    def decide(self, fact: facts.PluginFact) -> None:
        version = len(self.stream(STREAM)) + 1
        self.taken.append(
            facts.Recorded(0, STREAM, version, NOON, NOON, "api", UUID(int=1), None, fact)
        )

    @property
    def told(self) -> list[str]:
        """The names of what the worker wrote itself."""
        return [type(each.fact).__name__ for each in self.taken if each.source == "plugin:idle"]


@pytest.fixture
def log() -> Log:
    log = Log()
    log.decide(REGISTERED)
    return log


@pytest.fixture
async def worker(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[plugins.Plugins]:
    async def ran(given: errand.Errand, _: int, proxy: Proxy, __: confined.Leash) -> Any:
        proxy.alerts[ALERT["key"]] = errand.Alert(**cast("Any", ALERT))
        return plugin_runs.Outcome("succeeded", None, "")

    monkeypatch.setattr(plugin_runs, "ran", ran)
    monkeypatch.setattr(plugins, "AGAIN_AFTER", 0)
    watch = clock.standing_at(NOON)
    ledger = Ledger(log, tmp_path / "none", nudge, watch, None)
    notes, room = run_notes.Notes(tmp_path / "notes"), cast("Any", None)
    worker = plugins.Plugins(Shelf(tmp_path), ledger, notes, room, watch)
    yield worker
    await worker.stop()


async def nudge(position: int) -> None:
    return None


async def run(worker: plugins.Plugins, run_id: int) -> None:
    """Run it by hand, to its end."""
    order = subjects.PluginOrder(plugin="idle", id=UUID(int=run_id))
    reply = await worker.reply(subjects.PluginQuestion(order))
    assert reply.conflict is None
    task = worker._running["idle"].task
    assert task is not None
    await asyncio.wait_for(task, PATIENCE)


async def test_a_run_that_ended_while_the_log_took_no_write_is_recorded_as_it_was(
    log: Log, worker: plugins.Plugins, tmp_path: Path
) -> None:
    log.takes = [False, False, True, False]
    await run(worker, 7)
    assert log.told == ["AlertRaised", "PluginRan"]
    assert not list((tmp_path / "notes").iterdir())


async def test_what_is_registered_again_at_once_begins_without_alerts(
    log: Log, worker: plugins.Plugins
) -> None:
    await run(worker, 7)
    log.decide(REMOVED)
    log.decide(REGISTERED)
    await worker.look()
    assert log.told == ["AlertRaised", "PluginRan", "AlertCleared"]


async def test_what_is_told_after_that_stands(log: Log, worker: plugins.Plugins) -> None:
    await run(worker, 7)
    log.decide(REMOVED)
    log.decide(REGISTERED)
    await run(worker, 8)
    await worker.look()
    told = ["AlertRaised", "PluginRan"]
    assert log.told == [*told, "AlertCleared", *told]
