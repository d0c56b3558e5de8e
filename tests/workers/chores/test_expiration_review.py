"""What has expired is proposed by what the session closed at, and recorded only where it may be."""

import sqlite3
from contextlib import closing as closed
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain import facts, refusals
from tests.conftest import soon
from tests.domain.desk import Desk
from tests.workers.chores.yard import Yard, closing, failed
from tests.workers.exchange import Exchange, Turned
from workers import chore
from workers.chores import expiration_review
from workers.clerk import Clerk
from workers.standing import Standing

FRIDAY = date(2026, 2, 20)
CLOSE = datetime(2026, 2, 20, 21, 0, tzinfo=UTC)
AFTER = CLOSE + timedelta(minutes=15)
AUTO = {"auto_expire": True}


class Evening:
    """After the close of an expiration day, with somebody who knows what closed at what."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.clock = Turned(AFTER)
        self.exchange = Exchange(self.clock)
        self.desks: dict[str, Desk] = {}

    def closes(self, symbol: str, price: str) -> None:
        self.exchange.bars += (closing(symbol, CLOSE, price),)

    def desk(self, symbol: str = "XYZ", **start: Any) -> Desk:
        return self.desks.setdefault(symbol, self.yard.desk(symbol, **start))

    async def review(self, **settings: Any) -> chore.Done:
        self.yard.project()
        due = self.yard.due("expiration_review", at=self.yard.time.now(), settings=settings)
        return await soon(expiration_review.run(self.yard.context, due))

    @property
    def ended(self) -> list[str]:
        """What was recorded by the review."""
        return [
            f"{each.name} {each.effective_at:%m-%d %H:%M}"
            for each in self.yard.log.after(0, 1_000)
            if each.source == "scheduler"
        ]


@pytest.fixture
async def evening(yard: Yard) -> Evening:
    made = Evening(yard)
    standing = Standing("test", made.clock, made.exchange.login)
    clerk = Clerk(made.exchange, None, yard.prices, made.clock, standing)
    await yard.answers(clerk.answer)
    yard.time.turn_to(AFTER)
    return made


async def test_without_leave_it_is_proposed_and_nothing_is_recorded(evening: Evening) -> None:
    evening.desk().put("100", "1.50", 2)
    evening.closes("XYZ", "98.20")
    done = await evening.review()
    assert done.message == "2 XYZ 100 put 2026-02-20 at 98.20: assigned, not recorded"
    assert (done.done, evening.ended) == (1, [])


@pytest.mark.parametrize(
    ("close", "became"),
    [("100.02", "OptionExpired"), ("99.98", "OptionAssigned"), ("140", "OptionExpired")],
)
async def test_with_leave_it_is_recorded_as_of_the_close(
    evening: Evening, close: str, became: str
) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", close)
    await evening.review(**AUTO)
    assert evening.ended == [f"{became} 02-20 21:00"]


async def test_a_call_in_the_money_is_called_away(evening: Evening) -> None:
    desk = evening.desk()
    desk.buys(100, "98")
    desk.call("105", "1.20")
    evening.closes("XYZ", "107")
    done = await evening.review(**AUTO)
    assert done.message == "1 XYZ 105 call 2026-02-20 at 107: called away, recorded"
    assert evening.ended == ["OptionAssigned 02-20 21:00"]


async def test_a_second_run_records_nothing_more(evening: Evening) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", "110")
    await evening.review(**AUTO)
    head = evening.yard.log.head()
    done = await evening.review(**AUTO)
    assert (evening.yard.log.head(), done.message) == (head, "nothing has expired")


async def test_views_that_lag_behind_record_nothing_twice(evening: Evening) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", "110")
    await evening.review(**AUTO)
    head = evening.yard.log.head()
    due = evening.yard.due("expiration_review", at=AFTER, settings=AUTO)
    done = await soon(expiration_review.run(evening.yard.context, due))
    assert (evening.yard.log.head(), done.done, done.failed) == (head, 0, ())


@pytest.mark.parametrize("close", ["99.99", "100", "100.01"])
async def test_what_closed_at_its_strike_is_left_to_a_person(evening: Evening, close: str) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", close)
    done = await evening.review(**AUTO)
    assert (done.message or "").endswith("at the strike, left to you")
    assert evening.ended == []


async def test_how_near_to_the_strike_that_is_can_be_said(evening: Evening) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", "100.40")
    await evening.review(**AUTO, margin=0.5)
    assert evening.ended == []
    await evening.review(**AUTO, margin="0.3")
    assert evening.ended == ["OptionExpired 02-20 21:00"]


async def test_without_a_close_of_that_session_nothing_is_guessed(evening: Evening) -> None:
    evening.desk("NONE").put("100", "1.50")
    evening.desk("XYZ").put("100", "1.50")
    evening.closes("XYZ", "110")
    await evening.yard.quoted("NONE", "150", CLOSE)
    done = await evening.review(**AUTO)
    assert failed(done) == {
        "1 NONE 100 put 2026-02-20": "nobody says what it closed at on 2026-02-20"
    }
    assert (done.done, evening.ended) == (1, ["OptionExpired 02-20 21:00"])


async def test_a_wheel_that_cannot_be_read_is_told_and_stops_no_other(evening: Evening) -> None:
    for symbol in ("BAD", "XYZ"):
        evening.desk(symbol).put("100", "1.50")
        evening.closes(symbol, "110")
    evening.yard.project()
    with closed(sqlite3.connect(evening.yard.settings.event_store_path)) as connection:
        connection.execute(
            "UPDATE stored_events SET topic='OptionBorrowed' WHERE originator_id=?",
            (evening.desks["BAD"].wheel_id.hex,),
        )
        connection.commit()
    due = evening.yard.due("expiration_review", at=AFTER, settings=AUTO)
    done = await soon(expiration_review.run(evening.yard.context, due))
    assert list(failed(done)) == ["BAD"]
    assert evening.yard.recorded("OptionExpired") != []


async def test_an_adjusted_contract_is_left_to_a_person(evening: Evening) -> None:
    desk = evening.desk()
    desk.put("100", "1.50")
    desk.splits(3, 2)
    evening.closes("XYZ", "110")
    assert "an adjusted contract, left to you" in ((await evening.review(**AUTO)).message or "")


async def test_what_has_not_expired_is_left_alone(evening: Evening) -> None:
    evening.desk().put("100", "1.50", expiration_date=FRIDAY + timedelta(days=7))
    assert (await evening.review(**AUTO)).message == "nothing has expired"


async def test_what_was_missed_is_judged_by_the_session_it_expired_in(evening: Evening) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", "110")
    evening.yard.time.turn_to(AFTER + timedelta(days=5))
    evening.clock.turn(days=5)
    await evening.review(**AUTO)
    assert evening.ended == ["OptionExpired 02-20 21:00"]


async def test_what_expires_on_a_holiday_expires_with_the_session_before(evening: Evening) -> None:
    """Good Friday, 3 April 2026."""
    thursday = datetime(2026, 4, 2, 20, 15, tzinfo=UTC)
    evening.desk().put("100", "1.50", expiration_date=date(2026, 4, 3))
    evening.exchange.bars = (closing("XYZ", thursday, "110"),)
    evening.yard.time.turn_to(thursday)
    evening.clock.at = thursday
    done = await evening.review()
    assert done.message == "1 XYZ 100 put 2026-04-03 at 110: worthless, not recorded"


async def test_a_history_that_was_fetched_before_the_close_is_asked_for_again(
    evening: Evening,
) -> None:
    evening.desk().put("100", "1.50")
    evening.yard.time.turn_to(AFTER)
    evening.clock.at = CLOSE - timedelta(hours=3)
    await evening.review()
    evening.clock.at = AFTER
    evening.closes("XYZ", "110")
    assert (await evening.review(**AUTO)).done == 1


async def test_what_is_recorded_is_what_the_provider_says(evening: Evening) -> None:
    evening.desk().put("100", "1.50")
    evening.closes("XYZ", "110.25")
    await evening.review(**AUTO)
    (ended,) = evening.yard.recorded("OptionExpired")
    assert isinstance(ended.fact, facts.OptionExpired)
    assert str(ended.fact.stock_price) == "110.25"
    assert ended.external_id is not None


@pytest.mark.parametrize("margin", [-1, "NaN", 2_000, "wide"])
async def test_a_margin_that_makes_no_sense_is_refused(evening: Evening, margin: object) -> None:
    with pytest.raises(refusals.Invalid, match=r"settings\.margin"):
        await evening.review(margin=margin)
