"""Every wheel's mark at a session's close, once, at the price of then."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters import counter
from domain import facts, refusals
from tests.conftest import soon
from tests.domain.desk import PORTFOLIO
from tests.workers.chores.yard import CLOSE, HALF_PAST_FOUR, Yard, closing, failed
from tests.workers.exchange import Exchange, Turned
from workers import chore
from workers.chores import daily_snapshot
from workers.clerk import Clerk
from workers.standing import Standing

TUESDAY = datetime(2026, 1, 6, 21, 30, tzinfo=UTC)


@pytest.fixture
async def held(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """Two wheels with an option open, priced at the close; it is half past four.

    Nobody waits for a market that nobody asks.
    """
    monkeypatch.setattr(counter, "BREATH", 0)
    for symbol in ("ABC", "XYZ"):
        yard.desk(symbol).put("100", "1.50")
        await yard.quoted(symbol, "101.5", CLOSE)
    yard.project()
    yard.time.turn_to(HALF_PAST_FOUR)
    return yard


async def snap(yard: Yard, **due: Any) -> chore.Done:
    return await soon(daily_snapshot.run(yard.context, yard.due("daily_snapshot", **due)))


def marks(yard: Yard) -> list[str]:
    """Symbol, day and price of what was marked."""
    found = []
    for each in yard.recorded("PositionMarked"):
        assert isinstance(each.fact, facts.PositionMarked)
        found.append(f"{each.fact.symbol} {each.effective_at:%m-%d %H:%M} {each.fact.price}")
    return sorted(found)


async def test_every_wheel_that_holds_something_is_marked_at_the_close(held: Yard) -> None:
    held.desk("IDLE")
    held.project()
    done = await snap(held)
    assert (done.done, done.failed) == (2, ())
    assert marks(held) == ["ABC 01-05 21:00 101.5", "XYZ 01-05 21:00 101.5"]
    assert {each.source for each in held.recorded("PositionMarked")} == {"scheduler"}


async def test_a_second_run_of_the_same_session_writes_nothing_more(held: Yard) -> None:
    await snap(held)
    head = held.log.head()
    again = await snap(held)
    assert (held.log.head(), again.done) == (head, 2)
    assert again.message == "session 2026-01-05: 0 written, 2 were there"


async def test_a_wheel_without_a_price_is_told_and_stops_no_other(held: Yard) -> None:
    held.desk("NONE").put("50", "1.00")
    held.project()
    done = await snap(held)
    assert done.done == 2
    assert failed(done)["NONE"].startswith("no price of NONE is known from 2026-01-05")


async def test_what_failed_is_written_by_the_next_run(held: Yard) -> None:
    held.desk("NONE").put("50", "1.00")
    held.project()
    await snap(held)
    await held.quoted("NONE", "51", CLOSE - timedelta(minutes=1))
    assert (await snap(held)).message == "session 2026-01-05: 1 written, 2 were there"


async def test_a_run_made_up_for_later_has_the_prices_and_the_position_of_then(
    held: Yard,
) -> None:
    held.time.turn_to(TUESDAY)
    for symbol in ("ABC", "XYZ"):
        await held.quoted(symbol, "77", TUESDAY - timedelta(minutes=30))
    late = held.desk("NEW")
    late.on("2026-01-06", 12)
    late.put("60", "1.00")
    held.project()
    await snap(held, trigger="catch_up")
    assert marks(held) == ["ABC 01-05 21:00 101.5", "XYZ 01-05 21:00 101.5"]


async def test_what_is_said_after_the_close_does_not_hide_the_last_before(held: Yard) -> None:
    await held.quoted("XYZ", "130", CLOSE + timedelta(minutes=20))
    await snap(held)
    assert "XYZ 01-05 21:00 101.5" in marks(held)


async def test_a_price_of_the_day_before_is_no_price_of_the_session(held: Yard) -> None:
    held.time.turn_to(TUESDAY)
    done = await snap(held, at=TUESDAY)
    assert marks(held) == []
    assert set(failed(done)) == {"ABC", "XYZ"}


async def test_where_no_price_was_heard_the_sessions_close_counts(held: Yard) -> None:
    """As after a lid that was closed over the end of the session."""
    time = Turned(HALF_PAST_FOUR)
    exchange = Exchange(time)
    exchange.bars = (closing("NONE", CLOSE, "51.25"),)
    standing = Standing("test", time, exchange.login)
    await held.answers(Clerk(exchange, None, held.prices, time, standing).answer)
    held.desk("NONE").put("50", "1.00")
    held.project()
    assert (await snap(held)).failed == ()
    assert "NONE 01-05 21:00 51.25" in marks(held)


async def test_only_the_wheels_of_a_portfolio_are_marked_where_one_is_named(held: Yard) -> None:
    assert (await snap(held, portfolio_id=UUID(int=99))).done == 0
    assert (await snap(held, portfolio_id=PORTFOLIO)).done == 2


async def test_on_a_half_day_the_close_is_at_one(held: Yard) -> None:
    friday = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
    held.time.turn_to(friday)
    await held.quoted("XYZ", "140", friday - timedelta(minutes=30))
    await snap(held, at=friday)
    assert marks(held) == ["XYZ 11-27 18:00 140"]


async def test_settings_that_there_are_not_are_refused(held: Yard) -> None:
    with pytest.raises(refusals.Invalid, match=r"settings\.keep is no setting"):
        await snap(held, settings={"keep": 3})


async def test_without_views_the_run_fails(yard: Yard) -> None:
    with pytest.raises(refusals.Unavailable, match="there are none yet"):
        await snap(yard)
