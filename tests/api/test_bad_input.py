"""What cannot be meant: the documented error, never a fault of ours, and nothing recorded."""

import json
import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.api.client import ENCODER, Client, Desk, Reply
from tests.api.house import House

Body = bytes | dict[str, Any]

NOT_FIGURES: list[Any] = [
    "NaN",
    "Infinity",
    "",
    "x",
    "1_0",
    "\u0661\u0660",
    " 10 ",
    None,
    True,
    [],
    {},
    -1,
    -0.01,
    1e-9,
    1234567890123,
    10**30,
    0.1234567,
]
NOT_DAYS: list[Any] = [
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "20260-01-01",
    "2026-1-1",
    "yesterday",
    "",
    0,
    20260105,
    True,
    [],
    "2026-01-05T00:00:00",
    "\x00",
]
NOT_MOMENTS: list[Any] = [
    *NOT_DAYS,
    "2026-03-03",
    "2027-01-01T00:00:00Z",
    "2026-01-05T25:00:00Z",
    "1066-10-14",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "x" * 41,
]
NOT_COUNTS: list[Any] = [0, -1, 1.5, "1", True, None, 10**30, 2_000_000_000, [], "NaN"]
NOT_JSON: list[bytes] = [
    b"",
    b"{",
    b"nonsense",
    b"[]",
    b"null",
    b"1",
    b'"text"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"strike": NaN}',
    b'{"strike": 1e400}',
    b'{"strike": Infinity}',
    b'{"strike": 01}',
    b'{"strike": 1,}',
    b"{'strike': 1}",
    b'{"strike": 1} {"strike": 2}',
    b'{"notes": "\\ud800"}',
    b'{"notes": "\xed\xa0\x80"}',
    b'{"notes": "a\x00b"}',
    b'{"premium_per_share": ' + b"9" * 100_000 + b"}",
]


def sale(desk: Desk, field: str, value: Any) -> dict[str, Any]:
    return desk.sale(opened_at="2026-01-05") | {field: value}


def is_an_error(reply: Reply, status: int, code: str) -> bool:
    """Whether it has the documented form."""
    assert (reply.status, reply.code) == (status, code), reply.body
    assert set(reply.body) == {"error", "timestamp"}
    assert set(reply.error) == {"code", "message", "details"}
    if code == "VALIDATION_ERROR":
        assert {"field", "value", "constraint"} <= set(reply.error["details"])
    return True


def refuses(
    client: Client, ask: Callable[[], Reply], status: int = 400, code: str = "VALIDATION_ERROR"
) -> bool:
    """Whether an order is refused in the documented form, with nothing recorded."""
    before = client.head()
    answered = ask()
    return is_an_error(answered, status, code) and client.head() == before


@pytest.mark.parametrize("value", NOT_FIGURES, ids=str)
@pytest.mark.parametrize("field", ["strike", "premium_per_share"])
def test_a_figure_that_is_none_is_refused(
    client: Client, desk: Desk, field: str, value: Any
) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    body = json.dumps(sale(desk, field, value), default=str).encode()
    assert refuses(client, lambda: client.post(path, body))


@pytest.mark.parametrize("value", NOT_COUNTS, ids=str)
@pytest.mark.parametrize("field", ["contracts", "multiplier"])
def test_a_count_that_is_none_is_refused(
    client: Client, desk: Desk, field: str, value: Any
) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    assert refuses(client, lambda: client.post(path, sale(desk, field, value)))


@pytest.mark.parametrize("value", NOT_DAYS, ids=repr)
def test_a_day_that_is_none_is_refused(client: Client, desk: Desk, value: Any) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    assert refuses(client, lambda: client.post(path, sale(desk, "expiration_date", value)))


@pytest.mark.parametrize("value", NOT_MOMENTS, ids=repr)
@pytest.mark.parametrize("field", ["opened_at", "effective_at"])
def test_a_moment_that_is_none_or_is_still_to_come_is_refused(
    client: Client, desk: Desk, field: str, value: Any
) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    body = desk.sale(expiration_date="2026-03-20", opened_at=None) | {field: value}
    assert refuses(client, lambda: client.post(path, body))


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:24]))
def test_what_is_not_an_order_is_refused(client: Client, desk: Desk, body: bytes) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    assert refuses(client, lambda: client.post(path, body))


