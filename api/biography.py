"""A trade's whole record: what was learned of it, when, and what was believed afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from api.shapes.trades import FieldChanged, Moment
from domain import facts, history, refusals
from domain import trade as trades
from domain.story import Story, told
from projections import answers


class _Step(msgspec.Struct, frozen=True):
    """A fact that touched the trade, and the stories on both sides of it."""

    recorded: facts.Recorded
    before: Story
    after: Story


def of(
    wheel_id: UUID,
    stream: Sequence[facts.Recorded],
    trade_id: UUID,
    *,
    as_of: datetime | None,
    judged_at: datetime,
) -> list[Moment]:
    """The moments of a trade, in the order in which they were recorded.

    `stream` is what was known of its wheel. Beside the trade's own facts there are those that
    changed it: a split, say, or a correction of an earlier cycle. What is believed to have
    happened after `as_of` is left out. Raises refusals.Unknown for a trade that was not there.
    """
    believed = history.believed(stream)
    steps = [
        step
        for step in _steps(wheel_id, stream, trade_id)
        if as_of is None or believed[_about(step.recorded)].happened(as_of)
    ]
    moments = [_moment(step, trade_id, as_of, step.recorded.recorded_at) for step in steps[:-1]]
    moments += [_moment(step, trade_id, as_of, judged_at) for step in steps[-1:]]
    if not moments or moments[-1].after is None:
        raise refusals.Unknown("trade", trade_id)
    return moments


def _about(recorded: facts.Recorded) -> int:
    """The version of the fact that something recorded is, or amends."""
    fact = recorded.fact
    return fact.fact_version if isinstance(fact, facts.Amendment) else recorded.version


def _steps(wheel_id: UUID, stream: Sequence[facts.Recorded], trade_id: UUID) -> Iterator[_Step]:
    """Every fact that names the trade, amends one that does, or leaves the trade another."""
    own: set[int] = set()
    sold = next((n for n, each in enumerate(stream) if _names(each, trade_id)), len(stream))
    before = told(wheel_id, stream[:sold])
    for recorded in stream[sold:]:
        after = before.then(recorded)
        if _names(recorded, trade_id):
            own.add(recorded.version)
        if _about(recorded) in own or _trade(before, trade_id) != _trade(after, trade_id):
            yield _Step(recorded, before, after)
        before = after


def _names(recorded: facts.Recorded, trade_id: UUID) -> bool:
    return getattr(recorded.fact, "trade_id", None) == trade_id


def _trade(
    story: Story, trade_id: UUID, as_of: datetime | None = None
) -> tuple[trades.Trade, bool] | None:
    """A trade as it is believed to have been, and whether it is voided."""
    wheel = story.wheel if as_of is None else story.wheel_at(as_of)
    if trade_id in wheel.trades:
        return wheel.trades[trade_id], False
    voided = story.voided_trades.get(trade_id)
    if voided is None or (as_of is not None and voided.opened_at > as_of):
        return None
    return voided, True


def _moment(step: _Step, trade_id: UUID, as_of: datetime | None, judged_at: datetime) -> Moment:
    recorded, fact = step.recorded, step.recorded.fact
    assert isinstance(fact, facts.WheelFact | facts.Amendment)
    amends = fact if isinstance(fact, facts.Amendment) else None
    found = _trade(step.after, trade_id, as_of)
    return Moment(
        position=recorded.position,
        version=recorded.version,
        name=recorded.name,
        recorded_at=recorded.recorded_at,
        effective_at=recorded.effective_at,
        source=recorded.source,
        external_id=recorded.external_id,
        notes=recorded.notes,
        amends=None if amends is None else amends.fact_version,
        reason=None if amends is None else amends.reason,
        changes=[] if amends is None else _changes(step, amends.fact_version),
        fact=fact,
        after=None if found is None else _shown(step.after, *found, judged_at),
    )


def _shown(story: Story, trade: trades.Trade, voided: bool, judged_at: datetime) -> answers.Trade:
    return answers.trade(story, trade, judged_at, voided=voided)


def _changes(step: _Step, version: int) -> list[FieldChanged]:
    """What an amendment made of the fields of the fact that it is about."""
    before, after = (_fields(story, version) for story in (step.before, step.after))
    return [
        FieldChanged(field=field, before=before[field], after=after[field])
        for field in after
        if field in before and before[field] != after[field]
    ]


def _fields(story: Story, version: int) -> dict[str, Any]:
    entry = story.entries.get(version)
    if entry is None:
        return {}
    own = {"effective_at": entry.effective_at, "voided": entry.voided}
    return own | msgspec.structs.asdict(entry.fact)
