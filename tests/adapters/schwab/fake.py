"""A Schwab of our own, on the loopback: it answers as it is told, and remembers who asked what."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

TOKEN = "/v1/oauth/token"
QUOTES = "/marketdata/v1/quotes"
CHAINS = "/marketdata/v1/chains"
EXPIRATIONS = "/marketdata/v1/expirationchain"
HISTORY = "/marketdata/v1/pricehistory"
HOURS = "/marketdata/v1/markets"


class Asked(NamedTuple):
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


class Reply(NamedTuple):
    """An answer; `never` is one that does not come, `trickle` the seconds between two bytes."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    never: bool = False
    trickle: float = 0.0


Answering = Callable[[Asked], Reply]


class Fake:
    """What it answers on each path, in turn; the last answer is given from then on."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._replies: dict[str, list[Reply | Answering]] = {}
        self._idle = asyncio.Event()
        self._busy = 0

    def tell(self, path: str, *replies: Reply | Answering) -> None:
        self._replies[path] = list(replies)

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._busy += 1
        self._idle.clear()
        await self._answer(reader, writer)
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    async def until_idle(self) -> None:
        """Wait until everybody who asked is answered, or has gone."""
        if self._busy:
            await asyncio.wait_for(self._idle.wait(), 5.0)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            reply = self._reply(await _read(reader))
            if reply.never:
                await reader.read()  # until the other side has had enough
            elif reply.trickle:
                await _trickle(_written(reply), reply.trickle, reader, writer)
            else:
                writer.write(_written(reply))
                await writer.drain()
        writer.close()

    def _reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        replies = self._replies.get(asked.path, [Reply(404)])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply(asked) if not isinstance(reply, Reply) else reply


async def _trickle(
    answer: bytes, pause: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Byte by byte, until the other side has had enough."""
    for byte in answer:
        writer.write(bytes([byte]))
        await writer.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), pause)
            return


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    form = await reader.readexactly(int(headers.get("content-length", 0)))
    url = urlsplit(head[0].split()[1])
    return Asked(url.path, _single(url.query), headers, _single(form.decode()))


def _single(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _written(reply: Reply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} Said",
        f"Content-Length: {len(reply.body)}",
        "Content-Type: application/json",
        "Connection: close",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body


@asynccontextmanager
async def listening() -> AsyncIterator[Fake]:
    """A fake that listens for as long as the block lasts."""
    fake = Fake()
    server = await asyncio.start_server(fake.answer, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        await fake.until_idle()
        server.close()
        await server.wait_closed()
