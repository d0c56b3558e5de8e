"""The real API in this process: a socket, a log, a projector and a bus, at a time of our choice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters import bus, clock, nats_server
from adapters.settings import Settings, given
from api import __main__ as composition
from api import serve
from domain import subjects
from tests.api.client import Client
from tests.api.waiting import PATIENCE, until
from tests.conftest import NatsServer, free_port
from workers import (
    chores,
    market_day,
    plugins,
    projector,
    running,
    scanner,
    scheduler,
    search,
)

MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""Ten in the morning, New York: when it is in the house, unless somebody turns the watch."""


class Watch(clock.Clock):
    """Runs like the system's clock, from a Monday on, and can be turned forward."""

    def __init__(self, at: datetime = MONDAY) -> None:
        super().__init__()
        self._ahead = at - super().now()

    def now(self) -> datetime:
        return super().now() + self._ahead

    def real_time(self, instant: datetime) -> datetime:
        return instant - self._ahead

    def turn_to(self, instant: datetime) -> None:
        assert instant >= self.now()
        self._ahead += instant - self.now()


class House:
    """Where the API lives."""

    def __init__(
        self, settings: Settings, watch: Watch, hire: Callable[[str, running.Run], None]
    ) -> None:
        self.settings = settings
        self.watch = watch
        self.hire = hire
        """Have a worker work here, under its name, until the house is left."""
        self.url = settings.local_api_url
        self._ends: list[Callable[[], None]] = []

    def open(self) -> None:
        """Start the API; it is there when this returns."""
        self._ends.append(in_thread(self._serve))
        until(self._answers)

    def close(self) -> None:
        self._ends.pop()()

    def open_market(self) -> None:
        """From now on there are prices, and who can be asked for more."""
        self.hire("prices", market_day.run)
        until(lambda: asyncio.run(self._is_answered()))

    async def _is_answered(self) -> bool:
        async with _joined("api", self.settings, self.watch, asyncio.Event()) as context:
            question = subjects.MarketQuestion("dividends", "XYZ", MONDAY.date(), MONDAY.date())
            try:
                await context.bus.ask(subjects.MARKET_ASK, question, PATIENCE)
            except bus.BusDown:
                return False
            return True

    def client(self) -> Client:
        return Client(self.url, self.settings.api_token)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    async def _serve(self, stop: asyncio.Event) -> None:
        async with composition.opened(given(self.settings)) as application:
            await serve.serve(application, self.settings.api_host, self.settings.api_port, stop)


@contextmanager
def opened(
    data_dir: Path,
    patch: pytest.MonkeyPatch,
    token: str | None = None,
    *,
    at: datetime = MONDAY,
    priced: bool = False,
    **chosen: Any,
) -> Iterator[House]:
    """A house with everything in it, as long as the block lasts; with prices where it is told."""
    settings = Settings(
        data_dir=data_dir, api_port=free_port(), nats_port=free_port(), api_token=token, **chosen
    )
    watch = Watch(at)
    patch.setattr(clock, "open", lambda _: watch)
    server = NatsServer(settings)
    server.start()

    with ExitStack() as ends:
        ends.callback(server.stop)

        def hire(name: str, run: running.Run) -> None:
            async def work(stop: asyncio.Event) -> None:
                async with _joined(name, settings, watch, stop) as context:
                    await run(context)

            ends.callback(in_thread(work))

        hire("projector", projector.run)
        house = House(settings, watch, hire)
        ends.callback(house.close)
        house.open()
        if priced:
            house.open_market()
        yield house


@contextmanager
def scanning(house: House, find: search.Find) -> Iterator[None]:
    """A scanner in the house, for as long as the block lasts."""

    async def scan(stop: asyncio.Event) -> None:
        async with _joined("scanner", house.settings, house.watch, stop) as context:
            await scanner.run(context, find)

    end = in_thread(scan)
    try:
        client = house.client()
        until(lambda: client.get("/watchlist/scan").status != 503)
        client.close()
        yield
    finally:
        end()


@contextmanager
def scheduling(house: House, load: chores.Load) -> Iterator[None]:
    """A scheduler in the house, for as long as the block lasts."""

    async def schedule(stop: asyncio.Event) -> None:
        async with _joined("scheduler", house.settings, house.watch, stop) as context:
            await scheduler.run(context, load)

    end = in_thread(schedule)
    try:
        until(lambda: asyncio.run(_is_scheduled(house)))
        yield
    finally:
        end()


@contextmanager
def plugged(house: House) -> Iterator[Path]:
    """Plugins run in the house for as long as the block lasts; the answer is their directory."""

    async def run(stop: asyncio.Event) -> None:
        async with _joined("plugins", house.settings, house.watch, stop) as context:
            await plugins.run(context)

    end = in_thread(run)
    try:
        client = house.client()
        until(lambda: client.get("/plugins/discovered").status != 503)
        client.close()
        yield house.settings.plugins_path
    finally:
        end()


async def _is_scheduled(house: House) -> bool:
    async with _joined("api", house.settings, house.watch, asyncio.Event()) as context:
        try:
            await context.bus.ask(subjects.JOBS_ASK, subjects.JobQuestion(), PATIENCE)
        except bus.BusDown:
            return False
        return True


@asynccontextmanager
async def _joined(
    role: str, settings: Settings, watch: Watch, stop: asyncio.Event
) -> AsyncIterator[running.Context]:
    password = nats_server.password(settings.data_dir, role)
    async with bus.connect(
        settings.bus_url, role, password, watch, shelf=settings.market
    ) as connected:
        yield running.Context(role, settings, watch, connected, stop, {})


def in_thread(work: Callable[[asyncio.Event], Awaitable[None]]) -> Callable[[], None]:
    """Begin some work on an event loop of its own; the answer ends it."""
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        begun.set_result((asyncio.get_running_loop(), stop))
        await work(stop)

    pool = ThreadPoolExecutor(1)
    ended = pool.submit(lambda: asyncio.run(run()))
    loop, stop = begun.result(PATIENCE)

    def end() -> None:
        if not ended.done():
            loop.call_soon_threadsafe(stop.set)
        ended.result(PATIENCE)
        pool.shutdown()

    return end
