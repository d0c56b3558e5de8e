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
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4, uuid5

import msgspec

from api.envelope import Reply
from api.shapes.envelope import Answer
from api.shapes.rehearsals import Change, DryRun
from domain import alert as alerts
from domain import facts, ports, refusals
from domain import portfolio as portfolios
from domain.story import Story
from projections import answers

S = TypeVar("S")
TRIES = 5
KEPT = 5_000
_KEYS = UUID("1d7c6d0e-3c3c-5d43-9a52-6d0f5a4c9e10")


class Model(msgspec.Struct, Generic[S], frozen=True):
    """How a kind of stream is folded."""

    empty: Callable[[UUID], S]
    then: Callable[[S, facts.Recorded], S]
    version: Callable[[S], int]


WHEEL: Model[Story] = Model(Story, Story.then, lambda story: story.version)
PORTFOLIO: Model[portfolios.Portfolio] = Model(
    portfolios.Portfolio, portfolios.evolve, lambda portfolio: portfolio.version
)
ALERT: Model[alerts.Alert] = Model(
    lambda _: alerts.QUIET, alerts.evolve, lambda alert: alert.version
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
    """An order on one stream: how to decide it, and how to show where it leads."""

    stream_id: UUID
    model: Model[S]
    command: Any
    decide: Callable[[S, datetime, UUID], list[facts.Recorded]]
    show: Callable[[S, datetime], Shown]
    version: Callable[[S], int]
    subject: str = ""


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
        self._states: OrderedDict[UUID, Any] = OrderedDict()
        self._locks: weakref.WeakValueDictionary[UUID, asyncio.Lock] = weakref.WeakValueDictionary()
        self._waiting: list[tuple[ports.Append, asyncio.Future[Sequence[int]]]] = []
        self._writing: asyncio.Task[None] | None = None
        self.head = 0
        self.failing: str | None = None
        """Why the last orders could not be stored, while that is so."""

    async def state(self, model: Model[S], stream_id: UUID) -> S:
        """A stream's state as this process knows it, read when it does not."""
        known: S | None = self._states.get(stream_id)
        return await self._read(model, stream_id, None) if known is None else known

    async def carry_out(self, task: Task[S], asked: Asked) -> Reply[Any]:
        """Decide, store, wait for the views, answer. Raises a refusals.Refusal."""
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

    async def _answered(self, asked: Asked) -> ports.Answered | None:
        if asked.key is None or asked.dry_run:
            return None
        return await asyncio.to_thread(self._log.answered, asked.key)

    async def _replayed(self, first: ports.Answered, fingerprint: str) -> Reply[Any]:
        reply = _again(first, fingerprint)
        await self._reached(first.position)
        return reply

    async def _carry_out(
        self, task: Task[S], asked: Asked, fingerprint: str
    ) -> tuple[Reply[Any], int]:
        command_id = uuid5(_KEYS, asked.key) if asked.key else uuid4()
        state = await self.state(task.model, task.stream_id)
        for _ in range(TRIES):
            _matched(task, state, asked)
            now = self._clock.now()
            recorded = task.decide(state, now, command_id)
            after = state
            for each in recorded:
                after = task.model.then(after, each)
                now = max(now, each.recorded_at)
            shown = task.show(after, now)
            if asked.dry_run:
                return _rehearsed(recorded, shown, now), 0
            body = answers.ENCODER.encode(Answer(shown.data, now))
            answered = _answered(asked, fingerprint, shown, body, now)
            try:
                positions = await self._store(ports.Append(recorded, answered))
            except refusals.Stale:
                state = await self._read(task.model, task.stream_id, state)
                continue
            self._keep(task.stream_id, after)
            position = positions[-1] if positions else 0
            return _reply(asked, shown, body, position or self.head), position
        raise refusals.Stale("others keep recording first; try again")

    async def _read(self, model: Model[S], stream_id: UUID, known: S | None) -> S:
        """Read a stream, or what was stored behind the known version of it."""
        state = model.empty(stream_id) if known is None else known
        after = model.version(state)
        for recorded in await asyncio.to_thread(self._log.stream, stream_id, after=after):
            state = model.then(state, recorded)
        self._keep(stream_id, state)
        return state

    def _keep(self, stream_id: UUID, state: Any) -> None:
        self._states[stream_id] = state
        self._states.move_to_end(stream_id)
        while len(self._states) > KEPT:
            self._states.popitem(last=False)

    async def _store(self, append: ports.Append) -> Sequence[int]:
        """Store with whatever else is waiting, in one durable commit."""
        if not append.recorded and append.answered is None:
            return []
        done: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((append, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
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


def _rehearsed(recorded: list[facts.Recorded], shown: Shown, now: datetime) -> Reply[Any]:
    changes = [Change(each.name, each.effective_at, each.fact) for each in recorded]
    return Reply(Answer(DryRun(True, changes, shown.data), now), status_code=200)  # noqa: FBT003


def _answered(
    asked: Asked, fingerprint: str, shown: Shown, body: bytes, now: datetime
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
