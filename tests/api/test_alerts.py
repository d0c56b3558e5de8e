"""Alerts, when they are not about a trade."""

from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from adapters import event_store
from domain import facts, login
from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.waiting import until
from tests.api.watch import Watch

ABOUT_A_TRADE = (
    "portfolio_id",
    "wheel_id",
    "trade_id",
    "direction",
    "strike",
    "expiration_date",
)
STREAM = facts.alert_stream(None, login.RULE)


@pytest.fixture(scope="module")
def alert(house: House, client: Client) -> dict[str, Any]:
    """The alert about the login, as it is listed once it has been raised."""
    told = facts.AlertRaised(
        symbol=login.SYMBOL, rule=login.RULE, severity="MEDIUM", message="log in again"
    )
    at = house.watch.now()
    with closing(event_store.open_sqlite(house.settings.event_store_path)) as log:
        log.append([facts.Recorded(0, STREAM, 1, at, at, "risk", uuid4(), None, told)])
    (listed,) = until(lambda: client.get("/alerts", rule=login.RULE).data)
    return dict(listed)


def test_an_alert_about_the_login_names_no_trade(alert: dict[str, Any]) -> None:
    assert {alert[each] for each in ABOUT_A_TRADE} == {None}
    assert (alert["id"], alert["symbol"], alert["severity"]) == (str(STREAM), "SCHWAB", "MEDIUM")


def test_it_is_found_by_its_symbol_and_among_all(client: Client, alert: dict[str, Any]) -> None:
    found = client.get("/alerts", symbol="schwab").data
    assert [each["id"] for each in found] == [alert["id"]]
    assert alert["id"] in [each["id"] for each in client.get("/alerts").data]


def test_it_is_not_among_those_of_a_portfolio(
    client: Client, desk: Desk, house: House, alert: dict[str, Any]
) -> None:
    watch = Watch(house, client.get(f"/trades/{desk.sell(desk.wheel())}").data)
    watch.says(watch.raising())
    found = until(lambda: client.get("/alerts", portfolio_id=desk.portfolio).data)
    assert [each["id"] for each in found] == [str(watch.alert)]


def test_it_is_seen_in_the_past_too(client: Client, house: House, alert: dict[str, Any]) -> None:
    day = f"{house.watch.now():%Y-%m-%d}"
    found = client.get("/alerts", symbol="SCHWAB", known_at=day).data
    assert [each["id"] for each in found] == [alert["id"]]


def test_it_can_be_acknowledged_and_its_events_read(client: Client, alert: dict[str, Any]) -> None:
    seen = client.post(f"/alerts/{alert['id']}/acknowledge").data
    events = client.get("/ledger/events", stream=alert["id"]).data
    assert (seen["acknowledged"], seen["trade_id"]) == (True, None)
    assert [each["type"] for each in events] == ["AlertRaised", "AlertAcknowledged"]
