"""The provider is gone for an hour of market time, and everything recovers by itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api.client import Client, Desk
from tests.api.waiting import until
from tests.system.instance import Instance

AN_HOUR = timedelta(hours=1)
TWELVE_SECONDS = "300"
"""Market seconds in a real one, so that an hour takes no longer."""


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    place = tmp_path_factory.mktemp("outage") / "data"
    variables = {"WHEEL_CLOCK_SPEED": TWELVE_SECONDS, "WHEEL_PRICE_INTERVAL": "60"}
    with closing(Instance(place, **variables)) as up:
        up.start()
        yield up


def put_near_the_money(client: Client, desk: Desk) -> str:
    """A wheel in a share with a price, and a put of it that is listed; the wheel's id."""
    wheel = desk.wheel("AAPL", capital_allocated=100_000)
    asked: dict[str, Any] = {"profile": "aggressive", "max_dte": 60, "limit": 1}
    best = until(lambda: best_of(client.get(f"/wheels/{wheel}/recommend", **asked)))
    said = {each: best[each] for each in ("direction", "strike", "expiration_date")}
    client.post(f"/wheels/{wheel}/trades", said | {"premium_per_share": best["bid"]})
    return wheel


def best_of(reply: Any) -> Any:
    return reply.status == 200 and reply.data["recommendations"][0]


def told(client: Client, rule: str) -> Counter[str]:
    """How often an alert was raised and cleared."""
    return Counter(each["type"] for each in client.events() if each["data"].get("rule") == rule)


def test_an_hour_without_the_provider_is_one_alert_and_heals_by_itself(instance: Instance) -> None:
    with instance.desk() as desk:
        client = desk.client
        wheel = put_near_the_money(client, desk)

        def position() -> Any:
            return client.get(f"/wheels/{wheel}/position").data

        until(lambda: (position()["price_state"], position()["mark_state"]) == ("live", "live"))
        now = datetime.fromisoformat(client.get("/info").body["timestamp"])
        outage = {"fault": "down", "since": now.isoformat(), "until": (now + AN_HOUR).isoformat()}
        instance.script({"*": outage})

        until(lambda: position()["price_state"] == "stale")
        gone = position()
        assert gone["price_age_seconds"] >= 15 * 60
        assert gone["option_mid"] is not None
        refused = client.get(f"/wheels/{wheel}/recommend")
        assert (refused.code, refused.error["details"]["state"]) == ("EXTERNAL_API_ERROR", "down")
        assert instance.health()["parts"]["market"]["state"] == "down"
        until(lambda: client.get("/alerts", rule="stale_price", status="active").data)

        until(lambda: (position()["price_state"], position()["mark_state"]) == ("live", "live"))
        until(lambda: not client.get("/alerts", rule="stale_price", status="active").data)
        until(lambda: client.get(f"/wheels/{wheel}/recommend").status == 200)
        until(lambda: instance.health()["parts"]["market"]["status"] == "healthy")
        assert told(client, "stale_price") == {"AlertRaised": 1, "AlertCleared": 1}
