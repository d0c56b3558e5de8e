"""The one HTTP server: granian, embedded in our own event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

END_WITHIN = 2.0


async def serve(application: Litestar, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; requests under way get a moment to end."""
    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
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
