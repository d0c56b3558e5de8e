"""A person logs in at Schwab through the API, which keeps the login, and tells nobody a secret."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from adapters.schwab.vault import Vault
from api import examples
from tests.adapters.schwab import fake
from tests.adapters.schwab.conftest import ACCESS, APP_KEY, APP_SECRET, CODE, REFRESH, granted
from tests.adapters.schwab.fake import Fake, Reply
from tests.api import house as houses
from tests.api.client import Client
from tests.api.test_examples import form

CALLBACK = "https://127.0.0.1:8182/"


class Schwab(NamedTuple):
    """The API of an instance whose market is Schwab, and the Schwab that it asks."""

    house: houses.House
    client: Client
    fake: Fake


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schwab]:
    ready: Future[Fake] = Future()

    async def listen(stop: asyncio.Event) -> None:
        async with fake.listening() as opened:
            ready.set_result(opened)
            await stop.wait()

    end = houses.in_thread(listen)
    at = ready.result(10)
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(
            tmp_path_factory.mktemp("schwab"),
            patch,
            market="schwab",
            schwab_app_key=APP_KEY,
            schwab_app_secret=APP_SECRET,
            schwab_url=at.url,
            log_level="debug",
        ) as house,
    ):
        client = house.client()
        yield Schwab(house, client, at)
        client.close()
    end()


@pytest.fixture
def schwab(instance: Schwab) -> Schwab:
    """Nobody has logged in yet."""
    instance.fake.asked.clear()
    instance.fake.tell(fake.TOKEN, granted(ACCESS))
    (instance.house.settings.schwab_dir / "login").unlink(missing_ok=True)
    return instance


def begun(schwab: Schwab, **told: str) -> str:
    """Begin to log in; the address at which Schwab lets go of a person."""
    visit = schwab.client.post("/market/login").data
    state = parse_qs(urlsplit(visit["authorize_url"]).query)["state"][0]
    return f"{CALLBACK}?{urlencode({'code': CODE, 'state': state} | told)}"


def complete(schwab: Schwab, address: str) -> Any:
    return schwab.client.post("/market/login/complete", {"redirect_url": address})


def test_a_login_is_begun_and_completed(schwab: Schwab) -> None:
    assert schwab.client.get("/market/login").data["state"] == "none"
    login = complete(schwab, begun(schwab)).data
    state = schwab.client.get("/market/login").data
    assert (state["state"], state["since"], state["ends"]) == (
        "valid",
        login["since"],
        login["ends"],
    )
    kept = Vault(schwab.house.settings.schwab_dir).read()
    assert kept is not None
    assert kept.token["access_token"] == ACCESS


def test_the_answers_are_as_in_their_examples(schwab: Schwab) -> None:
    told = examples.by_operation()
    begin = schwab.client.post("/market/login")
    assert form(begin.body) == form(told["post_market_login"].answer)
    done = complete(schwab, begun(schwab))
    assert form(done.body) == form(told["post_market_login_complete"].answer)


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("hello", 400, "VALIDATION_ERROR"),
        (f"{CALLBACK}?code={CODE}&state=another", 400, "VALIDATION_ERROR"),
        ("", 400, "VALIDATION_ERROR"),
        ("x" * 5_000, 400, "VALIDATION_ERROR"),
    ],
)
def test_a_wrong_address_is_refused_without_being_told(
    schwab: Schwab, address: str, status: int, code: str
) -> None:
    begun(schwab)
    refused = complete(schwab, address)
    assert (refused.status, refused.code) == (status, code)
    assert CODE not in str(refused.body)
    assert schwab.fake.asked == []


def test_nothing_begun_is_an_invalid_state(schwab: Schwab) -> None:
    address = begun(schwab)
    complete(schwab, address)
    refused = complete(schwab, address)
    assert (refused.status, refused.code) == (409, "INVALID_STATE")


def test_schwab_refusing_is_a_wrong_address(schwab: Schwab) -> None:
    schwab.fake.tell(fake.TOKEN, Reply(400, b'{"error":"invalid_grant"}'))
    refused = complete(schwab, begun(schwab))
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert schwab.client.get("/market/login").data["state"] == "none"


def test_schwab_failing_is_an_error_outside_and_can_be_tried_again(schwab: Schwab) -> None:
    schwab.fake.tell(fake.TOKEN, Reply(502), granted(ACCESS))
    address = begun(schwab)
    failed = complete(schwab, address)
    assert (failed.status, failed.code) == (502, "EXTERNAL_API_ERROR")
    assert failed.error["details"] == {"state": "down"}
    assert complete(schwab, address).status == 200


def test_a_login_that_cannot_be_read_says_so(schwab: Schwab) -> None:
    complete(schwab, begun(schwab))
    (schwab.house.settings.schwab_dir / "login").write_bytes(b"foreign")
    state = schwab.client.get("/market/login").data
    assert state["state"] == "unreadable"
    assert "log in anew" in state["reason"]


def test_no_answer_tells_a_secret(schwab: Schwab) -> None:
    address = begun(schwab)
    answered = [complete(schwab, address), complete(schwab, address)]
    answered.append(schwab.client.get("/market/login"))
    answered.append(schwab.client.get("/config"))
    said = "".join(str(each.body) for each in answered)
    assert not any(each in said for each in (APP_SECRET, APP_KEY, ACCESS, REFRESH, CODE))


@pytest.mark.parametrize(
    ("path", "body"),
    [("/market/login", None), ("/market/login/complete", {"redirect_url": CALLBACK})],
)
def test_another_market_has_no_login(client: Client, path: str, body: object) -> None:
    refused = client.post(path, body)
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert client.get("/market/login").data["state"] == "not_needed"
