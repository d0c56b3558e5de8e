"""Figures of any history: they agree with a bookkeeper of a few lines, and sum to each other."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import calendar, policies, refusals
from domain import trade as trades
from projections import endings, explained, outcomes, past, sums, timelines, views
from tests.domain.desk import Desk
from tests.projections import histories
from tests.projections.histories import FIRST, LAST, STEPS, History

T = TypeVar("T")
QUICK = settings(max_examples=60, deadline=None)
POLICIES = st.sampled_from(policies.POLICIES)
WHOLE = sums.Span()
SPANS = st.tuples(histories.DAYS, histories.DAYS).map(
    lambda pair: sums.Span(*(FIRST + timedelta(days=each) for each in sorted(pair)))
)
_FIELDS: dict[explained.Figure, str] = {
    "premium_collected": "gross",
    "net_premium": "net",
    "fees": "fees",
    "total_trades": "trades",
    "trades_ended": "ended",
    "winning_trades": "wins",
    "losing_trades": "losses",
    "assignments": "assigned",
    "called_away": "called_away",
}


def asked(history: History, question: Callable[[views.Views], Awaitable[T]]) -> T:
    """What the views of a history answer."""

    async def answer() -> T:
        opened = partial(past.replayed, history.log, past.When(), None)
        async with views.past(opened) as source:
            return await question(source)

    return asyncio.run(answer())


def line(history: History, policy: policies.Policy) -> timelines.Line:
    async def drawn(source: views.Views) -> timelines.Line:
        scope = sums.Scope()
        return timelines.Line(
            await sums.income_days(source, scope, policy, WHOLE),
            await sums.activity_days(source, scope, WHOLE),
            await sums.capital_days(source, scope, None),
        )

    return asked(history, drawn)


def of_wheel(desk: Desk) -> sums.Scope:
    return sums.Scope(wheel_id=desk.wheel_id)


def within(span: sums.Span, amounts: list[policies.Amount]) -> list[policies.Amount]:
    assert span.first is not None
    assert span.last is not None
    return [each for each in amounts if span.first <= each.date <= span.last]


@QUICK
@given(STEPS, POLICIES)
def test_every_day_is_booked_as_the_facts_say(
    steps: list[dict[str, Any]], policy: policies.Policy
) -> None:
    history = History(steps)
    for desk in history.desks:
        days = asked(
            history, partial(sums.income_days, scope=of_wheel(desk), policy=policy, span=WHOLE)
        )
        told = {(policy, each.date): [each.option, each.stock, each.dividend] for each in days}
        oracle = histories.booked(list(desk.stream))
        assert told == {key: amounts for key, amounts in oracle.items() if key[0] == policy}


@QUICK
@given(STEPS)
def test_policies_agree_on_wheels_that_are_flat(steps: list[dict[str, Any]]) -> None:
    history = History(steps)
    for desk in history.desks:
        totals = {
            asked(
                history, partial(sums.income_sum, scope=of_wheel(desk), policy=policy, span=WHOLE)
            ).total
            for policy in policies.POLICIES
        }
        assert not desk.wheel.is_flat or totals == {desk.wheel.cash - desk.wheel.capital}


@QUICK
@given(STEPS, POLICIES, SPANS, st.sampled_from(timelines.INTERVALS))
def test_buckets_sum_to_the_whole(
    steps: list[dict[str, Any]],
    policy: policies.Policy,
    span: sums.Span,
    interval: timelines.Interval,
) -> None:
    history = History(steps)
    whole = asked(history, lambda v: sums.income_sum(v, sums.Scope(), policy, span))
    assert span.first is not None
    assert span.last is not None
    buckets = line(history, policy).buckets(interval, span.first, span.last)
    assert sum(each.option_income for each in buckets) == whole.option
    assert sum(each.stock_gain for each in buckets) == whole.stock
    assert sum(each.realized_pnl for each in buckets) == whole.total
    assert buckets[-1].cumulative_pnl == whole.total
    ends = [each.first - timedelta(days=1) for each in buckets[1:]]
    assert [each.last for each in buckets] == [*ends, span.last]


@QUICK
@given(STEPS, POLICIES)
def test_drawdown_is_the_way_down_from_the_highest_day(
    steps: list[dict[str, Any]], policy: policies.Policy
) -> None:
    drawn = line(History(steps), policy)
    running = highest = deepest = Decimal(0)
    for bucket in drawn.buckets("day", FIRST, LAST):
        running += bucket.realized_pnl
        highest = max(highest, running)
        deepest = max(deepest, highest - running)
        assert bucket.drawdown == highest - running
    assert drawn.deepest(FIRST, LAST).drawdown.amount == deepest


@QUICK
@given(STEPS)
def test_capital_is_tied_up_as_the_wheels_stood_each_evening(
    steps: list[dict[str, Any]],
) -> None:
    history = History(steps)
    expected = Decimal(0)
    for bucket in line(history, "cash").buckets("day", FIRST, LAST):
        evening = [desk.then(calendar.day_end(bucket.last)) for desk in history.desks]
        tied = sum((each.collateral_in_use + each.basis for each in evening), Decimal(0))
        assert bucket.capital_tied_up == tied
        expected += tied
    span = sums.Span(FIRST, LAST)
    assert asked(history, lambda v: sums.tied_days(v, sums.Scope(), span)) == expected
    by_portfolio = asked(history, lambda v: sums.tied_by_portfolio(v, span))
    assert sum(by_portfolio.values()) == expected


@QUICK
@given(STEPS, POLICIES, SPANS, st.sampled_from(explained.FIGURES))
def test_the_parts_of_a_figure_sum_to_it(
    steps: list[dict[str, Any]],
    policy: policies.Policy,
    span: sums.Span,
    figure: explained.Figure,
) -> None:
    history = History(steps)
    for desk in history.desks:
        parts = within(span, explained.amounts(figure, policy, desk.story.line))
        told = sum(each.amount for each in parts)
        if figure in explained.KINDS:
            income = asked(
                history, partial(sums.income_sum, scope=of_wheel(desk), policy=policy, span=span)
            )
            by_kind = {"option": income.option, "stock": income.stock, "dividend": income.dividend}
            assert told == sum(by_kind[kind] for kind in explained.KINDS[figure])
        else:
            activity = asked(history, partial(sums.activity_sum, scope=of_wheel(desk), span=span))
            assert told == sum(getattr(each, _FIELDS[figure]) for each in activity)
        assert {each.rule for each in parts} <= set(explained.RULES)


def ended(desk: Desk) -> list[trades.Trade]:
    return [each for each in desk.wheel.trades.values() if not each.open_contracts]


def won(trade: trades.Trade) -> int:
    """1, -1 or 0, by the words of the definition."""
    if trade.outcome == "expired_worthless":
        return 1
    if trade.outcome in ("assigned", "called_away"):
        return -1
    return (trade.net_premium > 0) - (trade.net_premium < 0)


@QUICK
@given(STEPS)
def test_wins_and_losses_are_those_of_the_trades(steps: list[dict[str, Any]]) -> None:
    history = History(steps)
    some = [each for desk in history.desks for each in ended(desk)]
    counted = asked(history, lambda v: endings.counted(v, sums.Scope(), None, WHOLE))
    record = outcomes.record(outcomes.together(counted.values()))
    results = Counter(map(won, some))
    assert (record.winning_trades, record.losing_trades) == (results[1], results[-1])
    assert (record.trades_ended, record.even_trades) == (len(some), results[0])
    net = [each.net_premium for each in some]
    assert record.net_premium == sum(net)
    assert record.gross_gain == sum(each for each in net if each > 0)
    assert record.gross_loss == sum(each for each in net if each < 0)
    nothing = Decimal(0)
    assert (record.largest_win or nothing) == max([nothing, *net])
    assert (record.largest_loss or nothing) == min([nothing, *net])


@QUICK
@given(STEPS)
def test_directions_and_symbols_add_up(steps: list[dict[str, Any]]) -> None:
    counted = asked(History(steps), lambda v: endings.counted(v, sums.Scope(), None, WHOLE))
    whole = outcomes.together(counted.values())
    assert outcomes.of(counted, "put").plus(outcomes.of(counted, "call")) == whole
    assert outcomes.together(each for _, each in outcomes.by_symbol(counted)) == whole


@QUICK
@given(st.text("wl", max_size=30))
def test_streaks_are_counted_one_by_one(results: str) -> None:
    longest: dict[str, int] = defaultdict(int)
    run = 0
    for before, now in zip(" " + results, results, strict=False):
        run = run + 1 if now == before else 1
        longest[now] = max(longest[now], run)
    told = outcomes.streaks_in(results)
    assert (told.longest_win, told.longest_loss) == (longest["w"], longest["l"])
    assert (told.current.trades if told.current else 0) == run


@QUICK
@given(STEPS)
def test_streaks_follow_the_order_in_which_trades_ended(steps: list[dict[str, Any]]) -> None:
    history = History(steps)
    some = [each for desk in history.desks for each in ended(desk)]
    some.sort(key=lambda each: (each.closings[-1].at, each.id.hex))
    results = "".join({1: "w", -1: "l", 0: ""}[won(each)] for each in some)
    told = asked(history, lambda v: endings.streaks(v, sums.Scope(), None, WHOLE))
    assert told == outcomes.streaks_in(results)


def test_weeks_begin_on_mondays_and_months_on_their_first() -> None:
    weeks = timelines.spans("week", FIRST + timedelta(days=2), LAST)
    assert [first.weekday() for first, _ in weeks] == [2, *[0] * (len(weeks) - 1)]
    months = timelines.spans("month", FIRST, LAST)
    assert [(first.day, last.day) for first, last in months] == [(5, 31), (1, 28), (1, 31)]


def test_a_line_of_too_many_buckets_is_refused() -> None:
    with pytest.raises(refusals.Invalid, match="at most 4000 buckets"):
        timelines.spans("day", FIRST, FIRST + timedelta(days=timelines.MOST + 1))
