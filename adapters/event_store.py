"""The log, kept by eventsourcing's recorders: in SQLite, or in PostgreSQL by configuration.

Around the library's one table of events stand two of ours, written in the same transaction:
`chain`, the hash of every row over the one before, and `answers`, what a command was answered
under its idempotency key. A third, `checkpoints`, keeps what verifications found.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from eventsourcing import persistence
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from adapters import beside, chain, sqlite_recorder
from domain import facts, ports, refusals

if TYPE_CHECKING:
    from adapters.settings import Settings


class EventStore:
    """`domain.ports.Log` on a recorder. Blocking; safe to use from several threads."""

    def __init__(self, recorder: beside.Recorder) -> None:
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

    def part(self, part: beside.Part) -> list[facts.Recorded]:
        """Some of the facts, in order or the newest first."""
        with _translated():
            return [_recorded(row) for row in self._recorder.select_part(part)]

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
        found = dict(zip(beside.ANSWER_COLUMNS.split(", "), row, strict=True))
        found["body"] = bytes(found["body"])
        found["answered_at"] = datetime.fromisoformat(found["answered_at"])
        return ports.Answered(**found)

    def verify(
        self, *, full: bool = True, passing: Mapping[int, str] = MappingProxyType({})
    ) -> Iterator[chain.Verdict]:
        """Recompute the hash chain, yielding as it goes; the last verdict is the whole's.

        From the first fact, through all checkpoints, and whether the database says that it is
        sound; or else from the last checkpoint. Through `passing` too, hashes by position. What
        cannot be read at all is broken behind the last fact that could be.
        """
        verdict = chain.Verdict(0, 0, chain.GENESIS.hex())
        try:
            with _translated():
                until = self._recorder.last_position()  # what comes meanwhile is not asked for
                start = verdict if full else self._resumed(verdict)
                noted = {each.position: each.hash for each in self.checkpoints(beside.LAST)}
                noted.update(passing)
                ahead = {place: noted[place] for place in noted if place > start.head}
                with closing(self._walk(start.head, until)) as walk:
                    for verdict in chain.verify(chain.passing(walk, ahead), start):
                        yield verdict
                flaw = self._recorder.flaw() if full and verdict.broken is None else None
        except refusals.Unavailable as error:
            why = f"cannot be read: {error.message}"
            yield msgspec.structs.replace(verdict, broken=chain.Broken(verdict.head + 1, why))
            return
        if verdict.broken is None and verdict.head < until:
            missing = chain.Broken(verdict.head + 1, "the log ended later than this")
            yield msgspec.structs.replace(verdict, broken=missing)
        elif flaw is not None:
            why = f"the facts before it are whole, the file that holds them is not: {flaw}"
            yield msgspec.structs.replace(verdict, broken=chain.Broken(verdict.head + 1, why))

    def _resumed(self, genesis: chain.Verdict) -> chain.Verdict:
        """Where the last verification ended, if it ended with the link that is there now."""
        for last in self.checkpoints(1):
            if self._recorder.last_link(last.position) == (
                last.position,
                bytes.fromhex(last.hash),
            ):
                return chain.Verdict(0, last.position, last.hash, since=last.position)
        return genesis

    def _walk(self, after: int, until: int) -> Generator[tuple[chain.Row, bytes]]:
        rows = self._recorder.iterate_rows(after, until)
        links = self._recorder.iterate_links(after, until)
        with closing(rows), closing(links):
            yield from chain.walk(rows, links, self.hash_at(after))

    def rows(self, after: int, until: int) -> Generator[tuple[chain.Row, bytes]]:
        """The rows as they are stored, each with its hash; raises chain.Torn at the first fault."""
        with _translated(), closing(self._walk(after, until)) as walk:
            yield from walk

    def hash_at(self, position: int) -> bytes:
        """The chain's hash at a position, or at the last before it."""
        with _translated():
            found = self._recorder.last_link(position)
        return chain.GENESIS if found is None else found[1]

    def checkpoints(self, limit: int, *, before: int | None = None) -> list[chain.Checkpoint]:
        """What was noted when the log was found whole, the newest first."""
        with _translated():
            return self._recorder.select_checkpoints(
                beside.LAST if before is None else before, limit
            )

    def note(self, verdict: chain.Verdict, at: datetime) -> None:
        """Keep what a verification found as a checkpoint, when it found something new whole."""
        if verdict.broken is None and verdict.checked:
            found = chain.Checkpoint(verdict.head, verdict.head_hash, at, verdict.since)
            with _translated():
                self._recorder.insert_checkpoint(found)

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
        return EventStore(sqlite_recorder.opened(path))


def open_there(settings: Settings) -> EventStore:
    """The event store that the settings name, which must be there, to be looked at only."""
    if settings.event_store != "sqlite":
        return open_postgres(settings.event_store)
    return open_to_read(settings.event_store_path)


def fill(settings: Settings, rows: Iterable[tuple[chain.Row, bytes]]) -> None:
    """Make the event store that the settings name from rows and their hashes, all or nothing.

    Raises refusals.Exists when it holds something already.
    """
    with _translated():
        if settings.event_store == "sqlite":
            sqlite_recorder.fill(settings.event_store_path, rows)
            return
        from adapters import postgres_recorder  # noqa: PLC0415  psycopg is an extra

        postgres_recorder.fill(settings.event_store, rows)


def open_to_read(path: Path) -> EventStore:
    """A log in a SQLite file that is to be looked at only.

    Raises FileNotFoundError, or refusals.Unavailable when it is no log.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    with _translated():
        return EventStore(sqlite_recorder.opened_to_read(path))


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


@contextmanager
def _translated() -> Iterator[None]:
    """No foreign exception crosses this border."""
    try:
        yield
    except (persistence.PersistenceError, sqlite3.Error, ValueError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> refusals.Unavailable:
    return refusals.Unavailable(f"the event store does not answer: {error}", part="event_store")
