"""A scan begun over the bus, and followed to its end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from adapters.event_store import EventStore
from domain import facts, market, refusals, subjects, watchlist
from tests.conftest import Join, soon
from tests.domain.finds import found
from tests.projections import ledger
from tests.workers.chores.yard import Yard, failed
from workers import chore, scanner, search
from workers.chores import opportunity_scanning

RUN = UUID(int=7)


class Finder:
    """Finds one contract in every symbol, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.fails: dict[str, int] = {}
        self.asked: list[str] = []
        self.busy, self.free = asyncio.Event(), asyncio.Event()
        self.free.set()

    async def find(self, symbol: str, _: facts.Profile) -> Sequence[facts.OpportunityFound]:
        self.asked.append(symbol)
        self.busy.set()
        await self.free.wait()
        if self.fails.get(symbol, 0) > 0:
            self.fails[symbol] -= 1
            raise market.Throttled(symbol)
        return [found(symbol=symbol)]


@pytest.fixture
async def finder(yard: Yard, log: EventStore, join: Join) -> AsyncIterator[Finder]:
    """A scanner that answers; ABC, SPY and XYZ are watched."""
    made, theirs = Finder(), await join("scanner")
    for symbol in ("ABC", "SPY", "XYZ"):
        ledger.list_symbol(log, watchlist.Watch(symbol=symbol))

    async def nudge(_: int) -> None: ...

    scans = search.Scanner(
        search.Ledger(log, nudge, yard.time),
        made.find,
        partial(scanner.tell, theirs),
        lambda _: None,
        yard.time,
    )
    await theirs.answer(subjects.SCAN_ASK, partial(scanner.answer, scans))
    yield made
    await scans.stop()


async def scan(yard: Yard, **due: Any) -> chore.Done:
    asked = yard.due("opportunity_scanning", **{"run_id": RUN} | due)
    return await soon(opportunity_scanning.run(yard.context, asked))


async def test_what_is_watched_is_scanned_to_the_end(yard: Yard, finder: Finder) -> None:
    done = await scan(yard)
    assert (done.done, done.message, done.failed) == (3, "3 found in 3 symbols", ())
    assert len(yard.recorded("OpportunityFound")) == 3


async def test_the_same_run_asked_for_again_is_the_same_scan(yard: Yard, finder: Finder) -> None:
    first = await scan(yard)
    assert await scan(yard) == first
    assert len(finder.asked) == 3


async def test_another_run_of_the_day_finds_nothing_twice(yard: Yard, finder: Finder) -> None:
    await scan(yard)
    again = await scan(yard, run_id=UUID(int=8))
    assert (again.done, again.message) == (3, "0 found in 3 symbols")
    assert len(yard.recorded("OpportunityFound")) == 3


async def test_a_symbol_that_fails_is_scanned_again(yard: Yard, finder: Finder) -> None:
    finder.fails = {"SPY": 1}
    done = await scan(yard)
    assert (done.done, done.failed, done.message) == (3, (), "3 found in 3 symbols")


async def test_a_symbol_that_keeps_failing_is_told(yard: Yard, finder: Finder) -> None:
    finder.fails = {"SPY": 9}
    done = await scan(yard)
    assert done.done == 2
    assert failed(done) == {"SPY": "the provider was asked too often"}


async def test_only_the_symbols_of_the_settings(yard: Yard, finder: Finder) -> None:
    await scan(yard, settings={"symbols": ["MSFT"]})
    assert finder.asked == ["MSFT"]


async def test_a_scan_in_which_nothing_could_be_searched_has_failed(
    yard: Yard, finder: Finder
) -> None:
    finder.fails = dict.fromkeys(("ABC", "SPY", "XYZ"), 9)
    with pytest.raises(refusals.Unavailable, match="no symbol could be searched"):
        await scan(yard)


async def test_while_another_scan_runs_it_is_not_its_turn(yard: Yard, finder: Finder) -> None:
    finder.free.clear()
    running = asyncio.create_task(scan(yard, run_id=UUID(int=9)))
    await soon(finder.busy.wait())
    with pytest.raises(refusals.OutOfTurn, match="running already"):
        await scan(yard)
    finder.free.set()
    assert (await running).done == 3


async def test_without_a_scanner_the_run_fails(yard: Yard) -> None:
    with pytest.raises(refusals.Unavailable, match="the scanner does not answer"):
        await scan(yard)


@pytest.mark.parametrize("symbols", [[], ["NO SUCH!"], "SPY", [7]])
async def test_symbols_that_are_none_are_refused(yard: Yard, symbols: object) -> None:
    with pytest.raises(refusals.Invalid, match="symbol"):
        await scan(yard, settings={"symbols": symbols})
