"""The log in SQLite: the library's recorder, durable, with explicit positions."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing import persistence, sqlite

from adapters import beside, chain, drafts
from domain import ports, refusals

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
    "CREATE INDEX IF NOT EXISTS events_by_name ON stored_events (topic)",
    """CREATE TABLE IF NOT EXISTS checkpoints (
    position INTEGER PRIMARY KEY, hash BLOB NOT NULL, at TEXT NOT NULL, since INTEGER NOT NULL)""",
)

_TYPES = "text integer text blob"
"""Of an event's columns: stream, version, name and stored bytes."""
_CACHE = 64 * 1024
"""KiB kept in memory while a file is filled."""


def opened(path: Path) -> SQLiteRecorder:
    """Open the file, and make its tables when they are not there yet."""
    recorder = SQLiteRecorder(_DurableDatastore(path.resolve().as_uri()))
    recorder.create_table()
    return recorder


def opened_to_read(path: Path) -> SQLiteRecorder:
    """Open a file that must be a ledger, and change nothing in it, not even its journal mode."""
    datastore = _DurableDatastore(f"{path.resolve().as_uri()}?mode=ro")
    datastore.pool.is_journal_mode_wal = True  # so that the pool does not try to make it so
    recorder = SQLiteRecorder(datastore)
    recorder.last_position()
    return recorder


def fill(path: Path, rows: Iterable[tuple[chain.Row, bytes]]) -> None:
    """Make the file from rows and their hashes; it is not there at all before it is whole."""
    with drafts.finished(path) as draft:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            _fill(connection, rows)
        if path.exists():
            raise refusals.Exists(f"{path} has come into being meanwhile")


def _fill(connection: sqlite3.Connection, rows: Iterable[tuple[chain.Row, bytes]]) -> None:
    """In one sweep, without a journal: what breaks off is thrown away."""
    for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE}"):
        connection.execute(f"PRAGMA {setting}")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("BEGIN")
    for row, hash_ in rows:
        connection.execute(
            "INSERT INTO stored_events VALUES (?,?,?,?,?)",
            (row.position, row.stream, int(row.version), row.name, row.state),
        )
        connection.execute("INSERT INTO chain VALUES (?,?)", (row.position, hash_))
    connection.execute("COMMIT")


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
            beside.remember(c, "?", answered, positions[-1] if positions else answered.position)
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
            for stream_id, rows in groupby(c.sqlite_cursor, key=itemgetter("originator_id")):
                same = UUID(stream_id)
                for row in rows:
                    yield _notification(row, same)

    def select_part(self, part: beside.Part) -> list[persistence.Notification]:
        stream = None if part.stream is None else part.stream.hex
        with self.datastore.transaction(commit=False) as c:
            c.execute(*beside.part_of(part, "?", "rowid", stream))
            return [_notification(row) for row in c.fetchall()]

    def flaw(self) -> str | None:
        """An index that lacks a row makes its stream read short, and the chain reads no index."""
        with self.datastore.transaction(commit=False) as c:
            c.execute("PRAGMA integrity_check(1)")
            (found,) = c.fetchone()
            return None if found == "ok" else str(found)

    def last_position(self) -> int:
        """The last position that was ever given out, or of which a row or a link is left."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT MAX(IFNULL((SELECT MAX(rowid) FROM stored_events), 0), "
                "IFNULL((SELECT MAX(position) FROM chain), 0), "
                "IFNULL((SELECT seq FROM sqlite_sequence WHERE name='stored_events'), 0))"
            )
            return int(c.fetchone()[0])

    def last_link(self, until: int) -> tuple[int, bytes] | None:
        """The chain's last link up to a position."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT position, CAST(hash AS BLOB) FROM chain WHERE position<=? "
                "ORDER BY position DESC LIMIT 1",
                (until,),
            )
            row = c.fetchone()
        return None if row is None else (row[0], row[1])

    def iterate_rows(self, after: int, until: int) -> Generator[chain.Row]:
        """The rows byte for byte, whatever stands in them; from the very first when after is 0.

        A row whose columns are of other types, which nobody could read, is another row.
        """
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT rowid, CAST(originator_id AS BLOB), CAST(originator_version AS BLOB), "
                "CAST(topic AS BLOB), CAST(state AS BLOB), typeof(originator_id) || ' ' "
                "|| typeof(originator_version) || ' ' || typeof(topic) || ' ' || typeof(state) "
                "FROM stored_events WHERE rowid>? AND rowid<=? ORDER BY rowid",
                (after or beside.FIRST, until),
            )
            for position, stream, version, name, state, types in c.sqlite_cursor:
                told = _raw(name) if types == _TYPES else types
                yield chain.Row(position, _raw(stream), _raw(version), told, state)

    def iterate_links(self, after: int, until: int) -> Generator[tuple[int, bytes]]:
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT position, CASE typeof(hash) WHEN 'blob' THEN hash ELSE x'' END "
                "FROM chain WHERE position>? AND position<=? "
                "ORDER BY position",
                (after or beside.FIRST, until),
            )
            yield from map(tuple, c.sqlite_cursor)

    def select_checkpoints(self, before: int, limit: int) -> list[chain.Checkpoint]:
        """The newest first; a file that was only ever read may have no table for them."""
        with self.datastore.transaction(commit=False) as c:
            c.execute("SELECT 1 FROM sqlite_master WHERE name='checkpoints'")
            if c.fetchone() is None:
                return []
            c.execute(
                "SELECT position, CAST(hash AS BLOB), at, since FROM checkpoints WHERE position<? "
                "ORDER BY position DESC LIMIT ?",
                (before, limit),
            )
            return beside.noted(c.fetchall())

    def insert_checkpoint(self, checkpoint: chain.Checkpoint) -> None:
        with self.datastore.transaction(commit=True) as c:
            beside.note(c, "?", checkpoint)

    def select_answer(self, key: str) -> tuple[Any, ...] | None:
        with self.datastore.transaction(commit=False) as c:
            c.execute(f"SELECT {beside.ANSWER_COLUMNS} FROM answers WHERE key=?", (key,))  # noqa: S608
            row = c.fetchone()
        return None if row is None else tuple(row)

    def close(self) -> None:
        self.datastore.close()


def _notification(row: sqlite3.Row, stream_id: UUID | None = None) -> persistence.Notification:
    return persistence.Notification(
        id=row["rowid"],
        originator_id=stream_id or UUID(row["originator_id"]),
        originator_version=row["originator_version"],
        topic=row["topic"],
        state=row["state"],
    )


def _raw(text: bytes) -> str:
    return text.decode(errors="surrogateescape")
