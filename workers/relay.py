"""The relay: puts every fact of the log on the bus, once, in order.

    log ──▶ ledger.event.<kind>.<stream id>.<Name>         LEDGER
        └─▶ risk.alert.<severity>.<SYMBOL>.<rule>          RISK, facts of alerts, first

It keeps no bookmark of its own: where it is, is what the streams have last. A message is
stored only directly behind the one before it (the stream's sequence is checked), so that
neither a crash at any point nor a second relay can repeat, lose or reorder one. What a
wiped or older stream lacks is sent again from the log: the log is the outbox.
"""

import asyncio
import logging
from collections.abc import Sequence
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

_ALERT_ID: Final = "alert-"


class Feed(Protocol):
    """What the relay needs of the log. Blocking."""

    def head(self) -> int: ...

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]: ...


class Place(msgspec.Struct, frozen=True):
    """How far the relay is: positions in the log, and where the streams end.

    `alert` and `alert_end` are the same for what RISK has under risk.alert.
    """

    position: int
    end: int
    alert: int
    alert_end: int
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
    alert = await connected.last("RISK", subjects.EVERY_ALERT)
    place = Place(
        position=int(event.id or 0),
        end=event.end,
        alert=int(alert.id.removeprefix(_ALERT_ID) or 0),
        alert_end=alert.sequence,
        connection=connection,
    )
    if place.position > (head := await asyncio.to_thread(feed.head)):
        log.error("LEDGER knows fact %d, the log ends at %d: another log's?", place.position, head)
    return place


async def passed_on(batch: Sequence[facts.Recorded], connected: bus.Bus, place: Place) -> Place:
    """Publish a batch, its alerts first: they are in a hurry, and none may be forgotten."""
    for recorded in batch:
        if recorded.position > place.alert and isinstance(recorded.fact, _ALERTS):
            place = await _alerted(recorded, recorded.fact, connected, place)
    end = await connected.publish_all([_event(recorded) for recorded in batch], after=place.end)
    return replace(place, position=batch[-1].position, end=end)


async def _alerted(
    recorded: facts.Recorded, fact: facts.AlertFact, connected: bus.Bus, place: Place
) -> Place:
    sequence = await connected.publish(
        subjects.risk_alert(fact.severity, fact.symbol, fact.rule),
        subjects.alert_notice(recorded, fact),
        id=f"{_ALERT_ID}{recorded.position}",
        type="risk.alert",
        time=recorded.recorded_at,
        after=place.alert_end,
        among=subjects.EVERY_ALERT,
    )
    return replace(place, alert=recorded.position, alert_end=sequence)


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


_ALERTS: Final = (
    facts.AlertRaised,
    facts.AlertCleared,
    facts.AlertAcknowledged,
    facts.AlertMuted,
)
