"""A listener to the live stream, on a plain socket: it reads when it is told to, or not at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from adapters import event_store
from adapters.settings import Settings
from domain import facts
from tests.api.house import MONDAY
from tests.api.waiting import PATIENCE

MUCH = 1_000


class Event(NamedTuple):
    """A server-sent event, as an EventSource would dispatch it."""

    event: str
    id: int | None
    data: Any


class Listener:
    """One open stream."""

    def __init__(self, url: str, path: str, headers: dict[str, str]) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        assert place.port is not None
        self.socket = socket.create_connection((place.hostname, place.port), PATIENCE)
        said = {"Host": "localhost"} | headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(self._header())
        self.last_id: int | None = None
        self._left = b""

    def _header(self) -> Iterator[tuple[str, str]]:
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(": ")
            yield name.lower(), value

    def blocks(self) -> Iterator[dict[str, str]]:
        """The fields of what stands between empty lines, until the stream ends as it should."""
        while True:
            while b"\n\n" not in self._left:
                if not (chunk := self._chunk()):
                    return
                self._left += chunk
            block, _, self._left = self._left.partition(b"\n\n")
            lines = [line for line in block.decode().split("\n") if not line.startswith(":")]
            fields = dict(line.split(": ", 1) for line in lines)
            if "id" in fields:
                self.last_id = int(fields["id"])
            yield fields

    def _chunk(self) -> bytes:
        size = int(self._file.readline(), 16)
        content = self._file.read(size)
        assert self._file.readline() == b"\r\n"
        return content

    def events(self) -> Iterator[Event]:
        """The events that an EventSource would dispatch."""
        for fields in self.blocks():
            if "data" in fields:
                place = int(fields["id"]) if "id" in fields else None
                data = json.loads(fields["data"], parse_float=Decimal)
                yield Event(fields["event"], place, data)

    def next(self, count: int) -> list[Event]:
        """So many events."""
        events = self.events()
        return [next(events) for _ in range(count)]

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def listening(
    url: str, query: str = "", headers: dict[str, str] | None = None
) -> Iterator[Listener]:
    """A listener that has been told where it begins; gone when the block ends."""
    listener = Listener(url, f"/api/v1/stream{query}", headers or {})
    try:
        if listener.status == 200:
            next(listener.blocks())
        yield listener
    finally:
        listener.close()


def tell_much(settings: Settings) -> None:
    """Record more than fits between us and a listener who does not read."""
    with closing(event_store.open_store(settings)) as log:
        log.append([_story(number) for number in range(MUCH)])


def _story(number: int) -> facts.Recorded:
    stream = uuid4()
    told = facts.PortfolioCreated(
        portfolio_id=stream, portfolio_name=str(number), description="long " * 300
    )
    return facts.Recorded(0, stream, 1, MONDAY, MONDAY, "api", uuid4(), None, told)
