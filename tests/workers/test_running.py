"""Workers as processes: how they begin, beat, end, and come back after being killed."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from adapters import bus, event_store
from adapters.settings import Settings
from domain import facts, subjects
from tests.conftest import Join, NatsServer, dealt_with, soon
from workers import __main__ as workers
from workers import running

NOON = datetime(2021, 1, 4, 17, 0, tzinfo=UTC)


@asynccontextmanager
async def worker(
    name: str, settings: Settings, **environ: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker's process, which does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers",
        name,
        env={
            **os.environ,
            "WHEEL_DATA_DIR": str(settings.data_dir),
            "WHEEL_NATS_PORT": str(settings.nats_port),
            **environ,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Heartbeats:
    """What a worker tells of itself."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[subjects.Heartbeat] = asyncio.Queue()

    async def __call__(self, heard: bus.Heard) -> None:
        self._heard.put_nowait(heard.read(subjects.Heartbeat).data)

    async def until(self, right: Callable[[subjects.Heartbeat], bool]) -> subjects.Heartbeat:
        while True:
            if right(beat := await soon(self._heard.get())):
                return beat


@pytest.mark.parametrize("name", ["relay", "prices", "scanner"])
async def test_a_worker_beats_and_ends_when_it_is_asked(
    server: NatsServer, settings: Settings, join: Join, name: str
) -> None:
    heartbeats, api = Heartbeats(), await join("api")
    await api.subscribe(subjects.heartbeat(name), heartbeats)
    async with worker(name, settings) as process:
        await heartbeats.until(lambda beat: beat.pid == process.pid)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await heartbeats.until(lambda beat: beat.state == "stopping")
        _, said = await soon(process.communicate())
        assert time.monotonic() - begun < 2
    assert process.returncode == 0
    assert f"{name} begins" in said.decode()
    assert f"{name} ends" in said.decode()


async def test_a_worker_without_a_bus_begins_and_ends_too(
    server: NatsServer, settings: Settings
) -> None:
    server.stop()
    async with worker("relay", settings) as process:
        assert process.stderr is not None
        async for line in process.stderr:
            if b"relay begins" in line:
                break
        process.send_signal(signal.SIGINT)
        assert await soon(process.wait()) == 0


def test_an_unknown_worker_is_answered_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert workers.main(["nobody"], {}) == 2
    assert "projector, relay, prices, risk" in capsys.readouterr().err


def test_a_setting_that_cannot_be_meant_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert workers.main(["relay"], {"WHEEL_NATS_PORT": "many"}) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


async def test_a_nap_ends_when_an_event_is_set() -> None:
    event = asyncio.Event()
    napping = asyncio.create_task(running.nap(60, event, asyncio.Event()))
    await asyncio.sleep(0)
    event.set()
    await soon(napping)


async def test_a_relay_that_is_killed_again_and_again_repeats_and_loses_nothing(
    server: NatsServer, settings: Settings
) -> None:
    with closing(event_store.open_store(settings)) as log:
        written = 0
        for _ in range(5):
            async with worker("relay", settings) as process:
                async with server.visit("subscriber") as stranger:
                    first = await stranger.subscribe("ledger.event.>", max_msgs=1)
                    await dealt_with(stranger)
                    for _ in range(20):
                        await asyncio.to_thread(log.append, noted(written, 50))
                        written += 50
                    await first.next_msg(10)
                process.kill()
                await process.wait()
        async with worker("relay", settings):
            await relayed(server, written)
    stored = await server.stored("LEDGER")
    positions = [msgspec.json.decode(message.data)["data"]["position"] for message in stored]
    assert positions == list(range(1, written + 1))


def noted(after: int, count: int) -> list[facts.Recorded]:
    note = facts.TradeNoted(portfolio_id=UUID(int=1), symbol="SPY", trade_id=UUID(int=3), notes="x")
    return [
        facts.Recorded(0, UUID(int=2), after + n, NOON, NOON, "test", UUID(int=n), None, note)
        for n in range(1, count + 1)
    ]


async def relayed(server: NatsServer, count: int) -> None:
    """Wait until that many facts are on the bus, hearing them come."""
    async with server.visit("subscriber") as stranger:
        js = stranger.jetstream()
        reader = await js.subscribe("ledger.event.>", stream="LEDGER", ordered_consumer=True)
        for _ in range(count):
            await reader.next_msg(10)
