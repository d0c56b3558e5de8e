"""What stands beside the library's events: the chain, the answers to commands, the checkpoints.

Chain and answers are written in the transaction that stores the events, in either database.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec
from eventsourcing import persistence

from adapters import chain
from domain import ports

KEPT = timedelta(days=7)
FIRST = -(2**63)
"""No position of ours is below 1, but what another hand put there must be seen too."""
LAST = 2**63 - 1
ANSWER_COLUMNS = "key, fingerprint, status, location, etag, body, answered_at, position"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of the log: those between two positions, of one stream, of one name.

    Of a stream, `versions` makes the bounds versions instead of positions. Neither bound is
    among the events.
    """

    limit: int
    after: int = 0
    before: int | None = None
    newest_first: bool = False
    stream: UUID | None = None
    name: str | None = None
    versions: bool = False


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

    def select_part(self, part: Part) -> Sequence[persistence.Notification]: ...

    def last_position(self) -> int: ...

    def flaw(self) -> str | None:
        """What is wrong with how the rows are kept, where the database can tell."""

    def last_link(self, until: int) -> tuple[int, bytes] | None: ...

    def iterate_rows(self, after: int, until: int) -> Generator[chain.Row]: ...

    def iterate_links(self, after: int, until: int) -> Generator[tuple[int, bytes]]: ...

    def select_checkpoints(self, before: int, limit: int) -> list[chain.Checkpoint]: ...

    def insert_checkpoint(self, checkpoint: chain.Checkpoint) -> None: ...

    def select_answer(self, key: str) -> tuple[Any, ...] | None: ...

    def max_notification_id(self) -> int | None: ...

    def close(self) -> None: ...


class Cursor(Protocol):
    """What both databases' cursors can do."""

    def execute(self, statement: Any, parameters: Any = ..., /) -> Any: ...

    def fetchone(self) -> Any: ...


def part_of(part: Part, mark: str, position: str, stream: object) -> tuple[str, tuple[Any, ...]]:
    """The statement that selects a part of the events, and its parameters.

    A stream is read along its own index: a name is then compared as an expression, for else
    the planner might prefer the index of names and sort what it finds.
    """
    place = "originator_version" if part.versions else position
    terms: list[tuple[str, Any]] = [(f"{place}>{mark}", part.after)]
    if part.before is not None:
        terms.append((f"{place}<{mark}", part.before))
    if part.stream is not None:
        terms.append((f"originator_id={mark}", stream))
    if part.name is not None:
        column = "topic" if part.stream is None else "topic || ''"
        terms.append((f"{column}={mark}", part.name))
    order = position if part.stream is None else "originator_version"
    statement = (
        f"SELECT * FROM stored_events "  # noqa: S608
        f"WHERE {' AND '.join(term for term, _ in terms)} "
        f"ORDER BY {order} {'DESC' if part.newest_first else 'ASC'} LIMIT {mark}"
    )
    return statement, (*(value for _, value in terms), part.limit)


def note(cursor: Cursor, mark: str, checkpoint: chain.Checkpoint) -> None:
    """Keep a checkpoint; of two at a position the earlier, but all that was ever read for it."""
    cursor.execute(
        f"INSERT INTO checkpoints (position, hash, at, since) "  # noqa: S608
        f"VALUES ({mark},{mark},{mark},{mark}) ON CONFLICT (position) DO UPDATE "
        "SET since=excluded.since WHERE excluded.since<checkpoints.since",
        (
            checkpoint.position,
            bytes.fromhex(checkpoint.hash),
            checkpoint.at.isoformat(),
            checkpoint.since,
        ),
    )


def noted(rows: Iterable[Sequence[Any]]) -> list[chain.Checkpoint]:
    """Checkpoints as they were kept: position, hash, at, since."""
    return [
        chain.Checkpoint(position, bytes(hash_).hex(), datetime.fromisoformat(at), since)
        for position, hash_, at, since in rows
    ]


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
