"""The configuration: shown whole but for its secrets, and changed by orders that stay."""

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from adapters import configured, keys, settings
from tests.api import house as houses
from tests.api.client import Client, Desk, Reply
from tests.api.house import House

HUSH = "hush hush"


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    """A client; what it configured is taken back."""
    client = house.client()
    level = logging.root.level
    yield client
    client.put("/config", {"changes": dict.fromkeys(changeable())})
    logging.root.setLevel(level)
    client.close()


def changeable() -> list[str]:
    return [key for key, known in keys.KEYS.items() if known.changeable]


def shown(client: Client, key: str) -> Any:
    return next(each for each in client.get("/config").data["settings"] if each["key"] == key)


def change(client: Client, said: dict[str, Any] | None = None, **changes: Any) -> Reply:
    return client.put("/config", {"changes": changes} | (said or {}))


def test_every_key_is_shown_with_its_default_and_where_its_value_comes_from(
    client: Client, house: House
) -> None:
    found = {each["key"]: each for each in client.get("/config").data["settings"]}
    assert list(found) == list(settings.keys())
    assert (found["nats_port"]["value"], found["nats_port"]["default"]) == (
        house.settings.nats_port,
        4222,
    )
    assert found["nats_port"]["source"] == "environment"
    assert found["clock"]["source"] == "default"
    assert all(each["description"] and each["accepts"] for each in found.values())


def test_a_key_that_was_changed_tells_since_when_and_by_whom(client: Client) -> None:
    said = {"reason": "another broker", "source": "cli", "notes": "from May on"}
    answered = change(client, said, fee_per_contract=Decimal("0.55"))
    key = shown(client, "fee_per_contract")
    assert (key["value"], key["source"]) == (Decimal("0.55"), "ledger")
    told = {name: key["changed"][name] for name in ("source", "value", "before", "reason", "notes")}
    assert told == said | {"value": "0.55", "before": "0.65"}
    assert key["changed"]["position"] == answered.position
    assert key["changed"]["request_id"] == answered.headers["x-request-id"]


def test_a_change_is_an_event_of_the_ledger(client: Client) -> None:
    position = change(client, fee_per_contract="0.5", price_interval=60).position
    event = client.get("/ledger/events", after=position - 1, limit=1).body["data"][0]
    assert (event["type"], event["kind"]) == ("ConfigurationChanged", "settings")
    assert event["data"]["changes"] == {"fee_per_contract": "0.5", "price_interval": "60"}
    assert event["data"]["before"] == {"fee_per_contract": "0.65", "price_interval": "300.0"}


def test_a_new_fee_counts_from_the_next_order_on(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    before = client.get(f"/trades/{desk.sell(wheel)}").data["fees"]
    change(client, fee_per_contract="1.00")
    after = client.get(f"/trades/{desk.sell(wheel)}").data["fees"]
    assert (before, after) == (Decimal("0.65"), Decimal("1.00"))


def test_the_level_of_the_logs_changes_at_once(client: Client) -> None:
    assert change(client, log_level="error").status == 200
    assert logging.root.level == logging.ERROR
    workers = [
        "projector",
        "relay",
        "prices",
        "risk",
        "scanner",
        "scheduler",
        "notifier",
        "plugins",
    ]
    assert shown(client, "log_level")["restart"] == workers


def test_what_was_changed_is_there_after_a_restart_and_for_every_process(
    client: Client, house: House
) -> None:
    change(client, price_interval=77)
    house.close()
    house.open()
    assert shown(client, "price_interval")["value"] == 77
    environ = {"WHEEL_DATA_DIR": str(house.settings.data_dir)}
    assert configured.load(environ).price_interval == 77.0


def test_null_takes_back_what_was_said_here(client: Client) -> None:
    change(client, market_seed=7)
    assert change(client, market_seed=None).status == 200
    key = shown(client, "market_seed")
    assert (key["value"], key["source"], key["changed"]["value"]) == (1, "default", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fee_per_contract", -1),
        ("fee_per_contract", "NaN"),
        ("fee_per_contract", 0.1234567),
        ("fee_per_contract", True),
        ("log_level", "loud"),
        ("log_level", ""),
        ("price_interval", 0),
        ("price_interval", 1e300),
        ("market_seed", 1.5),
        ("market_seed", 2**60),
        ("rate_limit", -1),
        ("colour", "red"),
        ("", 1),
        ("x" * 10_000, 1),
    ],
)
def test_one_bad_value_refuses_the_whole_change(client: Client, key: str, value: Any) -> None:
    head = client.head()
    answered = client.put("/config", {"changes": {"market_seed": 9} | {key: value}})
    assert (answered.code, answered.error["details"]["field"]) == ("VALIDATION_ERROR", key)
    assert client.head() == head
    assert shown(client, "market_seed")["value"] == 1


@pytest.mark.parametrize("body", [{}, {"changes": {}}, {"changes": {"market_seed": []}}, b"[]"])
def test_what_is_no_change_is_refused(client: Client, body: Any) -> None:
    assert client.put("/config", body).code == "VALIDATION_ERROR"


@pytest.mark.parametrize("key", [key for key, known in keys.KEYS.items() if not known.changeable])
def test_where_things_are_and_who_may_reach_them_is_not_changed_here(
    client: Client, key: str
) -> None:
    answered = client.put("/config", {"changes": {key: HUSH}})
    assert (answered.status, answered.error["details"]["field"]) == (400, key)
    assert settings.variable(key) in answered.error["message"]
    if key == "api_token":
        assert HUSH not in json.dumps(answered.error)


def test_a_configuration_cannot_be_changed_in_the_past(client: Client) -> None:
    answered = change(client, {"effective_at": "2026-01-05"}, market_seed=7)
    assert answered.error["details"]["field"] == "effective_at"


def test_the_same_change_twice_is_one_event(client: Client) -> None:
    change(client, market_seed=7)
    head = client.head()
    assert change(client, market_seed=7).status == 200
    assert client.head() == head


def test_a_rehearsed_change_changes_nothing(client: Client) -> None:
    head = client.head()
    answered = client.put("/config", {"changes": {"fee_per_contract": 2}}, dry_run=True)
    assert answered.data["dry_run"] is True
    assert client.head() == head
    assert shown(client, "fee_per_contract")["value"] == Decimal("0.65")


def test_a_change_asked_for_twice_is_carried_out_once(client: Client) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first = client.put("/config", {"changes": {"market_seed": 7}}, key)
    change(client, market_seed=8)
    again = client.put("/config", {"changes": {"market_seed": 7}}, key)
    assert again.body == first.body
    assert shown(client, "market_seed")["value"] == 8


def test_a_change_meant_for_another_version_is_refused(client: Client) -> None:
    version = client.get("/config").headers["etag"]
    change(client, market_seed=7)
    answered = client.put("/config", {"changes": {"market_seed": 8}}, {"If-Match": version})
    assert (answered.status, answered.code) == (409, "CONFLICT")
    now = {"If-Match": client.get("/config").headers["etag"]}
    assert client.put("/config", {"changes": {"market_seed": 8}}, now).status == 200


def test_the_environment_wins_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("chosen")
    with houses.opened(place, monkeypatch, HUSH, market_seed=5) as house:
        client = house.client()
        answered = change(client, market_seed=7)
        whole = json.dumps(client.get("/config").body, default=str)
        client.close()
    assert (answered.status, answered.code) == (409, "INVALID_STATE")
    assert "WHEEL_MARKET_SEED" in answered.error["message"]
    assert HUSH not in whole
