"""What the ledger is told as."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from domain import facts


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded fact with its place and its two clocks."""

    position: int
    stream_id: UUID
    kind: str
    version: int
    type: str
    recorded_at: datetime
    effective_at: datetime
    source: str
    command_id: UUID
    external_id: str | None
    notes: str | None
    data: facts.Fact


class Events(msgspec.Struct, frozen=True):
    """Events in order; `next_after` continues where they end, null at the head."""

    data: list[Event]
    next_after: int | None
    head: int
    timestamp: datetime


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ledger is what was recorded; else the first position that is not."""

    ok: bool
    checked: int
    head: int
    head_hash: str
    first_bad_position: int | None
    why: str | None
