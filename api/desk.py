"""The desk: takes an order, decides on the latest history, stores what follows, answers.

Orders on one stream are taken one after the other; orders on different streams are stored
together when they come together. What another process stored first is read, and the order
decided again, a few times.
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from datetime import datetime
from typing import Any, Generic, TypeVar, cast
from uuid import UUID, uuid4, uuid5

import msgspec

from adapters import request_id
from api.envelope import Reply
from api.shapes.envelope import Answer
from api.shapes.rehearsals import Change, DryRun
from domain import alert as alerts
from domain import channel as channels
from domain import configuration, facts, ports, refusals, subjects
from domain import opportunity as opportunities
from domain import plugin as plugins
from domain import portfolio as portfolios
from domain import watchlist as watchlists
from domain.story import Story
from projections import answers, radius

S = TypeVar("S")
TRIES = 5
KEPT = 5_000
_KEYS = UUID("1d7c6d0e-3c3c-5d43-9a52-6d0f5a4c9e10")


class Model(msgspec.Struct, Generic[S], frozen=True):
    """How a kind of stream is folded."""

    kind: str
    empty: Callable[[UUID], S]
    then: Callable[[S, facts.Recorded], S]
    version: Callable[[S], int]


WHEEL: Model[Story] = Model("wheel", Story, Story.then, lambda story: story.version)
PORTFOLIO: Model[portfolios.Portfolio] = Model(
    "portfolio", portfolios.Portfolio, portfolios.evolve, lambda portfolio: portfolio.version
)
ALERT: Model[alerts.Alert] = Model(
    "alert", lambda _: alerts.QUIET, alerts.evolve, lambda alert: alert.version
)
WATCHLIST: Model[watchlists.Watchlist] = Model(
    "watchlist", lambda _: watchlists.EMPTY, watchlists.evolve, lambda state: state.version
)
OPPORTUNITY: Model[opportunities.Opportunity] = Model(
    "opportunity",
    lambda _: opportunities.NOTHING,
    opportunities.evolve,
    lambda state: state.version,
)
CHANNELS: Model[channels.Channels] = Model(
    "notification", lambda _: channels.NONE, channels.evolve, lambda state: state.version
)
PLUGIN: Model[plugins.Plugin] = Model(
    "plugin", lambda _: plugins.NOTHING, plugins.evolve, lambda state: state.version
)
SETTINGS: Model[configuration.Configuration] = Model(
    "settings",
    lambda _: configuration.Configuration(),
    configuration.evolve,
    lambda state: state.version,
)


class Asked(msgspec.Struct, frozen=True):
    """How a command was asked for, beside what it says."""

    key: str | None = None
    if_match: int | None = None
    dry_run: bool = False
    created: bool = False


class Shown(msgspec.Struct, frozen=True):
    """What a command is answered: the resource as it now stands."""

    data: Any
    version: int
    location: str | None = None


class Task(msgspec.Struct, Generic[S], frozen=True):
    """An order on one stream: how to decide it, and how to show where it leads.

    `reach` tells what else would be different behind it, where anything can be.
    """

    stream_id: UUID
    model: Model[S]
    command: Any
    decide: Callable[[S, datetime, UUID], list[facts.Recorded]]
    show: Callable[[S, datetime], Shown]
    version: Callable[[S], int]
    subject: str = ""
    reach: Callable[[S, S, datetime], Awaitable[radius.Radius]] | None = None


class Decided(msgspec.Struct, Generic[S], frozen=True):
    """What an order leads to, nothing stored yet."""

    recorded: list[facts.Recorded]
    after: S
    shown: Shown
    now: datetime


class Desk:
    """Carries out orders."""

    def __init__(
        self,
        log: ports.Log,
        clock: ports.Clock,
        nudge: Callable[[int], Awaitable[None]],
        reached: Callable[[int], Awaitable[None]],
    ) -> None:
        self._log = log
        self._clock = clock
        self._nudge = nudge
        self._reached = reached
        self._states: OrderedDict[tuple[str, UUID], Any] = OrderedDict()
        self._locks: weakref.WeakValueDictionary[UUID, asyncio.Lock] = weakref.WeakValueDictionary()
        self._waiting: list[tuple[ports.Append, asyncio.Future[Sequence[int]]]] = []
        self._writing: asyncio.Task[None] | None = None
        self.head = 0
        self.failing: str | None = None
        """Why the last orders could not be stored, while that is so."""

    async def state(self, model: Model[S], stream_id: UUID) -> S:
        """A stream's state as this process knows it, read when it does not."""
        known: S | None = self._states.get((model.kind, stream_id))
        return await self._read(model, stream_id, None) if known is None else known

    async def latest(self, model: Model[S], stream_id: UUID) -> S:
        """A stream's state as it is stored now, whoever stored it."""
        return await self._read(model, stream_id, self._states.get((model.kind, stream_id)))

    async def carry_out(self, task: Task[S], asked: Asked) -> Reply[Any]:
        """Decide, store, wait for the views, answer. Raises a refusals.Refusal."""
        if asked.dry_run:
            return await self._rehearse(task, asked)
        fingerprint = _fingerprint(task)
        if (before := await self._answered(asked)) is not None:
            return await self._replayed(before, fingerprint)
        lock = self._locks.setdefault(task.stream_id, asyncio.Lock())
        async with lock:
            try:
                reply, position = await self._carry_out(task, asked, fingerprint)
            except refusals.Refusal:
                # Perhaps only because it was carried out meanwhile, under the same key.
                if (first := await self._answered(asked)) is None:
                    raise
                return await self._replayed(first, fingerprint)
        if position:
            await self._reached(position)
        return reply

    async def _rehearse(self, task: Task[S], asked: Asked) -> Reply[Any]:
        """Decide and say what would change; no order waits for that, and nothing is stored."""
        state = await self.latest(task.model, task.stream_id)
        decided = self._decide(task, asked, state)
        rehearsed = DryRun(
            dry_run=True,
            changes=[_change(each) for each in decided.recorded],
            after=decided.shown.data,
            radius=task.reach and await task.reach(state, decided.after, decided.now),
        )
        return Reply(Answer(rehearsed, decided.now), status_code=200)

    async def _answered(self, asked: Asked) -> ports.Answered | None:
        if asked.key is None:
            return None
        return await asyncio.to_thread(self._log.answered, asked.key)

    async def _replayed(self, first: ports.Answered, fingerprint: str) -> Reply[Any]:
        reply = _again(first, fingerprint)
        await self._reached(first.position)
        return reply

    async def _carry_out(
        self, task: Task[S], asked: Asked, fingerprint: str
    ) -> tuple[Reply[Any], int]:
        for _ in range(TRIES):
            decided = await self._decided(task, asked)
            shown, now, head = decided.shown, decided.now, self.head
            body = answers.ENCODER.encode(Answer(shown.data, now))
            answered = _answered(asked, fingerprint, shown, body, now, head)
            try:
                positions = await self._store(ports.Append(decided.recorded, answered))
            except refusals.Stale:
                await self.latest(task.model, task.stream_id)
                continue
            self._keep(task.model, task.stream_id, decided.after)
            position = positions[-1] if positions else 0
            return _reply(asked, shown, body, position or head), position
        raise refusals.Stale("others keep recording first; try again")

    async def _decided(self, task: Task[S], asked: Asked) -> Decided[S]:
        """Decide; what stores nothing, a refusal too, is decided on what is stored now.

        Storing would tell that somebody else recorded something meanwhile.
        """
        state = await self.state(task.model, task.stream_id)
        try:
            decided = self._decide(task, asked, state)
            if decided.recorded:
                return decided
        except refusals.Refusal:
            pass
        return self._decide(task, asked, await self.latest(task.model, task.stream_id))

    def _decide(self, task: Task[S], asked: Asked, state: S) -> Decided[S]:
        _matched(task, state, asked)
        now = self._clock.now()
        command_id = uuid5(_KEYS, asked.key) if asked.key else uuid4()
        recorded, after = _marked(task.decide(state, now, command_id)), state
        for each in recorded:
            after = task.model.then(after, each)
            now = max(now, each.recorded_at)
        return Decided(recorded, after, task.show(after, now), now)

    async def _read(self, model: Model[S], stream_id: UUID, known: S | None) -> S:
        """Read a stream, or what was stored behind the known version of it.

        A stream of another kind, as somebody may name by mistake, is as one without facts.
        """
        state = model.empty(stream_id) if known is None else known
        more = await asyncio.to_thread(self._log.stream, stream_id, after=model.version(state))
        for recorded in more:
            if recorded.kind == model.kind:
                state = model.then(state, recorded)
        if more or known is None:
            self._keep(model, stream_id, state)
        return state

    def _keep(self, model: Model[S], stream_id: UUID, state: S) -> None:
        self._states[model.kind, stream_id] = state
        self._states.move_to_end((model.kind, stream_id))
        while len(self._states) > KEPT:
            self._states.popitem(last=False)

    async def _store(self, append: ports.Append) -> Sequence[int]:
        """Store with whatever else is waiting, in one durable commit."""
        if not append.recorded and append.answered is None:
            return []
        done: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((append, done))
        if self._writing is None or self._writing.done():
            # It writes for others too: what it logs is not of this request.
            self._writing = asyncio.create_task(self._write(), context=Context())
        return await asyncio.shield(done)

    async def _write(self) -> None:
        while self._waiting:
            jobs, self._waiting = self._waiting, []
            try:
                outcomes: Sequence[Sequence[int] | refusals.Refusal] = await asyncio.to_thread(
                    self._log.append_each, [append for append, _ in jobs]
                )
            except refusals.Refusal as refusal:
                outcomes = [refusal] * len(jobs)
            except Exception as fault:
                for _, done in jobs:
                    done.set_exception(fault)
                raise
            failed = next((o for o in outcomes if isinstance(o, refusals.Unavailable)), None)
            self.failing = None if failed is None else failed.message
            for (_, done), outcome in zip(jobs, outcomes, strict=True):
                if isinstance(outcome, refusals.Refusal):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)
                    self.head = max(self.head, *outcome, 0)
            await self._nudge(self.head)


