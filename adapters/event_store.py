"""The log, kept by eventsourcing's recorders: in SQLite, or in PostgreSQL by configuration.

Around the library's one table of events stand two of ours, written in the same transaction:
`chain`, the hash of every row over the one before, and `answers`, what a command was answered
under its idempotency key.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import msgspec
from eventsourcing import persistence, sqlite
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from adapters import chain
from domain import facts, ports, refusals

if TYPE_CHECKING:
    from adapters.settings import Settings

KEPT = timedelta(days=7)
_ANSWER_COLUMNS = "key, fingerprint, status, location, etag, body, answered_at, position"


_TABLES = (
    """CREATE TABLE IF NOT EXISTS stored_events (
    rowid INTEGER PRIMARY KEY AUTOINCREMENT,
    originator_id TEXT NOT NULL, originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL, state BLOB NOT NULL,
    UNIQUE (originator_id, originator_version))""",
    "CREATE TABLE IF NOT EXISTS chain (position INTEGER PRIMARY KEY, hash BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    location TEXT, etag TEXT, body BLOB NOT NULL, answered_at TEXT NOT NULL,
    position INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS answers_by_age ON answers (answered_at)",
)


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


class EventStore:
    """`domain.ports.Log` on a recorder. Blocking; safe to use from several threads."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def head(self) -> int:
        """The position of the newest fact, 0 when there is none."""
        with _translated():
            return self._recorder.max_notification_id() or 0

    def after(self, position: int, limit: int) -> list[facts.Recorded]:
        """Up to `limit` facts behind `position`, in order."""
        with _translated():
            rows = self._recorder.select_notifications(position, limit, inclusive_of_start=False)
        return [_recorded(row) for row in rows]

    def named(self, position: int, limit: int, name: str | None) -> list[facts.Recorded]:
        """Up to `limit` facts of one name behind `position`, in order; None for any name."""
        names = () if name is None else (name,)
        with _translated():
            rows = self._recorder.select_notifications(
                position, limit, topics=names, inclusive_of_start=False
            )
        return [_recorded(row) for row in rows]

    def stream(self, stream_id: UUID, *, after: int = 0) -> list[facts.Recorded]:
        """A stream's facts with a version above `after`, in order."""
        with _translated():
            return [_recorded(row) for row in self._recorder.select_stream(stream_id, after)]

    def by_stream(self, until: int) -> Iterator[list[facts.Recorded]]:
        """Every stream's facts up to a position of the log, a stream at a time."""
        with _translated():
            rows = self._recorder.iterate_streams(until)
            for _, stream in groupby(rows, key=lambda row: row.originator_id):
                yield [_recorded(row) for row in stream]

    def append(
        self, recorded: Sequence[facts.Recorded], answered: ports.Answered | None = None
    ) -> list[int]:
        """Store all or nothing, durably; answer the positions."""
        (outcome,) = self.append_each([ports.Append(recorded, answered)])
        if isinstance(outcome, refusals.Refusal):
            raise outcome
        return list(outcome)

    def append_each(
        self, appends: Sequence[ports.Append]
    ) -> list[Sequence[int] | refusals.Refusal]:
        """Store several appends with one durable commit, each all or nothing by itself."""
        jobs = [([_row(each) for each in job.recorded], job.answered) for job in appends]
        with _translated():
            outcomes = self._recorder.insert_each(jobs)
        return [
            self._refusal(job, outcome) if isinstance(outcome, Exception) else outcome
            for job, outcome in zip(appends, outcomes, strict=True)
        ]

    def _refusal(self, job: ports.Append, error: persistence.PersistenceError) -> refusals.Refusal:
        if not isinstance(error, persistence.IntegrityError):
            return _unavailable(error)
        if job.answered is not None and self.answered(job.answered.key) is not None:
            return refusals.KeyReused("the idempotency key is in use", key=job.answered.key)
        return refusals.Stale("something else was recorded first")

    def answered(self, key: str) -> ports.Answered | None:
        """What was answered under an idempotency key."""
        with _translated():
            row = self._recorder.select_answer(key)
        if row is None:
            return None
        found = dict(zip(_ANSWER_COLUMNS.split(", "), row, strict=True))
        found["body"] = bytes(found["body"])
        found["answered_at"] = datetime.fromisoformat(found["answered_at"])
        return ports.Answered(**found)

    def verify(self) -> Iterator[chain.Verdict]:
        """Recompute the hash chain, yielding as it goes; the last verdict is the whole's."""
        with _translated():
            until = self._recorder.last_position()  # what is recorded meanwhile is not asked for
            yield from chain.verify(
                self._recorder.iterate_rows(until), self._recorder.iterate_links(until)
            )

    def close(self) -> None:
        """Give the connections back."""
        self._recorder.close()


