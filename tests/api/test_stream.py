"""The live stream: everything is told once, in order, wherever one goes on from."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.listening import listening


def test_an_event_is_told_as_the_ledger_tells_it(house: House, desk: Desk) -> None:
    with listening(house.url, "?topics=ledger") as listener:
        desk.wheel()
        (event,) = listener.next(1)
    (listed,) = desk.client.get("/ledger/events", after=desk.client.head() - 1).body["data"]
    assert (event.event, event.data) == ("ledger", listed)


def test_without_a_position_it_begins_now(house: House, desk: Desk) -> None:
    desk.wheel()
    with listening(house.url) as listener:
        assert listener.last_id == desk.client.head()


def test_it_goes_on_behind_the_last_event_that_was_heard(house: House, desk: Desk) -> None:
    with listening(house.url, "?topics=ledger") as listener:
        desk.wheel()
        (heard,) = listener.next(1)
    wheels = [desk.wheel() for _ in range(3)]
    with listening(house.url, "?topics=ledger", {"Last-Event-ID": str(heard.id)}) as listener:
        assert [event.data["stream_id"] for event in listener.next(3)] == wheels


def test_the_header_comes_before_the_parameter(house: House, client: Client) -> None:
    head = client.head()
    with listening(house.url, "?last_event_id=0", {"Last-Event-ID": str(head)}) as listener:
        assert listener.last_id == head


def test_the_parameter_stands_for_the_header(house: House, desk: Desk) -> None:
    desk.wheel()
    head = desk.client.head()
    with listening(house.url, f"?last_event_id={head - 1}&topics=ledger") as listener:
        assert listener.next(1)[0].id == head


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?topics=gossip", "topics"),
        ("?topics=", "topics"),
        ("?topics=ledger,gossip", "topics"),
        ("?last_event_id=never", "Last-Event-ID"),
        ("?last_event_id=-1", "Last-Event-ID"),
        ("?last_event_id=%D9%A1", "Last-Event-ID"),
        ("?last_event_id=999999999", "Last-Event-ID"),
        ("?topic=ledger", "topic"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: Client, query: str, field: str) -> None:
    refused = client.get(f"/stream{query}")
    assert (refused.status, refused.error["details"]["field"]) == (400, field)


def test_it_begins_with_a_comment_and_is_not_buffered_on_the_way(house: House) -> None:
    with listening(house.url) as listener:
        assert listener.headers["content-type"].startswith("text/event-stream")
        assert listener.headers["cache-control"] == "no-store"
        assert listener.headers["x-accel-buffering"] == "no"


def test_a_head_request_is_told_that_there_is_a_stream(client: Client) -> None:
    answered = client.http.head("/api/v1/stream")
    assert (answered.status_code, answered.content) == (200, b"")
    assert answered.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("path", ["/health", "/api/v1/portfolios"])
def test_a_head_is_answered_where_a_get_is(client: Client, path: str) -> None:
    answered = client.http.head(path)
    assert (answered.status_code, answered.content) == (200, b"")
    assert int(answered.headers["content-length"]) > 0


# --- the same over a WebSocket ---------------------------------------------------------------


@contextmanager
def talking(house: House, query: str = "", origin: str | None = None) -> Iterator[ClientConnection]:
    url = house.url.replace("http", "ws") + f"/api/v1/stream/ws{query}"
    with connect(url, origin=origin, proxy=None) as conversation:  # type: ignore[arg-type]
        yield conversation


def test_a_websocket_tells_the_same(house: House, desk: Desk) -> None:
    with talking(house, "?topics=ledger") as conversation, listening(house.url) as listener:
        hello = decoded(conversation)
        wheel = desk.wheel()
        frame = decoded(conversation)
        (event,) = listener.next(1)
    assert (hello["event"], hello["data"]) == ("hello", {"topics": ["ledger"]})
    assert (frame["event"], frame["id"], frame["data"]) == event
    assert frame["data"]["stream_id"] == wheel


def test_a_websocket_goes_on_behind_a_position_too(house: House, desk: Desk) -> None:
    desk.wheel()
    head = desk.client.head()
    with talking(house, f"?topics=ledger&last_event_id={head - 2}") as conversation:
        frames = [decoded(conversation) for _ in range(3)]
    assert [frame["id"] for frame in frames] == [head - 2, head - 1, head]


@pytest.mark.parametrize(
    "query",
    ["?topics=gossip", "?last_event_id=never", "?topic=ledger", "?topics=ledger&topics=alerts"],
)
def test_a_websocket_is_closed_with_the_reason(house: House, query: str) -> None:
    with talking(house, query) as conversation, pytest.raises(ConnectionClosed) as closed:
        conversation.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, bool(closed.value.rcvd.reason)) == (4400, True)


def test_a_page_of_others_gets_no_websocket(house: House) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        talking(house, origin="https://evil.example"),
    ):
        pass
    assert refused.value.response.status_code == 403


def decoded(conversation: ClientConnection) -> dict[str, Any]:

    frame: dict[str, Any] = json.loads(conversation.recv(10), parse_float=Decimal)
    return frame
