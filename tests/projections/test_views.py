"""Where questions are put: live views that are never behind for long."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.event_store import EventStore
from domain import refusals
from projections import rebuild, views
from projections.projector import Projector
from tests.conftest import soon
from tests.domain.desk import Desk


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