def open_store(settings: Settings) -> EventStore:
    """The event store that the settings name, made when it is not there yet."""
    if settings.event_store == "sqlite":
        return open_sqlite(settings.event_store_path)
    return open_postgres(settings.event_store)


def open_postgres(url: str) -> EventStore:
    """The log in a PostgreSQL database. Processes that make it at the same moment take turns."""
    from adapters import postgres_recorder  # noqa: PLC0415  psycopg is an extra

    with _translated():
        return EventStore(postgres_recorder.opened(url))


def _busy(error: BaseException) -> bool:
    """Whether waiting may help: a locked file is free again, a damaged one is not whole again."""
    locked = (persistence.OperationalError, sqlite3.OperationalError)
    return isinstance(error, refusals.Unavailable) and isinstance(error.__cause__, locked)


@retry(
    retry=retry_if_exception(_busy),
    stop=stop_after_delay(5),
    wait=wait_fixed(0.05),
    reraise=True,
)
def open_sqlite(path: Path) -> EventStore:
    """The log in a SQLite file. Two processes may make it at the same moment: one waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _translated():
        recorder = SQLiteRecorder(_DurableDatastore(str(path)))
        recorder.create_table()
    return EventStore(recorder)


class _DurablePool(sqlite.SQLiteConnectionPool):
    """Connections whose commits are on the disk when they return."""

    def _create_connection(self) -> sqlite.SQLiteConnection:
        connection = super()._create_connection()
        connection.cursor().execute("PRAGMA synchronous=FULL")
        return connection


class _DurableDatastore(sqlite.SQLiteDatastore):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.pool = _DurablePool(db_name=path)


class SQLiteRecorder(sqlite.SQLiteApplicationRecorder):
    """The library's recorder with a position of its own column, a chain, and answers.

    A rowid without a column of its own changes at VACUUM, and is given out again when the
    last row is deleted; an explicit AUTOINCREMENT key does neither.
    """

    def __init__(self, datastore: sqlite.SQLiteDatastore) -> None:
        super().__init__(datastore)
        self.insert_events_statement = (
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
            "VALUES (?,?,?,?)"
        )

    def construct_create_table_statements(self) -> list[str]:
        return list(_TABLES)

    def _insert_events(
        self,
        c: sqlite.SQLiteCursor,
        stored_events: Sequence[persistence.StoredEvent],
        answered: ports.Answered | None = None,
        **_: Any,
    ) -> Sequence[int]:
        positions = super()._insert_events(c, stored_events) or []
        chain_on(c, "?", positions, stored_events)
        if answered is not None:
            remember(c, "?", answered, positions[-1] if positions else 0)
        return positions

    def insert_each(
        self, jobs: Sequence[tuple[Sequence[persistence.StoredEvent], ports.Answered | None]]
    ) -> list[Sequence[int] | persistence.PersistenceError]:
        """One transaction, a savepoint for each job: one job's conflict is not another's."""
        outcomes: list[Sequence[int] | persistence.PersistenceError] = []
        with self.datastore.transaction(commit=True) as c:
            c.execute("SAVEPOINT all_jobs")
            for events, answered in jobs:
                c.execute("SAVEPOINT job")
                try:
                    outcomes.append(self._insert_events(c, events, answered))
                except sqlite3.IntegrityError as error:
                    c.execute("ROLLBACK TO job")
                    outcomes.append(persistence.IntegrityError(error))
                c.execute("RELEASE job")
            c.execute("RELEASE all_jobs")
        return outcomes

    def select_stream(self, stream_id: UUID, after: int) -> list[persistence.Notification]:
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT rowid, * FROM stored_events WHERE originator_id=? "
                "AND originator_version>? ORDER BY originator_version",
                (stream_id.hex, after),
            )
            return [_notification(row) for row in c.fetchall()]

    def iterate_streams(self, until: int) -> Iterator[persistence.Notification]:
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT rowid, * FROM stored_events WHERE rowid<=? "
                "ORDER BY originator_id, originator_version",
                (until,),
            )
            for row in c.sqlite_cursor:
                yield _notification(row)

    def last_position(self) -> int:
        """The last position of which a row or a link is left."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT MAX(IFNULL((SELECT MAX(rowid) FROM stored_events), 0), "
                "IFNULL((SELECT MAX(position) FROM chain), 0))"
            )
            return int(c.fetchone()[0])

    def iterate_rows(self, until: int) -> Iterator[chain.Row]:
        """The rows byte for byte, whatever stands in them."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT rowid, CAST(originator_id AS BLOB), CAST(originator_version AS BLOB), "
                "CAST(topic AS BLOB), CAST(state AS BLOB) "
                "FROM stored_events WHERE rowid<=? ORDER BY rowid",
                (until,),
            )
            for position, stream, version, name, state in c.sqlite_cursor:
                yield chain.Row(position, _raw(stream), _raw(version), _raw(name), state)

    def iterate_links(self, until: int) -> Iterator[tuple[int, bytes]]:
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT position, CAST(hash AS BLOB) FROM chain WHERE position<=? "
                "ORDER BY position",
                (until,),
            )
            yield from map(tuple, c.sqlite_cursor)

    def select_answer(self, key: str) -> tuple[Any, ...] | None:
        with self.datastore.transaction(commit=False) as c:
            c.execute(f"SELECT {_ANSWER_COLUMNS} FROM answers WHERE key=?", (key,))  # noqa: S608
            row = c.fetchone()
        return None if row is None else tuple(row)

    def close(self) -> None:
        self.datastore.close()


def _notification(row: sqlite3.Row) -> persistence.Notification:
    return persistence.Notification(
        id=row["rowid"],
        originator_id=UUID(row["originator_id"]),
        originator_version=row["originator_version"],
        topic=row["topic"],
        state=row["state"],
    )


def _raw(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


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
    marks = ",".join([mark] * len(_ANSWER_COLUMNS.split(", ")))
    cursor.execute(
        f"INSERT INTO answers ({_ANSWER_COLUMNS}) VALUES ({marks})",  # noqa: S608
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


def _row(recorded: facts.Recorded) -> persistence.StoredEvent:
    return persistence.StoredEvent(
        originator_id=recorded.stream_id,
        originator_version=recorded.version,
        topic=recorded.name,
        state=facts.encode(recorded),
    )


def _recorded(row: persistence.Notification) -> facts.Recorded:
    assert isinstance(row.originator_id, UUID)
    try:
        return facts.decode(
            row.id, row.originator_id, row.originator_version, row.topic, bytes(row.state)
        )
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise refusals.Unavailable(
            f"position {row.id} of the log cannot be read: {error}", position=row.id
        ) from error


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """No foreign exception crosses this border."""
    try:
        yield
    except (persistence.PersistenceError, sqlite3.Error, ValueError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> refusals.Unavailable:
    return refusals.Unavailable(f"the event store does not answer: {error}", part="event_store")
