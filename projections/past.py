"""Views of the past: as they were known at one instant, of what had happened by another.

They are the same tables, made from the facts that count. Those of a few streams are made in
memory, for one question. Those of the whole log are kept in files beside the live views, one for
each pair of clocks, and are checkpoints: a file says up to which position it has read the log,
and when the log has gone on, only the streams are written anew in which there is more that counts.

Nothing here relies on the log's clock, which may have been set back: a fact that comes later may
count for any past.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from domain import facts, ports, refusals
from projections import books, daily, rebuild, rows, tables

MOST_FILES: Final = 8
MOST_BYTES: Final = 4 * 1024**3
SPARE: Final = 256 * 1024**2
"""Bytes that a new file must leave free: the log needs the disk more than a question does."""
FEW: Final = 0.6
"""The share of the log behind which changed streams are written faster from the log alone."""
_BATCH: Final = 5_000
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_ROWS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "wheel": (
        ("wheels", "id"),
        *(
            (table, "wheel_id")
            for table in (
                "trades",
                "lots",
                "cycles",
                "open_options",
                *(b.name for b in daily.BOOKS),
            )
        ),
    ),
    "portfolio": (("portfolios", "id"),),
    "alert": (("alerts", "id"),),
    "valuation": (("marks", "wheel_id"),),
    "opportunity": (("opportunities", "id"),),
    "job": (("jobs", "id"), ("job_runs", "id")),
    "notification": (("channels", "stream"), ("deliveries", "id")),
    "plugin": (("plugins", "id"),),
    "plugin_run": (("plugin_runs", "id"),),
}
"""Where the rows of a stream stand, by its kind, and by which column they are found."""
_WHOLE: Final = {"settings": "settings", "watchlist": "watchlist"}
"""The tables that hold the rows of one stream alone, by its kind."""


class When(msgspec.Struct, frozen=True):
    """The two clocks of a question; None means now."""

    as_of: datetime | None = None
    known_at: datetime | None = None

    @property
    def is_now(self) -> bool:
        """Whether the live views can answer."""
        return self.as_of is None and self.known_at is None

    def told_at(self, now: datetime) -> datetime:
        """The instant by which expirations are judged."""
        return min(each for each in (self.as_of, self.known_at, now) if each is not None)

    def counts(self, recorded: facts.Recorded) -> bool:
        """Whether a fact was known by then."""
        return self.known_at is None or recorded.recorded_at <= self.known_at

    @property
    def name(self) -> str:
        """The name of the checkpoint's file; what is so named may be removed at any time."""
        return f"{_text(self.as_of)}_{_text(self.known_at)}.past"


def _text(instant: datetime | None) -> str:
    if instant is None:
        return "now"
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def rows_then(stream: Sequence[facts.Recorded], when: When) -> Iterable[rows.Write]:
    """The rows of a stream that counts."""
    known = [each for each in stream if when.counts(each)]
    if not known:
        return ()
    last = known[-1]
    if last.kind == "wheel":
        return rows.of_wheel(None, _books(known, when), last.position)
    happened = [each for each in known if when.as_of is None or _by(each, when.as_of)]
    return rows.of_small(last.kind, last.stream_id, happened) if happened else ()


def _books(known: Sequence[facts.Recorded], when: When) -> books.Books:
    return books.opened(known[-1].stream_id, known, as_of=when.as_of)


def _by(recorded: facts.Recorded, as_of: datetime) -> bool:
    """Whether it had happened; a portfolio was there before it was entered, like a wheel."""
    return recorded.effective_at <= as_of or isinstance(recorded.fact, facts.PortfolioCreated)


# --- in memory --------------------------------------------------------------------------------


