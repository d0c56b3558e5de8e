"""What an order would reach: exactly what is different afterwards, and nothing else."""

from collections import defaultdict
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import commands, facts, policies, refusals
from domain.story import Story, continued
from projections import answers, radius
from tests.domain.desk import Desk, usd
from tests.domain.lives import Life, alerts

LIVES = st.tuples(st.integers(0, 10_000), st.integers(0, 14))
QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def reached(desk: Desk, command: Any, trade: UUID | None = None) -> radius.Radius:
    """What an order would reach, nothing recorded."""
    after = continued(desk.story, desk.decides(command, trade))
    return radius.of(desk.story, after, alerts(desk), desk.now)


def told(story: Story, desk: Desk) -> tuple[Any, ...]:
    """All that a radius is about, of one story."""
    every = {each: answers.trade(story, t, desk.now) for each, t in story.wheel.trades.items()}
    voided = {
        each: answers.trade(story, t, desk.now, voided=True)
        for each, t in story.voided_trades.items()
    }
    cycles = [answers.cycle(story.wheel_id, each) for each in story.wheel.cycles]
    return voided | every, cycles, months(story)


def months(story: Story) -> dict[tuple[str, str], Decimal]:
    """What each policy books in each month, added up the plain way."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for policy in policies.POLICIES:
        for amount in policies.income(policy, story.line):
            sums[policy, f"{amount.date:%Y-%m}"] += amount.amount
    return {month: amount for month, amount in sums.items() if amount}


@QUICK
@given(LIVES)
def test_the_radius_is_what_is_different_afterwards(life: tuple[int, int]) -> None:
    seed, orders = life
    lived = Life(seed)
    desk = lived.lived(orders)
    before = desk.story
    if not lived.tries(*lived.correction()):
        return
    shown = radius.of(before, desk.story, (), desk.now)
    (old, old_cycles, old_months), (new, new_cycles, new_months) = (
        told(story, desk) for story in (before, desk.story)
    )
    different = {each for each in old | new if old.get(each) != new.get(each)}
    assert {each.trade_id for each in shown.trades} == different
    assert all(each.before == old.get(each.trade_id) for each in shown.trades)
    assert all(each.after == new.get(each.trade_id) for each in shown.trades)
    assert bool(shown.cycles) == (old_cycles != new_cycles)
    moved = {
        month: new_months.get(month, 0) - old_months.get(month, 0)
        for month in old_months | new_months
    }
    changed = {
        (each.policy, each.month): each.after.realized_pnl - each.before.realized_pnl
        for each in shown.months
    }
    assert {month: change for month, change in changed.items() if change} == {
        month: change for month, change in moved.items() if change
    }


@QUICK
@given(LIVES)
def test_between_a_story_and_itself_there_is_nothing(life: tuple[int, int]) -> None:
    desk = Life(life[0]).lived(life[1])
    nothing = radius.Radius(trades=[], cycles=[], months=[], alerts=[])
    assert radius.of(desk.story, desk.story, alerts(desk), desk.now) == nothing


@pytest.fixture
def turned() -> tuple[Desk, UUID]:
    """A put sold in January and assigned in February, a call sold on its shares."""
    desk = Desk()
    put = desk.put("100", "1.50", fees=usd("0"))
    desk.on("2026-02-02")
    desk.assigned(put)
    desk.on("2026-02-09")
    desk.call("105", "1.20", fees=usd("0"))
    return desk, put


def test_a_correction_reaches_the_month_of_each_policy(turned: tuple[Desk, UUID]) -> None:
    desk, put = turned
    order = commands.CorrectTrade(premium_per_share=usd("1.60"), reason="the statement")
    shown = reached(desk, order, put)
    found = [
        (each.policy, each.month, each.after.option_income - each.before.option_income)
        for each in shown.months
    ]
    assert found == [("cash", "2026-01", usd(10)), ("close", "2026-02", usd(10))]
    assert [each.trade_id for each in shown.trades] == [put]
    (cycle,) = shown.cycles
    assert cycle.before is not None
    assert cycle.after is not None
    assert cycle.after.premiums - cycle.before.premiums == 10


def test_a_new_trade_has_no_before(turned: tuple[Desk, UUID]) -> None:
    desk, _ = turned
    late = commands.SellOption(
        direction="put",
        strike=usd("90"),
        premium_per_share=usd("0.50"),
        expiration_date=desk.now.date(),
        opened_at="2026-01-20",
        source="import:statement",
    )
    (new,) = reached(desk, late).trades
    assert new.before is None
    assert new.after is not None


def test_a_voided_trade_is_told_as_voided() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    shown = reached(desk, commands.VoidTrade(reason="another account"), put)
    (trade,) = shown.trades
    assert trade.after is not None
    assert trade.after.outcome == "voided"
    assert [each.why for each in shown.alerts] == ["the trade would not have been open then"]
    assert shown.cycles[0].after is None


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (
            commands.CorrectTrade(strike=usd("95"), reason="typed over"),
            "the strike would have been 95, not 100",
        ),
        (
            commands.CorrectTrade(expiration_date=Desk().now.date(), reason="typed over"),
            "the expiration_date would have been 2026-01-05, not 2026-02-20",
        ),
        (
            commands.CorrectTrade(opened_at="2026-01-07", reason="typed over"),
            "the trade would not have been open then",
        ),
        (
            commands.Close(price_per_share=usd("1"), effective_at="2026-01-05"),
            "the trade would have ended by then",
        ),
    ],
)
def test_an_alert_that_would_not_have_been_raised_so_says_why(order: Any, why: str) -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    desk.on("2026-01-09")
    (alert,) = reached(desk, order, put).alerts
    assert (alert.trade_id, alert.rule, alert.why) == (put, "itm", why)


def test_an_alert_is_not_reached_by_a_note_or_a_price() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    desk.on("2026-01-09")
    order = commands.CorrectTrade(notes="seen", premium_per_share=usd("2"), reason="typed over")
    assert reached(desk, order, put).alerts == []


def test_a_refused_order_reaches_nothing() -> None:
    desk = Desk()
    with pytest.raises(refusals.Refusal):
        reached(desk, commands.TradeShares(action="sell", shares=1, price=usd("1")))
    assert isinstance(desk.stream[0].fact, facts.WheelStarted)
