"""Messages as they come out of Apprise, and what is said of those that do not."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapters import courier
from domain import refusals
from tests import receivers
from tests.api.waiting import until
from tests.conftest import free_port

SECRET = "hunter2"
MESSAGE = courier.Message(
    id="7", title="HIGH XYZ itm", body="look: http://x/?a=1&b=2", severity="HIGH", fields={"n": 1}
)


@pytest.fixture
async def post() -> AsyncIterator[courier.Apprise]:
    async with courier.Apprise() as opened:
        yield opened


@pytest.fixture
def hasty(post: courier.Apprise, monkeypatch: pytest.MonkeyPatch) -> courier.Apprise:
    """A courier that waits for no long answer."""
    monkeypatch.setattr(courier, "WITHIN", 1.0)
    return post


async def test_a_webhook_gets_the_fields_and_an_id_that_tells_repeats_apart(
    post: courier.Apprise,
) -> None:
    with receivers.webhook() as hook:
        assert await post.bring(hook.url, MESSAGE) is None
        [got] = hook.took
    assert (got.id, got.headers["Idempotency-Key"]) == ("7", "7")
    assert got.headers["Authorization"] == SECRET
    said: dict[str, Any] = got.said
    assert (said["title"], said["message"]) == (MESSAGE.title, MESSAGE.body)
    assert (said["type"], said["delivery_id"], said["n"]) == ("failure", "7", 1)


async def test_a_mail_has_the_text_as_it_is_and_the_id_in_its_head(post: courier.Apprise) -> None:
    with receivers.mailbox() as mail:
        assert await post.bring(mail.url, MESSAGE) is None
        [got] = mail.took
    assert (got.id, got.headers["Subject"]) == ("7", MESSAGE.title)
    assert MESSAGE.body in got.said


@pytest.mark.parametrize("receiver", [receivers.webhook, receivers.mailbox])
async def test_many_messages_in_a_row_do_not_wait_for_each_other(
    post: courier.Apprise, receiver: Any
) -> None:
    """Apprise would pause for 5.5 s between two mails."""
    with receiver() as got:
        assert [await post.bring(got.url, MESSAGE) for _ in range(5)] == [None] * 5
        assert len(got.took) == 5


class Ear(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.name} {record.getMessage()}")


@pytest.fixture
def ear(caplog: pytest.LogCaptureFixture) -> Iterator[Ear]:
    """Hears all that comes to where our logs come from."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger().addHandler(ear := Ear())
    yield ear
    logging.getLogger().removeHandler(ear)


async def test_why_it_was_not_taken_is_said_without_a_secret_here_and_in_the_log(
    post: courier.Apprise, ear: Ear
) -> None:
    nowhere = f"json://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}"
    with (
        receivers.webhook(lambda _: True) as hook,
        receivers.mailbox(lambda _: True) as mail,
    ):
        reasons = [
            await post.bring(url, MESSAGE) for url in (hook.url, mail.url, nowhere, "no://url")
        ]
    assert reasons == [
        "it answered 503",
        "it did not take the message",
        "it was not reached",
        "the URL is none that can be notified",
    ]
    assert not [said for said in ear.heard if SECRET in said]


# --- who is at the other end -----------------------------------------------------------------


def bearers() -> list[psutil.Process]:
    """The processes of ours that send."""
    found = psutil.process_iter(["cmdline"])
    ours = [each for each in found if "adapters.apprised" in (each.info["cmdline"] or ())]
    return [each for each in ours if psutil.Process() in each.parents()]


async def happens(condition: Callable[[], Any]) -> None:
    """Wait for it, and let others work."""
    await asyncio.to_thread(until, condition)


async def test_an_answer_that_never_ends_is_none_and_what_waited_for_it_is_gone(
    hasty: courier.Apprise,
) -> None:
    with receivers.oddity(receivers.dripping) as odd, receivers.webhook() as hook:
        assert await hasty.bring(hook.url, MESSAGE) is None
        [before] = bearers()
        assert await hasty.bring(odd.url, MESSAGE) == courier.LATE
        assert await hasty.bring(hook.url, MESSAGE) is None
        assert len(hook.took) == 2
        assert before not in bearers()


async def test_an_endless_answer_takes_no_more_memory_than_is_allowed(
    post: courier.Apprise,
) -> None:
    """So it is a refusal long before its time is over, and what comes next is taken."""
    with receivers.oddity(receivers.endless) as odd, receivers.webhook() as hook:
        assert await post.bring(odd.url, MESSAGE) == "it did not take the message"
        assert await post.bring(hook.url, MESSAGE) is None


async def test_a_mail_server_that_never_comes_to_the_end_of_a_line_is_left(
    hasty: courier.Apprise,
) -> None:
    with receivers.dripping_mailbox() as url:
        assert await hasty.bring(url, MESSAGE) == courier.LATE
    assert bearers() == []


