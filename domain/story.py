"""One wheel's whole life as it is believed now, kept ready for the next fact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from domain import facts, history
from domain import trade as trades
from domain import wheel as wheels


class Story(msgspec.Struct, frozen=True):
    """Entries by version (voided ones too), those that stand in order, and where they lead."""

    wheel_id: UUID
    version: int = 0
    recorded_at: datetime | None = None
    entries: dict[int, history.Entry] = {}
    line: tuple[history.Entry, ...] = ()
    wheel: wheels.Wheel = wheels.Wheel()

    def then(self, recorded: facts.Recorded) -> Story:
        """The story with one more fact: folded on where it comes last, else told anew."""
        if isinstance(recorded.fact, facts.Amendment):
            return self._amended(recorded, recorded.fact)
        new = history.entry(recorded)
        if self.line and new.order < self.line[-1].order:
            return self._retold(recorded, {**self.entries, new.version: new})
        return msgspec.structs.replace(
            self,
            version=recorded.version,
            recorded_at=recorded.recorded_at,
            entries={**self.entries, new.version: new},
            line=(*self.line, new),
            wheel=wheels.evolve(self.wheel, new),
        )

    def _amended(self, recorded: facts.Recorded, amendment: facts.Amendment) -> Story:
        after = history.amended(self.entries, recorded.version, amendment)
        entries = self.entries if after is None else {**self.entries, after.version: after}
        return self._retold(recorded, entries)

    def _retold(self, recorded: facts.Recorded, entries: dict[int, history.Entry]) -> Story:
        line = tuple(history.timeline(entries.values()))
        return Story(
            self.wheel_id,
            recorded.version,
            recorded.recorded_at,
            entries,
            line,
            wheels.fold(line),
        )

    def wheel_at(self, at: datetime) -> wheels.Wheel:
        """The wheel as of an instant, as it is believed now."""
        if not self.line or self.line[-1].effective_at <= at:
            return self.wheel
        return wheels.fold(history.timeline(self.entries.values(), at))

    @property
    def voided_trades(self) -> dict[UUID, trades.Trade]:
        """Trades whose sale was voided, as they stood by themselves."""
        found = {}
        for each in self.entries.values():
            if each.voided and isinstance(each.fact, facts.OptionSold):
                alone = wheels.evolve(wheels.Wheel(started=True), each)
                found[each.fact.trade_id] = alone.trades[each.fact.trade_id]
        return found


def told(
    wheel_id: UUID,
    stream: Sequence[facts.Recorded],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Story:
    """The story of a stream as it was known at one instant, of what had happened by another."""
    story = heard(wheel_id, stream, as_of=as_of, known_at=known_at)
    return msgspec.structs.replace(story, wheel=wheels.fold(story.line))


def heard(
    wheel_id: UUID,
    stream: Sequence[facts.Recorded],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Story:
    """The same with its wheel not folded yet, for who folds it with something else beside."""
    known = stream if known_at is None else [r for r in stream if r.recorded_at <= known_at]
    if not known:
        return Story(wheel_id)
    entries = history.believed(known)
    if as_of is not None:
        entries = {version: each for version, each in entries.items() if each.happened(as_of)}
    line = tuple(history.timeline(entries.values()))
    return Story(wheel_id, known[-1].version, known[-1].recorded_at, entries, line)


def continued(told_so_far: Story, more: Iterable[facts.Recorded]) -> Story:
    """A story with further facts, one after the other."""
    for recorded in more:
        told_so_far = told_so_far.then(recorded)
    return told_so_far
