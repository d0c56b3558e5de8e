"""An alert: what one rule has to say about one open option.

quiet ──AlertRaised──▶ active ──AlertAcknowledged, AlertMuted──▶ active, and seen or silent
  ▲ ◀──AlertCleared─────┘

The watch raises and clears; a person acknowledges and mutes, and neither ends it: an alert
is over when its reason is, or when a person dismisses it. Raising what is raised and clearing
what is quiet changes nothing, so that a watch that starts anew, or two of them, never tell the
same thing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from domain import commands, facts, moments, refusals


class Raise(msgspec.Struct, frozen=True):
    """Tell about a position; what there is to tell is the fact itself."""

    alert: facts.AlertRaised


class Clear(msgspec.Struct, frozen=True):
    """Say that it is over, why, and at what price of the share, in USD, if one mattered."""

    reason: str
    price: Decimal | None = None


class Acknowledge(commands.Command, frozen=True, kw_only=True):
    """I have seen it."""


class Mute(commands.Command, frozen=True, kw_only=True):
    """I want to hear no more of it before `until`: an instant, or the end of a New York date."""

    until: commands.Moment


class Dismiss(commands.Command, frozen=True, kw_only=True):
    """I want it to be over; it is raised again when its reason begins anew, or the watch does."""


Command = Raise | Clear | Acknowledge | Mute | Dismiss


class Alert(msgspec.Struct, frozen=True):
    """What the next decision needs; `told` is what was raised last, active or not.

    Raised again it is unseen again, but still silent: a mute is about the alert, until its hour.
    """

    version: int = 0
    is_active: bool = False
    told: facts.AlertRaised | None = None
    raised_at: datetime | None = None
    acknowledged: bool = False
    muted_until: datetime | None = None


QUIET = Alert()


def fold(history: Iterable[facts.Recorded], alert: Alert = QUIET) -> Alert:
    """The alert that a stream's facts lead to."""
    for recorded in history:
        alert = evolve(alert, recorded)
    return alert


def evolve(alert: Alert, recorded: facts.Recorded) -> Alert:
    """Fold one fact in. Never refuses: what happened, happened."""
    return replace(_after(alert, recorded), version=recorded.version)


def _after(alert: Alert, recorded: facts.Recorded) -> Alert:
    match recorded.fact:
        case facts.AlertRaised() as told:
            return Alert(
                is_active=True,
                told=told,
                raised_at=recorded.effective_at,
                muted_until=alert.muted_until,
            )
        case facts.AlertCleared():
            return replace(alert, is_active=False)
        case facts.AlertAcknowledged():
            return replace(alert, acknowledged=True)
        case facts.AlertMuted(until=until):
            return replace(alert, muted_until=until)
        case _:  # a stranger in the stream means nothing to an alert
            return alert


def law(alert: Alert, fact: facts.AlertFact) -> refusals.Refusal | None:
    """Why this fact could not happen to this alert, if it could not."""
    match fact:
        case facts.AlertRaised() if alert.is_active:
            return refusals.OutOfTurn("the alert is raised already")
        case facts.AlertCleared() if not alert.is_active:
            return refusals.OutOfTurn("the alert is not raised")
        case facts.AlertAcknowledged() | facts.AlertMuted() if not alert.is_active:
            return refusals.OutOfTurn(
                "the alert is not raised, or not any more", expected="a raised alert"
            )
        case (
            facts.AlertRaised()
            | facts.AlertCleared()
            | facts.AlertAcknowledged()
            | facts.AlertMuted()
        ):
            return None
        case _:
            assert_never(fact)


def decide(alert: Alert, command: Command, now: datetime) -> list[facts.AlertFact]:
    """What the command leads to: one fact, or none where it would change nothing.

    Raises refusals.OutOfTurn for a person's word on an alert that is not raised, and
    refusals.Invalid for an `until` that is no instant or not ahead.
    """
    match command:
        case Raise(alert=told):
            return [] if alert.is_active else [told]
        case Clear(reason=reason, price=price) if alert.is_active:
            return [facts.AlertCleared(**_whose(alert), reason=reason, price=price)]
        case Clear():
            return []
        case Dismiss():
            return [_lawful(alert, facts.AlertCleared(**_whose(alert), reason="dismissed by hand"))]
        case Acknowledge():
            seen = _lawful(alert, facts.AlertAcknowledged(**_whose(alert)))
            return [] if alert.acknowledged else [seen]
        case Mute(until=until):
            ahead = _ahead(until, now)
            silent = _lawful(alert, facts.AlertMuted(**_whose(alert), until=ahead))
            return [] if alert.muted_until == ahead else [silent]
        case _:
            assert_never(command)


def _lawful(alert: Alert, fact: facts.AlertFact) -> facts.AlertFact:
    if refusal := law(alert, fact):
        raise refusal
    return fact


def _whose(alert: Alert) -> dict[str, Any]:
    """The fields that every fact of an alert carries, as they were when it was raised."""
    if alert.told is None:
        raise refusals.OutOfTurn("the alert was never raised", expected="a raised alert")
    return {field: getattr(alert.told, field) for field in facts.OfAlert.__struct_fields__}


def _ahead(text: str, now: datetime) -> datetime:
    """The instant that a person named, if it is still to come."""
    until = moments.until("until", text)
    if until is None or until <= now:
        raise refusals.Invalid("until", text, "must be in the future")
    return until
