"""`python -m api`: wires the API to the world and serves it until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar

from adapters import bus, clock, configured, envelope, event_store, logs, nats_server, settings
from api import app, serve, system
from api.office import Office
from domain import calendar, market, refusals, risk, subjects
from projections import views

MISUSED = 2
LOOK_EVERY = 0.2
BEAT_EVERY = 5.0


@asynccontextmanager
async def opened(layers: settings.Layers) -> AsyncIterator[Litestar]:
    """The application with everything that it needs, as long as the block lasts."""
    config = layers.settings()
    time = clock.open(config)
    await asyncio.to_thread(calendar.is_open, time.now())  # its first answer takes a while
    log = await asyncio.to_thread(event_store.open_store, config)
    live = views.Live(config.views_path)
    password = nats_server.password(config.data_dir, "api")
    try:
        async with bus.connect(
            config.bus_url, "api", password, time, shelf=config.market
        ) as connected:
            office = Office(config, time, log, live, connected)
            office.configure(await asyncio.to_thread(configured.overlaid, layers, log))
            office.desk.head = await asyncio.to_thread(log.head)
            await _listen(office)
            try:
                async with _alive(office):
                    yield app.application(office)
            finally:
                await office.courier.close()
                await office.aside.close()
                await office.archive.close()
    finally:
        await live.close()
        log.close()


async def _listen(office: Office) -> None:
    """Hear of the views' position, of facts, prices, risks, the provider and the workers."""

    async def advanced(heard: envelope.Heard) -> None:
        with suppress(envelope.Unreadable):
            told = heard.read(subjects.Nudge)
            if told.type == subjects.VIEWS_ADVANCED:
                await office.live.moved(told.data.position)

    async def beaten(heard: envelope.Heard) -> None:
        with suppress(envelope.Unreadable):
            office.keep_heartbeat(heard.read(subjects.Heartbeat).data)

    async def quoted(quote: market.Quote) -> None:
        office.keep_quote(quote)
        office.hub.quoted(quote)

    async def marked(marks: market.HeldMarks) -> None:
        office.keep_marks(marks)

    async def provided(provider: market.Provider) -> None:
        office.keep_provider(provider)

    async def moved(heard: envelope.Heard) -> None:
        with suppress(envelope.Unreadable):
            office.hub.moved(heard.read(risk.PositionRisk).data)

    async def appended(_: envelope.Heard) -> None:
        office.hub.wake()

    await office.bus.subscribe(subjects.VIEWS_ADVANCED, advanced)
    await office.bus.subscribe("ops.heartbeat.*", beaten)
    await office.bus.subscribe(subjects.EVERY_POSITION_RISK, moved)
    await office.bus.subscribe(subjects.LEDGER_APPENDED, appended)
    await office.bus.watch_quotes(quoted)
    await office.bus.watch(subjects.MARKET_BUCKET, "marks.>", market.HeldMarks, marked)
    await office.bus.watch(subjects.MARKET_BUCKET, "provider", market.Provider, provided)
    for worker in system.WORKERS:
        await _recall(office, worker)


async def _recall(office: Office, worker: str) -> None:
    """Take over the last heartbeat from before we listened."""
    with suppress(bus.BusDown, envelope.Unreadable):
        heard = await office.bus.newest("OPS", subjects.heartbeat(worker))
        if heard is not None and heard.stored_at is not None:
            beat = heard.read(subjects.Heartbeat).data
            office.keep_heartbeat(beat, clock.SYSTEM.now() - heard.stored_at)


@asynccontextmanager
async def _alive(office: Office) -> AsyncIterator[None]:
    """Look how far the views are, also while nobody tells, and tell that we live."""
    tasks = [
        asyncio.create_task(_look(office.live), name="views' position"),
        asyncio.create_task(_beat(office), name="heartbeat"),
        asyncio.create_task(office.hub.run(), name="streams"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _look(live: views.Live) -> None:
    while True:
        await live.refresh()
        await asyncio.sleep(LOOK_EVERY)


async def _beat(office: Office) -> None:
    while True:
        now = office.clock.now()
        beat = subjects.Heartbeat(
            worker="api",
            pid=os.getpid(),
            state="running",
            position=office.desk.head,
            counts={},
            as_of=now,
        )
        subject = subjects.heartbeat("api")
        await office.bus.say(
            subject, beat, id=f"api-{os.getpid()}-{now.isoformat()}", type="ops.heartbeat"
        )
        await asyncio.sleep(BEAT_EVERY)


async def run(layers: settings.Layers) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    config = layers.settings()
    async with opened(layers) as application:
        _spare_the_collector()
        await serve.serve(application, config.api_host, config.api_port, stop)


def _spare_the_collector() -> None:
    """What is there now stays; a request's own objects hardly ever make cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def main() -> int:
    """Start from the environment; say in a line what is wrong with it."""
    try:
        layers = settings.layers(os.environ)
        logs.configure(layers.settings(), "api")
        asyncio.run(run(layers))
    except (settings.Misconfigured, nats_server.NoPassword) as error:
        sys.stderr.write(f"{error}\n")
        return MISUSED
    except refusals.Unavailable as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
