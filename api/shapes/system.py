"""What the service says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Status = Literal["healthy", "degraded"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part's health, and the reason when it is not well."""

    status: Status
    reason: str | None = None
    position: int | None = None
    lag: int | None = None
    last_heartbeat: datetime | None = None
    quotes: int | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Healthy when every part is; the service takes commands while the event store answers."""

    status: Status
    parts: dict[str, Part]
    timestamp: datetime


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What runs here, and how much it holds; sizes in bytes."""

    name: str
    version: str
    started_at: datetime
    uptime_seconds: float
    ledger_head: int
    view_position: int
    sizes: dict[str, int]
    counts: dict[str, int]
    market: str
    event_store: str
