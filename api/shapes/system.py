"""What the service says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Status = Literal["healthy", "degraded"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part's health, and the reason when it is not well; `state` is the market's provider's.

    `troubles` are the scheduler's: runs of the last day that failed or were missed, by outcome, of
    jobs that have not succeeded since.
    """

    status: Status
    reason: str | None = None
    position: int | None = None
    lag: int | None = None
    last_heartbeat: datetime | None = None
    quotes: int | None = None
    state: str | None = None
    troubles: dict[str, int] | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Healthy when every part is; the service takes commands while the event store answers."""

    status: Status
    parts: dict[str, Part]
    timestamp: datetime


Value = str | int | float | bool | list[str] | None
Source = Literal["default", "file", "ledger", "environment"]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The last time that a key was changed through the API, as the ledger has it.

    `value` and `before` are texts; a `value` of null took back what had been said. `position` is
    that of the event, null in the answer to the change itself, whose headers have it.
    """

    at: datetime
    source: str
    value: str | None
    before: str | None
    reason: str | None
    notes: str | None
    version: int
    position: int | None
    request_id: str | None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the configuration; `restart` names what must be started anew for a change."""

    key: str
    value: Value
    default: Value
    source: Source
    description: str
    accepts: str
    variable: str
    secret: bool
    changeable: bool
    restart: list[str]
    changed: Changed | None


class Config(msgspec.Struct, frozen=True):
    """Every key, in the order of the settings file, and the version that If-Match means."""

    settings: list[Setting]
    version: int


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is enabled, and when it is due next."""

    job: str
    portfolio_id: UUID | None
    next_run: datetime | None


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What runs here, and how much it holds; sizes in bytes.

    `head_hash` is the ledger's hash chain at its head: equal hashes, equal ledgers.
    """

    name: str
    version: str
    started_at: datetime
    uptime_seconds: float
    ledger_head: int
    head_hash: str
    view_position: int
    sizes: dict[str, int]
    counts: dict[str, int]
    market: str
    event_store: str
    jobs: list[Planned]
