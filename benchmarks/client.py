"""A light HTTP client: one request at a time on a kept connection, hardly any parsing.

It shares the machine with what it measures, so what it saves is measured less.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

_HEAD_ENDS: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Unexpected(Exception):
    """An answer that the measurement has not reckoned with."""


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._got = b""
        self._length = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._length:
            self._length = _length(self._got)
        if self._length and len(self._got) >= self._length and self._answer is not None:
            self._answer.set_result(self._got)
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Unexpected(f"the connection was lost ({exc})"))

    async def get(self, path: str) -> bytes:
        """The body of what is there."""
        return await self._asked(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    async def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer to a command."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return await self._asked(head.encode() + body)

    async def _asked(self, request: bytes) -> bytes:
        assert self._transport is not None
        self._got, self._length = b"", 0
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await self._answer
        if not answer.startswith(b"HTTP/1.1 20"):
            asked = request.split(b"\r\n", 1)[0].decode()
            raise Unexpected(f"{asked}: {answer[:400].decode(errors='replace')}")
        return answer.partition(_HEAD_ENDS)[2]


def _length(got: bytes) -> int:
    """How long the whole answer is; 0 while its head is not here."""
    end = got.find(_HEAD_ENDS)
    if end < 0:
        return 0
    _, _, rest = got[:end].lower().partition(_LENGTH)
    return end + len(_HEAD_ENDS) + int(rest.partition(b"\r\n")[0])


class Pool:
    """Connections for whoever needs one."""

    def __init__(self, connections: list[Connection]) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for each in connections:
            self._free.put_nowait(each)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection of one's own as long as the block lasts."""
        connection = await self._free.get()
        yield connection
        self._free.put_nowait(connection)


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections to a port of this machine."""
    loop = asyncio.get_running_loop()
    transports, opened = [], []
    try:
        for _ in range(count):
            transport, connection = await loop.create_connection(
                lambda: Connection(f"127.0.0.1:{port}"), "127.0.0.1", port
            )
            transports.append(transport)
            opened.append(connection)
        yield opened
    finally:
        for transport in transports:
            transport.close()


class Id(msgspec.Struct):
    """The one field that a client needs of a trade."""

    id: str


class Created(msgspec.Struct):
    """The answer to a command, as far as it is read."""

    data: Id


CREATED: Final = msgspec.json.Decoder(Created)
