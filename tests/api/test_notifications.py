"""Channels, what they were told, and the links in it, as they are asked for over HTTP."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from adapters import addresses, courier, event_store
from domain import facts, subjects
from tests import receivers
from tests.api import house as houses
from tests.api.client import Client
from tests.api.waiting import until
from workers import relay, running
from workers.__main__ import WORKERS

SECRET = "hunter2"
_NUMBERS = count()


async def _relay(context: running.Context) -> None:
    woken = await running.wake_on(context.bus, subjects.LEDGER_APPENDED)
    with closing(event_store.open_store(context.settings)) as log:
        await relay.run(log, context.bus, context.stop, woken, context.beat)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[houses.House]:
    """A house with a token, and with a notifier."""
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path_factory.mktemp("told"), patch, token="let-me-in") as opened,
    ):
        opened.hire("relay", _relay)
        opened.hire("notifier", WORKERS["notifier"])
        yield opened


@pytest.fixture
def hook() -> Iterator[receivers.Receiver]:
    with receivers.webhook() as receiver:
        yield receiver


@pytest.fixture
def name() -> str:
    """A channel's that there was never before."""
    return f"c{next(_NUMBERS)}"


def opened(client: Client, name: str, url: str, **said: Any) -> Any:
    """Set up a channel for alerts in a symbol of its own."""
    body = {"name": name, "url": url, "symbols": [name]} | said
    return client.post("/notifications/channels", body)


def raised(house: houses.House, symbol: str = "XYZ") -> str:
    """An alert of its own; its id."""
    trade = uuid4()
    fact = facts.AlertRaised(
        portfolio_id=UUID(int=1),
        wheel_id=UUID(int=2),
        trade_id=trade,
        symbol=symbol,
        rule="itm",
        severity="HIGH",
        message="<b>look</b>",
    )
    stream = facts.alert_stream(trade, "itm")
    recorded(house, stream, fact)
    return str(stream)


def recorded(house: houses.House, stream: UUID, *told: facts.Fact) -> None:
    """Record what happened to an alert."""
    now = house.watch.now()
    with closing(event_store.open_store(house.settings)) as log:
        for version, fact in enumerate(told, len(log.stream(stream)) + 1):
            log.append([facts.Recorded(0, stream, version, now, now, "risk", uuid4(), None, fact)])


def raised_again(house: houses.House, stream: UUID) -> None:
    """Let an alert be over, and begin anew."""
    with closing(event_store.open_store(house.settings)) as log:
        first = log.stream(stream)[0].fact
    assert isinstance(first, facts.AlertRaised)
    whose = {each: getattr(first, each) for each in facts.OfAlert.__struct_fields__}
    recorded(house, stream, facts.AlertCleared(**whose, reason="OTM"), first)


def told(client: Client, house: houses.House, name: str, hook: receivers.Receiver) -> Any:
    """What a channel is told of an alert that is raised now; only it is told."""
    opened(client, name, hook.url)
    raised(house, name.upper())
    (message,) = until(lambda: hook.took)
    return message.said


# --- channels --------------------------------------------------------------------------------


def test_a_channel_is_shown_as_it_was_set_up_without_its_url(
    client: Client, hook: receivers.Receiver, name: str
) -> None:
    quiet = {"start": "22:00", "end": "07:00"}
    made = opened(client, name, hook.url, severities=["HIGH"], quiet=quiet, notes="at night")
    assert (made.status, made.headers["location"]) == (
        201,
        f"/api/v1/notifications/channels/{name}",
    )
    shown = client.get(made.headers["location"])
    assert shown.data == made.data
    assert shown.headers["etag"] == made.headers["etag"]
    assert (shown.data["service"], shown.data["quiet"]["zone"]) == ("json", "America/New_York")
    assert "url" not in shown.data


def test_a_url_is_nowhere_but_in_a_file_of_the_owner(
    client: Client, house: houses.House, hook: receivers.Receiver, name: str
) -> None:
    opened(client, name, hook.url)
    client.post("/notifications/test", {"channel": name})
    kept = [path for path in _files(house) if SECRET.encode() in path.read_bytes()]
    assert {path.parent.name for path in kept} == {"notifications"}
    modes = {path.stat().st_mode & 0o777 for path in _files(house) if "notifications" in path.parts}
    assert modes == {0o600}
    assert SECRET not in str([*client.events(), client.get("/notifications/channels").body])


def _files(house: houses.House) -> list[Path]:
    found = house.settings.data_dir.rglob("*")
    return [path for path in found if path.is_file() and "jetstream" not in path.parts]


