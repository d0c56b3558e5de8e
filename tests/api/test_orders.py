"""How an order may be asked for: once, for a version, or only to see where it would lead."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.api.client import ENCODER, Client, Desk
from tests.api.house import House
from tests.api.watch import Watch

D = Decimal
KINDS = [
    "portfolio",
    "rename",
    "away",
    "default",
    "wheel",
    "configure",
    "archive",
    "sell",
    "close",
    "assign",
    "expire",
    "roll",
    "note",
    "correct",
    "void",
    "shares",
    "dividend",
    "split",
    "mark",
    "void_fact",
]


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def test_the_same_key_and_order_are_answered_once(client: Client, desk: Desk) -> None:
    path, once = f"/wheels/{desk.wheel()}/trades", key()
    first, again = (client.post(path, desk.sale(), headers=once) for _ in range(2))
    assert (again.status, again.body) == (first.status, first.body)
    for name in ("etag", "location", "x-ledger-position"):
        assert again.headers[name] == first.headers[name]
    assert client.head() == first.position


def test_an_order_that_changes_nothing_is_answered_once_too(client: Client, desk: Desk) -> None:
    path, once, head = f"/portfolios/{desk.portfolio}", key(), client.head()
    same = {"name": client.get(path).data["name"]}
    first, again = (client.put(path, same, headers=once) for _ in range(2))
    assert (again.body, client.head()) == (first.body, head)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-ledger-position"] == first.headers["x-ledger-position"] == str(head)


def test_the_same_key_with_another_order_is_a_conflict(client: Client, desk: Desk) -> None:
    path, once = f"/wheels/{desk.wheel()}/trades", key()
    first = client.post(path, desk.sale(), headers=once)
    other = client.post(path, desk.sale(strike=90), headers=once)
    assert (other.status, other.code) == (409, "CONFLICT")
    assert client.head() == first.position


def test_the_same_key_on_another_wheel_is_a_conflict(client: Client, desk: Desk) -> None:
    once = key()
    statuses = [
        client.post(f"/wheels/{desk.wheel()}/trades", desk.sale(), headers=once).status
        for _ in range(2)
    ]
    assert statuses == [201, 409]


def test_a_key_is_remembered_over_a_restart(house: House, client: Client, desk: Desk) -> None:
    path, once = f"/wheels/{desk.wheel()}/trades", key()
    first = client.post(path, desk.sale(), headers=once)
    house.close()
    house.open()
    again = client.post(path, desk.sale(), headers=once)
    assert (again.status, again.body) == (201, first.body)
    assert client.head() == first.position


def test_the_same_key_at_the_same_moment_is_one_trade(house: House, desk: Desk) -> None:
    path, once = f"/wheels/{desk.wheel()}/trades", key()
    clients = [house.client() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: each.post(path, desk.sale(), headers=once), clients))
    for each in clients:
        each.close()
    assert {each.status for each in answers} == {201}
    assert len({each.data["id"] for each in answers}) == 1
    assert len(desk.client.get(path).data) == 1


def test_a_refused_order_leaves_its_key_free(client: Client, desk: Desk) -> None:
    path, once = f"/wheels/{desk.wheel(capital_allocated=100)}/trades", key()
    refused = client.post(path, desk.sale(), headers=once)
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert client.post(path, desk.sale(strike=1), headers=once).status == 201


@pytest.mark.parametrize("what", ["portfolio", "wheel", "action"])
def test_every_kind_of_order_takes_a_key(client: Client, desk: Desk, what: str) -> None:
    trade = desk.sell(desk.wheel())
    path, body = {
        "portfolio": ("/portfolios", {"name": "again"}),
        "wheel": (f"/portfolios/{desk.portfolio}/wheels", {"symbol": "K", "capital_allocated": 1}),
        "action": (f"/trades/{trade}/close", {"price_per_share": 1}),
    }[what]
    once = key()
    first, again = (client.post(path, body, headers=once) for _ in range(2))
    assert first.status < 300
    assert again.body == first.body


@pytest.mark.parametrize("bad", ["", "with blank", "x" * 201, "caf\u00e9", "a\tb"])
def test_a_key_that_cannot_be_meant_is_refused(client: Client, desk: Desk, bad: str) -> None:
    path = f"/wheels/{desk.wheel()}/trades"
    raw = {b"Content-Type": b"application/json", b"Idempotency-Key": bad.encode("latin-1")}
    body = ENCODER.encode(desk.sale())
    refused = client.http.post(f"/api/v1{path}", content=body, headers=raw)
    assert refused.status_code == 400
    assert refused.json()["error"]["details"]["field"] == "Idempotency-Key"


def test_a_stale_version_is_a_conflict(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    tag = client.get(f"/wheels/{wheel}").headers["etag"]
    body, match = {"profile": "aggressive"}, {"If-Match": tag}
    assert client.put(f"/wheels/{wheel}", body, headers=match).status == 200
    stale = client.put(f"/wheels/{wheel}", {"profile": "moderate"}, headers=match)
    assert (stale.status, stale.code) == (409, "CONFLICT")
    assert client.get(f"/wheels/{wheel}").data["profile"] == "aggressive"


@pytest.mark.parametrize("action", ["close", "note"])
def test_a_trade_has_a_version_of_its_own(client: Client, desk: Desk, action: str) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel)
    tag = {"If-Match": client.get(f"/trades/{trade}").headers["etag"]}
    desk.sell(wheel)
    if action == "close":
        done = client.post(f"/trades/{trade}/close", {"price_per_share": 1}, headers=tag)
    else:
        done = client.put(f"/trades/{trade}", {"notes": "fine"}, headers=tag)
    assert done.status == 200
    assert client.delete(f"/trades/{trade}", headers=tag, reason="wrong").code == "CONFLICT"


def test_a_version_that_is_none_is_refused(client: Client, desk: Desk) -> None:
    refused = client.put(f"/wheels/{desk.wheel()}", {}, headers={"If-Match": '"new"'})
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")


def orders(desk: Desk) -> dict[str, tuple[str, str, Any]]:
    """One of each kind of order, ready to be asked."""
    wheel = desk.wheel("DRY", shares=200, cost_basis=10, capital_allocated=50_000)
    trade = desk.sell(wheel)
    roll = {"close_price": 1, "strike": 90, "expiration_date": "2026-03-20"}
    return {
        "portfolio": ("POST", "/portfolios", {"name": "dry"}),
        "rename": ("PUT", f"/portfolios/{desk.portfolio}", {"name": "dry"}),
        "away": ("DELETE", f"/portfolios/{desk.portfolio}?force=true", None),
        "default": ("PUT", "/portfolios/default", {"portfolio_id": desk.portfolio}),
        "wheel": (
            "POST",
            f"/portfolios/{desk.portfolio}/wheels",
            {"symbol": "W", "capital_allocated": 1},
        ),
        "configure": ("PUT", f"/wheels/{wheel}", {"profile": "defensive"}),
        "archive": ("DELETE", f"/wheels/{wheel}?force=true", None),
        "sell": ("POST", f"/wheels/{wheel}/trades", desk.sale()),
        "close": ("POST", f"/trades/{trade}/close", {"price_per_share": 1}),
        "assign": ("POST", f"/trades/{trade}/assign", None),
        "expire": ("POST", f"/trades/{trade}/expire", {"stock_price_at_expiry": 90}),
        "roll": ("POST", f"/trades/{trade}/roll", roll | {"premium_per_share": 2}),
        "note": ("PUT", f"/trades/{trade}", {"notes": "n"}),
        "correct": ("PUT", f"/trades/{trade}", {"strike": 90, "reason": "typing error"}),
        "void": ("DELETE", f"/trades/{trade}?reason=never", None),
        "shares": (
            "POST",
            f"/wheels/{wheel}/shares",
            {"action": "sell", "shares": 1, "price": 1},
        ),
        "dividend": (
            "POST",
            f"/wheels/{wheel}/dividends",
            {"amount_per_share": 1, "ex_date": "2026-02-02"},
        ),
        "split": ("POST", f"/wheels/{wheel}/splits", {"numerator": 2, "denominator": 1}),
        "mark": ("POST", f"/wheels/{wheel}/snapshots", {"price": 12}),
        "void_fact": ("POST", f"/wheels/{wheel}/events/2/void", {"reason": "never"}),
    }


@pytest.mark.parametrize("which", KINDS)
def test_a_dry_run_decides_and_records_nothing(client: Client, desk: Desk, which: str) -> None:
    method, path, body = orders(desk)[which]
    client.put("/portfolios/default", {"portfolio_id": Desk(client).portfolio})
    before = client.head()
    rehearsed = client.ask(method, path + ("&" if "?" in path else "?") + "dry_run=true", body)
    assert (rehearsed.status, rehearsed.data["dry_run"]) == (200, True)
    assert len(rehearsed.data["changes"]) >= 1
    assert client.head() == before
    meant = client.ask(method, path, body)
    assert meant.status in (200, 201)
    assert client.head() > before


def test_a_dry_run_refuses_what_would_be_refused(client: Client, desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated=100)
    refused = client.post(f"/wheels/{wheel}/trades", desk.sale(), dry_run=True)
    assert (refused.status, refused.code) == (409, "INVALID_STATE")


UNRECORDED: dict[str, set[str]] = {
    "/api/v1/scheduler/jobs/{job}/trigger": {"Idempotency-Key"},
    "/api/v1/plugins/{name}/run": {"Idempotency-Key"},
    "/api/v1/watchlist/scan": {"Idempotency-Key"},
    "/api/v1/alerts/{alert_id}/act": set(),
    "/api/v1/notifications/test": set(),
    "/api/v1/wheels/recommend/batch": set(),
    "/api/v1/market/login": set(),
    "/api/v1/market/login/complete": set(),
}
"""What is sent like a command and is no fact of the ledger, with the headers that it takes."""


def test_every_command_may_be_rehearsed_repeated_and_meant_for_a_version(client: Client) -> None:
    paths = client.get("/schema/openapi.json").body["paths"]
    for path, item in paths.items():
        for method in {"post", "put", "delete"} & item.keys():
            names = {each["name"] for each in item[method].get("parameters", [])}
            wanted = UNRECORDED.get(path, {"dry_run", "Idempotency-Key", "If-Match"})
            assert wanted <= names, (method, path)


def test_where_an_order_came_from_is_kept(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    said = {"source": "broker:schwab", "external_id": "42/1", "notes": "by phone"}
    client.post(f"/wheels/{wheel}/trades", desk.sale(**said))
    event = client.get(f"/wheels/{wheel}/events").data[-1]
    assert {name: event[name] for name in said} == said
    assert (event["effective_at"], event["recorded_at"] > event["effective_at"]) == (
        "2026-01-05T21:00:00Z",
        True,
    )


def test_what_others_recorded_meanwhile_is_looked_at_before_refusing(
    client: Client, desk: Desk, house: House
) -> None:
    trade = client.get(f"/trades/{desk.sell(desk.wheel())}").data
    watch = Watch(house, trade)
    watch.says(watch.raising())
    path = f"/alerts/{watch.alert}/acknowledge"
    assert client.post(path).status == 200
    watch.says(watch.clearing())
    assert client.post(path).status == 409
    watch.says(watch.raising())
    assert client.post(path).data["version"] == 5
