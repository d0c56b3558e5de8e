"""Where questions are put: live views that are never behind for long, and views of the past."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.event_store import EventStore
from domain import refusals
from projections import rebuild, tables, views
from projections.projector import Projector
from tests.conftest import soon
from tests.domain.desk import MONDAY, Desk, usd
from tests.projections import ledger


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventStore]:
    with closing(ledger.opened(tmp_path)) as store:
        yield store


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


@pytest.fixture
def written(link: Path) -> Iterator[sqlite3.Connection]:
    with closing(tables.create(tables.current(link))) as connection:
        yield connection


@pytest.fixture
async def live(link: Path) -> AsyncIterator[views.Live]:
    opened = views.Live(link)
    yield opened
    await opened.close()


async def test_before_there_are_views_they_do_not_answer(live: views.Live) -> None:
    with pytest.raises(refusals.Unavailable, match="the views do not answer: there are none yet"):
        await live.rows("SELECT 1")
    assert await live.refresh() == 0


async def test_live_views_say_how_far_they_are(
    live: views.Live, log: EventStore, written: sqlite3.Connection
) -> None:
    Desk(log=log)
    Projector(log, written).advance()
    assert (await live.refresh(), live.position) == (log.head(), log.head())


async def test_who_waits_for_a_position_goes_on_when_the_views_are_there(
    live: views.Live, log: EventStore, written: sqlite3.Connection
) -> None:
    Desk(log=log)
    waiting = asyncio.create_task(live.reached(log.head()))
    await asyncio.to_thread(Projector(log, written).advance)
    await soon(waiting)
    assert live.position == log.head()
    assert len(await live.rows("SELECT * FROM wheels")) == 1


async def test_who_waits_for_a_position_hears_of_it(live: views.Live) -> None:
    waiting = asyncio.create_task(live.reached(7))
    await live.moved(3)
    await live.moved(7)
    await soon(waiting)
    assert live.position == 7


async def test_who_waits_for_a_position_does_not_wait_for_ever(
    live: views.Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PATIENCE", 0.01)
    await soon(live.reached(7))
    assert live.position == 0


async def test_the_views_position_never_goes_back(live: views.Live) -> None:
    await live.moved(7)
    await live.moved(3)
    assert live.position == 7


async def test_after_a_rebuild_the_new_file_answers(
    live: views.Live, log: EventStore, written: sqlite3.Connection, link: Path
) -> None:
    desk = Desk(log=log)
    Projector(log, written).advance()
    assert await live.rows("SELECT shares FROM wheels") == [(0,)]
    desk.buys(100, "50")
    await asyncio.to_thread(rebuild.rebuild, log, link)
    assert await live.rows("SELECT shares FROM wheels") == [(100,)]


async def test_live_views_cannot_be_written(live: views.Live, written: sqlite3.Connection) -> None:
    with pytest.raises(refusals.Unavailable, match="readonly"):
        await live.rows("UPDATE tracking SET position=7")


async def past_dump(log: EventStore, as_of: datetime | None, known_at: datetime | None) -> set[str]:
    """All that the views of a past say."""
    async with views.past(log, as_of, known_at, None) as then:
        return told(then._connection)


def told(connection: sqlite3.Connection) -> set[str]:
    """The rows of all tables but the projector's own."""
    return {each for each in tables.dump(connection) if not each.startswith("tracking")}


async def test_views_of_the_past_answer_as_the_live_ones_did(
    log: EventStore, written: sqlite3.Connection
) -> None:
    ledger.found_portfolio(log)
    desk = Desk("60000", log=log)
    puts = desk.put("100", "1.50", 3)
    ledger.raise_alert(log, desk, puts)
    live, answered = Projector(log, written), {}

    def look() -> None:
        live.advance()
        assert desk.story.recorded_at is not None
        answered[max(desk.story.recorded_at, desk.now)] = told(written)

    look()
    steps: list[Callable[[], None]] = [
        lambda: desk.assigned(puts, 1, effective_at="2026-01-05T15:02:30Z"),
        lambda: desk.voids(desk.put("90", "0.70")),
        lambda: desk.corrects(puts, premium_per_share=usd("1.55")),
        lambda: desk.splits(2, 1),
        lambda: desk.closes(puts, "0.10", 3),
    ]
    for step in steps:
        desk.now += timedelta(minutes=1)
        step()
        look()
    for at, then in answered.items():
        assert await past_dump(log, at, at) == then


async def test_the_past_of_now_is_what_is_live(
    log: EventStore, written: sqlite3.Connection
) -> None:
    ledger.lively(log)
    Projector(log, written).advance()
    assert await past_dump(log, None, None) == told(written)


async def test_the_past_before_all_is_empty(log: EventStore) -> None:
    ledger.lively(log)
    assert await past_dump(log, None, MONDAY - timedelta(days=1)) == set()


async def test_the_past_can_be_told_of_one_wheel_alone(log: EventStore) -> None:
    desk = ledger.lively(log)
    async with views.past(log, None, None, [desk.wheel_id]) as then:
        assert await then.rows("SELECT id FROM wheels") == [(desk.wheel_id.hex,)]
