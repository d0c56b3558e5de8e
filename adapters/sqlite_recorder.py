"""The log in SQLite: the library's recorder, durable, with explicit positions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing import persistence, sqlite

from adapters import beside, chain
from domain import ports

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


def opened(path: Path) -> SQLiteRecorder:
    """Open the file, and make its tables when they are not there yet."""
    recorder = SQLiteRecorder(_DurableDatastore(path.resolve().as_uri()))
    recorder.create_table()
    return recorder


def opened_to_read(path: Path) -> SQLiteRecorder:
    """Open a file that must be a ledger, and change nothing in it."""
    recorder = SQLiteRecorder(_DurableDatastore(f"{path.resolve().as_uri()}?mode=ro"))
    recorder.last_position()
    return recorder


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
        beside.chain_on(c, "?", positions, stored_events)
        if answered is not None:
            beside.remember(c, "?", answered, positions[-1] if positions else 0)
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
        """The last position that was ever given out, or of which a row or a link is left."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT MAX(IFNULL((SELECT MAX(rowid) FROM stored_events), 0), "
                "IFNULL((SELECT MAX(position) FROM chain), 0), "
                "IFNULL((SELECT seq FROM sqlite_sequence WHERE name='stored_events'), 0))"
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
            c.execute(f"SELECT {beside.ANSWER_COLUMNS} FROM answers WHERE key=?", (key,))  # noqa: S608
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
