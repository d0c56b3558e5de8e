"""What Schwab fails with becomes the fault that it is, and is not asked again and again."""

import asyncio
import io
import logging
from base64 import b64decode
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from adapters import private
from adapters.schwab import provider, vault
from domain import market
from tests.adapters.schwab import fake
from tests.adapters.schwab.conftest import (
    ACCESS,
    ACCOUNT,
    APP_KEY,
    APP_SECRET,
    DATA,
    NOW,
    REFRESH,
    RENEWED,
    House,
    granted,
    said,
)
from tests.adapters.schwab.fake import Asked, Reply
from tests.conftest import free_port

EXPIRED = 1
REFUSED = Reply(400, b'{"error":"invalid_grant","error_description":"refresh-0123456789"}')


async def fault_of(schwab: provider.Schwab, symbol: str = "NVDA") -> market.MarketFault | None:
    answered = (await schwab.quotes([symbol]))[symbol]
    return answered if isinstance(answered, market.MarketFault) else None


@pytest.fixture
def patient(house: House, stack: AsyncExitStack) -> provider.Schwab:
    """A provider for which an answer is soon too late."""
    opened = house.market(timeout=0.2)
    stack.push_async_callback(opened.aclose)
    return opened


async def test_the_login_goes_with_every_question(house: House, schwab: provider.Schwab) -> None:
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    assert await fault_of(schwab) is None
    headers = house.fake.asked[-1].headers
    assert headers["authorization"] == f"Bearer {ACCESS}"
    assert headers["host"] == house.fake.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("reply", "kind", "calls"),
    [
        (Reply(401), market.ReauthRequired, 1),
        (Reply(404), market.UnknownSymbol, 1),
        (Reply(400, b'{"errors":[{"title":"Bad Request"}]}'), market.Unreadable, 1),
        (Reply(302, headers=(("Location", "/elsewhere"),)), market.Unreadable, 1),
        (Reply(429), market.Throttled, 1),
        (Reply(500), market.ProviderDown, 3),
        (Reply(502, b"<html>Bad Gateway</html>"), market.ProviderDown, 3),
        (Reply(body=b"<html>hello</html>"), market.Unreadable, 1),
        (Reply(body=b"[]"), market.Unreadable, 1),
        (Reply(body=b""), market.Unreadable, 1),
    ],
)
async def test_an_answer_that_is_none_is_the_fault_that_it_means(
    house: House,
    schwab: provider.Schwab,
    reply: Reply,
    kind: type[market.MarketFault],
    calls: int,
) -> None:
    house.fake.tell(fake.QUOTES, reply)
    assert type(await fault_of(schwab)) is kind
    assert len(house.fake.asked) == calls


async def test_an_answer_that_comes_too_late_is_none(
    house: House, patient: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, Reply(never=True))
    assert isinstance(await fault_of(patient), market.ProviderDown)
    assert house.fake.count(fake.QUOTES) == 3


async def test_an_answer_that_trickles_in_for_ever_is_none(
    house: House, stack: AsyncExitStack
) -> None:
    schwab = house.market(longest=0.3)
    stack.push_async_callback(schwab.aclose)
    house.fake.tell(fake.QUOTES, said("quote_nvda.json")._replace(trickle=0.05))
    assert isinstance(fault := await fault_of(schwab), market.ProviderDown)
    assert fault.why == "Schwab takes too long to answer"
    assert house.fake.count(fake.QUOTES) == 3


async def test_nobody_there_is_a_provider_that_is_down(house: House, stack: AsyncExitStack) -> None:
    house.settings = replace(house.settings, schwab_url=f"http://127.0.0.1:{free_port()}")
    schwab = house.market()
    stack.push_async_callback(schwab.aclose)
    assert isinstance(await fault_of(schwab), market.ProviderDown)


async def test_a_failure_that_passes_is_not_told(house: House, schwab: provider.Schwab) -> None:
    house.fake.tell(fake.QUOTES, Reply(502), Reply(503), said("quote_nvda.json"))
    assert await fault_of(schwab) is None
    assert house.fake.count(fake.QUOTES) == 3


