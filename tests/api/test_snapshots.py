"""Snapshots over HTTP: written down, listed, and the trend that they show."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from adapters import bus, nats_server
from domain import market
from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.waiting import until

D = Decimal
DAYS = ["2026-01-06", "2026-01-07", "2026-01-12", "2026-01-14"]
PRICES = [D("103.00"), D("101.00"), D("99.00"), D("106.00")]
MIDS = [D("1.40"), D("1.50"), D("2.20"), D("0.30")]


def option(trade: str, mid: Any) -> list[dict[str, Any]]:
    return [{"trade_id": trade, "mid": mid}]


@pytest.fixture
def wheel(desk: Desk) -> str:
    return desk.wheel()


@pytest.fixture
def followed(client: Client, desk: Desk, wheel: str) -> str:
    """A put sold on a Monday, and four snapshots in two weeks; the wheel."""
    trade = desk.sell(wheel)
    for day, price, mid in zip(DAYS, PRICES, MIDS, strict=True):
        body = {"price": price, "options": option(trade, mid), "effective_at": day}
        assert client.post(f"/wheels/{wheel}/snapshots", body).status == 201
    return wheel


async def quoted(house: House, symbol: str, price: str) -> None:
    """Let the price worker's word be heard."""
    password = nats_server.password(house.settings.data_dir, "prices")
    async with bus.connect(
        house.settings.bus_url, "prices", password, house.watch, shelf=house.settings.market
    ) as connected:
        await connected.wait_up(5)
        now = house.watch.now()
        await connected.put_quote(
            market.Quote(symbol, D(price), None, None, now, "simulated", "live")
        )


def test_a_snapshot_is_found_where_its_location_says(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel, contracts=2)
    made = client.post(
        f"/wheels/{wheel}/snapshots",
        {"price": 98, "options": option(trade, D("2.75")), "effective_at": "2026-01-07"},
    )
    assert (made.status, made.data["effective_at"]) == (201, "2026-01-07T21:00:00Z")
    assert client.get(made.headers["location"]).data == made.data
    assert client.get(f"/wheels/{wheel}/snapshots/latest").data == made.data
    (seen,) = made.data["options"]
    assert (seen["intrinsic"], seen["extrinsic"], seen["value"]) == (D("2.00"), D("0.75"), 550)
    assert seen["moneyness"] == {
        "is_itm": True,
        "is_otm": False,
        "pct": D("-2.0000"),
        "label": "ITM by 2.0%",
    }
    assert made.data["unrealized_pnl"] == seen["premium_collected"] - 550


async def test_the_last_price_heard_is_taken(client: Client, desk: Desk, house: House) -> None:
    wheel = desk.wheel("HEARD")
    refused = client.post(f"/wheels/{wheel}/snapshots")
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert "no price of HEARD" in refused.error["message"]
    await quoted(house, "HEARD", "101.25")
    until(lambda: client.get(f"/wheels/{wheel}/position").data["current_price"] is not None)
    made = client.post(f"/wheels/{wheel}/snapshots").data
    assert (made["price"], made["price_source"], made["price_state"]) == (
        D("101.25"),
        "simulated",
        "live",
    )


def test_a_late_snapshot_takes_the_price_that_was_known_then(client: Client, desk: Desk) -> None:
    for price, day in ((98, "2026-01-06"), (99, "2026-01-07")):
        body = {"price": price, "effective_at": day}
        client.post(f"/wheels/{desk.wheel('THEN')}/snapshots", body)
        desk = Desk(client)
    wheel = desk.wheel("THEN")
    late = client.post(f"/wheels/{wheel}/snapshots", {"effective_at": "2026-01-06"}).data
    assert (late["price"], late["price_source"]) == (98, "given")
    none = client.post(f"/wheels/{wheel}/snapshots", {"effective_at": "2025-12-29"})
    assert (none.status, none.code) == (409, "INVALID_STATE")


def test_the_same_key_marks_once(client: Client, wheel: str) -> None:
    once = {"Idempotency-Key": uuid4().hex}
    path = f"/wheels/{wheel}/snapshots"
    first, again = (client.post(path, {"price": 98}, headers=once) for _ in range(2))
    assert (again.status, again.body) == (first.status, first.body)
    assert client.get(path).body["pagination"]["total_items"] == 1


def test_a_rehearsed_snapshot_is_none(client: Client, wheel: str) -> None:
    shown = client.post(f"/wheels/{wheel}/snapshots", {"price": 98}, dry_run=True)
    assert (shown.status, shown.data["after"]["price"]) == (200, D("98.00"))
    assert shown.data["changes"][0]["name"] == "PositionMarked"
    assert client.get(f"/wheels/{wheel}/snapshots").data == []


