"""The one HTTP server: granian, embedded in our own event loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

END_WITHIN = 2.0


async def _address(host: str, port: int) -> str:
    """A name's address: the server listens on addresses only."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


async def serve(application: Litestar, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; requests under way get a moment to end."""
    server = Server(
        application,
        address=await _address(host, port),
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        # Silent connections are not timed out: they must be many before they stand in the way.
        backlog=1024,
        backpressure=4096,
        log_access=False,
        log_dictconfig={"version": 1, "disable_existing_loggers": False},
    )
    serving = asyncio.create_task(server.serve(), name="http")
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([serving], timeout=END_WITHIN)
    if not serving.done():
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
