"""A request's id goes wherever the request goes: answer, ledger, logs."""

import logging
from collections.abc import Iterator

import pytest

from adapters import request_id
from api.office import Office
from tests.api.client import Client, Desk

MINE = {"X-Request-ID": "desk-42"}


class Kept(logging.Handler):
    """Keeps what is said, with the request during which it was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str | None, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((request_id.current.get(), record.getMessage()))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What the API says, down to its access log."""
    handler, logger = Kept(), logging.getLogger("api")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_an_id_is_made_where_none_is_given(client: Client) -> None:
    one, other = (client.get("/portfolios").headers["x-request-id"] for _ in range(2))
    assert one != other
    assert len(one) == 32


def test_a_fact_knows_the_request_that_led_to_it(client: Client, desk: Desk) -> None:
    answered = client.post(f"/wheels/{desk.wheel()}/trades", desk.sale(), MINE)
    event = client.get("/ledger/events", after=answered.position - 1, limit=1).body["data"][0]
    assert event["request_id"] == "desk-42"


def test_orders_that_are_stored_together_keep_their_own_ids(client: Client, desk: Desk) -> None:
    positions = {}
    for name in ("a", "b"):
        body = {"symbol": name, "capital_allocated": 1000}
        path = f"/portfolios/{desk.portfolio}/wheels"
        positions[name] = client.post(path, body, {"X-Request-ID": name}).position
    told = {each["position"]: each["request_id"] for each in client.events()}
    assert {name: told[position] for name, position in positions.items()} == {"a": "a", "b": "b"}


def test_each_request_is_one_line_of_the_access_log(client: Client, kept: Kept) -> None:
    client.http.get("/api/v1/portfolios?sort=name", headers=MINE)
    ((asked, line),) = kept.said
    assert asked == "desk-42"
    assert line.startswith("GET /api/v1/portfolios 200 ")


def test_a_path_cannot_forge_a_line_of_the_access_log(client: Client, kept: Kept) -> None:
    client.http.get("/nowhere%0AERROR%20api:%20all%20is%20lost%1b[2J")
    ((_, line),) = kept.said
    assert line.isprintable()
    assert " " not in line.removeprefix("GET ").partition(" 404 ")[0]


def test_a_fault_of_ours_is_logged_under_the_requests_id_and_tells_nothing(
    client: Client, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(Office, "stream", broken)
    answered = client.ask("GET", "/config", headers=MINE)
    assert (answered.status, answered.code) == (500, "INTERNAL_ERROR")
    assert answered.error["details"] == {"request_id": "desk-42"}
    assert "secret" not in str(answered.body)
    assert ("desk-42", "request desk-42 failed") in kept.said
