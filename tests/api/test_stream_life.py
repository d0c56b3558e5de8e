"""Streams and the server's life: it ends though they are open, and they go on where they were."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from api import hub
from tests.api import house as houses
from tests.api.client import Desk
from tests.api.listening import Listener, listening
from tests.api.waiting import PATIENCE


@pytest.fixture
def house(tmp_path: Path) -> Iterator[houses.House]:
    """One that the test may close and open."""
    with pytest.MonkeyPatch.context() as patch, houses.opened(tmp_path, patch) as opened:
        yield opened


def reopened(house: houses.House) -> None:
    house.close()
    house.open()


def test_a_stream_ends_with_a_goodbye(house: houses.House) -> None:
    with listening(house.url, "?topics=ledger") as listener:
        reopened(house)
        assert [event.event for event in listener.events()] == ["bye"]


def test_a_websocket_ends_with_a_goodbye_too(house: houses.House) -> None:
    with connect(frames_of(house), proxy=None) as conversation:
        assert '"hello"' in str(conversation.recv(PATIENCE))
        reopened(house)
        assert ['"bye"' in str(frame) for frame in conversation] == [True]
        assert conversation.close_code == 1001


def frames_of(house: houses.House) -> str:
    return house.url.replace("http", "ws") + "/api/v1/stream/ws?topics=ledger"


def test_a_silence_is_filled(house: houses.House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SILENCE", 0.01)
    with listening(house.url) as listener, connect(frames_of(house), proxy=None) as conversation:
        assert next(listener.blocks()) == {"id": "0"}
        assert '"hello"' in str(conversation.recv(PATIENCE))
        assert conversation.recv(PATIENCE) == '{"event":"ping","id":0,"data":null}'


def test_one_too_many_is_told_to_come_later(
    house: houses.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_READERS", 1)
    with listening(house.url), listening(house.url) as second:
        assert second.status == 503
        with connect(frames_of(house), proxy=None) as conversation:
            with pytest.raises(ConnectionClosed):
                conversation.recv(PATIENCE)
            assert conversation.close_code == 4503


def test_after_a_restart_nothing_is_lost_and_nothing_told_twice(house: houses.House) -> None:
    client = house.client()
    desk = Desk(client)
    with listening(house.url, "?topics=ledger&last_event_id=0") as listener:
        desk.wheel()
        heard = ids(listener, 2)
        desk.wheel()
        reopened(house)
        heard += [event.id for event in listener.events() if event.event == "ledger"]
    desk.wheel()
    with listening(house.url, "?topics=ledger", {"Last-Event-ID": str(heard[-1])}) as again:
        heard += ids(again, client.head() - len(heard))
    assert heard == list(range(1, client.head() + 1))
    client.close()


def ids(listener: Listener, count: int) -> list[int | None]:
    return [event.id for event in listener.next(count)]


def test_with_a_token_set_both_streams_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with houses.opened(tmp_path, monkeypatch, "a secret") as guarded:
        carried = {"Authorization": "Bearer a secret"}
        url = frames_of(guarded)
        with listening(guarded.url) as one, listening(guarded.url, "", carried) as other:
            assert (one.status, other.status) == (401, 200)
        with pytest.raises(InvalidStatus), connect(url, proxy=None):
            pass
        with connect(url, additional_headers=carried, proxy=None) as conversation:
            assert '"hello"' in str(conversation.recv(PATIENCE))
