"""The form of every answer, and what each endpoint has to say."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.client import Client, Desk

D = Decimal
UTC_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
TRADE_FIELDS = [
    "id",
    "wheel_id",
    "portfolio_id",
    "symbol",
    "direction",
    "strike",
    "expiration_date",
    "contracts",
    "open_contracts",
    "multiplier",
    "premium_per_share",
    "total_premium",
    "fees",
    "outcome",
    "opened_at",
    "closed_at",
    "expired_at",
    "stock_price_at_expiry",
    "close_price",
    "net_premium",
    "closings",
    "rolled_from",
    "rolled_to",
    "evidence_missing",
    "notes",
    "created_at",
    "version",
]
WHEEL_FIELDS = [
    "id",
    "portfolio_id",
    "symbol",
    "state",
    "shares",
    "capital_allocated",
    "cash",
    "collateral_in_use",
    "cost_basis",
    "adjusted_cost_basis",
    "starting_direction",
    "profile",
    "collateral",
    "is_active",
    "created_at",
    "updated_at",
    "version",
]
SUMMARY_FIELDS = [
    "total_wheels",
    "active_wheels",
    "open_positions",
    "capital_allocated",
    "collateral_in_use",
    "cash",
    "premium_collected",
    "wins",
    "losses",
    "win_rate",
    "realized_pnl",
    "unrealized_pnl",
    "total_pnl",
]
POSITION_FIELDS = [
    "wheel_id",
    "trade_id",
    "symbol",
    "state",
    "direction",
    "current_price",
    "strike",
    "expiration",
    "dte_calendar",
    "dte_trading",
    "moneyness",
    "risk_level",
    "risk_icon",
    "premium_collected",
    "bid",
    "ask",
    "option_mid",
    "implied_volatility",
    "delta",
    "gamma",
    "theta",
    "vega",
    "probability_itm",
    "extrinsic",
    "unrealized_pnl",
    "mark_as_of",
    "mark_state",
    "price_as_of",
    "price_age_seconds",
    "price_source",
    "price_state",
    "provider_state",
    "last_updated",
]
LISTS = ("/portfolios", "/wheels", "/trades", "/positions/open", "/alerts")
READS = (
    "/portfolios/{portfolio}",
    "/portfolios/{portfolio}/summary",
    "/portfolios/{portfolio}/performance",
    "/portfolios/default",
    "/wheels/{wheel}",
    "/wheels/{wheel}/state",
    "/wheels/{wheel}/lots",
    "/wheels/{wheel}/cycles",
    "/wheels/{wheel}/position",
    "/wheels/{wheel}/risk",
    "/wheels/{wheel}/performance",
    "/trades/{trade}",
    "/trades/{trade}/history",
    "/ledger/verify",
    "/info",
    "/health",
    "/api/v1/health",
)
PAGES = (
    *LISTS,
    "/portfolios/{portfolio}/wheels",
    "/portfolios/{portfolio}/positions",
    "/wheels/{wheel}/trades",
)
UNKNOWN = str(uuid4())


@pytest.fixture
def names(desk: Desk) -> dict[str, str]:
    wheel = desk.wheel()
    return {
        "portfolio": desk.portfolio,
        "wheel": wheel,
        "trade": desk.sell(wheel, expiration_date="2026-03-20"),
    }


@pytest.mark.parametrize("path", READS)
def test_a_thing_is_answered_with_the_time(
    client: Client, names: dict[str, str], path: str
) -> None:
    answered = client.get(path.format_map(names))
    assert answered.status == 200
    assert set(answered.body) == {"data", "timestamp"}
    assert UTC_INSTANT.fullmatch(answered.body["timestamp"])
    assert int(answered.headers["x-view-position"]) > 0
    assert answered.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", PAGES)
def test_a_list_is_answered_with_its_pagination(
    client: Client, names: dict[str, str], path: str
) -> None:
    body = client.get(path.format_map(names), page_size=1).body
    total = body["pagination"]["total_items"]
    expected = {"page": 1, "page_size": 1, "total_items": total, "total_pages": total}
    assert body["pagination"] == expected
    assert len(body["data"]) == min(total, 1)


@pytest.mark.parametrize("path", PAGES)
def test_beyond_the_last_page_there_is_nothing(
    client: Client, names: dict[str, str], path: str
) -> None:
    answered = client.get(path.format_map(names), page=1_000_000, page_size=500)
    assert (answered.status, answered.data) == (200, [])


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "query", [{"page_size": 501}, {"page_size": 0}, {"page": 0}, {"page": "x"}, {"page": -1}]
)
def test_a_page_that_cannot_be_is_refused(
    client: Client, names: dict[str, str], path: str, query: dict[str, Any]
) -> None:
    refused = client.get(path.format_map(names), **query)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] in query


@pytest.mark.parametrize("path", PAGES)
def test_an_unknown_filter_is_refused_with_those_that_are_known(
    client: Client, names: dict[str, str], path: str
) -> None:
    refused = client.get(path.format_map(names), colour="red")
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] == "colour"
    assert "page_size" in refused.error["details"]["constraint"]


@pytest.mark.parametrize("path", PAGES)
def test_an_unknown_sort_field_is_refused_with_those_that_are_known(
    client: Client, names: dict[str, str], path: str
) -> None:
    refused = client.get(path.format_map(names), sort="-colour")
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    known = "name" if path == "/portfolios" else "symbol"
    assert known in refused.error["details"]["constraint"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/wheels/{wheel}", WHEEL_FIELDS),
        ("/trades/{trade}", TRADE_FIELDS),
        ("/wheels/{wheel}/position", POSITION_FIELDS),
        ("/portfolios/{portfolio}/summary", SUMMARY_FIELDS),
    ],
)
def test_a_thing_has_the_fields_that_are_documented(
    client: Client, names: dict[str, str], path: str, fields: list[str]
) -> None:
    assert set(fields) <= set(client.get(path.format_map(names)).data)


def test_money_is_a_json_number_with_its_cents(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel, premium_per_share=D("1.48"))
    raw = client.http.get(f"/api/v1/trades/{trade}").text
    assert '"total_premium":148.00,' in raw
    assert '"premium_per_share":1.48,' in raw
    assert '"strike":100.00,' in raw


def test_a_figure_passes_through_no_float(client: Client, desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated=D("999999999999.99"))
    assert client.get(f"/wheels/{wheel}").data["cash"] == D("999999999999.99")


def test_a_request_id_comes_back(client: Client) -> None:
    asked = client.ask("GET", "/wheels", headers={"X-Request-ID": "mine-1"})
    assert asked.headers["x-request-id"] == "mine-1"
    given = [client.get("/wheels").headers["x-request-id"] for _ in range(2)]
    assert given[0] != given[1]


@pytest.mark.parametrize("worthless", ["", "with blank", "x" * 129, "t\tab"])
def test_a_request_id_that_cannot_be_meant_is_replaced(client: Client, worthless: str) -> None:
    asked = client.ask("GET", "/wheels", headers={"X-Request-ID": worthless})
    assert UUID(asked.headers["x-request-id"]).hex == asked.headers["x-request-id"]


def test_what_is_made_is_answered_with_its_place(client: Client, desk: Desk) -> None:
    made = client.post(
        f"/portfolios/{desk.portfolio}/wheels", {"symbol": "new", "capital_allocated": 1}
    )
    assert (made.status, made.data["symbol"]) == (201, "NEW")
    assert made.headers["location"] == f"/api/v1/wheels/{made.data['id']}"
    assert made.headers["etag"] == '"1"'
    there = client.get(made.headers["location"])
    assert there.data == made.data
    assert int(there.headers["x-view-position"]) >= made.position


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("shares", {"action": "buy", "shares": 1, "price": 1}),
        ("trades", None),
        ("splits", {"numerator": 2, "denominator": 1}),
    ],
)
def test_what_is_recorded_on_a_wheel_is_made(
    client: Client, desk: Desk, path: str, body: dict[str, Any] | None
) -> None:
    wheel = desk.wheel("AB", shares=100, cost_basis=10, capital_allocated=20_000)
    made = client.post(f"/wheels/{wheel}/{path}", body or desk.sale())
    assert made.status == 201
    assert made.headers["location"].startswith("/api/v1/")
    assert client.get(made.headers["location"]).data == made.data


def test_an_action_is_answered_with_the_thing_as_it_now_stands(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel())
    closed = client.post(f"/trades/{trade}/close", {"price_per_share": D("0.40")})
    assert (closed.status, closed.data["outcome"]) == (200, "closed_early")
    assert closed.data["net_premium"] == D("108.70")
    assert closed.headers["etag"] == f'"{closed.data["version"]}"'
    assert client.get(f"/trades/{trade}").data == closed.data
    assert "location" not in closed.headers


@pytest.mark.parametrize(
    "path",
    [
        "/wheels/{0}",
        "/wheels/{0}/state",
        "/wheels/{0}/trades",
        "/wheels/{0}/lots",
        "/wheels/{0}/cycles",
        "/wheels/{0}/position",
        "/wheels/{0}/risk",
        "/wheels/{0}/performance",
        "/wheels/{0}/events",
        "/trades/{0}",
        "/trades/{0}/history",
        "/portfolios/{0}",
        "/portfolios/{0}/summary",
        "/portfolios/{0}/wheels",
        "/portfolios/{0}/positions",
        "/portfolios/{0}/performance",
        "/no/such/thing",
        "/wheels/not-a-uuid",
    ],
)
@pytest.mark.parametrize("query", [{}, {"as_of": "2026-03-01"}])
def test_what_is_not_known_is_not_found(client: Client, path: str, query: dict[str, str]) -> None:
    timeless = path.startswith(("/no", "/wheels/not")) or path.endswith(("events", "history"))
    missing = client.get(path.format(UNKNOWN), **({} if timeless else query))
    assert (missing.status, missing.code) == (404, "NOT_FOUND")
    assert set(missing.body) == {"error", "timestamp"}
    assert set(missing.error) == {"code", "message", "details"}


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/wheels"), ("DELETE", "/health")])
def test_a_method_that_is_not_for_the_path_is_said(client: Client, method: str, path: str) -> None:
    refused = client.ask(method, path)
    assert (refused.status, refused.code) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in refused.headers["allow"]


def test_the_ledger_is_paged_in_its_one_order(client: Client, desk: Desk) -> None:
    desk.sell(desk.wheel())
    positions = [each["position"] for each in client.events()]
    assert positions == list(range(1, client.head() + 1))


def test_the_ledger_is_filtered_by_stream_and_type(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    desk.sell(wheel)
    found = client.get("/ledger/events", stream=wheel, type="OptionSold").body["data"]
    assert [each["type"] for each in found] == ["OptionSold"]
    assert [e["type"] for e in client.get(f"/wheels/{wheel}/events").data] == [
        "WheelStarted",
        "OptionSold",
    ]


def test_an_unknown_type_of_event_is_refused_with_those_that_are_known(client: Client) -> None:
    refused = client.get("/ledger/events", type="Nonsense")
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert "OptionSold" in refused.error["details"]["constraint"]


def test_the_ledger_is_what_was_recorded(client: Client) -> None:
    verdict = client.get("/ledger/verify", full=True).data
    assert (verdict["ok"], verdict["first_bad_position"]) == (True, None)
    assert verdict["checked"] == verdict["head"] == client.head()


def test_health_is_told_in_parts(client: Client) -> None:
    parts = client.get("/health").data["parts"]
    assert set(parts) == {
        *("event_store", "views", "bus", "market"),
        *("projector", "relay", "prices", "risk", "scanner", "scheduler", "notifier", "plugins"),
    }
    assert parts["event_store"]["status"] == parts["bus"]["status"] == "healthy"
    assert parts["risk"] == {"status": "degraded", "reason": "no heartbeat yet"} | dict.fromkeys(
        ("position", "lag", "last_heartbeat", "quotes", "state", "troubles")
    )


def test_the_schema_describes_every_operation(client: Client) -> None:
    paths = client.get("/schema/openapi.json").body["paths"]
    operations = [each for path in paths.values() for each in path.values() if "summary" in each]
    assert len(operations) > 40
    assert "/api/v1/wheels/{wheel_id}/trades" in paths
