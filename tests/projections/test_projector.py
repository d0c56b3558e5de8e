"""Every fact is projected exactly once, whatever is killed when."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from adapters.event_store import EventStore
from domain import facts, refusals
from projections import projector, rebuild, tables
from projections.projector import Projector
from tests.conftest import soon
from tests.domain.desk import Desk, Memory
from tests.projections import ledger


@pytest.fixture
def views() -> Iterator[sqlite3.Connection]:
    with closing(tables.create(":memory:")) as connection:
        yield connection


def anew(log: EventStore | Memory) -> list[str]:
    """The views as a rebuild writes them."""
    with closing(tables.create(":memory:")) as connection:
        rebuild.project(log, connection, log.head())
        return list(tables.dump(connection))


class InBatches(Memory):
    """A log that hands out so many facts at once."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def after(self, position: int, limit: int) -> list[facts.Recorded]:
        return super().after(position, min(limit, self.size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1_000])
def test_the_live_views_equal_a_rebuild_whatever_the_batches(
    views: sqlite3.Connection, size: int
) -> None:
    log = InBatches(size)
    ledger.lively(log)
    live = Projector(log, views)
    while live.advance() < log.head():
        pass
    assert list(tables.dump(views)) == anew(log)


def test_a_trade_sold_and_voided_between_two_looks_is_shown_as_voided(
    views: sqlite3.Connection,
) -> None:
    log = Memory()
    desk = Desk(log=log)
    live = Projector(log, views)
    live.advance()
    desk.voids(desk.put("100", "1.00"))
    live.advance()
    assert views.execute("SELECT outcome FROM trades").fetchall() == [("voided",)]
    assert list(tables.dump(views)) == anew(log)


def test_with_nothing_new_nothing_is_written(views: sqlite3.Connection) -> None:
    live = Projector(Memory(), views)
    before = views.total_changes
    assert live.advance() == 0
    assert views.total_changes == before


def test_a_projector_that_starts_in_the_middle_goes_on_from_there(
    log: EventStore, views: sqlite3.Connection
) -> None:
    desk = ledger.lively(log)
    Projector(log, views).advance()
    desk.sells(7, "50")
    Projector(log, views).advance()
    assert list(tables.dump(views)) == anew(log)


class Fragile(Projector):
    """Fails after so many writes, in the midst of a batch."""

    writes = 0

    def _run(self, writes: object) -> None:
        super()._run(writes)  # type: ignore[arg-type]
        self.writes -= 1
        if not self.writes:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_crash_in_a_batch_leaves_no_half_of_it(
    log: EventStore, views: sqlite3.Connection, after: int
) -> None:
    desk = ledger.lively(log)
    fragile = Fragile(log, views)
    fragile.advance()
    before = list(tables.dump(views))
    desk.sells(7, "50")
    Desk(symbol="NEW", log=log)
    Desk(symbol="NEWER", log=log)
    fragile.writes = after
    with pytest.raises(KeyboardInterrupt):
        fragile.advance()
    assert list(tables.dump(views)) == before
    assert fragile.advance() == log.head()
    assert list(tables.dump(views)) == anew(log)


def test_a_second_projector_on_the_same_file_does_no_harm(log: EventStore, link: Path) -> None:
    desk = ledger.lively(log)
    path = tables.current(link)
    with closing(tables.create(path)) as one, closing(tables.create(path)) as two:
        both = [Projector(log, one), Projector(log, two)]
        for n in range(6):
            both[n % 2].advance()
            desk.buys(1, "50")
        both[0].advance()
        both[1].advance()
    assert ledger.dump(link) == anew(log)


class Overtaken(Projector):
    """Another projector gets there between its reading and its writing."""

    def _transaction(self) -> sqlite3.Connection:
        Projector(self._log, self.other).advance()
        return super()._transaction()

    other: sqlite3.Connection


def test_of_two_projectors_at_the_same_position_one_steps_back(log: EventStore, link: Path) -> None:
    ledger.lively(log)
    path = tables.current(link)
    with closing(tables.create(path)) as one, closing(tables.create(path)) as two:
        late = Overtaken(log, one)
        late.other = two
        with pytest.raises(refusals.Unavailable, match="another projector"):
            late.advance()
        assert Projector(log, one).advance() == log.head()
    assert ledger.dump(link) == anew(log)


