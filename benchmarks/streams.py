"""How late many readers of the live stream hear of a fact, while one has stopped reading."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from adapters import clock
from benchmarks import client, echo, instance, memory, positions
from benchmarks.figures import Aim, Line, Now, Sizes, Yardstick, latencies
from benchmarks.instance import Instance, Trouble
from benchmarks.trading import Trader, paced

WITHIN: Final = 250.0
"""Milliseconds."""
MOST: Final = 50
"""Megabytes by which all readers together may make the API larger."""
CONNECTIONS: Final = 16
_ARRIVES_WITHIN: Final = 5.0
_RECORDED_AT: Final = re.compile(rb'"type":"Option[^"]*"[^\n]*?"recorded_at":"([^"]+)"')
"""Of a trade: alerts are facts too, and come when they like."""


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:
    """Commands at a steady pace, and everybody hears of each."""
    data_dir = place / "streams"
    watched = positions.seed(data_dir, sizes.positions)
    with instance.running(data_dir) as running:
        instance.settle(running.api_port)
        before = _megabytes(running)
        with _stopped(running):
            taken, bare, after = asyncio.run(_measured(running, watched, sizes))
    name = f"commit to reader, {sizes.readers} readers and a stopped one"
    yield from latencies("streams.delay", name, taken, bare, within=WITHIN)
    yield Line(
        key="streams.memory",
        name="the API with all these",
        value=after,
        unit="MB",
        better="less",
        yardstick=Yardstick("without", before),
        aim=Aim(f"under {MOST} MB more", after - before < MOST),
    )


async def _measured(
    running: Instance, watched: positions.Watched, sizes: Sizes
) -> tuple[list[float], list[float], float]:
    """Seconds from each commit to each reader, those of bare answers, and megabytes."""
    trader = Trader(watched.traded)
    with echo.serving() as bare_port:
        async with (
            _readers(running.api_port, sizes.readers) as readers,
            client.connections(running.api_port, CONNECTIONS) as trading,
            client.connections(bare_port, CONNECTIONS) as echoing,
        ):
            traders, echoes = client.Pool(trading), client.Pool(echoing)

            async def trade() -> None:
                async with traders.one() as connection:
                    await trader.next(connection)

            async def ask() -> None:
                async with echoes.one() as connection:
                    await connection.get("/")

            ordered, bare = await asyncio.gather(
                paced(trade, sizes.commands, sizes.spell), paced(ask, sizes.commands, sizes.spell)
            )
            await _all_heard(readers, len(ordered))
            after = _megabytes(running)
    return [delay for reader in readers for delay in reader.delays], bare, after


async def _all_heard(readers: list[Reader], count: int) -> None:
    """Wait until everybody has heard of everything; Trouble when somebody does not."""
    deadline = Now() + _ARRIVES_WITHIN
    while any(len(reader.delays) < count for reader in readers):
        if Now() > deadline:
            raise Trouble(f"a reader did not hear all of {count} facts")
        await asyncio.sleep(0.01)
    if any(len(reader.delays) > count for reader in readers):
        raise Trouble(f"a reader heard more than {count} facts")


class Reader(asyncio.Protocol):
    """An open stream; `delays` are the seconds since each fact that it heard was decided.

    A fact's `recorded_at` is the moment before it is committed: the commit is counted too.
    """

    def __init__(self) -> None:
        self.begun = asyncio.get_running_loop().create_future()
        self.delays: list[float] = []
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(_asked("?topics=ledger"))

    def data_received(self, data: bytes) -> None:
        now = clock.SYSTEM.now()
        if not self.begun.done() and b"retry:" in data:
            self.begun.set_result(None)
        whole, _, self._left = (self._left + data).rpartition(b"\n\n")
        for instant in _RECORDED_AT.findall(whole):
            self.delays.append((now - _moment(instant)).total_seconds())


@lru_cache(1_000)
def _moment(text: bytes) -> datetime:
    """One fact is heard by all."""
    return msgspec.convert(text.decode(), datetime)


def _asked(query: str) -> bytes:
    return f"GET /api/v1/stream{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@asynccontextmanager
async def _readers(port: int, count: int) -> AsyncIterator[list[Reader]]:
    """So many readers, all told that they have begun."""
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(Reader, "127.0.0.1", port) for _ in range(count)]
    try:
        await asyncio.gather(*(reader.begun for _, reader in opened))
        yield [reader for _, reader in opened]
    finally:
        for transport, _ in opened:
            transport.close()


@contextmanager
def _stopped(running: Instance) -> Iterator[None]:
    """One that asks for the whole ledger and takes nothing of it."""
    with closing(socket.socket()) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", running.api_port))
        line.sendall(_asked("?last_event_id=0"))
        yield


def _megabytes(running: Instance) -> float:
    return memory.Scales(running.pid).weighed()["api"]
