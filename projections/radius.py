"""What an order would reach beyond its own fact: a story before it and after, compared.

A late fact, a correction or a void changes what later facts came to. Everything here is a pure
function of the two stories, and of the alerts that were raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import msgspec

from domain import facts, history, money, policies
from domain import trade as trades
from domain import wheel as wheels
from domain.story import Story
from projections import answers

K = TypeVar("K")
V = TypeVar("V")
_Sums = dict[tuple[policies.Policy, str, policies.Kind], Decimal]


class TradeReached(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that would not be what it is; `before` is null for one that would be new."""

    trade_id: UUID
    before: answers.Trade | None
    after: answers.Trade | None


class CycleReached(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that would not be what it is; null where there is none of that number."""

    number: int
    before: answers.Cycle | None
    after: answers.Cycle | None


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy books in a month, in USD; `realized_pnl` is the sum of the three."""

    option_income: Decimal
    stock_gain: Decimal
    dividends: Decimal
    realized_pnl: Decimal


class MonthReached(msgspec.Struct, frozen=True, kw_only=True):
    """A month (2026-01, of New York dates) that would come to something else under a policy."""

    policy: policies.Policy
    month: str
    before: Booked
    after: Booked


class AlertReached(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that would not have been raised so, and why."""

    alert_id: UUID
    trade_id: UUID
    rule: str
    severity: facts.Severity
    raised_at: datetime
    message: str
    why: str


class Radius(msgspec.Struct, frozen=True, kw_only=True):
    """All that would be different; empty lists where nothing would."""

    trades: list[TradeReached]
    cycles: list[CycleReached]
    months: list[MonthReached]
    alerts: list[AlertReached]


def of(
    before: Story, after: Story, raised: Iterable[facts.Recorded], judged_at: datetime
) -> Radius:
    """The radius between two stories of one wheel, one the other's continuation.

    `raised` are the raisings of alerts on the trades touched; what is open at `judged_at`, past
    its expiration, lacks evidence.
    """
    return Radius(
        trades=_trades(before, after, judged_at),
        cycles=_cycles(before, after),
        months=_months(before, after),
        alerts=list(_alerts(before, after, raised)),
    )


def touched(before: Story, after: Story) -> list[UUID]:
    """The trades that are not the same in both."""
    return [trade_id for trade_id, _, _ in _different(_all_trades(before), _all_trades(after))]


def _all_trades(story: Story) -> dict[UUID, tuple[trades.Trade, bool]]:
    """Every trade, and whether it is voided."""
    found = {each: (trade, True) for each, trade in story.voided_trades.items()}
    return found | {each: (trade, False) for each, trade in story.wheel.trades.items()}


def _trades(before: Story, after: Story, judged_at: datetime) -> list[TradeReached]:
    def told(story: Story, found: tuple[trades.Trade, bool] | None) -> answers.Trade | None:
        if found is None:
            return None
        trade, voided = found
        return answers.trade(story, trade, judged_at, voided=voided)

    return [
        TradeReached(trade_id=trade_id, before=told(before, was), after=told(after, would))
        for trade_id, was, would in _different(_all_trades(before), _all_trades(after))
    ]


def _different(old: Mapping[K, V], new: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """What one has and the other has not, or has otherwise: the key, and both."""
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def _cycles(before: Story, after: Story) -> list[CycleReached]:
    def told(cycle: wheels.Cycle | None) -> answers.Cycle | None:
        return None if cycle is None else answers.cycle(after.wheel_id, cycle)

    old, new = ({each.number: each for each in story.wheel.cycles} for story in (before, after))
    return [
        CycleReached(number=number, before=told(was), after=told(would))
        for number, was, would in _different(old, new)
    ]


def _months(before: Story, after: Story) -> list[MonthReached]:
    """What both lines begin with is booked once."""
    shared = _shared(before.line, after.line)
    old: _Sums = {}
    state = _book(old, wheels.Wheel(), before.line[:shared])
    new = dict(old)
    _book(old, state, before.line[shared:])
    _book(new, state, after.line[shared:])
    months = {(policy, month) for policy, month, _ in (*old, *new)}
    reached = (
        MonthReached(
            policy=policy,
            month=month,
            before=_booked(old, policy, month),
            after=_booked(new, policy, month),
        )
        for policy, month in sorted(months)
    )
    return [each for each in reached if each.before != each.after]


def _book(sums: _Sums, state: wheels.Wheel, line: Iterable[history.Entry]) -> wheels.Wheel:
    """Add every policy's amounts to the sums; answer where the line leads."""
    for entry in line:
        for policy in policies.POLICIES:
            for amount in policies.amounts(policy, state, entry):
                key = (policy, f"{amount.date:%Y-%m}", amount.kind)
                sums[key] = sums.get(key, money.ZERO) + amount.amount
        state = wheels.evolve(state, entry)
    return state


def _booked(sums: _Sums, policy: policies.Policy, month: str) -> Booked:
    kinds: tuple[policies.Kind, ...] = ("option", "stock", "dividend")
    option, stock, dividend = (
        money.cents(sums.get((policy, month, kind), money.ZERO)) for kind in kinds
    )
    return Booked(
        option_income=option,
        stock_gain=stock,
        dividends=dividend,
        realized_pnl=option + stock + dividend,
    )


def _shared(one: Sequence[history.Entry], other: Sequence[history.Entry]) -> int:
    """How many entries both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a is not b and a != b), min(len(one), len(other)))


def _alerts(
    before: Story, after: Story, raised: Iterable[facts.Recorded]
) -> Iterator[AlertReached]:
    """The alerts whose option was not, when they were raised, what it was taken for."""
    in_order = sorted(raised, key=lambda each: each.effective_at)
    instants = [each.effective_at for each in in_order]
    were, would = _wheels_at(before, instants), _wheels_at(after, instants)
    for each, was, then in zip(in_order, were, would, strict=True):
        told = each.fact
        assert isinstance(told, facts.AlertRaised)
        assert told.trade_id is not None
        why = _why(was.trades.get(told.trade_id), then.trades.get(told.trade_id))
        if why is not None:
            yield AlertReached(
                alert_id=each.stream_id,
                trade_id=told.trade_id,
                rule=told.rule,
                severity=told.severity,
                raised_at=each.effective_at,
                message=told.message,
                why=why,
            )


def _wheels_at(story: Story, instants: Iterable[datetime]) -> Iterator[wheels.Wheel]:
    """The wheel as of each of some instants in order, folded once."""
    state, waiting = wheels.Wheel(), list(reversed(story.line))
    for instant in instants:
        while waiting and (
            waiting[-1].effective_at <= instant or isinstance(waiting[-1].fact, facts.WheelStarted)
        ):
            state = wheels.evolve(state, waiting.pop())
        yield state


def _why(was: trades.Trade | None, then: trades.Trade | None) -> str | None:
    """What a rule would not have seen so; None where it would have seen the same."""
    if was is None or not was.open_contracts:
        return None  # it was raised on what is believed no more already
    if then is None:
        return "the trade would not have been open then"
    if not then.open_contracts:
        return "the trade would have ended by then"
    for field in ("direction", "strike", "expiration_date"):
        if getattr(was, field) != getattr(then, field):
            return f"the {field} would have been {getattr(then, field)}, not {getattr(was, field)}"
    return None
