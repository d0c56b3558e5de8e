"""The one HTTP server: granian, embedded in our own event loop, on a socket that we make."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # for its own pickling only
from granian.server.embed import Server
from litestar import Litestar
from litestar.types import ASGIApp

from domain import refusals

_OUR_LOGS = {
    "version": 1,
    "incremental": True,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}},
}
"""The server has no handlers of its own: what it says goes where all that we say goes."""
END_WITHIN = 1.5
BACKLOG = 1024
MOST_CONNECTIONS = 4096
SILENT = 30_000
"""Milliseconds in which a request's head must come, also after the answer to the one before."""
UNTAKEN = 30_000
"""Milliseconds after which a connection ends whose other side takes nothing of what is sent."""
BUFFERED = 64 * 1024
"""Bytes that the server keeps for a connection, and the most that a request's head may have."""
IN_FLIGHT = 256 * 1024
"""Bytes that the system keeps for a connection; Linux grants twice that."""


async def serve(application: Litestar, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; requests under way get a moment to end.

    Streams are closed first: an open one would keep the server from ending. Raises
    refusals.Unavailable when the port cannot be had.
    """
    server = Listening(await _listener(host, port), application)
    serving = asyncio.create_task(server.serve(), name="http")
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    await application.state.hub.close()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([serving], timeout=END_WITHIN)
    if not serving.done():
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _listener(host: str, port: int) -> socket.socket:
    """A listening socket whose connections inherit what we ask of them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, IN_FLIGHT)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere the system's own patience
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise refusals.Unavailable(f"{host}:{port} cannot be listened on: {error}") from error
    listener.setblocking(False)  # noqa: FBT003  the only way to say it
    return listener


class Listening(Server):
    """Granian on our socket; one of its own it would share with whoever has the port already."""

    def __init__(self, listener: socket.socket, application: ASGIApp) -> None:
        host, port, *_ = listener.getsockname()
        super().__init__(
            application,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,  # our own blocks open and close what there is
            http=HTTPModes.http1,  # while it tells the versions apart it waits for ever
            http1_settings=HTTP1Settings(header_read_timeout=SILENT, max_buffer_size=BUFFERED),
            backpressure=MOST_CONNECTIONS,
            log_access=False,
            log_dictconfig=_OUR_LOGS,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # granian's stubs know neither the parameters nor that it may be anything but None
        self._shd: Any = SocketHolder(self._listener.detach(), False, BACKLOG)  # type: ignore[call-arg]  # noqa: FBT003
        self._ssp = None
