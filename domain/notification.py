"""A notification: what one channel is told of one thing that happened to an alert.

 ──Planned──▶ waiting ──Begun──▶ under way ──Delivered──▶ delivered
                │  ▲                │ ──Failed, to be tried again──┐
                │  └────────────────┼──────────────────────────────┘
                └──Withdrawn──▶     └──Failed, for good──▶ given up

That it is begun is recorded before it is sent, and what became of it after: who finds one under
way, and does not do it, knows that nobody knows, and sends it again under the same id.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import alert, channel, facts, hours

Status = Literal["waiting", "delivered", "failed", "withdrawn"]

ATTEMPTS: Final = 20
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=15)
"""Twenty attempts, each up to fifteen minutes after the one before: an outage of four hours."""


class Notification(msgspec.Struct, frozen=True):
    """What the next decision needs; `plan` is None as long as nothing was planned.

    `attempts` counts those that were begun, and `unsure` says that of one nobody knows the end.
    `failing_since` is the first failure of those that nothing but failures followed.
    """

    version: int = 0
    plan: facts.NotificationPlanned | None = None
    status: Status = "waiting"
    attempts: int = 0
    begun: bool = False
    unsure: bool = False
    due: datetime | None = None
    error: str | None = None
    planned_at: datetime | None = None
    ended_at: datetime | None = None
    failing_since: datetime | None = None
    digest_id: UUID | None = None
    recorded_at: datetime | None = None

    @property
    def reached(self) -> bool:
        """Whether whoever reads the channel knows of it, or may."""
        return self.status == "delivered" or self.unsure or self.begun


NOTHING: Final = Notification()


def fold(stream: Iterable[facts.Recorded], state: Notification = NOTHING) -> Notification:
    """The notification that a stream's facts lead to."""
    for recorded in stream:
        state = evolve(state, recorded)
    return state


def evolve(state: Notification, recorded: facts.Recorded) -> Notification:
    """Fold one fact in. Never refuses: what happened, happened."""
    at = recorded.recorded_at
    then = replace(state, version=recorded.version, recorded_at=at)
    match recorded.fact:
        case facts.NotificationPlanned() as plan:
            return replace(then, plan=plan, due=plan.due, planned_at=at)
        case facts.NotificationBegun(attempt=attempt):
            return replace(then, attempts=attempt, begun=True, unsure=state.reached)
        case facts.NotificationDelivered(digest_id=digest_id):
            done = replace(then, status="delivered", begun=False, error=None, digest_id=digest_id)
            return replace(done, ended_at=at, due=None, failing_since=None)
        case facts.NotificationFailed(error=error, retry_at=retry_at):
            since = state.failing_since or at
            failed = replace(then, begun=False, error=error, failing_since=since, due=retry_at)
            return failed if retry_at else replace(failed, status="failed", ended_at=at)
        case facts.NotificationWithdrawn(reason=reason):
            over = replace(then, status="withdrawn", error=reason, begun=False)
            return replace(over, ended_at=at, due=None)
        case _:  # a stranger in the stream means nothing to a notification
            return then


# --- what is planned -------------------------------------------------------------------------


class Standing(msgspec.Struct, frozen=True):
    """How an alert stands, and at which position of the log it was raised last, 0 if never."""

    state: alert.Alert
    raised: int

    def silent(self, now: datetime) -> bool:
        """Whether somebody wants to hear no more of it now."""
        return self.state.muted_until is not None and now < self.state.muted_until

    def stands(self, position: int) -> bool:
        """Whether what was raised at a position is what stands now."""
        return self.state.is_active and self.raised == position


def standing(stream: Iterable[facts.Recorded]) -> Standing:
    """How the alert stands that a stream's facts are about."""
    state, raised = alert.QUIET, 0
    for recorded in stream:
        state = alert.evolve(state, recorded)
        if isinstance(recorded.fact, facts.AlertRaised):
            raised = recorded.position
    return Standing(state, raised)


def wants(told: facts.ChannelConfigured, fact: facts.OfAlert | facts.OfNotification) -> bool:
    """Whether a channel is for such alerts."""
    return (
        told.enabled
        and (not told.severities or fact.severity in told.severities)
        and (not told.rules or fact.rule in told.rules)
        and (not told.symbols or fact.symbol in told.symbols)
        and (not told.portfolios or fact.portfolio_id in told.portfolios)
    )


def planned(
    way: channel.Channel, recorded: facts.Recorded, alerted: Standing, now: datetime
) -> facts.NotificationPlanned | None:
    """What a channel is to be told of an alert's fact, if it is: a raise that stands, or an end.

    Whether the channel has been told of the raise, without which there is no end to tell, is for
    whoever asks to know.
    """
    match recorded.fact:
        case facts.AlertRaised() as raised if (
            wants(way.told, raised)
            and recorded.recorded_at >= way.since
            and reason_against(recorded.position, alerted, now) is None
        ):
            escalation = way.told.escalation
            wait = None if escalation is None else timedelta(minutes=escalation.after_minutes)
            return replace(
                _planned(way.told, recorded, raised, raised.message, now),
                escalate_at=None if wait is None else recorded.recorded_at + wait,
                escalate_to=None if escalation is None else escalation.to,
            )
        case facts.AlertCleared() as cleared if way.told.enabled and way.told.cleared:
            text = f"{cleared.symbol} {cleared.rule} is over: {cleared.reason}"
            return replace(_planned(way.told, recorded, cleared, text, now), alert="cleared")
        case _:
            return None


