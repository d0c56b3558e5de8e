"""The server: whoever is silent or does not read does not stand in the way for long."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import hub, requests, serve
from domain import refusals
from tests.api import house as houses
from tests.api.listening import listening, tell_much
from tests.api.waiting import PATIENCE, until


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[houses.House]:
    """One with little patience and small buffers, and with more to tell than fits in these."""
    monkeypatch.setattr(serve, "SILENT", 200)
    monkeypatch.setattr(serve, "IN_FLIGHT", 4096)
    monkeypatch.setattr(serve, "END_WITHIN", 0.2)
    monkeypatch.setattr(hub, "GRACE", 0.2)
    with houses.opened(tmp_path, monkeypatch) as opened:
        tell_much(opened.settings)
        yield opened


def readers(house: houses.House) -> int:
    told = httpx.get(f"{house.url}/api/v1/metrics", trust_env=False).text
    (line,) = [line for line in told.splitlines() if line.startswith("wheelwright_stream_readers")]
    return int(float(line.split()[1]))


@pytest.mark.parametrize("said", [b"", b"GET /health HTTP/1.1\r\nHo"])
def test_who_does_not_say_what_he_wants_is_let_go(house: houses.House, said: bytes) -> None:
    place = (house.settings.api_host, house.settings.api_port)
    with socket.create_connection(place, PATIENCE) as line:
        line.sendall(said)
        assert line.recv(1) == b""


def test_who_does_not_end_what_he_says_is_refused(
    house: houses.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "READ_WITHIN", 0.2)
    place = (house.settings.api_host, house.settings.api_port)
    with socket.create_connection(place, PATIENCE) as line:
        line.sendall(
            b"POST /api/v1/portfolios HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert line.recv(12) == b"HTTP/1.1 400"


def test_who_does_not_read_is_given_up(
    house: houses.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "STALLED", 0.2)
    with listening(house.url, "?last_event_id=0"):
        until(lambda: readers(house) == 0)


def test_who_does_not_read_holds_up_nobody_and_not_the_end(house: houses.House) -> None:
    with listening(house.url, "?last_event_id=0"), listening(house.url) as reader:
        house.close()
        assert [event.event for event in reader.events()] == ["bye"]
    house.open()


def test_a_port_that_somebody_has_is_not_shared(house: houses.House) -> None:
    nothing: Any = None
    host, port = house.settings.api_host, house.settings.api_port
    with pytest.raises(refusals.Unavailable, match=str(port)):
        asyncio.run(serve.serve(nothing, host, port, asyncio.Event()))
