"""The plugins' process: finds them, learns what they are, and runs them when they are due.

plugins.ask ──▶ ┌─────────┐ ──▶ what became of plugins, runs, alerts ──▶ the log
answers ◀────── │ plugins │
files ────────▶ └─────────┘ ──▶ a process for each run, one at a time for each plugin

A plugin that is asleep for ever, eats memory or cannot be read stands by itself: nothing here
waits for it but its own next run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import msgspec

from adapters import bus, confined, errand, event_store, run_notes
from adapters.counter import Counter
from adapters.settings import Settings
from adapters.shelf import Found, Shelf
from domain import facts, plugin, ports, refusals, schedule, subjects
from workers import plugin_runs, running
from workers.plugin_ledger import Ledger
from workers.proxy import Proxy, Room

_logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.5
AGAIN_AFTER: Final = 1.0
AT_ONCE: Final = 8
LOOKED_AT_ONCE: Final = 2
GONE: Final = "it is not there any more"
BUSY: Final = "the plugin is running already"
DIED: Final = "the worker died while it ran"
NOTES: Final = "plugin_runs"
API_WITHIN: Final = 30.0


async def run(context: running.Context) -> None:
    """Look, run and answer until stopped."""
    settings = context.settings
    settings.plugins_path.mkdir(parents=True, exist_ok=True)
    nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
    with (
        closing(event_store.open_store(settings)) as log,
        ThreadPoolExecutor(1, thread_name_prefix="plugins") as thread,
    ):
        ledger = Ledger(log, settings.views_path, nudge, context.clock, thread)
        async with _api(settings) as http:
            room = Room(http, context.bus, Counter(context.bus, context.clock))
            notes = run_notes.Notes(settings.data_dir / NOTES)
            plugins = Plugins(Shelf(settings.plugins_path), ledger, notes, room, context.clock)
            deaf = await context.bus.answer(subjects.PLUGINS_ASK, partial(_answer, plugins))
            try:
                await _until_stopped(context, plugins)
            finally:
                await deaf()
                await plugins.stop()


@asynccontextmanager
async def _api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    token = settings.api_token
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=settings.local_api_url, headers=headers, timeout=API_WITHIN, trust_env=False
    ) as http:
        yield http


async def _until_stopped(context: running.Context, plugins: Plugins) -> None:
    while not context.stop.is_set():
        try:
            await plugins.look()
        except refusals.Unavailable as reason:
            _logger.warning("the plugins wait: %s", reason.message)
        context.beat.update(state="running", **plugins.report)
        await running.nap(LOOK_EVERY, context.stop)


async def _answer(plugins: Plugins, heard: bus.Heard) -> bytes:
    """Answer a question about plugins, as plain JSON. Raises bus.Unreadable when it is none."""
    question = heard.read(subjects.PluginQuestion).data
    return msgspec.json.encode(await plugins.reply(question))


@dataclass
class Run:
    """A run under way; `state` is the plugin as it was seen last."""

    begun: subjects.PluginRunning
    trigger: facts.Trigger
    state: plugin.Plugin
    leash: confined.Leash = field(default_factory=confined.Leash)
    task: asyncio.Task[None] | None = None


class Plugins:
    """What is there, what is registered, and what runs."""

    def __init__(
        self,
        shelf: Shelf,
        ledger: Ledger,
        notes: run_notes.Notes,
        room: Room,
        clock: ports.Clock,
    ) -> None:
        self.runs = self.failed = 0
        self._shelf = shelf
        self._ledger = ledger
        self._notes = notes
        self._room = room
        self._clock = clock
        self._began = clock.now()
        self._recalled = False
        self._seen: dict[str, facts.PluginRegistered] = {}
        self._digests: dict[str, str] = {}
        self._inspecting: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Run] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._free_to_look = asyncio.Semaphore(LOOKED_AT_ONCE)

    @property
    def report(self) -> dict[str, int]:
        """What a heartbeat tells."""
        return {
            "found": len(self._seen),
            "broken": sum(each.fault is not None for each in self._seen.values()),
            "running": len(self._running),
            "runs": self.runs,
            "failed": self.failed,
        }

    async def look(self) -> None:
        """See what has changed on the shelf and in the log, and begin what is due.

        Raises refusals.Unavailable while the log cannot be read.
        """
        if not self._recalled:
            await self._ledger.recall()
            await self._settle_left()
            self._recalled = True
        found = await asyncio.to_thread(self._shelf.look)
        await self._ledger.learn([*found, *self._seen])
        self._end_unwanted()
        self._inspect(found)
        await self._miss(found)
        await self._silence_removed()
        for name, state in list(self._ledger.states.items()):
            is_busy = name in self._running or name in self._ledger.removed
            if state.is_due_at_all and not is_busy:
                await self._begin_if_due(name, state)

    # --- what they are

    def _inspect(self, found: dict[str, Found]) -> None:
        """Let every plugin that is new or has changed tell what it is now."""
        for name, each in found.items():
            if self._digests.get(name) != each.digest and name not in self._inspecting:
                self._inspecting[name] = self._begun(
                    self._inspected(each), f"inspect {name}", self._inspecting, name
                )

    async def _inspected(self, found: Found) -> None:
        async with self._free_to_look:
            told = await plugin_runs.inspected(found, self._shelf.place(found.origin), self._clock)
        self._digests[found.name] = found.digest
        self._seen[found.name] = told
        await self._ledger.reload(told)

    async def _miss(self, found: dict[str, Found]) -> None:
        """What is not there any more is not found any more; a registered one is broken."""
        for name in set(self._seen) - set(found):
            del self._seen[name]
            self._digests.pop(name, None)
        for name, state in list(self._ledger.states.items()):
            if state.found is not None and name not in found and state.found.fault != GONE:
                kept = msgspec.structs.asdict(state.found)
                await self._ledger.reload(facts.PluginRegistered(**(kept | {"fault": GONE})))
            elif name in self._seen and name not in self._inspecting:
                await self._ledger.reload(self._seen[name])

    async def _silence_removed(self) -> None:
        for name in self._ledger.removed - set(self._running):
            await self._ledger.silence(name)

    # --- when they run

    async def _settle_left(self) -> None:
        """Record what ran when the worker died; it may be what killed it, and is not run again."""
        left = await asyncio.to_thread(lambda: list(self._notes.left()))
        ours = {run.begun.run_id for run in self._running.values()}
        for note in (each for each in left if each.run_id not in ours):
            await asyncio.to_thread(confined.sweep, note.run_id)
            ended = plugin_runs.Outcome("failed", DIED, "")
            await self._ledger.finish(plugin_runs.recorded(note, ended, self._clock.now()))
            await asyncio.to_thread(self._notes.strike, note.run_id)

    async def _begin_if_due(self, name: str, state: plugin.Plugin) -> None:
        decided, since = state.decided, state.since
        assert decided is not None
        assert decided.schedule is not None
        assert since is not None
        after = max(since, self._ledger.last_due.get(name, since))
        now = self._clock.now()
        due = schedule.latest(decided.schedule, decided.market_hours, after, now)
        if due is None:
            return
        self._ledger.last_due[name] = due
        if not await self._ledger.ran_before(name, due):
            trigger: facts.Trigger = "catch_up" if due < self._began else "schedule"
            self._begin(name, state, uuid4(), due, trigger)

    def _begin(
        self,
        name: str,
        state: plugin.Plugin,
        run_id: UUID,
        due: datetime,
        trigger: facts.Trigger,
    ) -> subjects.PluginRunning:
        begun = subjects.PluginRunning(
            run_id=run_id, plugin=name, due_at=due, started_at=self._clock.now()
        )
        run = self._running[name] = Run(begun, trigger, state)
        run.task = asyncio.create_task(self._ran(run), name=f"plugin {name}")
        run.task.add_done_callback(lambda _: self._running.pop(name, None))
        return begun

    def _end_unwanted(self) -> None:
        """End the runs of what has been removed or disabled since it was seen last."""
        for name, run in self._running.items():
            state = self._ledger.states[name]
            if why := plugin.ended_by(run.state, state):
                run.leash.pull(why)
            run.state = state

    async def _granted(self, name: str) -> tuple[str, ...]:
        await self._ledger.learn([name])
        decided = self._ledger.states[name].decided
        return () if decided is None else decided.grants

    async def _ran(self, run: Run) -> None:
        async with self._free:
            found = run.state.found
            if found is None or run.leash.why is not None:
                return
            note = run_notes.Note(
                run_id=run.begun.run_id,
                plugin=run.begun.plugin,
                plugin_version=found.plugin_version,
                due_at=run.begun.due_at,
                trigger=run.trigger,
                started_at=self._clock.now(),
            )
            try:
                await self._noted(run, note)
            except Exception:
                _logger.exception("the run of %s was not recorded", run.begun.plugin)

    async def _noted(self, run: Run, note: run_notes.Note) -> None:
        """Run it, and have a note of that on the disk until it is recorded."""
        await asyncio.to_thread(self._notes.write, note)
        try:
            await self._run(run, note)
        except asyncio.CancelledError:  # it is cut short, and its instant caught up
            self._notes.strike(note.run_id)
            raise
        await asyncio.to_thread(self._notes.strike, note.run_id)

    async def _run(self, run: Run, note: run_notes.Note) -> None:
        found, decided = run.state.found, run.state.decided
        assert found is not None
        assert decided is not None
        proxy = Proxy(note.plugin, partial(self._granted, note.plugin), self._room, self._clock)
        given = _errand(note, self._shelf.place(found.origin), decided)
        ended = await plugin_runs.ran(given, decided.timeout_seconds, proxy, run.leash)
        self.runs += 1
        self.failed += ended.outcome != "succeeded"
        ran = plugin_runs.recorded(note, ended, self._clock.now(), alerts=len(proxy.alerts))
        await self._record(ran, proxy.alerts)

    async def _record(self, ran: facts.PluginRan, told: Mapping[str, errand.Alert]) -> None:
        """Record a run and what it told, however long that takes: it has ended already."""
        whole = ran.outcome == "succeeded"
        while True:
            try:
                await self._ledger.tell(ran.plugin, told, ran.run_id, whole=whole)
                await self._ledger.finish(ran)
            except refusals.Unavailable as reason:
                _logger.warning("a run of %s is not recorded yet: %s", ran.plugin, reason.message)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return

    # --- what is asked

    async def reply(self, question: subjects.PluginQuestion) -> subjects.PluginReply:
        """Tell what is there, and run what is to be run at once."""
        found = tuple(self._seen[name] for name in sorted(self._seen))
        if question.order is None:
            return subjects.PluginReply(found)
        name = question.order.plugin
        await self._ledger.learn([name])
        await self._silence_removed()
        state = self._ledger.states[name]
        if state.found is None or state.found.fault is not None:
            why = "not registered" if state.found is None else f"broken: {state.found.fault}"
            return subjects.PluginReply(conflict=f"the plugin is {why}")
        if name in self._running:
            begun = self._running[name].begun
            same = begun.run_id == question.order.id
            return subjects.PluginReply(run=begun, conflict=None if same else BUSY)
        run_id, now = question.order.id, self._clock.now()
        return subjects.PluginReply(run=self._begin(name, state, run_id, now, "manual"))

    async def stop(self) -> None:
        """End what runs; a run that is cut short is not recorded, and its instant is caught up."""
        tasks = [*self._inspecting.values()]
        tasks += [run.task for run in self._running.values() if run.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begun(
        self,
        work: Coroutine[Any, Any, None],
        name: str,
        among: dict[str, asyncio.Task[None]],
        key: str,
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(_logged(work), name=name)
        task.add_done_callback(lambda _: among.pop(key, None))
        return task


async def _logged(work: Awaitable[None]) -> None:
    """What goes wrong on our side is logged, and tried again at the next look."""
    try:
        await work
    except refusals.Unavailable as reason:
        _logger.warning("%s", reason.message)
    except Exception:
        _logger.exception("a plugin could not be looked at")


def _errand(note: run_notes.Note, place: str, decided: facts.PluginConfigured) -> errand.Errand:
    return errand.Errand(
        task="run",
        plugin=note.plugin,
        origin=place,
        memory_mb=decided.memory_mb,
        run_id=note.run_id,
        now=note.started_at,
        due_at=note.due_at,
        trigger=note.trigger,
        config=decided.config,
        grants=decided.grants,
    )
