"""What a plugin may ask for, and what never leaves, seen on the wire to the API."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from adapters import clock, errand
from adapters.bus import Bus
from adapters.counter import Counter
from domain import plugin, refusals
from workers import proxy
from workers.proxy import Proxy, Room

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
TRADE = "5a1f8f0e-4a3c-5c55-9d4e-0e6f3f6b8d11"


class Api:
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, json={"data": []}, headers={"ETag": '"3"', "Server": "ours"})


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def room(api: Api) -> AsyncIterator[Room]:
    async with httpx.AsyncClient(
        base_url="http://127.0.0.1:1",
        headers={"Authorization": "Bearer secret"},
        transport=httpx.MockTransport(api),
    ) as http:
        nobody = cast("Any", None)
        yield Room(http, cast("Bus", nobody), cast("Counter", nobody))


def told(room: Room, *grants: str) -> Proxy:
    return watched(room, set(grants))


def watched(room: Room, grants: set[str]) -> Proxy:
    async def granted() -> set[str]:
        return grants

    return Proxy("idle", granted, room, clock.standing_at(NOON))


async def asked(proxy_: Proxy, method: str, target: str, body: str | None = None) -> int:
    return (await proxy_.answer(errand.Ask(method, target, body))).status


@pytest.mark.parametrize(
    "target",
    ["/api/v1/positions/open?page=1", f"/api/v1/trades/{TRADE}", "/api/v1/performance/aggregate"],
)
async def test_a_question_about_the_ledger_is_handed_on(room: Room, api: Api, target: str) -> None:
    assert await asked(told(room), "GET", target) == 200
    assert api.asked[0].url.raw_path.decode() == target


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/v1/config"),
        ("GET", "/api/v1/plugins"),
        ("GET", "/api/v1/ledger/export"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/trades/../config"),
        ("GET", "/api/v1/trades/%2e%2e/config"),
        ("GET", "//elsewhere.example/api/v1/trades"),
        ("GET", "http://elsewhere.example/api/v1/trades"),
        ("HEAD", "/api/v1/trades"),
        ("POST", f"/api/v1/trades/{TRADE}/close"),
        ("DELETE", f"/api/v1/trades/{TRADE}"),
        ("PUT", "/api/v1/plugins/idle/grants"),
        ("DELETE", "/plugin/alerts"),
    ],
)
async def test_what_was_not_granted_never_leaves(
    room: Room, api: Api, method: str, target: str
) -> None:
    asking = told(room, "trades.roll")
    assert await asked(asking, method, target, "{}") == 403
    assert (asking.refused is not None, api.asked) == (True, [])


async def test_every_command_that_can_be_granted_is_one_request(room: Room, api: Api) -> None:
    for command in plugin.COMMANDS:
        method, place = proxy._GRANTED_BY[command]
        target = f"/api/v1{place.replace(proxy._ID, TRADE)}"
        assert await asked(told(room, command), method, target, "{}") == 200
        others = set(plugin.COMMANDS) - {command}
        assert await asked(told(room, *others), method, target, "{}") == 403
    assert len(api.asked) == len(plugin.COMMANDS) == len(proxy._GRANTED_BY)


async def test_a_command_says_whose_it_is_and_keeps_every_digit(room: Room, api: Api) -> None:
    body = '{"price_per_share": 0.123456, "source": "cli"}'
    asking = told(room, "trades.close")
    await asking.answer(
        errand.Ask(
            "POST",
            f"/api/v1/trades/{TRADE}/close",
            body,
            {"idempotency-key": "k", "authorization": "Bearer mine", "host": "elsewhere"},
        )
    )
    [sent] = api.asked
    assert sent.content == b'{"price_per_share":0.123456,"source":"plugin:idle"}'
    assert (sent.headers["idempotency-key"], sent.headers["authorization"]) == (
        "k",
        "Bearer secret",
    )
    assert sent.headers["host"] == "127.0.0.1:1"


async def test_a_plugin_never_sees_more_of_an_answer_than_is_meant_for_it(room: Room) -> None:
    reply = await told(room).answer(errand.Ask("GET", "/api/v1/trades"))
    assert set(reply.headers) == {"ETag", "Content-Type"}


DEEP = f'{{"a": {"[" * 5_000}{"]" * 5_000}}}'


@pytest.mark.parametrize("body", ["", "{", "[]", "7", '{"a": 1}\x00', DEEP])
async def test_a_body_that_is_no_order_is_told_to_the_plugin(
    room: Room, api: Api, body: str
) -> None:
    status = await asked(
        told(room, "trades.close"), "POST", f"/api/v1/trades/{TRADE}/close", body or "null"
    )
    assert (status, api.asked) == (400, [])


@pytest.mark.parametrize(
    "change",
    [
        {"message": ""},
        {"message": "x" * 501},
        {"severity": "HUGE"},
        {"symbol": "A B"},
        {"symbol": "risk.>"},
        {"key": ""},
        {"colour": "red"},
    ],
)
async def test_what_is_no_alert_is_told_to_the_plugin_and_not_kept(
    room: Room, change: dict[str, str]
) -> None:
    fine = {"message": "look", "severity": "LOW", "symbol": "SPY", "key": "SPY"}
    asking = told(room)
    assert await asked(asking, "POST", "/plugin/alerts", json.dumps(fine)) == 200
    assert await asked(asking, "POST", "/plugin/alerts", json.dumps(fine | change)) == 400
    assert list(asking.alerts) == ["SPY"]


async def test_there_is_an_end_to_what_is_told_and_asked(room: Room, api: Api) -> None:
    asking = told(room)
    statuses = []
    for n in range(proxy.MOST_ALERTS + 1):
        body = {"message": "look", "severity": "LOW", "symbol": "SPY", "key": str(n)}
        statuses.append(await asked(asking, "POST", "/plugin/alerts", json.dumps(body)))
    assert statuses == [200] * proxy.MOST_ALERTS + [400]
    assert len(asking.alerts) == proxy.MOST_ALERTS
    asking._asked = proxy.MOST_ASKED
    assert await asked(asking, "GET", "/api/v1/trades") == 403
    assert api.asked == []


async def test_a_command_can_be_taken_back_while_the_run_goes_on(room: Room, api: Api) -> None:
    grants = {"trades.close"}
    plugin_ = watched(room, grants)
    assert await asked(plugin_, "POST", f"/api/v1/trades/{TRADE}/close", "{}") == 200
    grants.clear()
    assert await asked(plugin_, "POST", f"/api/v1/trades/{TRADE}/close", "{}") == 403
    assert (len(api.asked), plugin_.refused) == (1, "trades.close was not granted")


async def test_where_nobody_knows_what_is_granted_nothing_is(room: Room, api: Api) -> None:
    async def granted() -> set[str]:
        raise refusals.Unavailable("the log is away", part="ledger")

    plugin_ = Proxy("idle", granted, room, clock.standing_at(NOON))
    assert await asked(plugin_, "POST", f"/api/v1/trades/{TRADE}/close", "{}") == 503
    assert (api.asked, plugin_.refused) == ([], None)
