"""The marks of what is held, on a real bus."""

import asyncio
from datetime import date, timedelta
from typing import Any, Self

import msgspec
import pytest

from adapters import bus, kept
from domain import market, subjects
from projections.symbols import Contract
from tests.conftest import Join, soon
from tests.workers.exchange import FRIDAY, OPEN, Exchange, Turned
from workers import marks
from workers.clerk import Clerk
from workers.standing import Standing

pytestmark = pytest.mark.usefixtures("server")
HELD: Contract = ("put", "98", FRIDAY)


class Running:
    """The worker in the background, for as long as the block lasts."""

    def __init__(self, connected: bus.Bus, **held: frozenset[Contract]) -> None:
        self.clock = Turned()
        self.exchange, self.held = Exchange(self.clock), dict(held)
        self.stop, self.woken = asyncio.Event(), asyncio.Event()
        self.heard: asyncio.Queue[market.HeldMarks] = asyncio.Queue()
        self._bus = connected

    async def __aenter__(self) -> Self:
        await self._bus.subscribe(subjects.EVERY_CHAIN, self._hear)
        standing = Standing("test", self.clock, self.exchange.login)
        clerk = Clerk(self.exchange, self.exchange, self._bus, self.clock, standing)
        desk = marks.MarksDesk(clerk, self._bus, self.clock, again=0.1)
        beat: dict[str, Any] = {}
        self._task = asyncio.create_task(
            marks.run(desk, self.clock, self._holding, self.stop, self.woken, beat)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await soon(self._task)

    async def next(self) -> market.HeldMarks:
        return await soon(self.heard.get())

    async def _holding(self) -> dict[str, frozenset[Contract]]:
        return dict(self.held)

    async def _hear(self, heard: bus.Heard) -> None:
        self.heard.put_nowait(heard.read(market.HeldMarks).data)


@pytest.fixture
async def prices(join: Join) -> bus.Bus:
    return await join("prices")


async def test_what_is_held_is_marked_with_what_awaits_it(prices: bus.Bus) -> None:
    async with Running(prices, XYZ=frozenset({HELD})) as running:
        told = await running.next()
    assert [(each.direction, str(each.strike)) for each in told.options] == [("put", "98.00")]
    assert told.dividend is not None
    assert told.dividend.ex_date == date(2026, 3, 10)
    assert told.earnings == (date(2026, 3, 11),)
    assert (told.as_of, told.state) == (OPEN, "live")
    assert told.price == 100


async def test_the_last_marks_are_kept_for_who_comes_later(prices: bus.Bus) -> None:
    async with Running(prices, XYZ=frozenset({HELD})) as running:
        told = await running.next()
        seen: asyncio.Queue[market.HeldMarks] = asyncio.Queue()
        await prices.watch(subjects.MARKET_BUCKET, "marks.>", market.HeldMarks, seen.put)
        assert await soon(seen.get()) == told


async def test_another_contract_is_marked_at_once(prices: bus.Bus) -> None:
    async with Running(prices, XYZ=frozenset({HELD})) as running:
        await running.next()
        running.held["ABC"] = frozenset({HELD})
        running.woken.set()
        assert (await running.next()).symbol == "ABC"


async def test_a_contract_that_is_not_listed_has_no_mark(prices: bus.Bus) -> None:
    other: Contract = ("put", "97.5", FRIDAY)
    async with Running(prices, XYZ=frozenset({other})) as running:
        assert (await running.next()).options == ()


async def test_a_far_expiration_is_asked_for(prices: bus.Bus) -> None:
    far = FRIDAY + timedelta(days=400)
    async with Running(prices, XYZ=frozenset({("put", "98", far)})) as running:
        await running.next()
    assert running.exchange.asked[0] == f"chain XYZ 2026-03-02 {far}"


async def test_while_the_provider_fails_the_last_marks_stay(prices: bus.Bus) -> None:
    async with Running(prices, XYZ=frozenset({HELD})) as running:
        told = await running.next()
        running.exchange.fault = market.UnknownSymbol("ABC")
        running.held["ABC"] = frozenset({HELD})
        running.woken.set()
        await soon(running.exchange.until_asked(4))
        body = await prices.get(subjects.MARKET_BUCKET, kept.marks_key("XYZ"))
    assert body is not None
    assert msgspec.json.decode(body, type=market.HeldMarks) == told


async def test_who_failed_is_asked_about_again_before_the_turn_of_all(prices: bus.Bus) -> None:
    running = Running(prices, XYZ=frozenset({HELD}))
    running.exchange.fault = market.ReauthRequired("XYZ")
    async with running:
        await soon(running.exchange.until_asked(2))
        running.exchange.fault = None
        assert (await running.next()).symbol == "XYZ"
