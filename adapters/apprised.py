"""`python -m adapters.apprised`: all that is done with Apprise, in a process that can be killed.

It says that it is there, then does one task after the other; it has its tasks on stdin, a line of
JSON each, and answers on stdout. It ends with whoever holds the other end (adapters/courier.py).
What Apprise tells its log may hold what is nobody's business: nobody hears it, and a reason is one
of a few words of ours.
"""

from __future__ import annotations

import ctypes
import os
import queue
import re
import signal
import sys
import threading
from typing import Any, Final

import apprise
import msgspec
from apprise.utils.parse import parse_urls

from adapters import courier, growth

NOT_HERE: Final = frozenset(
    {"dbus", "qt", "kde", "glib", "gio", "gnome", "macosx", "windows", "syslog"}
)
"""Kinds of URL that reach nobody but who sits at this machine."""
TOPICAL: Final = frozenset({"ntfy", "ntfys"})
"""Kinds of URL that lead nowhere without a topic, though Apprise takes them."""
UNKNOWN: Final = "must be a URL that Apprise knows how to notify"
BETWEEN_PARTS: Final = 1.0
"""Seconds between the parts of a message that its service takes in parts only."""
_PORTS: Final = range(1, 65_536)
_MORE: Final = 256 * 1024 * 1024
"""Bytes that an answer may take, over what Apprise itself needs."""
_PARENT_DEATH_SIGNAL: Final = 1
_STATUS: Final = re.compile(r"error=(\d{3})\b")
_TYPES: Final = {"HIGH": apprise.NotifyType.FAILURE, "MEDIUM": apprise.NotifyType.WARNING}


def main() -> None:
    """Do what is asked until nobody can ask any more."""
    parent = os.getppid()
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed is no answer
    threading.Thread(target=_hear, args=(tasks,), name="tasks", daemon=True).start()
    apprise.Apprise.instantiate("json://localhost")  # it loads what it knows when first asked
    _confine(parent)
    bearable = growth.size() + _MORE // 2
    answers.write(b"\n")
    while True:
        error = _done(msgspec.json.decode(tasks.get(), type=courier.Task))
        told = courier.Told(error, last=growth.size() > bearable)
        answers.write(msgspec.json.encode(told) + b"\n")


def _hear(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    os._exit(0)


def _confine(parent: int) -> None:
    """Die with the parent, and take no more memory than a message and its answer can need."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit()
    growth.limit(_MORE)


def _done(task: courier.Task) -> str | None:
    """Do a task; what is to be said against the URL, or why the message was not taken."""
    try:
        return against(task.url) if task.message is None else _sent(task.url, task.message)
    except Exception as reason:  # noqa: BLE001  whatever a plugin of Apprise's raises
        return UNKNOWN if task.message is None else f"failed: {type(reason).__name__}"


def against(url: str) -> str | None:
    """Why nobody could be told anything by this URL, as far as that can be known."""
    kind, plugin = courier.kind(url), _plugin(url)
    if kind in NOT_HERE or plugin is None:
        return UNKNOWN
    if len(parse_urls(url)) > 1:  # type: ignore[no-untyped-call]
        return "must be one URL; a comma in it is written %2C"
    if plugin.port is not None and plugin.port not in _PORTS:
        return f"must have a port from {_PORTS[0]} to {_PORTS[-1]}"
    if kind in TOPICAL and not plugin.topics:
        return "must name a topic"
    return None


def _sent(url: str, message: courier.Message) -> str | None:
    plugin = _plugin(url)
    if plugin is None:
        return "the URL is none that can be notified"
    _dress(plugin, message)
    plugin.redirects = False  # what is elsewhere is not the channel, whatever the URL says
    if plugin.body_maxlen < apprise.NotifyBase.body_maxlen:
        _cut(plugin)
    said: list[str] = []
    took = _notified(plugin, message, said)
    return None if took else _reason("\n".join(said))


def _plugin(url: str) -> Any:
    """A new one for each message: Apprise makes one that was used before wait for seconds."""
    return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _dress(plugin: Any, message: courier.Message) -> None:
    """Name the delivery where there is a place for it: in headers, and in what a webhook gets."""
    if isinstance(getattr(plugin, "headers", None), dict):
        plugin.headers |= {courier.DELIVERY: message.id}
        if hasattr(plugin, "payload_extras"):
            plugin.headers |= {"Idempotency-Key": message.id}
    if isinstance(getattr(plugin, "payload_extras", None), dict):
        plugin.payload_extras |= {"delivery_id": message.id, **message.fields}


def _cut(plugin: Any) -> None:
    """Send what is too long for its service in parts, unless its URL says otherwise."""
    if "overflow_mode" not in vars(plugin):
        plugin.overflow_mode = apprise.OverflowMode.SPLIT
    plugin.request_rate_per_sec = min(plugin.request_rate_per_sec, BETWEEN_PARTS)


def _notified(plugin: Any, message: courier.Message, said: list[str]) -> bool:
    def heard(entry: Any, _: Any) -> None:
        said.append(str(entry))

    alone = apprise.Apprise()
    alone.add(plugin)
    return bool(
        alone.notify(
            body=message.body,
            title=message.title,
            notify_type=_TYPES.get(message.severity, apprise.NotifyType.INFO),
            body_format=apprise.NotifyFormat.TEXT,
            log_callback=heard,
        )
    )


def _reason(told: str) -> str:
    if status := _STATUS.search(told):
        return f"it answered {status[1]}"
    return "it was not reached" if "onnection" in told else "it did not take the message"


if __name__ == "__main__":
    main()