async def test_who_sends_at_once_has_a_few_processes_and_closing_ends_them(
    post: courier.Apprise,
) -> None:
    with receivers.oddity(receivers.dripping) as odd:
        tries = [asyncio.create_task(post.bring(odd.url, MESSAGE)) for _ in range(9)]
        await happens(lambda: odd.attempts == courier.AT_ONCE)
        assert len(bearers()) == courier.AT_ONCE
        for each in tries[courier.AT_ONCE :]:
            each.cancel()
        await post.close()
        reasons = await asyncio.gather(*tries[: courier.AT_ONCE])
    assert reasons == [courier.GONE] * courier.AT_ONCE
    assert bearers() == []


async def test_a_process_that_was_killed_meanwhile_is_replaced(post: courier.Apprise) -> None:
    with receivers.webhook() as hook:
        assert await post.bring(hook.url, MESSAGE) is None
        [idle] = bearers()
        idle.kill()
        await happens(lambda: not bearers())
        reasons = [await post.bring(hook.url, MESSAGE) for _ in range(2)]
        assert reasons[-1] is None


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


PARENT = """
import asyncio, sys
from adapters import courier
message = courier.Message(id="1", title="t", body="b")
asyncio.run(courier.Apprise().bring(sys.argv[1], message))
"""


async def test_what_sends_ends_with_its_parent_however_that_ends() -> None:
    with receivers.oddity(receivers.dripping) as odd:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, odd.url, cwd=Path(__file__).parents[2]
        )
        await happens(lambda: odd.attempts)
        [bearer] = bearers()
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
        await happens(lambda: not alive(bearer))


async def test_neither_the_url_nor_the_message_is_among_what_others_can_read(
    post: courier.Apprise,
) -> None:
    with receivers.webhook() as hook:
        await post.bring(hook.url, MESSAGE)
    [bearer] = bearers()
    said = str((bearer.cmdline(), bearer.environ()))
    assert SECRET not in said
    assert MESSAGE.body not in said


async def test_apprise_is_loaded_where_it_sends_and_nowhere_else() -> None:
    program = "import sys, api.__main__, workers.notifier; sys.exit('apprise' in sys.modules)"
    there = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=Path(__file__).parents[2], env=os.environ
    )
    assert await there.wait() == 0


@pytest.mark.parametrize("asked", ["", "&redirect=yes"])
async def test_an_answer_that_leads_elsewhere_is_a_refusal_and_is_not_followed(
    post: courier.Apprise, asked: str
) -> None:
    with receivers.oddity(receivers.dripping) as other:

        def lead(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", other.url.replace("json", "http"))
            handler.end_headers()

        with receivers.oddity(lead) as odd:
            assert await post.bring(odd.url + asked, MESSAGE) == "it answered 302"
        assert other.took == []


async def test_what_is_too_long_for_its_service_comes_in_parts(post: courier.Apprise) -> None:
    """For a webhook, or in a mail, nothing is too long."""
    digest = courier.Message(id="7", title="many", body="\n".join(["look at this"] * 1000))

    def take(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()

    with receivers.oddity(take) as odd, receivers.webhook() as hook, receivers.mailbox() as mail:
        topic = f"{odd.url.replace('json', 'ntfy').partition('/odd')[0]}/topic"
        for url in (topic, f"{topic}?overflow=truncate", hook.url, mail.url):
            assert await post.bring(url, digest) is None
        in_parts, cut = odd.took[:-1], odd.took[-1]
        assert len(in_parts) == 2
        assert sum(each.said.count("look at this") for each in in_parts) == 1000
        assert 0 < cut.said.count("look at this") < 1000
        assert [hook.took[0].said["message"], len(hook.took)] == [digest.body, 1]
        assert [mail.took[0].said.count("look at this"), len(mail.took)] == [1000, 1]


# --- URLs ------------------------------------------------------------------------------------

NOBODY = (
    "",
    "nonsense",
    f"foo://{SECRET}",
    "syslog://",
    "json://",
    "ntfys://",
    "ntfys://ntfy.sh/",
    "json://h:99999/",
    f"json://127.0.0.1:1/{SECRET}, json://127.0.0.1:2/b",
)
SOMEBODY = (
    "mailtos://me:secret@gmail.com",
    "ntfy://wheel-alerts",
    "tgram://123456789:abcdefg_hijklmnop-ABCDEFGHIJKLMNOP/12315544",
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "jsons://hooks.example/wheel?+Authorization=secret",
)


async def test_a_url_that_leads_to_nobody_is_refused_and_not_told(post: courier.Apprise) -> None:
    for url in NOBODY:
        with pytest.raises(refusals.Invalid) as refused:
            await post.check(url)
        assert SECRET not in str(refused.value.details)


async def test_the_kinds_that_the_manual_names_are_known(post: courier.Apprise) -> None:
    for url in SOMEBODY:
        await post.check(url)