@pytest.mark.parametrize(
    "more",
    [
        {"colour": "red"},
        {"id": "6f1a3a0e-9b0e-5a3c-8f57-5b7d5c0f5e11"},
        {"direction": "straddle"},
        {"direction": None},
        {"direction": "PUT"},
        {"source": "the tooth fairy"},
        {"source": "import:" + "x" * 90},
        {"external_id": ""},
        {"external_id": 7},
        {"notes": "x" * 2_001},
        {"notes": 7},
        {"notes": "a\x00b"},
        {"external_id": "a\x00b"},
        {"fees": -1},
        {"fees": "NaN"},
        {"strike": 999_999_999_999, "contracts": 1_000_000},
        {"expiration_date": "2026-01-02"},
        {"expiration_date": "2066-01-01"},
    ],
    ids=str,
)
def test_a_field_that_cannot_be_meant_is_refused_by_its_name(
    client: Client, desk: Desk, more: dict[str, Any]
) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    assert refuses(client, lambda: client.post(path, desk.sale(**more)))
    said = client.post(path, desk.sale(**more)).error["details"]["field"]
    assert said in more


@pytest.mark.parametrize("field", ["direction", "strike", "expiration_date", "premium_per_share"])
def test_a_field_that_is_missing_is_refused_by_its_name(
    client: Client, desk: Desk, field: str
) -> None:
    body = desk.sale()
    del body[field]
    path = f"/wheels/{desk.wheel()}/trades"
    assert refuses(client, lambda: client.post(path, body))
    assert client.post(path, body).error["details"]["field"] == field


def test_a_field_said_twice_is_refused(client: Client, desk: Desk) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    body = json.dumps(desk.sale(), default=float)[:-1] + ', "strike": 50}'
    assert refuses(client, lambda: client.post(path, body.encode()))


