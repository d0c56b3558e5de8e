"""On a rough road a command is carried out once, and who asks in vain is told so."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from client import AsyncClient, Client, Patience, errors
from client.live import Listener
from projections import answers
from tests.api.house import House
from tests.client.rough import Mishap, road
from tests.conftest import free_port

QUICK = Patience(tries=4, first=0.001, longest=0.01)
PUT: dict[str, Any] = {
    "direction": "put",
    "strike": 50,
    "expiration_date": "2026-04-17",
    "premium_per_share": Decimal("1.10"),
}
MISHAPS: tuple[Mishap, ...] = ("lost after", "lost before", "spoilt", "busy", "a proxy's page")


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_command_is_sent_again_and_carried_out_once(
    house: House, client: Client, wheel: answers.Wheel, mishap: Mishap
) -> None:
    with road(house.url, mishap) as rough, Client(rough.url, patience=QUICK) as there:
        done = there.sell_option(wheel.id, **PUT)
    assert client.trades_of(wheel.id).data == [done.data]
    assert done.replayed is (mishap in {"lost after", "spoilt"})
    assert len(rough.keys) == 2
    assert len(set(rough.keys)) == 1


async def test_who_awaits_sends_again_too(
    house: House, client: Client, wheel: answers.Wheel
) -> None:
    with road(house.url, "lost after", "busy", "lost after") as rough:
        async with AsyncClient(rough.url, patience=QUICK) as there:
            done = await there.sell_option(wheel.id, **PUT)
    assert client.trades_of(wheel.id).data == [done.data]
    assert (len(rough.keys), len(set(rough.keys))) == (4, 1)


def test_in_vain_is_told_with_the_key_and_tried_again_later_it_is_still_once(
    house: House, client: Client, wheel: answers.Wheel
) -> None:
    lost_all: list[Mishap] = ["lost after"] * 4
    with road(house.url, *lost_all) as rough, Client(rough.url, patience=QUICK) as there:
        with pytest.raises(errors.Unreachable) as lost:
            there.sell_option(wheel.id, **PUT)
        done = there.sell_option(wheel.id, idempotency_key=lost.value.idempotency_key, **PUT)
    assert done.replayed
    assert len(client.trades_of(wheel.id).data) == 1


def test_who_is_told_to_wait_too_long_does_not(house: House) -> None:
    with road(house.url, "slow down") as rough, Client(rough.url, patience=QUICK) as there:
        with pytest.raises(errors.Passing) as refused:
            there.wheels()
        assert (refused.value.status, refused.value.retry_after, len(rough.keys)) == (429, 3600, 1)


def test_questions_are_asked_again_too(house: House) -> None:
    with road(house.url, "lost before", "busy") as rough:
        with Client(rough.url, patience=QUICK) as there:
            assert there.wheels().pagination.page == 1
        assert rough.keys == [None] * 3


def test_what_is_wrong_is_not_asked_again(house: House) -> None:
    with road(house.url) as rough, Client(rough.url, patience=QUICK) as there:
        with pytest.raises(errors.Unknown):
            there.wheel(uuid4())
        assert len(rough.keys) == 1


def test_nobody_there_is_unreachable() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", patience=QUICK) as nowhere:
        with pytest.raises(errors.Unreachable, match="GET /api/v1/wheels: ConnectError"):
            nowhere.wheels()
        with pytest.raises(errors.Unreachable):
            next(nowhere.ledger_export())
        with pytest.raises(errors.Unreachable):
            next(nowhere.stream())


def test_what_is_not_of_the_api_is_unreadable(house: House) -> None:
    with Client(f"{house.url}/docs", patience=QUICK) as elsewhere, pytest.raises(errors.Failed):
        elsewhere.wheels()


def test_waits_double_and_are_bounded() -> None:
    patience = Patience(first=1, longest=5)
    for tried, most in ((1, 1), (2, 2), (3, 4), (4, 5)):
        assert most / 2 <= (patience.wait(tried, None) or 0) <= most
    assert patience.wait(5, None) is None


# --- the stream, taken apart -----------------------------------------------------------------

QUOTE = (
    b'event: quote\ndata: {"symbol":"XYZ","as_of":"2026-03-02T15:00:00Z","last":1.10,'
    b'"bid":1.05,"ask":1.15,"source":"simulated","state":"live"}\n\n'
)


def heard(listener: Listener, *pieces: bytes) -> list[Any]:
    return [told for piece in pieces for told in listener.hear(piece)]


def test_a_stream_may_come_in_any_pieces() -> None:
    listener = Listener(None, None, QUICK)
    pieces = [QUOTE[n : n + 7] for n in range(0, len(QUOTE), 7)]
    (told,) = heard(listener, *pieces)
    assert (told.topic, told.position, told.data.last) == ("quote", None, Decimal("1.10"))


def test_what_was_half_heard_is_forgotten_and_asked_for_again() -> None:
    listener = Listener(["ledger"], None, QUICK)
    assert heard(listener, b": wheelwright\nretry: 1000\nid: 41\n\n", QUOTE[:40]) == []
    again = listener.request()
    assert (again.headers["Last-Event-ID"], again.query["topics"]) == ("41", "ledger")
    assert len(heard(listener, QUOTE)) == 1


def test_what_cannot_be_read_is_told_and_not_passed_over() -> None:
    listener = Listener(None, None, QUICK)
    with pytest.raises(errors.Unreadable, match="ledger at 42") as unreadable:
        heard(listener, b"id: 42\nevent: ledger\ndata: {}\n\n")
    with pytest.raises(errors.Unreadable):
        listener.broken(unreadable.value)


def test_a_stream_that_only_begins_is_given_up() -> None:
    listener = Listener(None, None, QUICK)
    for _ in range(3):
        listener.request()
        heard(listener, b": wheelwright\nid: 41\n\n")
        assert listener.broken(None) > 0
    listener.request()
    with pytest.raises(errors.Unreachable):
        listener.broken(None)


def test_a_stream_goes_on_where_it_broke(
    house: House, client: Client, wheel: answers.Wheel
) -> None:
    head = client.info().ledger_head
    with Client(house.url, house.settings.api_token) as there:
        told = there.stream(["ledger"], after=head)
        client.configure_wheel(wheel.id, profile="aggressive")
        assert next(told).position == head + 1
        house.close()
        house.open()
        client.configure_wheel(wheel.id, profile="defensive")
        assert next(told).position == head + 2
        told.close()