def escalates(way: channel.Channel | None, plan: facts.NotificationPlanned) -> bool:
    """Whether the channel, as it is now, still sends on to another what it told."""
    if way is None or not way.told.enabled or way.told.escalation is None:
        return False
    return way.told.escalation.to == plan.escalate_to


def escalated(
    way: channel.Channel, first: facts.NotificationPlanned, now: datetime
) -> facts.NotificationPlanned:
    """What another channel is told of an alert that nobody has acknowledged."""
    at, gathered = _due(way.told, first.severity, now)
    return replace(
        first,
        channel=way.told.channel,
        alert="escalated",
        message=f"Not acknowledged yet: {first.message}",
        due=at,
        gathered=gathered,
        escalate_at=None,
        escalate_to=None,
    )


def _planned(
    told: facts.ChannelConfigured,
    recorded: facts.Recorded,
    fact: facts.OfAlert,
    message: str,
    now: datetime,
) -> facts.NotificationPlanned:
    due, gathered = _due(told, fact.severity, now)
    return facts.NotificationPlanned(
        channel=told.channel,
        alert_id=recorded.stream_id,
        alert_position=recorded.position,
        alert="raised",
        severity=fact.severity,
        symbol=fact.symbol,
        rule=fact.rule,
        portfolio_id=fact.portfolio_id,
        wheel_id=fact.wheel_id,
        message=message,
        due=due,
        gathered=gathered,
    )


def _due(
    told: facts.ChannelConfigured, severity: facts.Severity, now: datetime
) -> tuple[datetime, bool]:
    """When it may be sent, and whether in a digest: one that falls into quiet hours waits too."""
    if _passes(told, severity):
        return now, False
    due = now if told.digest is None else hours.next_digest(told.digest, now)
    return hours.quiet_until(told.quiet, due) or due, told.digest is not None


def _passes(told: facts.ChannelConfigured, severity: facts.Severity) -> bool:
    return severity == "HIGH" and told.high_passes


# --- what becomes of it ----------------------------------------------------------------------


def held_until(
    told: facts.ChannelConfigured, plan: facts.NotificationPlanned, now: datetime
) -> datetime | None:
    """When the quiet hours end that hold it back, however long it has been due."""
    return None if _passes(told, plan.severity) else hours.quiet_until(told.quiet, now)


def unwanted(way: channel.Channel | None, state: Notification) -> str | None:
    """Why the channel, as it is now, is not to be told what was planned for it."""
    plan, planned_at = state.plan, state.planned_at
    assert plan is not None
    assert planned_at is not None
    if way is None or planned_at < way.since:
        return "the channel was removed"
    if not way.told.enabled:
        return "the channel is switched off"
    match plan.alert:
        case "raised" if not wants(way.told, plan):
            return "the channel is not for such alerts any more"
        case "cleared" if not way.told.cleared:
            return "the channel is not told any more what is over"
        case _:
            return None


def reason_against(position: int, alerted: Standing, now: datetime) -> str | None:
    """Why a raise is no news any more, if it is none."""
    if not alerted.stands(position):
        return "the alert is over"
    if alerted.state.acknowledged:
        return "somebody has acknowledged it"
    return "somebody has muted it" if alerted.silent(now) else None


def begun(state: Notification) -> facts.NotificationBegun:
    """It is being sent."""
    return facts.NotificationBegun(**_whose(state), attempt=state.attempts + 1)


def delivered(state: Notification, digest_id: UUID | None = None) -> facts.NotificationDelivered:
    """The channel took it."""
    return facts.NotificationDelivered(**_whose(state), attempt=state.attempts, digest_id=digest_id)


def failed(
    state: Notification, stream_id: UUID, error: str, now: datetime
) -> facts.NotificationFailed:
    """The channel did not take it: tried again later, and given up after many times."""
    again = None
    if state.attempts < ATTEMPTS:
        again = now + pause(stream_id, state.attempts)
    return facts.NotificationFailed(
        **_whose(state), attempt=state.attempts, error=error, retry_at=again
    )


def withdrawn(state: Notification, reason: str) -> facts.NotificationWithdrawn:
    """There is no more reason to send it."""
    return facts.NotificationWithdrawn(**_whose(state), reason=reason)


def pause(stream_id: UUID, attempt: int) -> timedelta:
    """How long to wait after an attempt: twice as long each time, give or take a half.

    What is given or taken is the notification's own, so that many that failed together do not
    come back together, and a decision can be made a second time.
    """
    longest = min(FIRST_PAUSE * 2.0 ** min(attempt - 1, 10), LONGEST_PAUSE)
    share = zlib.crc32(stream_id.bytes + bytes([attempt % 256])) / 2**32
    return longest * (0.5 + share)


def _whose(state: Notification) -> dict[str, Any]:
    """The fields that every fact of a notification carries, as they were planned."""
    assert state.plan is not None
    return {field: getattr(state.plan, field) for field in facts.OfNotification.__struct_fields__}
