"""The post office: what is to be told to which channel, in which order, and what became of it.

    an alert's fact ──▶ planned ──▶ a lane ──▶ begun ──▶ the channel ──▶ delivered, or failed

A lane is a channel and a wheel: in it one goes out after the other, and one that fails holds back
those behind it, but none of another lane. What waits for its hour holds back nobody: those that may
pass, pass. All that is known stands in the log; here is only what is not finished.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from adapters import addresses, courier
from domain import channel, facts, permit, ports, refusals, subjects
from domain import notification as notifications
from workers.book import Book

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = 1.0
AT_ONCE: Final = 2
"""How many messages a channel is given at a time; of those that refuse late one in all."""
LATE_AFTER: Final = 2.0
"""Seconds; most of what hangs is given up before our own patience ends."""
LAST_WORDS: Final = 0.5
"""Seconds in which what is out may come back, when nothing more is to be sent."""
Lane = tuple[str, UUID | None]
"""A channel, and a wheel, or an alert about none; None is the lane of the channel's digests."""


@dataclass
class Parcel:
    """A notification that is not finished; `held` by quiet hours until they end."""

    id: UUID
    state: notifications.Notification
    held: datetime | None = None

    @property
    def plan(self) -> facts.NotificationPlanned:
        """What was planned."""
        assert self.state.plan is not None
        return self.state.plan

    @property
    def lane(self) -> Lane:
        """In which lane it waits."""
        plan = self.plan
        return plan.channel, None if plan.gathered else plan.wheel_id or plan.alert_id

    @property
    def hour(self) -> datetime | None:
        """When it may go out."""
        hours = [each for each in (self.state.due, self.held) if each is not None]
        return max(hours, default=None)

    def ready(self, now: datetime) -> bool:
        """Whether its hour has come."""
        return self.hour is None or self.hour <= now

    def blocks(self, now: datetime) -> bool:
        """Whether those behind it wait for it: it fails, and nothing else holds it back."""
        return self.state.failing_since is not None and (self.held is None or self.held <= now)


@dataclass
class Queue:
    """What waits in a lane, in the order of the log; `busy` while one of them is out."""

    parcels: list[Parcel] = field(default_factory=list)
    busy: bool = False

    def put(self, parcel: Parcel) -> None:
        """Let it wait in its place."""
        self.parcels.append(parcel)
        self.parcels.sort(key=_turn)

    def hour(self, now: datetime) -> datetime | None:
        """When something of it will be due; what stands behind a failing one is not counted."""
        hours = []
        for parcel in () if self.busy else self.parcels:
            if parcel.hour is not None:
                hours.append(parcel.hour)
            if parcel.blocks(now):
                break
        return min(hours, default=None)

    def next(self, now: datetime) -> list[Parcel]:
        """What goes out now: one notification, or all of a digest whose hour has come."""
        if self.busy:
            return []
        for parcel in self.parcels:
            if parcel.plan.gathered:
                due = parcel.plan.due
                together = [each for each in self.parcels if each.plan.due == due]
                return together if all(each.ready(now) for each in together) else []
            if parcel.ready(now):
                return [parcel]
            if parcel.blocks(now):
                return []
        return []


def _turn(parcel: Parcel) -> tuple[Any, ...]:
    plan = parcel.plan
    return (plan.due if plan.gathered else plan.alert_position, plan.alert_position, parcel.id)