def test_a_removed_channel_is_not_found_and_its_url_is_forgotten(
    client: Client, house: houses.House, name: str
) -> None:
    opened(client, name, f"json://127.0.0.1/gone-{name}")
    gone = client.delete(f"/notifications/channels/{name}")
    assert (gone.status, gone.data["is_there"]) == (200, False)
    assert client.get(f"/notifications/channels/{name}").status == 404
    assert not [path for path in _files(house) if f"gone-{name}".encode() in path.read_bytes()]


def test_a_change_is_of_all_but_the_url_and_a_new_url_replaces_the_old(
    client: Client, house: houses.House, name: str
) -> None:
    opened(client, name, f"json://127.0.0.1/old-{name}", severities=["HIGH"])
    changed = client.put(f"/notifications/channels/{name}", {"rules": ["itm"]})
    assert (changed.data["severities"], changed.data["rules"]) == ([], ["itm"])
    client.put(f"/notifications/channels/{name}", {"url": f"json://127.0.0.1/new-{name}"})
    kept = [path.read_bytes() for path in _files(house) if path.parent.name == "notifications"]
    assert [f"{which}-{name}".encode() in b"".join(kept) for which in ("old", "new")] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("url", {"url": "nonsense"}),
        ("url", {"url": f"foo://{SECRET}"}),
        ("url", {"url": "dbus://"}),
        ("url", {"url": ""}),
        ("url", {"url": [SECRET]}),
        ("url", {"url": "json://h/" + SECRET * 400}),
        ("name", {"name": "No Name"}),
        ("url", {"url": "json://127.0.0.1/a, json://127.0.0.1/b"}),
        ("url", {"url": "ntfys://"}),
        ("severities[0]", {"severities": ["URGENT"]}),
        ("rules[1]", {"rules": ["itm", "no_such_rule"]}),
        ("quiet.start", {"quiet": {"start": "25:00", "end": "07:00"}}),
        ("quiet.zone", {"quiet": {"start": "22:00", "end": "07:00", "zone": "Moon"}}),
        ("digest.at", {"digest": {"every": "daily", "at": "8"}}),
        ("escalation.to", {"escalation": {"after_minutes": 5, "to": "nobody"}}),
        ("colour", {"colour": "red"}),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field_and_no_url_is_echoed(
    client: Client, field: str, said: dict[str, Any]
) -> None:
    body = {"name": "new", "url": "json://127.0.0.1/x"} | said
    refused = client.post("/notifications/channels", body)
    assert (refused.status, refused.error["details"]["field"]) == (400, field)
    assert SECRET not in str(refused.body)


def test_a_channel_is_for_portfolios_that_there_are_and_for_any_plugin(
    client: Client, name: str
) -> None:
    url = "json://127.0.0.1/x"
    portfolio = client.post("/portfolios", {"name": name}).data["id"]
    refused = opened(client, name, url, portfolios=[portfolio, str(UUID(int=57005))])
    assert (refused.status, refused.error["details"]["id"]) == (404, str(UUID(int=57005)))
    said = {"portfolios": [portfolio], "rules": ["token_expiring", "plugin_mine"]}
    assert opened(client, name, url, **said).status == 201
    assert client.put(f"/notifications/channels/{name}", {"rules": ["none"]}).status == 400


