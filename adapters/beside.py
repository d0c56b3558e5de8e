"""What stands beside the library's events: the chain, and the answers given to commands.

Both are written in the transaction that stores the events, in either database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from eventsourcing import persistence

from adapters import chain
from domain import ports

KEPT = timedelta(days=7)
ANSWER_COLUMNS = "key, fingerprint, status, location, etag, body, answered_at, position"


class Recorder(Protocol):
    """What the two recorders offer beyond the library's own methods."""

    def insert_events(
        self, stored_events: Sequence[persistence.StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None: ...

    def insert_each(
        self, jobs: Sequence[tuple[Sequence[persistence.StoredEvent], ports.Answered | None]]
    ) -> Sequence[Sequence[int] | persistence.PersistenceError]: ...

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[persistence.Notification]: ...

    def select_stream(self, stream_id: UUID, after: int) -> Sequence[persistence.Notification]: ...

    def iterate_streams(self, until: int) -> Iterator[persistence.Notification]: ...

    def last_position(self) -> int: ...

    def iterate_rows(self, until: int) -> Iterator[chain.Row]: ...

    def iterate_links(self, until: int) -> Iterator[tuple[int, bytes]]: ...

    def select_answer(self, key: str) -> tuple[Any, ...] | None: ...

    def max_notification_id(self) -> int | None: ...

    def close(self) -> None: ...


class Cursor(Protocol):
    """What both databases' cursors can do."""

    def execute(self, statement: Any, parameters: Any = ..., /) -> Any: ...

    def fetchone(self) -> Any: ...


def chain_on(
    cursor: Cursor, mark: str, positions: Sequence[int], events: Sequence[persistence.StoredEvent]
) -> None:
    """Extend the chain; the rows are inserted first, so the write lock is held by now."""
    if not positions:
        return
    cursor.execute("SELECT hash FROM chain ORDER BY position DESC LIMIT 1")
    row = cursor.fetchone()
    previous = chain.GENESIS if row is None else bytes(row["hash"])
    for position, event in zip(positions, events, strict=True):
        assert isinstance(event.originator_id, UUID)
        previous = chain.link(
            previous,
            chain.Row(
                position,
                event.originator_id.hex,
                str(event.originator_version),
                event.topic,
                event.state,
            ),
        )
        cursor.execute(
            f"INSERT INTO chain (position, hash) VALUES ({mark},{mark})",  # noqa: S608
            (position, previous),
        )


def remember(cursor: Cursor, mark: str, answered: ports.Answered, position: int) -> None:
    """Keep an answer, and forget those older than a week."""
    oldest = (answered.answered_at - KEPT).isoformat()
    cursor.execute(f"DELETE FROM answers WHERE answered_at<{mark}", (oldest,))  # noqa: S608
    marks = ",".join([mark] * len(ANSWER_COLUMNS.split(", ")))
    cursor.execute(
        f"INSERT INTO answers ({ANSWER_COLUMNS}) VALUES ({marks})",  # noqa: S608
        (
            answered.key,
            answered.fingerprint,
            answered.status,
            answered.location,
            answered.etag,
            answered.body,
            answered.answered_at.isoformat(),
            position,
        ),
    )
