"""A wheel's story with what it books by the day, kept ready for the next fact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import add
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain import calendar, facts, history, money, policies
from domain import trade as trades
from domain import wheel as wheels
from domain.story import Story, heard
from projections import answers

Amounts = tuple[int, ...]
Rows = dict[tuple[str, ...], Amounts]
"""Amounts by key, as projections.daily has its columns; a row of nothing but zeros is none."""
_KINDS: tuple[policies.Kind, ...] = ("option", "stock", "dividend")


class Days(NamedTuple):
    """The rows of each of daily.BOOKS, in whole cents and counts."""

    income: Rows
    activity: Rows
    capital: Rows


NOTHING = Days({}, {}, {})


class Books(msgspec.Struct, frozen=True):
    """A story, and what it books by the day.

    `since` is when the first of its facts happened. A wheel is there from then on, with its
    capital, also where it was set up only later.
    """

    story: Story
    days: Days = NOTHING
    since: datetime | None = None

    def then(self, recorded: facts.Recorded) -> Books:
        """The books with one more fact; a late or amending one has them written anew."""
        before, after = self.story, self.story.then(recorded)
        if self.since is None or after.line[:-1] != before.line or _since(after) != self.since:
            return _written(after)
        days = Days(*map(dict, self.days))
        for entry in after.line[-1:]:
            _enter(days, before.wheel, entry, after.wheel, self.since)
        for trade in changed_trades(before, after):
            if trade.id in before.wheel.trades:
                _count(days.activity, before.wheel.trades[trade.id], -1)
            _count(days.activity, trade)
        return Books(after, days, self.since)


def _written(story: Story) -> Books:
    """Books written anew, the story's wheel folded on the way."""
    days, state, since = Days({}, {}, {}), wheels.Wheel(), _since(story)
    for entry in story.line:
        after = wheels.evolve(state, entry)
        _enter(days, state, entry, after, since)
        state = after
    for trade in state.trades.values():
        _count(days.activity, trade)
    return Books(msgspec.structs.replace(story, wheel=state), days, since)


def _since(story: Story) -> datetime | None:
    """When its first fact happened: the start sorts first whenever it was, the others by time."""
    return min((each.effective_at for each in story.line[:2]), default=None)


def changed_trades(before: Story, after: Story) -> list[trades.Trade]:
    """The trades of `after` that are not the same in `before`."""
    old = before.wheel.trades
    return [
        trade
        for trade in after.wheel.trades.values()
        if (known := old.get(trade.id)) is not trade and known != trade
    ]


def _enter(
    days: Days,
    before: wheels.Wheel,
    entry: history.Entry,
    after: wheels.Wheel,
    since: datetime | None,
) -> None:
    """Book the income and the capital of an entry that led from one state to the next."""
    if isinstance(entry.fact, facts.TradeNoted):
        return
    starts = isinstance(entry.fact, facts.WheelStarted)
    day = _day(since if starts and since else entry.effective_at)
    for policy in policies.POLICIES:
        for each in policies.amounts(policy, before, entry):
            amounts = [0, 0, 0]
            amounts[_KINDS.index(each.kind)] = money.in_cents(each.amount)
            _book(days.income, (policy, day), tuple(amounts))
    came = tied = money.ZERO
    if after.capital is not before.capital or after.in_kind is not before.in_kind:
        came = after.capital + after.in_kind - before.capital - before.in_kind
    if after.trades is not before.trades:
        tied += after.collateral_in_use - before.collateral_in_use
    if after.lots is not before.lots:
        tied += after.basis - before.basis
    if came or tied:
        _book(days.capital, (day,), (money.in_cents(came), money.in_cents(tied)))


def _count(rows: Rows, trade: trades.Trade, times: int = 1) -> None:
    """Count a trade's sale on the day it was opened, its end on the day it ended; -1: take out."""
    whole = answers.tally(trade)
    usd = map(money.in_cents, (whole.gross, whole.net, whole.fees))
    sale = (1, *usd, 0, 0, 0, 0, 0)
    _book(rows, (_day(trade.opened_at), trade.direction), tuple(times * each for each in sale))
    if whole.ended:
        end = (0, 0, 0, 0, 1, whole.wins, whole.losses, whole.assigned, whole.called_away)
        day = _day(trade.closings[-1].at)
        _book(rows, (day, trade.direction), tuple(times * each for each in end))


def _day(instant: datetime) -> str:
    return calendar.trading_day(instant).isoformat()


def _book(rows: Rows, key: tuple[str, ...], amounts: Amounts) -> None:
    """Add amounts to a row."""
    if (known := rows.get(key)) is not None:
        amounts = tuple(map(add, known, amounts))
    if any(amounts):
        rows[key] = amounts
    else:
        rows.pop(key, None)


def opened(
    wheel_id: UUID,
    stream: Sequence[facts.Recorded],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Books:
    """The books of a stream as known at one instant, of what had happened by another."""
    return _written(heard(wheel_id, stream, as_of=as_of, known_at=known_at))
