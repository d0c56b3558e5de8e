"""The plugins as the log has them, and what their worker writes there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID, uuid4, uuid5

import msgspec

from adapters import errand
from domain import alert, facts, plugin, ports, refusals
from projections import plugins as views
from workers import proxy

TRIES: Final = 5
NOT_TOLD: Final = "the plugin tells it no more"
REMOVED: Final = "the plugin was removed"
_SAME: Final = ("origin", "digest", "fault")


class PluginLog(Protocol):
    """What plugins need of the log. Blocking."""

    def head(self) -> int: ...

    def stream(self, stream_id: UUID, *, after: int = 0) -> Sequence[facts.Recorded]: ...

    def append(self, recorded: Sequence[facts.Recorded]) -> Sequence[int]: ...


class Ledger:
    """The way to the log and the views; `states` are the plugins as they were read last.

    `removed` are those that were removed since, whatever came after, and are not silenced yet.
    """

    def __init__(
        self,
        log: PluginLog,
        link: Path,
        nudge: Callable[[int], Awaitable[None]],
        clock: ports.Clock,
        thread: Executor | None,
    ) -> None:
        self.states: dict[str, plugin.Plugin] = {}
        self.removed: set[str] = set()
        self.last_due: dict[str, datetime] = {}
        self._log = log
        self._link = link
        self._nudge = nudge
        self._clock = clock
        self._thread = thread
        self._head = -1
        self._standing: dict[str, set[UUID]] = {}

    async def recall(self) -> None:
        """Know which plugins there were, and for when they ran last."""
        found = await self._aside(lambda: views.known(self._link))
        self.last_due = dict(found.last_due)
        await self.learn(found.names)

    async def learn(self, names: Iterable[str]) -> None:
        """Read what has become of these plugins, and of those that are known, if anything has."""
        asked = [*self.states, *(name for name in names if name not in self.states)]
        head = await self._aside(self._log.head)
        if head == self._head and len(asked) == len(self.states):
            return
        for name, read in await self._aside(lambda: [self._read(each) for each in asked]):
            self._fold(name, read)
        self._head = head

    def _read(self, name: str) -> tuple[str, Sequence[facts.Recorded]]:
        known = self.states.get(name, plugin.NOTHING)
        return name, self._log.stream(facts.plugin_stream(name), after=known.version)

    def _fold(self, name: str, read: Sequence[facts.Recorded]) -> None:
        known = self.states.get(name, plugin.NOTHING)
        new = [each for each in read if each.version > known.version]
        now = self.states[name] = plugin.fold(new, known)
        # At the first look, what was removed long ago and is registered again was silenced then.
        if (known.version or now.found is None) and any(
            isinstance(each.fact, facts.PluginRemoved) for each in new
        ):
            self.removed.add(name)

    async def reload(self, found: facts.PluginRegistered) -> None:
        """Record what a registered plugin now is, where that is not what the log says."""
        for _ in range(TRIES):
            state = self.states.get(found.plugin, plugin.NOTHING)
            if state.found is None or _is_same(state.found, found):
                return
            fact = facts.PluginReloaded(**msgspec.structs.asdict(found))
            now = self._clock.now()
            recorded = plugin.recorded(state, fact, now, uuid4(), "plugins")
            if await self._appended([recorded]):
                self.states[found.plugin] = plugin.evolve(state, recorded)
                return
            await self._again(found.plugin)

    async def _again(self, name: str) -> None:
        self._fold(*await self._aside(lambda: self._read(name)))

    async def ran_before(self, name: str, due_at: datetime) -> bool:
        """Whether a run for this instant is recorded."""
        stream = facts.plugin_run_stream(name, due_at)
        return bool(await self._aside(lambda: self._log.stream(stream)))

    async def finish(self, ran: facts.PluginRan) -> bool:
        """Record a run, once for its instant; whether it was the first."""
        stream = _stream(ran)
        at = ran.finished_at
        source = f"plugin:{ran.plugin}"
        return await self._appended(
            [facts.Recorded(0, stream, 1, at, at, source, ran.run_id, None, ran)]
        )

    async def tell(
        self, name: str, told: Mapping[str, errand.Alert], run_id: UUID, *, whole: bool
    ) -> None:
        """Raise what was told; where it is the whole, what stood and was not told is over."""
        streams = {facts.plugin_alert_stream(name, key): each for key, each in told.items()}
        for stream, each in streams.items():
            await self._ordered(name, stream, alert.Raise(proxy.fact(name, each)), run_id)
        if whole:
            await self._clear(name, NOT_TOLD, run_id, but=set(streams))
        self._standing.setdefault(name, set()).update(streams)

    async def silence(self, name: str) -> None:
        """What stood of a plugin that was removed is over."""
        await self._clear(name, REMOVED, uuid4())
        self.removed.discard(name)

    async def _clear(
        self, name: str, why: str, by: UUID, but: AbstractSet[UUID] = frozenset()
    ) -> None:
        told = self._standing.get(name, set())
        stood = told | set(await self._aside(lambda: views.alerts(self._link, name)))
        for stream in stood - but:
            await self._ordered(name, stream, alert.Clear(why), by)
        self._standing.pop(name, None)

    async def _ordered(
        self, name: str, stream: UUID, command: alert.Raise | alert.Clear, run_id: UUID
    ) -> None:
        for _ in range(TRIES):
            history = await self._aside(lambda: self._log.stream(stream))
            state, now = alert.fold(history), self._clock.now()
            learned = max([now, *(each.recorded_at for each in history[-1:])])
            recorded = [
                facts.Recorded(
                    0,
                    stream,
                    state.version + 1,
                    learned,
                    learned,
                    f"plugin:{name}",
                    run_id,
                    None,
                    fact,
                )
                for fact in alert.decide(state, command, now)
            ]
            if not recorded or await self._appended(recorded):
                return

    async def _appended(self, recorded: Sequence[facts.Recorded]) -> bool:
        """Store; False where something else was recorded first."""
        try:
            positions = await self._aside(lambda: self._log.append(recorded))
        except refusals.Stale:
            return False
        await self._nudge(positions[-1])
        return True

    async def _aside(self, blocking: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, blocking)


def _stream(ran: facts.PluginRan) -> UUID:
    """One by hand is a run of its own, whatever else ran at an instant where time stands."""
    stream = facts.plugin_run_stream(ran.plugin, ran.due_at)
    return uuid5(stream, ran.run_id.hex) if ran.trigger == "manual" else stream


def _is_same(before: facts.AsInspected, found: facts.AsInspected) -> bool:
    return all(getattr(before, field) == getattr(found, field) for field in _SAME)