def test_a_body_of_ten_megabytes_is_refused(client: Client, desk: Desk) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    body = json.dumps(desk.sale(notes="x" * 10_000_000), default=float).encode()
    assert refuses(client, lambda: client.post(path, body))
    assert client.post(path, desk.sale()).status == 201


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_of_another_kind_is_no_order(client: Client, desk: Desk, kind: str) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    headers = {"Content-Type": kind}
    assert refuses(client, lambda: client.post(path, b"strike=100", headers=headers))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/portfolios", {"name": ""}),
        ("POST", "/portfolios", {"name": "x" * 101}),
        ("POST", "/portfolios", {"name": 7}),
        ("POST", "/portfolios", {"name": "a\x00b"}),
        ("POST", "/portfolios", {"name": "a\x1b[31mb"}),
        ("POST", "/portfolios", {"name": "a", "notes": "\x7f"}),
        ("POST", "/portfolios", {"name": "x", "default_capital": -1}),
        ("POST", "/portfolios", {"name": "x", "default_capital": "NaN"}),
        ("PUT", "/portfolios/default", {"portfolio_id": "none"}),
        ("POST", "{portfolio}/wheels", {"symbol": ""}),
        ("POST", "{portfolio}/wheels", {"symbol": "A", "capital_allocated": 0}),
        ("POST", "{portfolio}/wheels", {"symbol": "A"}),
        ("POST", "{portfolio}/wheels", {"symbol": "TOOLONGNAME", "capital_allocated": 1}),
        ("POST", "{portfolio}/wheels", {"symbol": "A B", "capital_allocated": 1}),
        ("POST", "{portfolio}/wheels", {"symbol": "A>*", "capital_allocated": 1}),
        ("POST", "{portfolio}/wheels", {"symbol": "Ä", "capital_allocated": 1}),
        ("POST", "{portfolio}/wheels", {"symbol": "A\x00", "capital_allocated": 1}),
        ("POST", "{portfolio}/wheels", {"symbol": "A", "shares": 100}),
        ("POST", "{portfolio}/wheels", {"symbol": "A", "shares": -1, "cost_basis": 1}),
        ("POST", "{portfolio}/wheels", {"symbol": "A", "capital_allocated": 1, "profile": "mad"}),
        ("PUT", "{wheel}", {"capital_allocated": -1}),
        ("PUT", "{wheel}", {"symbol": "B"}),
        ("POST", "{wheel}/shares", {"action": "steal", "shares": 1, "price": 1}),
        ("POST", "{wheel}/shares", {"action": "buy", "shares": 0, "price": 1}),
        ("POST", "{wheel}/shares", {"action": "buy", "shares": 1, "price": 0}),
        ("POST", "{wheel}/shares", {"action": "buy", "shares": 1, "price": "NaN"}),
        ("POST", "{wheel}/dividends", {"amount_per_share": 0, "ex_date": "2026-01-05"}),
        ("POST", "{wheel}/dividends", {"amount_per_share": 1, "ex_date": "2026-13-01"}),
        ("POST", "{wheel}/dividends", {"amount_per_share": 1, "ex_date": "9999-12-31"}),
        ("POST", "{wheel}/dividends", {"amount_per_share": 1, "ex_date": "0001-01-01"}),
        ("POST", "{wheel}/splits", {"numerator": 0, "denominator": 1}),
        ("POST", "{wheel}/splits", {"numerator": 1, "denominator": 1}),
        ("POST", "{wheel}/splits", {"numerator": 10**30, "denominator": 1}),
        ("POST", "{trade}/expire", {}),
        ("POST", "{trade}/expire", {"stock_price_at_expiry": "NaN"}),
        ("POST", "{trade}/expire", {"stock_price_at_expiry": -1}),
        ("POST", "{trade}/close", {}),
        ("POST", "{trade}/close", {"price_per_share": -1}),
        ("POST", "{trade}/close", {"price_per_share": 1, "contracts": 0}),
        ("POST", "{trade}/close", {"price_per_share": 1, "contracts": 1.5}),
        ("POST", "{trade}/close", {"price_per_share": 1, "effective_at": "2026-03-03"}),
        ("POST", "{trade}/assign", {"contracts": -1}),
        ("POST", "{trade}/assign", {"fees": -1}),
        ("POST", "{trade}/roll", {}),
        ("PUT", "{trade}", {}),
        ("PUT", "{trade}", {"strike": 0, "reason": "x"}),
        ("PUT", "{trade}", {"strike": 90, "reason": ""}),
        ("PUT", "{trade}", {"expiration_date": "2026-02-30", "reason": "x"}),
        ("PUT", "{trade}", {"expiration_date": "9999-12-31", "reason": "x"}),
        ("PUT", "{trade}", {"expiration_date": "0001-01-01", "reason": "x"}),
        ("PUT", "{trade}", {"opened_at": "9999-12-31", "reason": "x"}),
        ("PUT", "{trade}", {"strike": 999_999_999_999, "contracts": 1_000_000, "reason": "x"}),
        ("DELETE", "{trade}", {"reason": ""}),
        ("DELETE", "{trade}", {"reason": 7}),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_meant_is_refused(
    client: Client, desk: Desk, method: str, path: str, body: dict[str, Any]
) -> None:
    wheel = desk.wheel()
    places = {
        "portfolio": f"/portfolios/{desk.portfolio}",
        "wheel": f"/wheels/{wheel}",
        "trade": f"/trades/{desk.sell(wheel)}",
    }
    assert refuses(client, lambda: client.ask(method, path.format_map(places), body))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/wheels", {"as_of": "2026-02-30"}),
        ("/wheels", {"as_of": "0001-01-01"}),
        ("/wheels", {"as_of": "9999-12-31"}),
        ("/wheels", {"known_at": "20260-01-01"}),
        ("/wheels", {"known_at": "0001-01-01T00:00:00+14:00"}),
        ("/wheels", {"as_of": ""}),
        ("/wheels", {"as_of": "\x00"}),
        ("/wheels", {"portfolio_id": "none"}),
        ("/wheels", {"is_active": "perhaps"}),
        ("/wheels", {"sort": "symbol;DROP TABLE wheels"}),
        ("/trades", {"opened_from": "2026-02-30"}),
        ("/trades", {"opened_from": "0001-01-01"}),
        ("/trades", {"opened_to": "9999-12-31"}),
        ("/trades", {"expiring_to": "x"}),
        ("/positions/open", {"dte_min": "x"}),
        ("/positions/open", {"risk_level": "EXTREME"}),
        ("/alerts", {"status": "loud"}),
        ("/ledger/events", {"limit": 501}),
        ("/ledger/events", {"after": -1}),
        ("/ledger/events", {"after": "9" * 30}),
        ("/ledger/events", {"stream": "none"}),
        ("/wheels/{wheel}/performance", {"policy": "wishful"}),
        ("/wheels/{wheel}/performance", {"period": "2d"}),
        ("/wheels/{wheel}/performance", {"from": "2026-02-30"}),
        ("/wheels/{wheel}/performance", {"from": "0001-01-01"}),
        ("/wheels/{wheel}/performance", {"to": "9999-12-31"}),
        ("/wheels/{wheel}/performance", {"from": "2026-02-02", "to": "2026-02-01"}),
        ("/wheels/{wheel}/performance", {"period": "30d", "to": "2026-02-01"}),
    ],
    ids=str,
)
def test_a_question_that_cannot_be_meant_is_refused(
    client: Client, desk: Desk, path: str, query: dict[str, Any]
) -> None:
    answered = client.get(path.format(wheel=desk.wheel()), **query)
    legal = answered.status == 200 and {"0001-01-01", "9999-12-31"} & set(query.values())
    assert legal or is_an_error(answered, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("path", ["/opportunities", "/performance/aggregate"])
def test_a_refused_parameter_is_named_as_it_was_sent(client: Client, path: str, name: str) -> None:
    assert client.get(path, **{name: "2026-02-30"}).error["details"]["field"] == name


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/wheels/not-a-uuid", None),
        ("POST", "/wheels/{0}/trades", {"direction": "put"}),
        ("POST", "/wheels/{0}/shares", {"action": "buy", "shares": 1, "price": 1}),
        ("PUT", "/wheels/{0}", {"profile": "moderate"}),
        ("DELETE", "/wheels/{0}", None),
        ("POST", "/wheels/{0}/restore", None),
        ("POST", "/trades/{0}/assign", None),
        ("POST", "/trades/{0}/close", {"price_per_share": 1}),
        ("DELETE", "/trades/{0}?reason=x", None),
        ("PUT", "/portfolios/{0}", {"name": "x"}),
        ("POST", "/portfolios/{0}/wheels", {"symbol": "A", "capital_allocated": 1}),
        ("PUT", "/portfolios/default", {"portfolio_id": "{0}"}),
        ("POST", "/alerts/{0}/acknowledge", None),
        ("POST", "/alerts/{0}/mute", {"until": "2027-01-01"}),
        ("POST", "/%00", None),
    ],
    ids=str,
)
def test_an_order_on_what_is_not_known_is_not_found(
    client: Client, desk: Desk, method: str, path: str, body: Any
) -> None:
    unknown = str(uuid4())
    said = json.loads(json.dumps(body).replace("{0}", unknown))
    if body == {"direction": "put"}:
        said = desk.sale()
    asked = path.format(unknown)
    assert refuses(client, lambda: client.ask(method, asked, said), 404, "NOT_FOUND")