def test_a_url_is_not_forgotten_that_another_channel_is_just_being_given(
    client: Client, name: str, hook: receivers.Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(client, f"{name}-a", "json://127.0.0.1/old")
    opened(client, f"{name}-b", hook.url)
    keep = addresses.Addresses.keep
    with ThreadPoolExecutor(1) as aside:

        def kept(ours: addresses.Addresses, url: str) -> str:
            """Keep it, and give the other one its chance before the order is carried out."""
            key = keep(ours, url)
            removal = aside.submit(client.delete, f"/notifications/channels/{name}-b")
            with suppress(TimeoutError):
                removal.result(timeout=0.5)
            return key

        monkeypatch.setattr(addresses.Addresses, "keep", kept)
        assert client.put(f"/notifications/channels/{name}-a", {"url": hook.url}).status == 200
    assert client.get(f"/notifications/channels/{name}-b").status == 404
    assert client.post("/notifications/test", {"channel": f"{name}-a"}).status == 200


def test_orders_on_channels_are_orders_like_any_other(client: Client, name: str) -> None:
    body = {"name": name, "url": "json://127.0.0.1/x"}
    would = client.post("/notifications/channels", body, dry_run=True)
    assert [each["name"] for each in would.data["changes"]] == ["ChannelConfigured"]
    key = {"Idempotency-Key": f"add-{name}"}
    first, again = (client.post("/notifications/channels", body, key) for _ in range(2))
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    assert client.post("/notifications/channels", body).status == 409
    stale = client.put(f"/notifications/channels/{name}", {}, {"If-Match": '"9999"'})
    assert (stale.status, stale.code) == (409, "CONFLICT")


# --- the test button -------------------------------------------------------------------------


def test_a_test_message_is_sent_and_the_answer_is_what_the_channel_said(
    client: Client, hook: receivers.Receiver, name: str
) -> None:
    opened(client, name, hook.url)
    tried = client.post("/notifications/test", {"channel": name})
    assert (tried.status, tried.data["service"]) == (200, "json")
    (message,) = hook.took
    assert message.id == message.headers["Idempotency-Key"] == tried.data["delivery_id"]
    hook.refuses = lambda _: True
    failed = client.post("/notifications/test", {"channel": name})
    assert (failed.status, failed.code) == (502, "EXTERNAL_API_ERROR")
    assert failed.error["details"] == {"channel": name, "why": "it answered 503"}


def test_a_test_message_comes_by_mail(client: Client, name: str) -> None:
    with receivers.mailbox() as mail:
        opened(client, name, mail.url)
        assert client.post("/notifications/test", {"channel": name}).status == 200
        assert mail.took[0].headers["Subject"] == "Wheelwright: a test"


def test_a_channel_that_nobody_knows_is_not_tested(client: Client) -> None:
    assert client.post("/notifications/test", {"channel": "nobody"}).status == 404


def test_who_never_ends_its_answer_keeps_nobody_from_work(
    client: Client, hook: receivers.Receiver, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "WITHIN", 2.0)
    opened(client, f"{name}-slow", "json://127.0.0.1/x")
    opened(client, name, hook.url)

    def test_of(channel: str) -> Any:
        return client.post("/notifications/test", {"channel": channel})

    with receivers.oddity(receivers.dripping) as odd, ThreadPoolExecutor(9) as many:
        client.put(f"/notifications/channels/{name}-slow", {"url": odd.url})
        tries = [many.submit(test_of, f"{name}-slow") for _ in range(9)]
        until(lambda: odd.attempts == courier.AT_ONCE - 1)
        assert client.post("/portfolios", {"name": name}).status == 201
        assert opened(client, f"{name}-other", hook.url).status == 201
        answered = Counter(each.result().status for each in tries)
    assert answered == {502: courier.AT_ONCE - 1, 429: 9 - (courier.AT_ONCE - 1)}
    assert test_of(name).status == 200


# --- deliveries ------------------------------------------------------------------------------


def test_an_alert_reaches_the_channel_and_is_listed_as_delivered(
    client: Client, house: houses.House, hook: receivers.Receiver, name: str
) -> None:
    said = told(client, house, name, hook)
    (listed,) = until(
        lambda: client.get("/notifications/deliveries", channel=name, status="delivered").data
    )
    assert (listed["id"], listed["alert_id"]) == (said["delivery_id"], said["alert_id"])
    asked = partial(
        client.get, "/notifications/deliveries", channel=name, alert_id=said["alert_id"]
    )
    assert asked().data == [listed]
    assert asked(status="failed").data == []
    assert asked(known_at="2026-01-01").data == []


def test_a_channel_that_keeps_failing_is_seen_in_health_and_metrics(
    client: Client, house: houses.House, hook: receivers.Receiver, name: str
) -> None:
    hook.refuses = lambda _: True
    opened(client, name, hook.url)
    raised(house, name.upper())

    def reason() -> str | None:
        if house.watch.now() < houses.MONDAY + timedelta(days=1):
            house.watch.turn_to(house.watch.now() + timedelta(minutes=1))
        found = client.get("/health").data["parts"]["notifier"]
        return found["reason"] if name in str(found["reason"]) else None

    assert re.search(rf"{name} fails since .*Z: it answered 503; 1 waiting", str(until(reason)))
    metrics = client.http.get("/api/v1/metrics").text
    assert f'wheelwright_notifications{{channel="{name}",outcome="waiting"}} 1.0' in metrics
    client.delete(f"/notifications/channels/{name}")


# --- signed links ----------------------------------------------------------------------------


@pytest.fixture
def said(
    client: Client, house: houses.House, hook: receivers.Receiver, name: str
) -> dict[str, Any]:
    """What a webhook was told."""
    found: dict[str, Any] = told(client, house, name, hook)
    return found


def follow(method: str, url: str, accept: str = "application/json", **changed: str) -> Any:
    """Follow a link as a stranger, who has no token; perhaps with something in it changed."""
    query = dict(parse_qsl(urlsplit(url).query)) | changed
    there = url.partition("?")[0]
    return httpx.request(method, there, params=query, headers={"Accept": accept}, trust_env=False)


def standing(client: Client, said: dict[str, Any]) -> Any:
    (found,) = [each for each in client.get("/alerts").data if each["id"] == said["alert_id"]]
    return found


def test_a_link_shows_what_it_would_do_and_does_it_only_when_posted(
    client: Client, said: dict[str, Any]
) -> None:
    shown = follow("GET", said["acknowledge_url"])
    assert (shown.status_code, shown.json()["data"]["what"]) == (200, "acknowledge")
    assert not standing(client, said)["acknowledged"]
    done = follow("POST", said["acknowledge_url"])
    assert (done.status_code, done.json()["data"]["alert"]["acknowledged"]) == (200, True)
    assert standing(client, said)["acknowledged"]


def test_a_browser_is_shown_a_page_with_a_button(said: dict[str, Any]) -> None:
    page = follow("GET", said["mute_url"], accept="text/html")
    assert page.headers["content-type"].startswith("text/html")
    assert '<form method="post"><button type="submit">Mute</button></form>' in page.text
    assert "&lt;b&gt;look&lt;/b&gt;" in page.text
    done = follow("POST", said["mute_url"], accept="text/html")
    assert (done.status_code, "Done: mute." in done.text) == (200, True)


def test_links_mute_and_clear(client: Client, house: houses.House, said: dict[str, Any]) -> None:
    assert follow("POST", said["mute_url"]).status_code == 200
    until_ = datetime.fromisoformat(standing(client, said)["muted_until"])
    assert timedelta(hours=23) < until_ - house.watch.now().astimezone(UTC) <= timedelta(days=1)
    assert follow("POST", said["clear_url"]).status_code == 200
    assert standing(client, said)["status"] == "cleared"
    assert follow("POST", said["clear_url"]).status_code == 409


@pytest.mark.parametrize(
    "changed",
    [
        {"what": "clear"},
        {"raised": "1"},
        {"expires": "2036-01-01T00:00:00Z"},
        {"until": "2026-03-09T00:00:00Z"},
        {"signature": "0" * 64},
        {"signature": ""},
    ],
)
def test_a_link_that_was_changed_does_nothing(
    client: Client, said: dict[str, Any], changed: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        refused = follow(method, said["acknowledge_url"], **changed)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert standing(client, said)["status"] == "active"


def test_a_link_does_nothing_to_an_alert_that_was_raised_again(
    client: Client, house: houses.House, said: dict[str, Any]
) -> None:
    raised_again(house, UUID(said["alert_id"]))
    for method in ("GET", "POST"):
        for what in ("acknowledge", "mute", "clear"):
            refused = follow(method, said[f"{what}_url"])
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "INVALID_STATE")
    until(lambda: standing(client, said)["version"] == 3)
    now = standing(client, said)
    assert (now["status"], now["acknowledged"], now["muted_until"]) == ("active", False, None)


@pytest.mark.parametrize("name", ["expires", "until"])
@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_an_instant_that_there_is_not_is_refused_by_its_name(
    house: houses.House, name: str, instant: str
) -> None:
    query = {"what": "mute", "raised": "1", "expires": "2026-03-09T15:00:00Z", "signature": "x"}
    link = f"{house.url}/api/v1/alerts/{UUID(int=5)}/act"
    for method in ("GET", "POST"):
        refused = httpx.request(method, link, params=query | {name: instant}, trust_env=False)
        assert (refused.status_code, refused.json()["error"]["details"]["field"]) == (400, name)


def test_a_link_of_one_alert_is_none_of_another(said: dict[str, Any]) -> None:
    other = said["acknowledge_url"].replace(said["alert_id"], str(UUID(int=5)))
    assert follow("POST", other).status_code == 401


def test_a_link_is_followed_without_a_token_from_anywhere(
    tmp_path: Path, hook: receivers.Receiver
) -> None:
    """Where no token is set only pages of this machine may write; a signature is as good."""
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path, patch, public_url="https://wheel.example") as house,
    ):
        house.hire("relay", _relay)
        house.hire("notifier", WORKERS["notifier"])
        client = house.client()
        link = told(client, house, "c", hook)["clear_url"]
        client.close()
        assert link.startswith("https://wheel.example/api/v1/alerts/")
        headers = {"Host": "wheel.example", "Origin": "null"}
        here = house.url + link.removeprefix("https://wheel.example")
        assert httpx.post(here, headers=headers, trust_env=False).status_code == 200


def test_a_link_that_has_expired_does_nothing(
    house: houses.House, client: Client, said: dict[str, Any]
) -> None:
    house.watch.turn_to(house.watch.now() + timedelta(days=8))
    assert follow("POST", said["acknowledge_url"]).status_code == 401
    assert not standing(client, said)["acknowledged"]
