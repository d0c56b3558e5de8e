"""Brings messages to people, through Apprise: e-mail, ntfy, Telegram, Discord, webhooks.

Apprise says only whether a channel took a message, and tells its log why not, in words that may
hold what is nobody's business. So nothing of that log is kept, and a reason is one of a few words
of ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from domain import refusals

if TYPE_CHECKING:
    import apprise

# Apprise is large, and most processes never send a message.
# ruff: noqa: PLC0415

DELIVERY: Final = "X-Wheelwright-Delivery"
WITHIN: Final = 20.0
NOT_HERE: Final = frozenset(
    {"dbus", "qt", "kde", "glib", "gio", "gnome", "macosx", "windows", "syslog"}
)
"""Kinds of URL that reach nobody but who sits at this machine."""
TALKATIVE: Final = ("apprise", "urllib3")
"""Loggers whose words may hold parts of a URL."""
_STATUS: Final = re.compile(r"error=(\d{3})\b")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent; a webhook gets `fields` beside the text, and `id` tells repeats apart."""

    id: str
    title: str
    body: str
    severity: str = "LOW"
    fields: Mapping[str, Any] = {}


class Courier(Protocol):
    """Who brings messages. Blocking."""

    def bring(self, url: str, message: Message) -> str | None:
        """Send it; None when the channel took it, else why it did not, without secrets."""
        ...


def service(url: str) -> str:
    """The kind of a URL: mailtos, ntfy; raises refusals.Invalid, which never tells the URL."""
    kind = url.partition("://")[0].lower()
    if kind in NOT_HERE or _plugin(url) is None:
        raise refusals.Invalid("url", None, "must be a URL that Apprise knows how to notify")
    return kind


class Apprise:
    """The one courier that there is."""

    def bring(self, url: str, message: Message) -> str | None:
        """Send it; None when the channel took it, else why it did not, without secrets."""
        plugin = _plugin(url)
        if plugin is None:
            return "the URL is none that can be notified"
        _dress(plugin, message)
        said: list[str] = []
        try:
            took = _sent(plugin, message, said)
        except Exception as reason:  # noqa: BLE001  whatever a plugin raises, it was not sent
            return f"failed: {type(reason).__name__}"
        return None if took else _reason(said)


def _plugin(url: str) -> apprise.NotifyBase | None:
    """A new one for each message: Apprise makes one that was used before wait for seconds."""
    for name in TALKATIVE:
        logging.getLogger(name).propagate = False
    import apprise

    return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _dress(plugin: Any, message: Message) -> None:
    """Name the delivery where there is a place for it: in headers, and in what a webhook gets."""
    if isinstance(getattr(plugin, "headers", None), dict):
        plugin.headers |= {DELIVERY: message.id}
        if hasattr(plugin, "payload_extras"):
            plugin.headers |= {"Idempotency-Key": message.id}
    if isinstance(getattr(plugin, "payload_extras", None), dict):
        plugin.payload_extras |= {"delivery_id": message.id, **message.fields}


def _sent(plugin: apprise.NotifyBase, message: Message, said: list[str]) -> bool:
    import apprise

    def heard(entry: Any, _: Any) -> None:
        said.append(str(entry))

    kinds = {"HIGH": apprise.NotifyType.FAILURE, "MEDIUM": apprise.NotifyType.WARNING}
    alone = apprise.Apprise()
    alone.add(plugin)
    return bool(
        alone.notify(
            body=message.body,
            title=message.title,
            notify_type=kinds.get(message.severity, apprise.NotifyType.INFO),
            body_format=apprise.NotifyFormat.TEXT,
            timeout=WITHIN,
            log_callback=heard,
        )
    )


def _reason(said: list[str]) -> str:
    told = "\n".join(said)
    if status := _STATUS.search(told):
        return f"it answered {status[1]}"
    return "it was not reached" if "onnection" in told else "it did not take the message"