def _change(recorded: facts.Recorded) -> Change:
    fact = cast("subjects.AnyFact", recorded.fact)
    return Change(recorded.name, recorded.effective_at, fact)


def _marked(recorded: list[facts.Recorded]) -> list[facts.Recorded]:
    """With the id of the request that led to them."""
    current = request_id.current.get()
    return [msgspec.structs.replace(each, request_id=current) for each in recorded]


def _fingerprint(task: Task[Any]) -> str:
    """The same for the same order on the same thing."""
    said = answers.ENCODER.encode(task.command)
    order = f"{type(task.command).__name__} {task.stream_id} {task.subject} ".encode()
    return hashlib.sha256(order + said).hexdigest()


def _matched(task: Task[S], state: S, asked: Asked) -> None:
    if asked.if_match is None:
        return
    version = task.version(state)
    if version != asked.if_match:
        raise refusals.Stale(
            f"version {asked.if_match} is not the current one, {version} is",
            expected=asked.if_match,
            current=version,
        )


def _answered(
    asked: Asked, fingerprint: str, shown: Shown, body: bytes, now: datetime, head: int
) -> ports.Answered | None:
    if asked.key is None:
        return None
    return ports.Answered(
        asked.key,
        fingerprint,
        201 if asked.created else 200,
        shown.location if asked.created else None,
        str(shown.version),
        body,
        now,
        head,
    )


def _reply(asked: Asked, shown: Shown, body: bytes, position: int) -> Reply[Any]:
    headers = {"ETag": f'"{shown.version}"', "X-Ledger-Position": str(position)}
    if asked.created and shown.location:
        headers["Location"] = shown.location
    return Reply(
        body,
        status_code=201 if asked.created else 200,
        headers=headers,
        media_type="application/json",
    )


def _again(answered: ports.Answered, fingerprint: str) -> Reply[Any]:
    """The first answer once more, if it is the same order."""
    if answered.fingerprint != fingerprint:
        raise refusals.KeyReused("the idempotency key was used for another order", key=answered.key)
    headers = {
        "ETag": f'"{answered.etag}"',
        "X-Ledger-Position": str(answered.position),
        "Idempotency-Replayed": "true",
    }
    if answered.location:
        headers["Location"] = answered.location
    return Reply(
        answered.body, status_code=answered.status, headers=headers, media_type="application/json"
    )