def test_an_id_that_was_asked_for_as_something_else_is_still_not_found(
    client: Client, desk: Desk
) -> None:
    unknown, wheel = uuid4(), desk.wheel()
    assert client.put(f"/portfolios/{unknown}", {"name": "x"}).code == "NOT_FOUND"
    assert client.put(f"/wheels/{unknown}", {"profile": "moderate"}).code == "NOT_FOUND"
    assert client.put(f"/wheels/{desk.portfolio}", {"profile": "moderate"}).code == "NOT_FOUND"
    assert client.post(f"/portfolios/{wheel}/wheels", {"symbol": "Y"}).code == "NOT_FOUND"


def test_a_parameter_that_is_said_twice_is_not_taken_for_its_last_word(client: Client) -> None:
    twice = client.get("/wheels?symbol=SPY&symbol=QQQ")
    assert (twice.code, twice.error["details"]["field"]) == ("VALIDATION_ERROR", "symbol")
    several = "&".join(f"portfolio_id={uuid4()}" for _ in range(2))
    assert client.get(f"/performance/compare?{several}").code == "NOT_FOUND"


def test_what_knows_no_parameters_says_so(client: Client) -> None:
    assert client.get("/config?as_of=2026-01-02").error["message"] == "as_of is not known here"


def test_a_parameter_that_is_null_is_not_taken_for_one_left_out(client: Client) -> None:
    assert client.get("/alerts", wheel_id="null").error["details"]["field"] == "wheel_id"


@pytest.mark.parametrize("key", [b"a\rX-Evil: 1", b"a\x00b", b"a\nX-Evil: 1\r\nIf-Match: x"])
def test_a_header_that_breaks_out_of_its_line_is_no_order(
    house: House, client: Client, desk: Desk, key: bytes
) -> None:
    body, before = ENCODER.encode(desk.sale()), client.head()
    path = f"/api/v1/wheels/{desk.wheel()}/trades".encode()
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path
    said = head + b"Content-Length: %d\r\nIdempotency-Key: %b\r\n\r\n" % (len(body), key) + body
    with socket.create_connection(("127.0.0.1", house.settings.api_port)) as line:
        line.sendall(said)
        assert line.recv(12) == b"HTTP/1.1 400"
    assert client.head() == before + 1


def test_whatever_was_asked_the_ledger_is_whole(client: Client) -> None:
    assert client.get("/ledger/verify").data["ok"] is True
    assert client.get("/health").data["parts"]["event_store"]["status"] == "healthy"
