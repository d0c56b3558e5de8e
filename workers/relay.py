"""The relay: puts every fact of the log on the bus, once, in order.

    log ──▶ ledger.event.<kind>.<stream id>.<Name>         LEDGER
        ├─▶ risk.alert.<severity>.<SYMBOL>.<rule>          RISK, facts of alerts, first
        └─▶ opportunity.<SYMBOL>                           RISK, facts of opportunities

It keeps no bookmark of its own: where it is, is what the streams have last. A message is
stored only directly behind the one before it (the stream's sequence is checked), so that
neither a crash at any point nor a second relay can repeat, lose or reorder one. What a
wiped or older stream lacks is sent again from the log: the log is the outbox.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

import msgspec
from msgspec.structs import replace

from adapters import bus
from domain import facts, refusals, subjects
from workers import running

log = logging.getLogger(__name__)

BATCH: Final = 512
POLL: Final = 0.2
PAUSE: Final = 1.0


class Feed(Protocol):
    """What the relay needs of the log. Blocking."""

    def head(self) -> int: ...

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]: ...


class Notice(msgspec.Struct, frozen=True):
    """What a fact is told as to those who do not follow the ledger."""

    subject: str
    data: object


class Track(msgspec.Struct, frozen=True):
    """Facts that are also told on subjects of their own: `notice` makes the message of one.

    `type` is that of the messages, `among` are the subjects, and `prefix` comes before the
    position in a message's id.
    """

    type: str
    prefix: str
    among: str
    notice: Callable[[facts.Recorded], Notice | None]


def _alert(recorded: facts.Recorded) -> Notice | None:
    fact = recorded.fact
    if not isinstance(fact, facts.AlertFact):
        return None
    subject = subjects.risk_alert(fact.severity, fact.symbol, fact.rule)
    return Notice(subject, subjects.alert_notice(recorded, fact))


def _opportunity(recorded: facts.Recorded) -> Notice | None:
    fact = recorded.fact
    if not isinstance(fact, facts.OpportunityFact):
        return None
    subject = subjects.opportunity(fact.symbol)
    return Notice(subject, subjects.opportunity_notice(recorded, fact))


TRACKS: Final = (
    Track("risk.alert", "alert-", subjects.EVERY_ALERT, _alert),
    Track("opportunity", "opportunity-", subjects.EVERY_OPPORTUNITY, _opportunity),
)
"""In the order in which a batch's facts are told: alerts are in a hurry."""


class Mark(msgspec.Struct, frozen=True):
    """How far a track is: the position in the log of its last message, and its sequence."""

    position: int
    end: int


class Place(msgspec.Struct, frozen=True):
    """How far the relay is: a position in the log, and where LEDGER and each track end."""

    position: int
    end: int
    marks: tuple[Mark, ...]
    connection: int


async def run(
    feed: Feed,
    connected: bus.Bus,
    stop: asyncio.Event,
    woken: asyncio.Event,
    beat: dict[str, Any],
) -> None:
    """Follow the log until asked to stop, whatever becomes of the bus."""
    while not stop.is_set():
        try:
            await _follow(feed, connected, stop, woken, beat)
        except bus.OutOfOrder as reason:
            log.warning("the stream is not where it was left, looking again: %s", reason)
            await running.nap(POLL, stop)
        except (bus.BusDown, refusals.Unavailable) as reason:
            beat["state"] = "waiting"
            log.debug("waiting: %s", reason)
            await running.nap(POLL, stop)
        except bus.Rejected:
            log.exception("the bus does not take a fact; nothing behind it is relayed")
            await running.nap(PAUSE, stop)


async def _follow(
    feed: Feed,
    connected: bus.Bus,
    stop: asyncio.Event,
    woken: asyncio.Event,
    beat: dict[str, Any],
) -> None:
    place = await resumed(connected, feed)
    beat.update(state="running", position=place.position)
    while not stop.is_set() and place.connection == connected.connections:
        woken.clear()
        batch = await asyncio.to_thread(feed.after, place.position, BATCH)
        if batch:
            place = await passed_on(batch, connected, place)
            beat["position"] = place.position
            beat["relayed"] = beat.get("relayed", 0) + len(batch)
        else:
            await running.nap(POLL, woken, stop)


async def resumed(connected: bus.Bus, feed: Feed) -> Place:
    """Where to go on: behind what the streams have last."""
    connection = connected.connections
    event = await connected.last("LEDGER", subjects.EVERY_LEDGER_EVENT)
    place = Place(
        position=int(event.id or 0),
        end=event.end,
        marks=tuple([await _mark(connected, track) for track in TRACKS]),
        connection=connection,
    )
    if place.position > (head := await asyncio.to_thread(feed.head)):
        log.error("LEDGER knows fact %d, the log ends at %d: another log's?", place.position, head)
    return place


async def _mark(connected: bus.Bus, track: Track) -> Mark:
    last = await connected.last("RISK", track.among)
    return Mark(int(last.id.removeprefix(track.prefix) or 0), last.sequence)


async def passed_on(batch: Sequence[facts.Recorded], connected: bus.Bus, place: Place) -> Place:
    """Publish a batch, its tracks first: once LEDGER has it, nobody looks for them again."""
    marks = tuple(
        [
            await _followed(track, mark, batch, connected)
            for track, mark in zip(TRACKS, place.marks, strict=True)
        ]
    )
    end = await connected.publish_all([_event(recorded) for recorded in batch], after=place.end)
    return replace(place, position=batch[-1].position, end=end, marks=marks)


async def _followed(
    track: Track, mark: Mark, batch: Sequence[facts.Recorded], connected: bus.Bus
) -> Mark:
    """Publish those facts of a batch that a track tells and does not have yet."""
    for recorded in batch:
        notice = track.notice(recorded) if recorded.position > mark.position else None
        if notice is not None:
            sequence = await connected.publish(
                notice.subject,
                notice.data,
                id=f"{track.prefix}{recorded.position}",
                type=track.type,
                time=recorded.recorded_at,
                after=mark.end,
                among=track.among,
            )
            mark = Mark(recorded.position, sequence)
    return mark


def _event(recorded: facts.Recorded) -> bus.Message:
    return bus.Message(
        subject=subjects.ledger_event(recorded.kind, recorded.stream_id, recorded.name),
        data=subjects.LedgerEvent(
            position=recorded.position,
            stream_id=recorded.stream_id,
            kind=recorded.kind,
            version=recorded.version,
            name=recorded.name,
            recorded_at=recorded.recorded_at,
            effective_at=recorded.effective_at,
            source=recorded.source,
            command_id=recorded.command_id,
            external_id=recorded.external_id,
            fact=cast("subjects.AnyFact", recorded.fact),
            request_id=recorded.request_id,
        ),
        id=str(recorded.position),
        type="ledger.event",
        time=recorded.recorded_at,
        version=facts.schema_of(recorded.name),
    )
