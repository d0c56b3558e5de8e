"""The border: what surrounds every request, whether the application knows its path or not.

In comes a request with an id, given or made; out goes an answer with that id, how far the views
were, and headers that tell browsers to make nothing else of it. HEAD is GET without the body.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Iterable
from urllib.parse import quote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from adapters import request_id
from api.metrics import Metrics
from projections.views import Live

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SAID: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_REPLAYED = (b"idempotency-replayed", b"true")
_logger = logging.getLogger("api.access")


class Border:
    """Stands around the whole application."""

    def __init__(self, app: ASGIApp, live: Live, metrics: Metrics) -> None:
        self._app = app
        self._live = live
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, dress the answer, and count it."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        asked = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = asked.decode()
        before = request_id.current.set(asked.decode())
        began, method, status = time.perf_counter(), scope["method"], 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._dressed(message.get("headers", ()), asked)
                if _REPLAYED in message["headers"]:
                    scope["state"]["outcome"] = "replayed"
            await send(message)

        try:
            if method == "HEAD":
                await self._head(scope, receive, tell)
            else:
                await self._app(scope, receive, tell)
        finally:
            took = time.perf_counter() - began
            self._metrics.answered(scope, method, status, took)
            if _logger.isEnabledFor(logging.DEBUG):
                _logger.debug("%s %s %d %.1f ms", method, _path(scope), status, 1000 * took)
            request_id.current.reset(before)

    def _dressed(
        self, headers: Iterable[tuple[bytes, bytes]], asked: bytes
    ) -> list[tuple[bytes, bytes]]:
        given = list(headers)
        said = {name for name, _ in given}
        return [
            *given,
            *[each for each in _UNLESS_SAID if each[0] not in said],
            *_ALWAYS,
            (b"x-request-id", asked),
            (b"x-view-position", b"%d" % self._live.position),
        ]

    async def _head(self, scope: HTTPScope, receive: Receive, tell: Send) -> None:
        """Answer as to GET, and end where the body would begin, however long that is."""
        scope["method"] = "GET"
        ended = asyncio.Event()

        async def tell_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await tell(message)
            elif not ended.is_set():
                await tell({"type": "http.response.body", "body": b"", "more_body": False})
                ended.set()

        answering = asyncio.ensure_future(self._app(scope, receive, tell_head))
        waiting = asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait([answering, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, waiting):
                task.cancel()
            await asyncio.wait([answering, waiting])
        if not answering.cancelled() and (fault := answering.exception()) is not None:
            raise fault


def _request_id(scope: HTTPScope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value
    return secrets.token_hex(16).encode()


def _path(scope: HTTPScope) -> str:
    """The path as it came, so that what is encoded in it cannot look like another line."""
    raw = scope.get("raw_path")
    return quote(raw.decode("latin-1") if raw else scope["path"], safe="/%:@~+,;=")
