"""A person logs in: by the address that was begun last, in time, and by no other."""

import asyncio
import io
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from adapters import clock
from adapters.schwab import __main__ as command
from adapters.schwab import entrance, vault
from domain import market
from tests.adapters.schwab import fake
from tests.adapters.schwab.conftest import (
    ACCESS,
    APP_KEY,
    APP_SECRET,
    CODE,
    NOW,
    SECRETS,
    House,
    granted,
)
from tests.adapters.schwab.fake import Reply

CALLBACK = "https://127.0.0.1:8182"


class Watch(clock.Clock):
    """Stands still until it is turned."""

    def __init__(self) -> None:
        super().__init__(real=lambda: self.at)
        self.at = NOW


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def door(house: House, watch: Watch) -> entrance.Entrance:
    house.fake.tell(fake.TOKEN, granted(ACCESS))
    return entrance.Entrance(house.settings, watch, house.vault)


def asked_for(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def back(visit: entrance.Visit, place: str = f"{CALLBACK}/", **told: str) -> str:
    """The address at which Schwab lets go of a person."""
    state = asked_for(visit.authorize_url)["state"]
    return f"{place}?{urlencode({'code': CODE, 'session': 'one', 'state': state} | told)}"


def test_the_address_to_visit_is_schwabs_and_names_the_app(
    house: House, door: entrance.Entrance
) -> None:
    visit = door.begin()
    asked = asked_for(visit.authorize_url)
    assert visit.authorize_url.startswith(f"{house.fake.url}/v1/oauth/authorize?")
    assert visit.expires_at == NOW + timedelta(minutes=10)
    assert (asked["client_id"], asked["redirect_uri"]) == (APP_KEY, CALLBACK)
    assert APP_SECRET not in visit.authorize_url


async def test_the_address_where_the_visit_ends_is_a_login_for_a_week(
    house: House, door: entrance.Entrance
) -> None:
    login = await door.complete(f"  {back(door.begin())}\n")
    assert login == market.Login(NOW, NOW + timedelta(days=7))
    kept = vault.Vault(house.settings.schwab_dir).read()
    assert kept is not None
    assert (kept.since, kept.token["access_token"]) == (NOW, ACCESS)
    assert door.kept() == login


async def test_the_code_is_sent_as_the_app_to_where_it_was_made_for(
    house: House, door: entrance.Entrance
) -> None:
    await door.complete(back(door.begin()))
    (asked,) = house.fake.asked
    assert asked.form == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": CALLBACK,
    }


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda visit: "", "must begin with"),
        (lambda visit: "hello", "must begin with"),
        (lambda visit: "https://[", "is no address"),
        (lambda visit: back(visit, "https://127.0.0.1:9999/"), "must begin with"),
        (lambda visit: back(visit, "http://127.0.0.1:8182/"), "must begin with"),
        (lambda visit: back(visit, f"{CALLBACK}/elsewhere"), "must begin with"),
        (lambda visit: visit.authorize_url, "must begin with"),
        (lambda visit: back(visit, state="another"), "another login"),
        (lambda visit: back(visit, state="ä"), "another login"),
        (lambda visit: f"{CALLBACK}/?code={CODE}", "another login"),
        (lambda visit: f"{back(visit)}&state=two", "another login"),
        (lambda visit: back(visit, code=""), "has no code"),
        (lambda visit: back(visit, error="access_denied"), "did not let the app in"),
    ],
)
async def test_an_address_that_ends_no_login_is_told_why_in_one_line(
    house: House, door: entrance.Entrance, wrong: Callable[[entrance.Visit], str], why: str
) -> None:
    with pytest.raises(entrance.NotAdmitted, match=why) as told:
        await door.complete(wrong(door.begin()))
    assert "\n" not in str(told.value)
    assert CODE not in str(told.value)
    assert house.fake.asked == []


async def test_an_address_that_was_wrong_can_be_given_again(door: entrance.Entrance) -> None:
    visit = door.begin()
    with pytest.raises(entrance.NotAdmitted):
        await door.complete("hello")
    assert (await door.complete(back(visit))).since == NOW


async def test_what_takes_too_long_must_begin_anew(
    house: House, door: entrance.Entrance, watch: Watch
) -> None:
    visit = door.begin()
    watch.at = visit.expires_at
    with pytest.raises(entrance.NotBegun):
        await door.complete(back(visit))
    assert house.fake.asked == []


async def test_only_the_visit_begun_last_counts(door: entrance.Entrance) -> None:
    before = door.begin()
    door.begin()
    with pytest.raises(entrance.NotAdmitted, match="another login"):
        await door.complete(back(before))


async def test_an_address_is_good_once(door: entrance.Entrance) -> None:
    address = back(door.begin())
    await door.complete(address)
    with pytest.raises(entrance.NotBegun):
        await door.complete(address)


async def test_nothing_begun_is_nothing_to_complete(door: entrance.Entrance) -> None:
    with pytest.raises(entrance.NotBegun):
        await door.complete(f"{CALLBACK}/?code={CODE}&state=")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, b'{"error":"invalid_grant"}'), entrance.NotAdmitted),
        (Reply(401, b"{}"), entrance.NotAdmitted),
        (Reply(502), market.ProviderDown),
        (Reply(429), market.Throttled),
        (Reply(body=b"{}"), market.Unreadable),
    ],
)
async def test_a_code_that_buys_no_login_is_tried_once_and_leaves_the_old_login(
    house: House, door: entrance.Entrance, reply: Reply, kind: type[Exception]
) -> None:
    before = door.kept()
    house.fake.tell(fake.TOKEN, reply)
    with pytest.raises(kind):
        await door.complete(back(door.begin()))
    assert len(house.fake.asked) == 1
    assert door.kept() == before


def environment(house: House) -> dict[str, str]:
    return {
        "WHEEL_MARKET": "schwab",
        "WHEEL_SCHWAB_APP_KEY": APP_KEY,
        "WHEEL_SCHWAB_APP_SECRET": APP_SECRET,
        "WHEEL_SCHWAB_URL": house.fake.url,
        "WHEEL_DATA_DIR": str(house.settings.data_dir),
    }


def test_the_command_without_schwab_as_market_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main({}) == command.MISUSED
    assert "market (WHEEL_MARKET)" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "why"), [("hello", "must begin with"), (None, "not logged in")])
async def test_the_command_prints_the_address_and_one_line_for_what_is_wrong(
    house: House,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: str | None,
    why: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed or ""))
    code = await asyncio.to_thread(command.main, environment(house))
    said = capsys.readouterr()
    assert code == command.REFUSED
    assert said.err.strip().count("\n") == 0
    assert why in said.err
    assert f"{house.fake.url}/v1/oauth/authorize?" in said.out


async def test_the_command_takes_the_address_back(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def typed(_: str) -> str:
        printed = re.search(r"http\S+authorize\S+", capsys.readouterr().out)
        assert printed is not None
        return back(entrance.Visit(printed[0], NOW))

    house.fake.tell(fake.TOKEN, granted(ACCESS))
    monkeypatch.setattr("builtins.input", typed)
    assert await asyncio.to_thread(command.main, environment(house)) == 0
    said = capsys.readouterr()
    assert "Logged in until" in said.out
    assert not any(secret in said.out + said.err for secret in SECRETS)
