"""A wheel's story with its income under every policy, kept ready for the next fact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain import facts, history, money, policies
from domain import trade as trades
from domain import wheel as wheels
from domain.story import Story, heard
from projections import answers

Key = tuple[policies.Policy, date, policies.Kind]
Income = dict[Key, Decimal]


class Books(msgspec.Struct, frozen=True):
    """The exact income of a story by policy, New York day and kind, and the count of its trades."""

    story: Story
    income: Income = {}
    tally: answers.Tally = answers.Tally()

    def then(self, recorded: facts.Recorded) -> Books:
        """The books with one more fact; a late or amending one has them written anew."""
        after = self.story.then(recorded)
        if after.line[:-1] != self.story.line:
            return _written(after)
        tally = self.tally
        for trade in changed_trades(self.story, after):
            before = self.story.wheel.trades.get(trade.id)
            tally = tally.plus(answers.tally(trade))
            tally = tally if before is None else tally.minus(answers.tally(before))
        income = dict(self.income)
        booked(income, self.story.wheel, after.line[-1:])
        return Books(after, income, tally)


def _written(story: Story) -> Books:
    """Books written anew, the story's wheel folded on the way."""
    income: Income = {}
    state = booked(income, wheels.Wheel(), story.line)
    tally = answers.Tally()
    for trade in state.trades.values():
        tally = tally.plus(answers.tally(trade))
    return Books(msgspec.structs.replace(story, wheel=state), income, tally)


def changed_trades(before: Story, after: Story) -> list[trades.Trade]:
    """The trades of `after` that are not the same in `before`."""
    old = before.wheel.trades
    return [
        trade
        for trade in after.wheel.trades.values()
        if (known := old.get(trade.id)) is not trade and known != trade
    ]


def booked(income: Income, state: wheels.Wheel, entries: Iterable[history.Entry]) -> wheels.Wheel:
    """Add the amounts of further entries to an income; answer where they lead."""
    for entry in entries:
        for policy in policies.POLICIES:
            for amount in policies.amounts(policy, state, entry):
                key = (policy, amount.date, amount.kind)
                income[key] = income.get(key, money.ZERO) + amount.amount
        state = wheels.evolve(state, entry)
    return state


def opened(
    wheel_id: UUID,
    stream: Sequence[facts.Recorded],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Books:
    """The books of a stream as known at one instant, of what had happened by another."""
    return _written(heard(wheel_id, stream, as_of=as_of, known_at=known_at))
