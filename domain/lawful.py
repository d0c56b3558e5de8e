"""Whether a whole history stays legal with new facts, or amended ones, in place."""

from __future__ import annotations

from collections.abc import Sequence

from domain import (
    calendar,
    facts,
    history,
    law,
    refusals,
)
from domain import wheel as wheels
from domain.story import Story


def uphold(story: Story, recorded: Sequence[facts.Recorded]) -> None:
    """Refuse what cannot stand, or what would break what already stands."""
    if any(isinstance(each.fact, facts.Amendment) for each in recorded):
        uphold_throughout(story, recorded)
        return
    after = story
    for each in recorded:
        entry = history.entry(each)
        if after.line and entry.order < after.line[-1].order:
            uphold_throughout(story, recorded)
            return
        broken = law.law(after.wheel, entry)
        if broken is not None:
            raise broken
        after = after.then(each)


def uphold_throughout(story: Story, recorded: Sequence[facts.Recorded]) -> None:
    """Ask the law of the whole history, before and after."""
    after = story
    for each in recorded:
        after = after.then(each)
    own = {each.version for each in recorded} | {
        each.fact.fact_version for each in recorded if isinstance(each.fact, facts.Amendment)
    }
    unchecked = not any(
        law.entered(after.entries[version]) for version in own if version in after.entries
    )
    before = {version for version, _, _ in _violations(story.line)}
    for version, entry, broken in _violations(after.line):
        if version in own:
            raise broken
        if unchecked and isinstance(broken, refusals.Uncovered | refusals.Undersecured):
            continue  # the past that is brought in may show that coverage was not what it seemed
        if version not in before:
            raise _breaks(entry, broken)


def _violations(
    line: Sequence[history.Entry],
) -> list[tuple[int, history.Entry, refusals.Refusal]]:
    """Every entry of a timeline that its law would have refused."""
    state, found = wheels.Wheel(), []
    for entry in line:
        broken = law.law(state, entry)
        if broken is not None:
            found.append((entry.version, entry, broken))
        state = wheels.evolve(state, entry)
    return found


def _breaks(entry: history.Entry, broken: refusals.Refusal) -> refusals.Refusal:
    """Name the later fact as a trader would; what is recorded twice is twice in either order."""
    if isinstance(broken, refusals.AppliedBefore):
        return broken
    day = calendar.trading_day(entry.effective_at)
    match entry.fact, broken:
        case facts.OptionSold(direction=direction), refusals.Uncovered() | refusals.Undersecured():
            lacking = "uncovered" if isinstance(broken, refusals.Uncovered) else "unsecured"
            message = f"would leave the {direction} sold {day} {lacking}"
        case _:
            name = facts.name_of(type(entry.fact))
            message = f"would break the {name} of {day}: {broken.message}"
    return refusals.BreaksLater(
        message,
        version=entry.version,
        fact=facts.name_of(type(entry.fact)),
        effective_at=entry.effective_at.isoformat(),
        because=broken.message,
    )
