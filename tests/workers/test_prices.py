"""The price worker, on a real bus and with a provider in a few lines."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

import pytest

from adapters import bus, clock
from domain import market, subjects
from tests.conftest import Join, NatsServer, soon
from workers import prices
from workers.rounds import Rounds
from workers.standing import Standing

OPEN = datetime(2021, 1, 4, 17, 0, tzinfo=UTC)
CLOSED = datetime(2021, 1, 3, 17, 0, tzinfo=UTC)
NEVER = 3600.0


class Exchange:
    """A provider whose every answer is one dollar more; a fault where the test wants one."""

    def __init__(self) -> None:
        self.price = 100
        self.faults: dict[str, market.MarketFault] = {}
        self.asked: asyncio.Queue[list[str]] = asyncio.Queue()

    async def quotes(self, symbols: Iterable[str]) -> dict[str, market.Quote | market.MarketFault]:
        wanted = list(symbols)
        self.asked.put_nowait(wanted)
        self.price += 1
        return {symbol: self.faults.get(symbol) or self._quote(symbol) for symbol in wanted}

    def _quote(self, symbol: str) -> market.Quote:
        return market.Quote(symbol, Decimal(self.price), None, None, OPEN, "test", "live")


class Running:
    """The worker in the background, for as long as the block lasts."""

    def __init__(
        self, connected: bus.Bus, *held: str, every: float = NEVER, now: datetime = OPEN
    ) -> None:
        self.exchange, self.held = Exchange(), set(held)
        self.stop, self.woken = asyncio.Event(), asyncio.Event()
        self.beat: dict[str, Any] = {}
        self.heard: asyncio.Queue[market.Quote] = asyncio.Queue()
        self._bus, self._every, self._now = connected, every, now

    async def __aenter__(self) -> Self:
        await self._bus.subscribe(subjects.EVERY_QUOTE, self._hear)
        now = clock.standing_at(self._now)
        standing = Standing("test", now, lambda: None)
        self._task = asyncio.create_task(
            prices.run(
                prices.Desk(self.exchange, self._bus, standing),
                now,
                self._symbols,
                self._every,
                self.stop,
                self.woken,
                self.beat,
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await soon(self._task)

    async def next(self) -> str:
        quote = await soon(self.heard.get())
        return f"{quote.symbol} {quote.last}"

    async def _symbols(self) -> set[str]:
        return set(self.held)

    async def _hear(self, heard: bus.Heard) -> None:
        self.heard.put_nowait(heard.read(market.Quote).data)


async def test_held_symbols_are_quoted_at_the_start_even_when_the_market_is_closed(
    server: NatsServer, join: Join
) -> None:
    connected = await join("prices")
    async with Running(connected, "SPY", "BRK.B", now=CLOSED) as running:
        assert [await running.next(), await running.next()] == ["BRK.B 101", "SPY 101"]
    assert {m.subject for m in await server.stored("MARKET")} == {
        "market.quote.SPY",
        "market.quote.BRK_B",
    }


async def test_the_bucket_has_the_last_quote(server: NatsServer, join: Join) -> None:
    connected = await join("prices")
    async with Running(connected, "BRK.B") as running:
        await running.next()
    assert (await connected.quotes())["BRK.B"].last == 101


async def test_in_market_hours_they_are_quoted_again_and_again(
    server: NatsServer, join: Join
) -> None:
    async with Running(await join("prices"), "SPY", every=0.01) as running:
        assert [await running.next() for _ in range(3)] == ["SPY 101", "SPY 102", "SPY 103"]


async def test_outside_of_market_hours_only_a_new_symbol_is_quoted(
    server: NatsServer, join: Join
) -> None:
    async with Running(await join("prices"), "SPY", every=0.01, now=CLOSED) as running:
        await running.next()
        running.held.add("QQQ")
        running.woken.set()
        assert await running.next() == "QQQ 102"
        assert [await running.exchange.asked.get() for _ in range(2)] == [["SPY"], ["QQQ"]]
        assert running.exchange.asked.empty()


async def test_a_new_symbol_does_not_wait_for_the_interval(server: NatsServer, join: Join) -> None:
    async with Running(await join("prices")) as running:
        running.held.add("SPY")
        running.woken.set()
        assert await running.next() == "SPY 101"


async def test_a_symbol_that_fails_does_not_stop_the_others(server: NatsServer, join: Join) -> None:
    async with Running(await join("prices"), "BAD", "SPY", every=0.01) as running:
        running.exchange.faults["BAD"] = market.UnknownSymbol("BAD")
        assert [await running.next() for _ in range(2)] == ["SPY 101", "SPY 102"]
        assert running.beat["failing"] == 1


async def test_a_provider_that_is_down_is_logged_once_and_the_quote_is_kept(
    server: NatsServer, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    connected = await join("prices")
    async with Running(connected, "SPY", "QQQ", every=0.01) as running:
        exchange = running.exchange
        while len(await connected.quotes()) < 2:
            await running.next()
        exchange.faults.update({s: market.ProviderDown(s) for s in ("SPY", "QQQ")})
        while not exchange.asked.empty():
            exchange.asked.get_nowait()
        for _ in range(4):
            await soon(exchange.asked.get())
        kept = await connected.quotes()
        exchange.faults.clear()
        while not running.heard.empty():
            running.heard.get_nowait()
        await running.next()
    assert set(kept) == {"SPY", "QQQ"}
    told = [record.message for record in caplog.records if record.name == "workers.prices"]
    assert told == [
        "ProviderDown: the provider does not answer (QQQ, SPY)",
        "prices are back (QQQ, SPY)",
    ]


async def test_a_bus_that_comes_late_or_comes_back_gets_every_quote(
    server: NatsServer, join: Join
) -> None:
    server.stop()
    connected = await join("prices")
    async with Running(connected, "SPY", now=CLOSED) as running:
        server.start()
        assert await running.next() == "SPY 101"
        server.stop()
        server.start()
        assert await running.next() == "SPY 102"


AT_THE_BELL = datetime(2021, 1, 4, 20, 59, tzinfo=UTC)
AFTER_THE_BELL = datetime(2021, 1, 4, 21, 1, tzinfo=UTC)
IN_THE_NIGHT = datetime(2021, 1, 5, 4, 0, tzinfo=UTC)


async def test_the_closing_price_is_asked_for_once_after_the_close() -> None:
    rounds = Rounds(every=0.0)
    rounds.begin(0, AT_THE_BELL)
    assert rounds.turn(0, AFTER_THE_BELL) == "whole"
    rounds.begin(0, AFTER_THE_BELL)
    assert rounds.turn(0, IN_THE_NIGHT) == "failing"


async def test_a_session_that_passes_between_two_looks_is_news() -> None:
    rounds = Rounds(every=0.0)
    rounds.begin(0, IN_THE_NIGHT)
    assert rounds.turn(0, IN_THE_NIGHT + timedelta(days=1)) == "whole"
