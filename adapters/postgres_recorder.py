"""The log in PostgreSQL: the same contract as in SQLite, on the library's recorder."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing import persistence, postgres
from psycopg import conninfo, rows, sql

from adapters import beside, chain
from domain import ports, refusals

_KNOWN = {"dbname", "host", "port", "user", "password"}
_TABLES = (
    "CREATE TABLE IF NOT EXISTS chain (position bigint PRIMARY KEY, hash bytea NOT NULL)",
    """CREATE TABLE IF NOT EXISTS answers (
    key text PRIMARY KEY, fingerprint text NOT NULL, status integer NOT NULL,
    location text, etag text, body bytea NOT NULL, answered_at text NOT NULL,
    position bigint NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS answers_by_age ON answers (answered_at)",
    "CREATE INDEX IF NOT EXISTS events_by_name ON stored_events (topic, notification_id)",
    """CREATE TABLE IF NOT EXISTS checkpoints (
    position bigint PRIMARY KEY, hash bytea NOT NULL, at text NOT NULL, since bigint NOT NULL)""",
)


_MAKING = 0x77686565
_BATCH = 1_000


def opened(url: str) -> PostgresRecorder:
    """Connect, and make the tables when they are not there yet."""
    given = conninfo.conninfo_to_dict(url)
    if unknown := given.keys() - _KNOWN:
        raise refusals.Unavailable(
            f"the event store's URL asks for {', '.join(sorted(unknown))}, which is not supported",
            part="event_store",
        )
    datastore = postgres.PostgresDatastore(
        dbname=str(given.get("dbname") or "wheelwright"),
        host=str(given.get("host") or "127.0.0.1"),
        port=str(given.get("port") or 5432),
        user=str(given.get("user") or "postgres"),
        password=str(given.get("password") or ""),
        connect_timeout=1.0,
        pool_size=2,
        max_overflow=4,
    )
    recorder = PostgresRecorder(datastore)
    recorder.create_table()
    return recorder


def fill(url: str, walked: Iterable[tuple[chain.Row, bytes]]) -> None:
    """Fill the database, which must hold no log yet, with rows and their hashes, all or none."""
    recorder = opened(url)
    left = iter(walked)
    try:
        with recorder.datastore.transaction(commit=True) as curs:
            curs.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            curs.execute("SELECT 1 FROM stored_events UNION ALL SELECT 1 FROM answers LIMIT 1")
            if curs.fetchone() is not None:
                raise refusals.Exists("the database holds a ledger already")
            while batch := list(islice(left, _BATCH)):
                _fill(curs, batch)
            curs.execute(
                "SELECT setval(pg_get_serial_sequence('stored_events', 'notification_id'), "
                "MAX(notification_id)) FROM stored_events"
            )
    finally:
        recorder.close()


def _fill(curs: psycopg.Cursor[rows.DictRow], batch: Sequence[tuple[chain.Row, bytes]]) -> None:
    curs.executemany(
        "INSERT INTO stored_events "
        "(notification_id, originator_id, originator_version, topic, state) "
        "VALUES (%s,%s,%s,%s,%s)",
        [
            (row.position, UUID(row.stream), int(row.version), row.name, row.state)
            for row, _ in batch
        ],
    )
    curs.executemany(
        "INSERT INTO chain (position, hash) VALUES (%s,%s)",
        [(row.position, hash_) for row, hash_ in batch],
    )


