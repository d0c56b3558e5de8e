"""What the rules need of the world, and nothing of how it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from domain import facts, refusals


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        ...


class Answered(msgspec.Struct, frozen=True):
    """What a command was answered, kept under its idempotency key.

    `fingerprint` tells whether the same key came with the same order; `position` is set by
    the log when the command's facts are stored, and stays where it led to none.
    """

    key: str
    fingerprint: str
    status: int
    location: str | None
    etag: str | None
    body: bytes
    answered_at: datetime
    position: int = 0


class Append(msgspec.Struct, frozen=True):
    """Facts to store together, and the answer they are remembered by."""

    recorded: Sequence[facts.Recorded]
    answered: Answered | None = None


class Log(Protocol):
    """The one ordered log of facts. Blocking: call it from a thread of its own."""

    def head(self) -> int:
        """The position of the newest fact, 0 when there is none."""
        ...

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]:
        """Up to `limit` facts behind `position`, in order."""
        ...

    def stream(self, stream_id: UUID, *, after: int = 0) -> Sequence[facts.Recorded]:
        """A stream's facts with a version above `after`, in order."""
        ...

    def by_stream(self, until: int) -> Iterator[Sequence[facts.Recorded]]:
        """Every stream's facts up to a position of the log, a stream at a time."""
        ...

    def append(
        self, recorded: Sequence[facts.Recorded], answered: Answered | None = None
    ) -> Sequence[int]:
        """Store all or nothing, durably; answer the positions.

        Raises refusals.Stale when a version is taken, refusals.KeyReused when the
        idempotency key is, refusals.Unavailable when the store cannot be written.
        """
        ...

    def append_each(self, appends: Sequence[Append]) -> Sequence[Sequence[int] | refusals.Refusal]:
        """Store several appends with one durable commit, each all or nothing by itself."""
        ...

    def answered(self, key: str) -> Answered | None:
        """What was answered under an idempotency key."""
        ...