def test_a_stale_version_is_refused(client: Client, wheel: str) -> None:
    path = f"/wheels/{wheel}/snapshots"
    client.post(path, {"price": 98})
    stale = client.post(path, {"price": 98}, headers={"If-Match": '"0"'})
    assert (stale.status, stale.code) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price": 0}, "price"),
        ({"price": "x"}, None),
        ({"price": 1, "effective_at": "2999-01-01"}, "effective_at"),
        ({"price": 1, "options": [{"trade_id": uuid4().hex, "mid": 1}]}, "options.trade_id"),
        ({"prize": 1}, None),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: Client, wheel: str, body: dict[str, Any], field: str | None
) -> None:
    refused = client.post(f"/wheels/{wheel}/snapshots", body)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert field is None or refused.error["details"]["field"] == field


def test_snapshots_are_listed_newest_first_within_a_span(client: Client, followed: str) -> None:
    path = f"/wheels/{followed}/snapshots"
    assert [each["price"] for each in client.get(path).data] == PRICES[::-1]
    within = client.get(path, **{"from": DAYS[1], "to": DAYS[2], "sort": "price"})
    assert [each["price"] for each in within.data] == [PRICES[2], PRICES[1]]
    page = client.get(path, page=2, page_size=3)
    assert [each["price"] for each in page.data] == [PRICES[0]]
    assert page.body["pagination"]["total_items"] == 4


def test_of_one_instant_the_mark_recorded_last_counts(client: Client, followed: str) -> None:
    made = client.post(
        f"/wheels/{followed}/snapshots", {"price": 107, "effective_at": DAYS[3]}
    ).data
    assert client.get(f"/wheels/{followed}/snapshots/latest").data == made
    assert client.get(f"/wheels/{followed}/trend").data["points"][-1]["price"] == 107


def test_a_daily_trend_has_a_point_for_each_marked_day(client: Client, followed: str) -> None:
    points = client.get(f"/wheels/{followed}/trend").data["points"]
    assert [(each["date"], each["price"]) for each in points] == list(
        zip(DAYS, PRICES, strict=True)
    )
    assert [each["risk_level"] for each in points] == ["MEDIUM", "MEDIUM", "HIGH", "LOW"]
    assert [each["moneyness"] for each in points] == [D(3), D(1), D(-1), D(6)]
    assert [each["option_value"] for each in points] == [140, 150, 220, 30]
    assert [each["time_decay"] for each in points] == [None, 10, -30, -90]
    assert [each["dte_calendar"] for each in points] == [45, 44, 39, 37]


def test_a_weekly_trend_is_told_by_the_last_mark_of_each_week(
    client: Client, followed: str
) -> None:
    shown = client.get(f"/wheels/{followed}/trend", interval="weekly").data
    assert [(each["date"], each["price"]) for each in shown["points"]] == [
        ("2026-01-05", PRICES[1]),
        ("2026-01-12", PRICES[3]),
    ]


def test_an_option_without_a_price_has_no_value(client: Client, followed: str) -> None:
    client.post(f"/wheels/{followed}/snapshots", {"price": 104, "effective_at": "2026-01-15"})
    (point,) = client.get(f"/wheels/{followed}/trend", **{"from": "2026-01-15"}).data["points"]
    assert (point["option_value"], point["time_decay"], point["moneyness"]) == (None, None, 4)


def test_the_clocks_turn_back_snapshots_too(client: Client, desk: Desk, house: House) -> None:
    wheel = desk.wheel()
    path = f"/wheels/{wheel}/snapshots"
    client.post(path, {"price": 98, "effective_at": "2026-01-06"})
    before = house.watch.now().isoformat()
    client.post(path, {"price": 99, "effective_at": "2026-01-07"})
    assert client.get(f"{path}/latest", known_at=before).data["price"] == 98
    assert client.get(f"{path}/latest", as_of="2026-01-06").data["price"] == 98
    points = client.get(f"/wheels/{wheel}/trend", as_of="2026-01-06").data["points"]
    assert [each["price"] for each in points] == [98]
    assert len(client.get(path).data) == 2


def test_without_snapshots_there_is_no_latest_one(client: Client, wheel: str) -> None:
    assert client.get(f"/wheels/{wheel}/snapshots/latest").status == 404
    assert client.get(f"/wheels/{wheel}/snapshots/1").status == 404
    assert client.get(f"/wheels/{wheel}/snapshots/{2**63}").status == 404
    assert client.get(f"/wheels/{wheel}/trend").data["points"] == []


@pytest.mark.parametrize("path", ["snapshots", "snapshots/latest", "snapshots/1", "trend"])
def test_an_unknown_wheel_has_none(client: Client, path: str) -> None:
    assert client.get(f"/wheels/{uuid4()}/{path}").status == 404
    assert client.post(f"/wheels/{uuid4()}/snapshots", {"price": 1}).status == 404