class PostgresRecorder(postgres.PostgresApplicationRecorder):
    """The library's recorder with a chain and answers; its table lock orders the writers."""

    def __init__(self, datastore: postgres.PostgresDatastore) -> None:
        super().__init__(datastore)
        self.sql_create_statements += [sql.SQL(statement).format() for statement in _TABLES]

    def create_table(self) -> None:
        """One at a time: of two that make a type at the same moment, one would fail."""
        with self.datastore.get_connection() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_MAKING,))
            try:
                super().create_table()
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_MAKING,))

    def _fetch_ids_after_insert_events(
        self,
        curs: psycopg.Cursor[rows.DictRow],
        stored_events: Sequence[persistence.StoredEvent],
        answered: ports.Answered | None = None,
        **_: Any,
    ) -> Sequence[int] | None:
        """Still inside the transaction and its table lock: the chain and the answer follow."""
        positions = super()._fetch_ids_after_insert_events(curs, stored_events) or []
        beside.chain_on(curs, "%s", positions, stored_events)
        if answered is not None:
            beside.remember(curs, "%s", answered, positions[-1])
        return positions

    def insert_each(
        self, jobs: Sequence[tuple[Sequence[persistence.StoredEvent], ports.Answered | None]]
    ) -> list[Sequence[int] | persistence.PersistenceError]:
        """One transaction a job."""
        return [self._inserted(events, answered) for events, answered in jobs]

    def _inserted(
        self, events: Sequence[persistence.StoredEvent], answered: ports.Answered | None
    ) -> Sequence[int] | persistence.PersistenceError:
        try:
            if events:
                return self.insert_events(events, answered=answered) or []
            with self.datastore.transaction(commit=True) as curs:
                if answered is not None:
                    beside.remember(curs, "%s", answered, answered.position)
        except persistence.PersistenceError as error:
            return error
        return []

    def select_stream(self, stream_id: UUID, after: int) -> list[persistence.Notification]:
        return list(
            self._rows(
                "SELECT * FROM stored_events WHERE originator_id=%s AND originator_version>%s "
                "ORDER BY originator_version",
                (stream_id, after),
            )
        )

    def iterate_streams(self, until: int) -> Iterator[persistence.Notification]:
        return self._rows(
            "SELECT * FROM stored_events WHERE notification_id<=%s "
            "ORDER BY originator_id, originator_version",
            (until,),
        )

    def _rows(
        self, statement: str, parameters: tuple[Any, ...]
    ) -> Iterator[persistence.Notification]:
        """Through a server-side cursor, so that a long answer is never all in memory."""
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor(name="streams") as curs,
        ):
            curs.execute(sql.SQL(statement), parameters)
            for row in curs:
                yield persistence.Notification(
                    id=row["notification_id"],
                    originator_id=row["originator_id"],
                    originator_version=row["originator_version"],
                    topic=row["topic"],
                    state=bytes(row["state"]),
                )

    def select_part(self, part: beside.Part) -> list[persistence.Notification]:
        return list(self._rows(*beside.part_of(part, "%s", "notification_id", part.stream)))

    def flaw(self) -> None:
        """PostgreSQL looks after itself."""

    def last_position(self) -> int:
        """The last position of which a row or a link is left."""
        with self.datastore.get_connection() as connection, connection.cursor() as curs:
            curs.execute(
                "SELECT GREATEST(0, (SELECT MAX(notification_id) FROM stored_events), "
                "(SELECT MAX(position) FROM chain)) AS position"
            )
            row = curs.fetchone()
        return 0 if row is None else int(row["position"])

    def last_link(self, until: int) -> tuple[int, bytes] | None:
        """The chain's last link up to a position."""
        with self.datastore.get_connection() as connection, connection.cursor() as curs:
            curs.execute(
                "SELECT position, hash FROM chain WHERE position<=%s "
                "ORDER BY position DESC LIMIT 1",
                (until,),
            )
            row = curs.fetchone()
        return None if row is None else (row["position"], bytes(row["hash"]))

    def iterate_rows(self, after: int, until: int) -> Generator[chain.Row]:
        """The rows as they are stored; from the very first when after is 0."""
        for row in self._rows(
            "SELECT * FROM stored_events WHERE notification_id>%s AND notification_id<=%s "
            "ORDER BY notification_id",
            (after or beside.FIRST, until),
        ):
            assert isinstance(row.originator_id, UUID)
            yield chain.Row(
                row.id, row.originator_id.hex, str(row.originator_version), row.topic, row.state
            )

    def iterate_links(self, after: int, until: int) -> Generator[tuple[int, bytes]]:
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor(name="links") as curs,
        ):
            curs.execute(
                "SELECT position, hash FROM chain WHERE position>%s AND position<=%s "
                "ORDER BY position",
                (after or beside.FIRST, until),
            )
            for row in curs:
                yield row["position"], bytes(row["hash"])

    def select_checkpoints(self, before: int, limit: int) -> list[chain.Checkpoint]:
        """The newest first."""
        with self.datastore.get_connection() as connection, connection.cursor() as curs:
            curs.execute(
                "SELECT position, hash, at, since FROM checkpoints WHERE position<%s "
                "ORDER BY position DESC LIMIT %s",
                (before, limit),
            )
            return beside.noted(tuple(row.values()) for row in curs.fetchall())

    def insert_checkpoint(self, checkpoint: chain.Checkpoint) -> None:
        with self.datastore.transaction(commit=True) as curs:
            beside.note(curs, "%s", checkpoint)

    def select_answer(self, key: str) -> tuple[Any, ...] | None:
        with self.datastore.get_connection() as connection, connection.cursor() as curs:
            curs.execute(
                "SELECT key, fingerprint, status, location, etag, body, answered_at, position "
                "FROM answers WHERE key=%s",
                (key,),
            )
            row = curs.fetchone()
        return None if row is None else tuple(row.values())

    def close(self) -> None:
        self.datastore.close()