async def test_nothing_is_asked_for_as_long_as_schwab_wants_silence(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(
        fake.QUOTES, Reply(429, headers=(("Retry-After", "90"),)), said("quote_nvda.json")
    )
    faults = [await fault_of(schwab)]
    for seconds in (0, 50, 89):
        house.seconds = seconds
        faults.append(await fault_of(schwab))
    assert [getattr(fault, "retry_after", None) for fault in faults] == [90, 90, 40, 1]
    assert house.fake.count(fake.QUOTES) == 1
    house.seconds = 90
    assert await fault_of(schwab) is None


@pytest.mark.parametrize(
    ("headers", "silence"),
    [
        ((), 60),
        ((("Retry-After", "soon"),), 60),
        ((("Retry-After", "-5"),), 60),
        ((("Retry-After", "0"),), 5),
        ((("Retry-After", "999999999"),), 86_400),
        (
            (
                ("Date", "Thu, 16 Jan 2025 21:30:00 GMT"),
                ("Retry-After", "Thu, 16 Jan 2025 21:32:00 GMT"),
            ),
            120,
        ),
        (
            (
                ("Date", "Thu, 16 Jan 2025 21:30:00 GMT"),
                ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ),
            5,
        ),
        ((("Retry-After", "Thu, 16 Jan 2025 21:32:00 GMT"),), 60),
    ],
)
async def test_silence_is_kept_as_long_as_asked_for_or_a_minute(
    house: House, schwab: provider.Schwab, headers: tuple[tuple[str, str], ...], silence: float
) -> None:
    house.fake.tell(fake.QUOTES, Reply(429, headers=headers))
    assert getattr(await fault_of(schwab), "retry_after", None) == silence


async def test_five_questions_with_an_expired_token_renew_it_once(
    house: House, schwab: provider.Schwab
) -> None:
    house.log_in(expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, granted())
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    faults = await asyncio.gather(*(fault_of(schwab) for _ in range(5)))
    assert faults == [None] * 5
    assert (house.fake.count(fake.TOKEN), house.fake.count(fake.QUOTES)) == (1, 5)
    used = {each.headers["authorization"] for each in house.fake.asked if each.path == fake.QUOTES}
    assert used == {f"Bearer {RENEWED}"}


async def test_a_renewal_is_asked_for_as_the_app(house: House, schwab: provider.Schwab) -> None:
    house.log_in(expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, granted())
    await fault_of(schwab)
    asked = house.fake.asked[0]
    assert asked.form == {"grant_type": "refresh_token", "refresh_token": REFRESH}
    sent = b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert sent == f"{APP_KEY}:{APP_SECRET}"


async def test_a_renewed_token_is_kept_and_the_login_is_as_old_as_before(
    house: House, schwab: provider.Schwab
) -> None:
    since = datetime(2025, 1, 12, tzinfo=UTC)
    house.log_in(since, expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, granted())
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    await fault_of(schwab)
    kept = vault.Vault(house.settings.schwab_dir).read()
    assert kept is not None
    assert (kept.since, kept.token["access_token"]) == (since, RENEWED)
    login = schwab.login()
    assert login is not None
    assert login.ends == datetime(2025, 1, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    "refused",
    [REFUSED, Reply(401, b'{"error":"invalid_client"}'), Reply(400, b"no"), Reply(401, b"{}")],
)
async def test_a_refused_renewal_is_final_until_somebody_logs_in(
    house: House, schwab: provider.Schwab, refused: Reply
) -> None:
    house.log_in(expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, refused)
    faults = await asyncio.gather(*(fault_of(schwab) for _ in range(5)))
    faults += [await fault_of(schwab)]
    assert {type(fault) for fault in faults} == {market.ReauthRequired}
    assert len(house.fake.asked) == 1

    house.log_in(NOW)
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    assert await fault_of(schwab) is None


async def test_a_login_that_is_not_accepted_is_not_used_again(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, Reply(401), said("quote_nvda.json"))
    faults = [await fault_of(schwab) for _ in range(3)]
    assert {type(fault) for fault in faults} == {market.ReauthRequired}
    assert len(house.fake.asked) == 1
    house.log_in(NOW)
    assert await fault_of(schwab) is None


async def test_a_renewed_token_that_is_not_accepted_is_not_used_again(
    house: House, schwab: provider.Schwab
) -> None:
    house.log_in(expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, granted())
    house.fake.tell(fake.QUOTES, Reply(401))
    faults = [await fault_of(schwab) for _ in range(3)]
    assert {type(fault) for fault in faults} == {market.ReauthRequired}
    assert len(house.fake.asked) == 2


@pytest.mark.parametrize(
    ("reply", "kind", "calls"),
    [
        (Reply(502), market.ProviderDown, 3),
        (Reply(404), market.ProviderDown, 3),
        (Reply(429), market.Throttled, 1),
        (Reply(403), market.Unreadable, 1),
        (Reply(body=b"<html>"), market.Unreadable, 1),
        (Reply(body=b'{"access_token":"renewed-0123456789"}'), market.Unreadable, 1),
    ],
)
async def test_a_renewal_that_fails_is_tried_once_for_all_and_leaves_the_login_as_it_is(
    house: House,
    schwab: provider.Schwab,
    reply: Reply,
    kind: type[market.MarketFault],
    calls: int,
) -> None:
    house.log_in(expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, reply)
    faults = await asyncio.gather(*(fault_of(schwab) for _ in range(5)))
    assert {type(fault) for fault in faults} == {kind}
    assert len(house.fake.asked) == calls
    house.seconds = 3600
    house.fake.tell(fake.TOKEN, granted())
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    assert await fault_of(schwab) is None


async def test_a_login_made_while_the_old_one_is_renewed_is_the_one_that_stays(
    house: House, schwab: provider.Schwab
) -> None:
    def meanwhile(_: Asked) -> Reply:
        house.log_in(NOW)
        return granted()

    house.log_in(expires_at=EXPIRED)
    house.fake.tell(fake.TOKEN, meanwhile)
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    assert await fault_of(schwab) is None
    assert house.fake.asked[-1].headers["authorization"] == f"Bearer {ACCESS}"
    login = schwab.login()
    assert login is not None
    assert login.since == NOW


async def test_where_nobody_is_logged_in_nothing_is_asked(
    house: House, schwab: provider.Schwab
) -> None:
    (house.settings.schwab_dir / "login").unlink()
    assert isinstance(await fault_of(schwab), market.ReauthRequired)
    assert schwab.login() is None
    assert house.fake.asked == []


async def test_a_broken_login_is_said_to_be_broken(house: House, schwab: provider.Schwab) -> None:
    (house.settings.schwab_dir / "login").write_bytes(b"foreign")
    fault = await fault_of(schwab)
    assert isinstance(fault, market.ReauthRequired)
    assert "log in anew" in fault.why
    assert schwab.login() is None


async def test_a_token_that_cannot_be_kept_still_counts(
    house: House, schwab: provider.Schwab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    house.log_in(expires_at=EXPIRED)
    monkeypatch.setattr(private, "write", full)
    house.fake.tell(fake.TOKEN, granted())
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    assert await fault_of(schwab) is None


async def test_answers_are_not_logged_at_any_level(
    house: House, schwab: provider.Schwab, overheard: io.StringIO
) -> None:
    body = (DATA / "quote_nvda.json").read_bytes()
    house.fake.tell(
        fake.QUOTES, Reply(body=body.replace(b'"ssid"', b'"owner":"%s","ssid"' % ACCOUNT.encode()))
    )
    assert await fault_of(schwab) is None
    assert "schwab" not in overheard.getvalue()


async def test_a_token_in_use_is_blotted_out_wherever_it_is_logged(
    house: House, schwab: provider.Schwab, overheard: io.StringIO
) -> None:
    assert schwab.login() is not None
    logging.getLogger("tests").warning("it is %s, of %s with %s", ACCESS, APP_KEY, APP_SECRET)
    assert "it is ***, of *** with ***" in overheard.getvalue()