def replayed(log: ports.Log, when: When, streams: Iterable[UUID] | None) -> sqlite3.Connection:
    """The views of some streams then, in memory; None for all streams. All are of one moment."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(tables.SCHEMA)
    head = log.head()
    found: Iterable[Sequence[facts.Recorded]] = (
        log.by_stream(head)
        if streams is None
        else (
            [each for each in log.stream(stream_id) if each.position <= head]
            for stream_id in streams
        )
    )
    connection.execute("BEGIN")
    for stream in found:
        _run(connection, rows_then(stream, when))
    _run(connection, [_reached(head)])
    connection.execute("COMMIT")
    return connection


def _run(connection: sqlite3.Connection, writes: Iterable[rows.Write]) -> None:
    for statement, parameters in writes:
        connection.execute(statement, parameters)


def _reached(position: int) -> rows.Write:
    """Up to where in the log the views tell."""
    return "UPDATE tracking SET position=?", (position,)


# --- in files ---------------------------------------------------------------------------------


def reached(path: Path) -> int | None:
    """Up to which position of the log a checkpoint has read; None when it is of no use."""
    if not tables.fit(path):
        return None
    with tables.reading(path) as connection:
        return tables.position(connection)


def opened(path: Path) -> sqlite3.Connection:
    """One unchanging look at a checkpoint; to be used is what keeps it from being removed.

    Raises refusals.Unavailable when it was removed all the same, at this very moment.
    """
    try:
        os.utime(path)
        connection = sqlite3.connect(tables.uri(path), uri=True, check_same_thread=False)
        connection.execute("BEGIN")
        tables.position(connection)  # the look begins with the first reading
    except (sqlite3.Error, OSError) as error:
        raise refusals.Unavailable(
            f"the past does not answer: {error}", part="past", retry_after=1
        ) from error
    return connection


def place(live: Path, when: When) -> Path:
    """Where the checkpoint is kept: in a folder beside the live views."""
    return live.with_name("past") / when.name


def bring(log: ports.Log, live: Path, when: When) -> None:
    """Make a checkpoint, or bring the one that is there up to the log's head.

    Raises refusals.Unavailable when the disk is full; then nothing of a new one is left.
    """
    path = place(live, when)
    try:
        if not tables.fit(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.parent / "lock"):
                tidy(path.parent)
                _make(log, live, path, when)
        _advance(log, path, when)
    except (sqlite3.Error, OSError) as error:
        raise refusals.Unavailable(f"the past cannot be kept: {error}", part="past") from error


def give_up(live: Path, when: When) -> None:
    """Remove what is left of a making that was ended."""
    with suppress(OSError):
        tables.discard(_draft(place(live, when)))


def _draft(path: Path) -> Path:
    return path.with_suffix(".part")


def forget(live: Path) -> None:
    """Remove all checkpoints; who reads one at this moment reads on."""
    for path in place(live, When()).parent.glob("*.past"):
        tables.discard(path)


def tidy(folder: Path) -> None:
    """Remove drafts, files of another shape, and those that nobody has asked for longest.

    Room for one more is left. Only for when no checkpoint is being made, here or elsewhere.
    """
    for left in (*folder.glob("*.part*"), *folder.glob("*.past-journal")):
        left.unlink(missing_ok=True)
    room = MOST_BYTES
    found = sorted(folder.glob("*.past"), key=lambda each: each.stat().st_mtime)
    for n, path in enumerate(reversed(found), 1):
        room -= path.stat().st_size
        if n >= MOST_FILES or room < 0 or not tables.fit(path):
            tables.discard(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time: nobody else's draft is taken for one that was left."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(log: ports.Log, live: Path, path: Path, when: When) -> None:
    """The whole, under another name until it is whole."""
    draft = _draft(path)
    _look_for_room(live, path.parent)
    try:
        changed = _changed(live, when)
        if changed is None:
            _from_log(log, draft, when)
        else:
            _from_live(log, live, draft, when, changed)
        draft.rename(path)
    except BaseException:
        tables.discard(draft)
        raise


def _look_for_room(live: Path, folder: Path) -> None:
    size = live.stat().st_size if live.exists() else 0
    if shutil.disk_usage(folder).free < 2 * size + SPARE:
        raise refusals.Unavailable("the disk has no room for a look into the past", part="past")


def _from_log(log: ports.Log, draft: Path, when: When) -> None:
    with closing(tables.create(draft)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        rebuild.project(log, connection, log.head(), rows_of=lambda stream: rows_then(stream, when))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _changed(live: Path, when: When) -> list[UUID] | None:
    """The streams that may stand otherwise in the live views than they did then.

    None when those views are of no use, or so much has changed that the log is read faster.
    A stream's facts are recorded one after the other, and none happens after it is recorded:
    where the last one was known by then, all were, and had happened.
    """
    if not tables.fit(live):
        return None
    then = rows.text(when.told_at(_LAST))
    with tables.reading(live) as connection:
        wheels = connection.execute(
            "SELECT id, version FROM wheels WHERE updated_at>?", (then,)
        ).fetchall()
        marked = connection.execute(
            "SELECT DISTINCT wheel_id FROM marks WHERE recorded_at>? OR at>?", (then, then)
        ).fetchall()
        small = connection.execute(
            "SELECT id FROM portfolios UNION ALL SELECT id FROM alerts "
            "UNION ALL SELECT id FROM opportunities WHERE updated_at>? "
            "UNION ALL SELECT id FROM jobs WHERE updated_at>? "
            "UNION ALL SELECT id FROM job_runs WHERE recorded_at>? "
            "UNION ALL SELECT id FROM deliveries WHERE updated_at>? "
            "UNION ALL SELECT id FROM plugins "
            "UNION ALL SELECT id FROM plugin_runs WHERE updated_at>?",
            (then, then, then, then, then),
        ).fetchall()
        until = tables.position(connection)
    if sum(version for _, version in wheels) + len(small) > until * FEW:
        return None
    return [
        facts.SETTINGS_STREAM,
        facts.WATCHLIST_STREAM,
        facts.CHANNELS_STREAM,
        *(UUID(row[0]) for row in (*small, *wheels)),
        *(facts.valuation_stream(UUID(row[0])) for row in marked),
    ]


def _from_live(
    log: ports.Log, live: Path, draft: Path, when: When, changed: Sequence[UUID]
) -> None:
    """A copy of the live views, with what has changed since written as it was."""
    with tables.reading(live) as source, closing(sqlite3.connect(draft)) as target:
        source.backup(target)
    with closing(tables.create(draft)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        position = tables.position(connection)
        _rewrite(log, connection, changed, _Telling(When(), position), _Telling(when, position))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _advance(log: ports.Log, path: Path, when: When) -> None:
    """Read on in the log, and write those streams anew in which something came that counts."""
    head = log.head()
    with closing(tables.create(path)) as connection:
        before, touched = tables.position(connection), dict[UUID, None]()
        position = before
        while position < head and (batch := log.after(position, _BATCH)):
            touched.update((each.stream_id, None) for each in batch if when.counts(each))
            position = batch[-1].position
        _rewrite(log, connection, touched, _Telling(when, before), _Telling(when, position))


class _Telling(msgspec.Struct, frozen=True):
    """What views tell: of what counts in the log, up to a position."""

    when: When
    position: int

    def known(self, stream: Iterable[facts.Recorded]) -> list[facts.Recorded]:
        return [e for e in stream if e.position <= self.position and self.when.counts(e)]


def _rewrite(
    log: ports.Log,
    connection: sqlite3.Connection,
    streams: Iterable[UUID],
    before: _Telling,
    after: _Telling,
) -> None:
    """Have some streams told otherwise than before, all or nothing."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        for stream_id in streams:
            _run(connection, _retold(log.stream(stream_id), before, after))
        cursor.execute(*_reached(after.position))
        cursor.execute("COMMIT")