class Post:
    """Plans, sends and records; whoever hears of alerts and time (workers/notifier.py) says so."""

    def __init__(
        self,
        book: Book,
        urls: addresses.Addresses,
        messenger: courier.Courier,
        clock: ports.Clock,
        links_url: str,
    ) -> None:
        self.delivered = self.refused = 0
        self._book = book
        self._urls = urls
        self._courier = messenger
        self._clock = clock
        self._links_url = links_url
        self._channels = channel.NONE
        self._queues: dict[Lane, Queue] = {}
        self._escalating: dict[UUID, facts.NotificationPlanned] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._late: set[str] = set()
        self._gate_of_the_late = asyncio.Semaphore(1)
        self._out: set[asyncio.Task[None]] = set()
        self._resting = False

    @property
    def report(self) -> dict[str, int]:
        """What a heartbeat tells."""
        return {
            "channels": len(self._channels.there),
            "waiting": sum(len(queue.parcels) for queue in self._queues.values()),
            "delivered": self.delivered,
            "refused": self.refused,
        }

    # --- what comes in

    async def recall(self, waiting: Iterable[UUID], escalating: Iterable[UUID]) -> None:
        """Take up what was left unfinished."""
        for each in waiting:
            state = notifications.fold(await self._book.stream(each))
            if state.plan is not None and state.status == "waiting":
                self._put(Parcel(each, state))
        for each in escalating:
            state = notifications.fold(await self._book.stream(each))
            if state.plan is not None and state.plan.escalate_at is not None:
                self._escalating[each] = state.plan

    async def hear(self, notices: Sequence[subjects.AlertNotice]) -> None:
        """Plan what these say, all of it before any of it is sent: so the order stays."""
        await self._learn_channels()
        planned = await asyncio.gather(*(self._heard(each) for each in notices))
        for parcel in (each for some in planned for each in some):
            self._put(parcel)
            if parcel.plan.escalate_at is not None:
                self._escalating[parcel.id] = parcel.plan

    async def _heard(self, notice: subjects.AlertNotice) -> list[Parcel]:
        if notice.status not in ("raised", "cleared"):
            return []
        stream = await self._book.stream(notice.alert_id)
        told = next((each for each in stream if each.position == notice.position), None)
        if told is None:
            log.warning("fact %d is not in the log: another log's alert?", notice.position)
            return []
        alerted, now = notifications.standing(stream), self._clock.now()
        plans = [notifications.planned(way, told, alerted, now) for way in self._channels.there]
        parcels = [await self._planned(plan, stream) for plan in plans if plan is not None]
        return [each for each in parcels if each is not None]

    async def _planned(
        self, plan: facts.NotificationPlanned, stream: Sequence[facts.Recorded]
    ) -> Parcel | None:
        """Record that it is to be sent; None where that was done before, or makes no sense.

        What was planned before, and then lost from sight, is taken up again.
        """
        if plan.alert == "cleared" and not await self._told(plan, stream):
            return None
        return await self._record(plan)

    async def _record(self, plan: facts.NotificationPlanned) -> Parcel | None:
        id_ = facts.notification_stream(
            plan.channel, plan.alert_position, escalated=plan.alert == "escalated"
        )
        parcel = Parcel(id_, notifications.NOTHING)
        if await self._write(parcel, plan):
            return parcel
        parcel.state = notifications.fold(await self._book.stream(id_))
        return parcel if parcel.state.status == "waiting" and not self._knows(id_) else None

    def _knows(self, id_: UUID) -> bool:
        queues = self._queues.values()
        return any(parcel.id == id_ for queue in queues for parcel in queue.parcels)

    async def _told(
        self, plan: facts.NotificationPlanned, stream: Sequence[facts.Recorded]
    ) -> list[notifications.Notification]:
        """What the channel was told, or is to be told, of the raise that is over now."""
        way = self._channels.find(plan.channel)
        raised = [
            each.position
            for each in stream
            if isinstance(each.fact, facts.AlertRaised) and each.position < plan.alert_position
        ]
        if way is None or not raised:
            return []
        ids = [
            facts.notification_stream(plan.channel, raised[-1], escalated=escalated)
            for escalated in (False, True)
        ]
        found = [notifications.fold(await self._book.stream(each)) for each in ids]
        return [each for each in found if each.planned_at and each.planned_at >= way.since]

    async def _learn_channels(self) -> None:
        more = await self._book.stream(facts.CHANNELS_STREAM, self._channels.version)
        self._channels = channel.fold(more, self._channels)

    def _put(self, parcel: Parcel) -> None:
        self._queues.setdefault(parcel.lane, Queue()).put(parcel)

    # --- what goes out

    async def send(self) -> None:
        """Begin to send all whose hour has come, and tell another channel what nobody answers."""
        await self._learn_channels()
        await self._escalate()
        for lane in tuple(self._queues):
            self._pump(lane)

    def next_hour(self) -> datetime | None:
        """When something will be due, as far as that is known; None while nothing waits."""
        now = self._clock.now()
        queues = (queue.hour(now) for queue in self._queues.values())
        escalations = (each.escalate_at for each in self._escalating.values())
        hours = (each for each in (*queues, *escalations) if each is not None)
        return min(hours, default=None)

    async def rest(self) -> None:
        """Send nothing more, and wait for what is out, but not for long: it is known as begun."""
        self._resting = True
        if self._out:
            await asyncio.wait(self._out, timeout=LAST_WORDS)
        for task in self._out:
            task.cancel()
        await self.idle()

    async def idle(self) -> None:
        """Wait until nothing is out."""
        while self._out:
            await asyncio.wait(self._out)

    def _pump(self, lane: Lane) -> None:
        queue = self._queues[lane]
        if self._resting:
            return
        if group := queue.next(self._clock.now()):
            queue.busy = True
            task = asyncio.create_task(self._carry(lane, group), name=f"to {lane[0]}")
            self._out.add(task)
            task.add_done_callback(self._out.discard)
        elif not queue.parcels and not queue.busy:
            del self._queues[lane]

    async def _carry(self, lane: Lane, group: list[Parcel]) -> None:
        queue = self._queues[lane]
        try:
            async with self._turn_of(lane[0]):
                await self._deliver_as_it_stands(group)
        except Exception:
            log.exception("sending to %s stumbled", lane[0])
            await asyncio.sleep(AGAIN_AFTER)
        finally:
            queue.parcels = [each for each in queue.parcels if each.state.status == "waiting"]
            queue.busy = False
        self._pump(lane)

    @asynccontextmanager
    async def _turn_of(self, name: str) -> AsyncIterator[None]:
        """A channel's turn: those that refuse late wait for each other, and keep nobody else."""
        while True:
            async with (gate := self._gate(name)):
                if gate is self._gate(name):
                    yield
                    return

    def _gate(self, name: str) -> asyncio.Semaphore:
        if name in self._late:
            return self._gate_of_the_late
        return self._gates.setdefault(name, asyncio.Semaphore(AT_ONCE))

    async def _deliver_as_it_stands(self, group: Sequence[Parcel]) -> None:
        """Deliver; where somebody else did something meanwhile, know it and leave it at that."""
        try:
            await self._deliver(group)
        except refusals.Stale:
            log.warning("somebody else sends to %s, too", group[0].plan.channel)
            for parcel in group:
                parcel.state = notifications.fold(await self._book.stream(parcel.id))

    async def _deliver(self, group: Sequence[Parcel]) -> None:
        if self._held(group):
            return
        left = []
        for parcel in group:
            reason = await self._reason_against(parcel)
            if reason is None:
                left.append(parcel)
            else:
                await self._write(parcel, notifications.withdrawn(parcel.state, reason))
        if left:
            await self._write_all([(each, notifications.begun(each.state)) for each in left])
            await self._settle(left, await self._bring(left))

    def _held(self, group: Sequence[Parcel]) -> bool:
        """Whether quiet hours hold it back, also when it is late; what comes together, waits so."""
        way, now = self._channels.find(group[0].plan.channel), self._clock.now()
        if way is None:
            return False
        ends = [notifications.held_until(way.told, each.plan, now) for each in group]
        held = max((each for each in ends if each is not None), default=None)
        for parcel in group:
            parcel.held = held
        return held is not None

    async def _settle(self, group: Sequence[Parcel], error: str | None) -> None:
        """Record what became of it."""
        now = self._clock.now()
        if error is not None:
            self.refused += 1
            log.warning("%s did not take %s: %s", group[0].plan.channel, group[0].id, error)
            await self._write_all(
                [(each, notifications.failed(each.state, each.id, error, now)) for each in group]
            )
            return
        self.delivered += len(group)
        digest = _digest(group) if group[0].plan.gathered else None
        digest_id = None if digest is None else digest.digest_id
        told = [(each, notifications.delivered(each.state, digest_id)) for each in group]
        more = [] if digest is None else await self._of_digest(digest)
        await self._write_all(told, more)

    async def _of_digest(self, digest: facts.DigestSent) -> list[facts.Recorded]:
        before = await self._book.stream(digest.digest_id)
        return [self._book.entry(digest.digest_id, len(before), digest)]

    async def _bring(self, group: Sequence[Parcel]) -> str | None:
        """Hand it to the channel; why it did not take it, if it did not."""
        way = self._channels.find(group[0].plan.channel)
        assert way is not None
        try:
            url = self._urls.read(way.told.address)
        except addresses.Lost as reason:
            return str(reason)
        message = self._digest_message(group) if group[0].plan.gathered else self._message(group[0])
        begun = time.monotonic()
        error = await self._courier.bring(url, message)
        is_late = error is not None and time.monotonic() - begun >= LATE_AFTER
        (self._late.add if is_late else self._late.discard)(way.told.channel)
        return error

    async def _reason_against(self, parcel: Parcel) -> str | None:
        """Why it is not to be sent any more, if it is not."""
        plan = parcel.plan
        way = self._channels.find(plan.channel)
        if reason := notifications.unwanted(way, parcel.state):
            return reason
        stream = await self._book.stream(plan.alert_id)
        if plan.alert == "cleared":
            told = await self._told(plan, stream)
            return None if any(each.reached for each in told) else "nobody was told of it before"
        alerted = notifications.standing(stream)
        return notifications.reason_against(plan.alert_position, alerted, self._clock.now())

    # --- what nobody answers

    async def _escalate(self) -> None:
        now = self._clock.now()
        due = [
            (id_, plan)
            for id_, plan in self._escalating.items()
            if plan.escalate_at is not None and plan.escalate_at <= now
        ]
        for id_, plan in due:
            parcel = await self._escalated(plan, now)
            del self._escalating[id_]
            if parcel is not None:
                self._put(parcel)

    async def _escalated(self, plan: facts.NotificationPlanned, now: datetime) -> Parcel | None:
        way = self._channels.find(plan.escalate_to or "")
        first = self._channels.find(plan.channel)
        if way is None or not way.told.enabled or not notifications.escalates(first, plan):
            return None
        alerted = notifications.standing(await self._book.stream(plan.alert_id))
        if notifications.reason_against(plan.alert_position, alerted, now) is not None:
            return None
        return await self._record(notifications.escalated(way, plan, now))

    # --- what is recorded

    async def _write(self, parcel: Parcel, fact: facts.DeliveryFact) -> bool:
        """Record one fact; whether it was ours to record."""
        try:
            await self._write_all([(parcel, fact)])
        except refusals.Stale:
            return False
        return True

    async def _write_all(
        self,
        told: Sequence[tuple[Parcel, facts.DeliveryFact]],
        more: Sequence[facts.Recorded] = (),
    ) -> None:
        """Record facts of several notifications, all or none. Raises refusals.Stale."""
        entries = [self._book.entry(each.id, each.state.version, fact) for each, fact in told]
        await self._book.write(*entries, *more)
        for (parcel, _), entry in zip(told, entries, strict=True):
            parcel.state = notifications.evolve(parcel.state, entry)

    # --- what is said

    def _message(self, parcel: Parcel) -> courier.Message:
        plan = parcel.plan
        links = self._links(plan)
        return courier.Message(
            id=str(parcel.id),
            title=_title(plan),
            body="\n".join([plan.message, *(f"{what}: {link}" for what, link in links.items())]),
            severity=plan.severity,
            fields={**_fields(parcel), **{f"{what}_url": link for what, link in links.items()}},
        )

    def _digest_message(self, group: Sequence[Parcel]) -> courier.Message:
        plan = group[0].plan
        lines = [f"{_title(each.plan)}: {each.plan.message}" for each in group]
        severities = {each.plan.severity for each in group}
        return courier.Message(
            id=str(_digest(group).digest_id),
            title=f"{len(group)} alert{'s' if len(group) > 1 else ''} for {plan.channel}",
            body="\n".join(lines),
            severity=next(each for each in ("HIGH", "MEDIUM", "LOW") if each in severities),
            fields={"notifications": [_fields(each) for each in group]},
        )

    def _links(self, plan: facts.NotificationPlanned) -> dict[permit.Deed, str]:
        """What can be done about an alert that stands."""
        if plan.alert == "cleared":
            return {}
        raised, now = plan.alert_position, self._clock.now()
        return permit.links(plan.alert_id, raised, self._links_url, self._urls.secret, now)


def _digest(group: Sequence[Parcel]) -> facts.DigestSent:
    plan = group[0].plan
    return facts.DigestSent(
        channel=plan.channel,
        digest_id=facts.digest_stream(plan.channel, plan.due),
        due=plan.due,
        deliveries=tuple(each.id for each in group),
    )


def _title(plan: facts.NotificationPlanned) -> str:
    over = " is over" if plan.alert == "cleared" else ""
    return f"{plan.severity} {plan.symbol} {plan.rule}{over}"


def _fields(parcel: Parcel) -> dict[str, Any]:
    plan = parcel.plan
    return {
        "notification_id": str(parcel.id),
        "alert_id": str(plan.alert_id),
        "alert_position": plan.alert_position,
        "alert": plan.alert,
        "severity": plan.severity,
        "symbol": plan.symbol,
        "rule": plan.rule,
        "portfolio_id": plan.portfolio_id and str(plan.portfolio_id),
        "wheel_id": plan.wheel_id and str(plan.wheel_id),
        "attempt": parcel.state.attempts,
        "perhaps_repeated": parcel.state.unsure,
    }
