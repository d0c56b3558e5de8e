"""A road to the API on which things go wrong, in an order of our choice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx

Mishap = Literal[
    "lost before", "lost after", "spoilt", "busy", "slow down", "a proxy's page", "never"
]


class Road:
    """Requests pass, once the mishaps are used up; `keys` are those that came by."""

    def __init__(self, url: str, mishaps: list[Mishap]) -> None:
        self.url = ""
        self.api = url
        self.mishaps = mishaps
        self.keys: list[str | None] = []


@contextmanager
def road(url: str, *mishaps: Mishap) -> Iterator[Road]:
    """A road on which the first requests meet these, one each."""
    found = Road(url, list(mishaps))

    class Handler(_Handler):
        road = found

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    road: Road

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.road.keys.append(self.headers.get("Idempotency-Key"))
        match self.road.mishaps.pop(0) if self.road.mishaps else "never":
            case "lost before":
                self._lost()
            case "lost after":
                self._passed(body)
                self._lost()
            case "spoilt":
                self._passed(body)
                self._answer(200, {"Content-Encoding": "gzip"}, b"no gzip")
            case "busy":
                self._answer(503, {"Retry-After": "0"}, b"")
            case "slow down":
                self._answer(429, {"Retry-After": "3600"}, b"")
            case "a proxy's page":
                self._answer(502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>")
            case _:
                answered = self._passed(body)
                kept = ("etag", "x-ledger-position", "idempotency-replayed")
                headers = {
                    name: answered.headers[name] for name in kept if name in answered.headers
                }
                self._answer(answered.status_code, headers, answered.content)

    do_GET = do_POST  # noqa: N815  the base's own word

    def _passed(self, body: bytes) -> httpx.Response:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        return httpx.request(
            self.command, self.road.api + self.path, content=body, headers=headers, trust_env=False
        )

    def _lost(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


_OWN = {"host", "content-length", "connection", "accept-encoding"}