def test_few_books_are_kept_at_hand(
    log: EventStore, views: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "KEPT", 1)
    desk = ledger.lively(log)
    live = Projector(log, views)
    live.advance()
    assert len(live._books) == 1
    desk.sells(7, "50")
    live.advance()
    assert list(tables.dump(views)) == anew(log)


# --- following ------------------------------------------------------------------------------


class Follower:
    """A projector that follows in the background, and the positions that it has told."""

    def __init__(self, log: EventStore, link: Path) -> None:
        self.stop, self.woken = asyncio.Event(), asyncio.Event()
        self._told = asyncio.Condition()
        self.position = -1
        self._log, self._link = log, link

    async def run(self) -> None:
        await projector.follow(self._log, self._link, self.stop, self.woken, self._advanced)

    async def _advanced(self, position: int) -> None:
        async with self._told:
            self.position = position
            self._told.notify_all()

    async def reaches(self, position: int) -> None:
        """Wake it and wait until it has told that position."""
        self.woken.set()
        async with self._told:
            await soon(self._told.wait_for(lambda: self.position >= position))


@asynccontextmanager
async def following(log: EventStore, link: Path) -> AsyncIterator[Follower]:
    follower = Follower(log, link)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        follower.stop.set()
        await soon(task)


async def test_it_follows_what_is_recorded(log: EventStore, link: Path) -> None:
    async with following(log, link) as follower:
        desk = ledger.lively(log)
        await follower.reaches(log.head())
        desk.sells(7, "50")
        await follower.reaches(log.head())
    assert ledger.dump(link) == anew(log)


async def test_without_a_nudge_it_looks_for_itself(log: EventStore, link: Path) -> None:
    async with following(log, link) as follower:
        await follower.reaches(0)
        Desk(log=log)
        async with follower._told:
            await soon(follower._told.wait_for(lambda: follower.position == log.head()))
    assert ledger.dump(link) == anew(log)


def target(link: Path) -> str:
    return link.resolve().name


def beside(link: Path) -> list[Path]:
    return list(link.parent.iterdir())


async def test_a_rebuild_while_it_follows_loses_nothing(log: EventStore, link: Path) -> None:
    async with following(log, link) as follower:
        desk = ledger.lively(log)
        await follower.reaches(log.head())
        first = target(link)
        for shares in range(1, 4):
            rebuilt = await asyncio.to_thread(rebuild.rebuild, log, link)
            desk.buys(shares, "50")
            await follower.reaches(log.head())
            assert rebuilt.before in (None, rebuilt.after)
        assert target(link) != first
        assert first not in {each.name for each in beside(link)}
    assert ledger.dump(link) == anew(log)


async def test_what_is_recorded_during_a_rebuild_is_followed_up(
    log: EventStore, link: Path
) -> None:
    async with following(log, link) as follower:
        desk = ledger.lively(log)
        await follower.reaches(log.head())

        def meanwhile(done: int, of: int) -> None:
            desk.buys(1, "50")

        await asyncio.to_thread(rebuild.rebuild, log, link, meanwhile)
        await follower.reaches(log.head())
    assert ledger.dump(link) == anew(log)


class Moody:
    """A log that does not answer the first time."""

    def __init__(self, log: EventStore) -> None:
        self._log = log
        self._answers: Iterator[Callable[[int, int], Sequence[facts.Recorded]]] = iter([self._no])

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]:
        return next(self._answers, self._log.after)(position, limit)

    def _no(self, position: int, limit: int) -> Sequence[facts.Recorded]:
        raise refusals.Unavailable("the event store does not answer", part="event_store")


async def test_a_store_that_does_not_answer_is_asked_again(log: EventStore, link: Path) -> None:
    Desk(log=log)
    async with following(Moody(log), link) as follower:  # type: ignore[arg-type]
        await follower.reaches(log.head())
    assert ledger.dump(link) == anew(log)
