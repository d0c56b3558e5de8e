"""What a plugin's process and we say to each other: JSON, a line each, over one socket.

    it  ──(a blank line)──▶ we    it is there; from now on its time counts
    we  ──Errand──▶ it            what it is to do
    it  ──Ask─────▶ we ──Reply──▶ it      as often as it likes, one after the other
    it  ──Told or Finished──▶ we          last of all: what it is, or how it ended

It asks in the words of the HTTP API; what is ours alone stands under /plugin/. What it may ask is
decided on our side (workers/proxy.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from domain import facts

LONGEST_WORD: Final = 4 * 1024 * 1024
"""Bytes of a line of its; a longer one ends it."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do: load the plugin and tell of it, or also run it."""

    task: Literal["inspect", "run"]
    plugin: str
    origin: str
    """`file:<path>` or `entry_point:<module>:<name>`."""
    memory_mb: int
    run_id: UUID
    now: datetime
    due_at: datetime
    trigger: facts.Trigger = "manual"
    config: str = "{}"
    grants: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A request as it would go to the API; `target` is the path with its query."""

    method: str
    target: str
    body: str | None = None
    headers: dict[str, str] = {}


class Reply(msgspec.Struct, frozen=True):
    """What came of it, as the API would say it."""

    status: int
    body: str
    headers: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True, tag="told", kw_only=True):
    """What a plugin is, as it says itself."""

    name: str
    version: Annotated[str, Meta(max_length=50)]
    description: Annotated[str, Meta(max_length=1000)]
    schedule: facts.Schedule | None
    market_hours: facts.MarketHours
    config_schema: Annotated[str, Meta(max_length=100_000)]
    wants: Annotated[tuple[Annotated[str, Meta(max_length=50)], ...], Meta(max_length=50)] = ()


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """How it ended; `error` says why, where it did not end well."""

    outcome: facts.PluginOutcome
    error: str | None = None


Word = Ask | Told | Finished


class Alert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to tell; one `key` is one alert, which stands as long as each run tells it."""

    message: Annotated[str, Meta(min_length=1, max_length=500)]
    severity: facts.Severity
    symbol: Annotated[str, Meta(min_length=1, max_length=10)]
    key: Annotated[str, Meta(min_length=1, max_length=200)]
    portfolio_id: UUID | None = None
    wheel_id: UUID | None = None


_errand = msgspec.json.Decoder(Errand)
_reply = msgspec.json.Decoder(Reply)
_word: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)
_encoder = msgspec.json.Encoder()


def line(said: Any) -> bytes:
    """One line of what is said."""
    return _encoder.encode(said) + b"\n"


def errand(said: bytes) -> Errand:
    """Raises msgspec.MsgspecError for what is none."""
    return _errand.decode(said)


def reply(said: bytes) -> Reply:
    """Raises msgspec.MsgspecError for what is none."""
    return _reply.decode(said)


def word(said: bytes) -> Word:
    """Raises msgspec.MsgspecError for what is none."""
    return _word.decode(said)