def _retold(
    stream: Sequence[facts.Recorded], before: _Telling, after: _Telling
) -> Iterator[rows.Write]:
    """A wheel's rows where they differ; those of a small stream all."""
    was, known = before.known(stream), after.known(stream)
    if was and known and known[-1].kind == "wheel":
        old, new = _books(was, before.when), _books(known, after.when)
        if new.story.wheel.started:
            yield from rows.of_wheel(old, new, known[-1].position)
            for trade_id in _trades(old) - _trades(new):
                yield "DELETE FROM trades WHERE id=?", (trade_id.hex,)
            return
    if was:
        yield from _forgotten(was)
    yield from rows_then(known, after.when)


def _trades(told: books.Books) -> set[UUID]:
    return {*told.story.wheel.trades, *told.story.voided_trades}


def _forgotten(stream: Sequence[facts.Recorded]) -> Iterator[rows.Write]:
    last = stream[-1]
    key = last.fact.wheel_id if isinstance(last.fact, facts.PositionMarked) else last.stream_id
    if last.kind in _WHOLE:
        yield f"DELETE FROM {_WHOLE[last.kind]}", ()  # noqa: S608  from the table above
        return
    for table, column in _ROWS[last.kind]:
        yield f"DELETE FROM {table} WHERE {column}=?", (key.hex,)  # noqa: S608  the same
