"""Messages as they come out of Apprise, and what is said of those that do not."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from adapters import courier
from domain import refusals
from tests import receivers
from tests.conftest import free_port

SECRET = "hunter2"
MESSAGE = courier.Message(
    id="7", title="HIGH XYZ itm", body="look: http://x/?a=1&b=2", severity="HIGH", fields={"n": 1}
)
POST = courier.Apprise()


def test_a_webhook_gets_the_fields_and_an_id_that_tells_repeats_apart() -> None:
    with receivers.webhook() as hook:
        assert POST.bring(hook.url, MESSAGE) is None
        [got] = hook.took
    assert (got.id, got.headers["Idempotency-Key"]) == ("7", "7")
    assert got.headers["Authorization"] == SECRET
    said: dict[str, Any] = got.said
    assert (said["title"], said["message"]) == (MESSAGE.title, MESSAGE.body)
    assert (said["type"], said["delivery_id"], said["n"]) == ("failure", "7", 1)


def test_a_mail_has_the_text_as_it_is_and_the_id_in_its_head() -> None:
    with receivers.mailbox() as mail:
        assert POST.bring(mail.url, MESSAGE) is None
        [got] = mail.took
    assert (got.id, got.headers["Subject"]) == ("7", MESSAGE.title)
    assert MESSAGE.body in got.said


@pytest.mark.parametrize("receiver", [receivers.webhook, receivers.mailbox])
def test_many_messages_in_a_row_do_not_wait_for_each_other(receiver: Any) -> None:
    """Apprise would pause for 5.5 s between two mails."""
    with receiver() as got:
        assert [POST.bring(got.url, MESSAGE) for _ in range(5)] == [None] * 5
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


def test_why_it_was_not_taken_is_said_without_a_secret_here_and_in_the_log(ear: Ear) -> None:
    nowhere = f"json://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}"
    with (
        receivers.webhook(lambda _: True) as hook,
        receivers.mailbox(lambda _: True) as mail,
    ):
        reasons = [POST.bring(url, MESSAGE) for url in (hook.url, mail.url, nowhere, "no://url")]
    assert reasons == [
        "it answered 503",
        "it did not take the message",
        "it was not reached",
        "the URL is none that can be notified",
    ]
    assert ear.heard == []


@pytest.mark.parametrize("url", ["", "nonsense", f"foo://{SECRET}", "syslog://", "json://"])
def test_a_url_that_leads_to_nobody_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        courier.service(url)
    assert SECRET not in str(refused.value.details)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("mailtos://me:secret@gmail.com", "mailtos"),
        ("ntfy://wheel-alerts", "ntfy"),
        ("tgram://123456789:abcdefg_hijklmnop-ABCDEFGHIJKLMNOP/12315544", "tgram"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord"),
        ("jsons://hooks.example/wheel?+Authorization=secret", "jsons"),
    ],
)
def test_the_kinds_that_the_manual_names_are_known(url: str, kind: str) -> None:
    assert courier.service(url) == kind
