"""What the ledger is told as."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from domain import facts, subjects


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
    request_id: str | None
    data: subjects.AnyFact

    @classmethod
    def of(cls, each: facts.Recorded) -> Event:
        """A recorded fact as it is told."""
        return cls(
            position=each.position,
            stream_id=each.stream_id,
            kind=each.kind,
            version=each.version,
            type=each.name,
            recorded_at=each.recorded_at,
            effective_at=each.effective_at,
            source=each.source,
            command_id=each.command_id,
            external_id=each.external_id,
            notes=each.notes,
            request_id=each.request_id,
            data=each.fact,  # type: ignore[arg-type]  # every fact there is
        )


class Events(msgspec.Struct, frozen=True):
    """Events in the order asked for.

    There are more behind `next_after`, or, the newest first, before `next_before`; both are
    null at the end. `head` is the last there is.
    """

    data: list[Event]
    next_after: int | None
    next_before: int | None
    head: int
    timestamp: datetime


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ledger is what was recorded; else the first position that is not, and why.

    `checked` facts were read, those behind position `since`.
    """

    ok: bool
    since: int
    checked: int
    head: int
    head_hash: str
    first_bad_position: int | None
    why: str | None


class Checkpoint(msgspec.Struct, frozen=True):
    """At `at` the ledger was whole up to `position`, where its chain has this hash.

    The facts behind position `since` were read then; 0 means all of them.
    """

    position: int
    hash: str
    at: datetime
    since: int


class Checkpoints(msgspec.Struct, frozen=True):
    """Checkpoints, the newest first; there are more before `next_before`."""

    data: list[Checkpoint]
    next_before: int | None
    timestamp: datetime
