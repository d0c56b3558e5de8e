"""An opportunity: a contract worth selling, as a scan found it on one New York day.

 ──OpportunityFound──▶ unread ──OpportunityRead──▶ read

Finding again on the same day what was found already changes nothing, so that two scans, or one
that starts anew, never tell the same thing twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import assert_never

import msgspec
from msgspec.structs import replace

from domain import commands, facts, refusals


class Find(msgspec.Struct, frozen=True):
    """Tell of a contract; what there is to tell is the fact itself."""

    found: facts.OpportunityFound


class Read(commands.Command, frozen=True, kw_only=True):
    """I have looked at it."""


Command = Find | Read


class Opportunity(msgspec.Struct, frozen=True):
    """What the next decision needs; `found` is None as long as nothing was."""

    version: int = 0
    found: facts.OpportunityFound | None = None
    found_at: datetime | None = None
    recorded_at: datetime | None = None
    is_read: bool = False


NOTHING = Opportunity()


def fold(stream: Iterable[facts.Recorded], opportunity: Opportunity = NOTHING) -> Opportunity:
    """The opportunity that a stream's facts lead to."""
    for recorded in stream:
        opportunity = evolve(opportunity, recorded)
    return opportunity


def evolve(opportunity: Opportunity, recorded: facts.Recorded) -> Opportunity:
    """Fold one fact in. Never refuses: what happened, happened."""
    then = replace(opportunity, version=recorded.version, recorded_at=recorded.recorded_at)
    match recorded.fact:
        case facts.OpportunityFound() as found:
            return replace(then, found=found, found_at=recorded.effective_at)
        case facts.OpportunityRead():
            return replace(then, is_read=True)
        case _:  # a stranger in the stream means nothing to an opportunity
            return then


def law(opportunity: Opportunity, fact: facts.OpportunityFact) -> refusals.Refusal | None:
    """Why this fact could not happen to this opportunity, if it could not."""
    match fact:
        case facts.OpportunityFound() if opportunity.found is not None:
            return refusals.OutOfTurn("it was found already on that day")
        case facts.OpportunityFound():
            return _senseless(fact)
        case facts.OpportunityRead() if opportunity.found is None:
            return refusals.OutOfTurn("it was never found", expected="an opportunity")
        case facts.OpportunityRead() if opportunity.is_read:
            return refusals.OutOfTurn("it was read already")
        case facts.OpportunityRead():
            return None
        case _:
            assert_never(fact)


def decide(opportunity: Opportunity, command: Command) -> list[facts.OpportunityFact]:
    """What the command leads to: one fact, or none where it would change nothing.

    Raises refusals.OutOfTurn for reading what was never found, and refusals.Invalid for a find
    whose figures are none, or whose contract has ended.
    """
    match command:
        case Find(found=found):
            return [] if opportunity.found is not None else [_lawful(opportunity, found)]
        case Read():
            return [] if opportunity.is_read else [_lawful(opportunity, _read(opportunity))]
        case _:
            assert_never(command)


def _lawful(opportunity: Opportunity, fact: facts.OpportunityFact) -> facts.OpportunityFact:
    if refusal := law(opportunity, fact):
        raise refusal
    return fact


def _read(opportunity: Opportunity) -> facts.OpportunityRead:
    found = opportunity.found
    if found is None:
        raise refusals.OutOfTurn("it was never found", expected="an opportunity")
    fields = facts.OfOpportunity.__struct_fields__
    return facts.OpportunityRead(**{field: getattr(found, field) for field in fields})


def _senseless(found: facts.OpportunityFound) -> refusals.Invalid | None:
    """What cannot be meant in a find: what is written down must be readable for ever."""
    for field, value in msgspec.structs.asdict(found).items():
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            return refusals.Invalid(field, value, "must be a finite number")
    if found.expiration_date < found.day:
        return refusals.Invalid(
            "expiration_date", found.expiration_date, f"must not be before its day, {found.day}"
        )
    return None
