"""A trade's whole record: every fact and amendment, and what was believed after each."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import biography
from api.shapes.trades import Moment
from domain import commands, refusals
from domain.story import told
from projections import answers
from tests.domain.desk import Desk, usd
from tests.domain.lives import Life

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def moments(
    desk: Desk, trade: UUID, as_of: datetime | None = None, known_at: datetime | None = None
) -> list[Moment]:
    known = [each for each in desk.stream if known_at is None or each.recorded_at <= known_at]
    return biography.of(desk.wheel_id, known, trade, as_of=as_of, judged_at=desk.now)


def answered(
    desk: Desk, trade: UUID, as_of: datetime | None = None, known_at: datetime | None = None
) -> Any:
    """The trade as it is answered, None where it is not known."""
    story = told(desk.wheel_id, desk.stream, as_of=as_of, known_at=known_at)
    if trade in story.wheel.trades:
        return answers.trade(story, story.wheel.trades[trade], desk.now)
    voided = story.voided_trades.get(trade)
    return voided and answers.trade(story, voided, desk.now, voided=True)


@QUICK
@given(st.integers(0, 10_000), st.integers(1, 16), st.data())
def test_the_last_moment_is_what_is_answered(seed: int, orders: int, data: st.DataObject) -> None:
    desk = Life(seed).lived(orders)
    back = data.draw(st.none() | st.integers(0, 60))
    ago = data.draw(st.none() | st.integers(0, orders))
    as_of = None if back is None else desk.now - timedelta(days=back)
    known_at = None if ago is None else desk.now - timedelta(minutes=ago)
    for trade in (*desk.wheel.trades, *desk.story.voided_trades):
        shown = answered(desk, trade, as_of, known_at)
        if shown is None:
            with pytest.raises(refusals.Unknown):
                moments(desk, trade, as_of, known_at)
        else:
            assert moments(desk, trade, as_of, known_at)[-1].after == shown


def test_a_life_is_told_in_the_order_in_which_it_was_learned() -> None:
    desk = Desk("50000")
    put = desk.put("100", "1.50", 2)
    desk.put("90", "0.50")
    desk.closes(put, "0.40", 1)
    desk.corrects(put, premium_per_share=usd("1.55"), notes="typed over")
    desk.splits(2, 1)
    desk.voids(put)
    found = moments(desk, put)
    assert [each.name for each in found] == [
        "OptionSold",
        "OptionBoughtBack",
        "FactCorrected",
        "TradeNoted",
        "SplitApplied",
        "FactVoided",
        "FactVoided",
        "FactVoided",
    ]
    assert [each.after.open_contracts for each in found if each.after] == [2, 1, 1, 1, 2, 2, 4, 0]
    assert [each.after.outcome for each in found if each.after][-1] == "voided"


def test_an_amendment_says_what_it_changed_and_why() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    desk.corrects(put, premium_per_share=usd("1.55"), strike=usd("95"))
    _, amended = moments(desk, put)
    assert (amended.amends, amended.reason) == (2, "a slip of the pen")
    assert [(each.field, each.before, each.after) for each in amended.changes] == [
        ("strike", usd("100"), usd("95")),
        ("premium_per_share", usd("1.50"), usd("1.55")),
    ]


def test_a_trade_that_is_moved_was_where_it_was_taken_to_be() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    desk.on("2026-01-09")
    desk.corrects(put, opened_at="2026-01-07")
    sold, moved = moments(desk, put)
    assert sold.after is not None
    assert sold.after.opened_at.day == 5
    (change,) = moved.changes
    assert change.field == "effective_at"


def test_a_trade_of_the_future_has_no_history_yet() -> None:
    desk = Desk()
    put = desk.put("100", "1.50", opened_at="2026-01-02")
    with pytest.raises(refusals.Unknown):
        moments(desk, put, as_of=datetime.fromisoformat("2026-01-01T12:00:00-05:00"))
    assert len(moments(desk, put, as_of=desk.now)) == 1


def test_evidence_is_missing_only_while_it_was() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    desk.on("2026-02-23")
    (open_still,) = moments(desk, put)
    assert open_still.after is not None
    assert open_still.after.evidence_missing
    desk.expires(put, "101")
    sold, _ = moments(desk, put)
    assert sold.after is not None
    assert not sold.after.evidence_missing


def test_a_stranger_has_no_history() -> None:
    with pytest.raises(refusals.Unknown):
        moments(Desk(), UUID(int=5))


def test_a_note_alone_changes_no_field() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    desk.does(commands.CorrectTrade(notes="earnings week"), put)
    assert moments(desk, put)[-1].changes == []
