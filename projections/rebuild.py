"""Rebuild the views from zero into a fresh file, a stream at a time, and swap it in.

A wheel's rows depend on its own facts alone, so folding each stream once, to the end, gives
what the projector wrote fact by fact.
"""

from __future__ import annotations

import gc
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from domain import facts, ports
from projections import books, rows, tables

_CHUNK = 20_000
_CACHE = -64_000
"""KiB, negative as SQLite wants them: enough to sort an index of a million facts in memory."""


Progress = Callable[[int, int], None]
"""Told how many facts are done, of how many."""

RowsOf = Callable[[Sequence[facts.Recorded]], Iterable[rows.Write]]
"""Makes the rows of one stream."""


def _silent(_done: int, _of: int) -> None:
    """Nobody watches."""


class Rebuilt(msgspec.Struct, frozen=True):
    """The new file, the position it stands at, and the digests of the old views and the new.

    `before` is None when there were no views, or when they stood at another position.
    """

    path: Path
    position: int
    after: str
    before: str | None


def rebuild(log: ports.Log, link: Path, progress: Progress = _silent) -> Rebuilt:
    """Write fresh views up to the log's head and point the link at them."""
    before = _live(link)
    old = link.resolve() if link.is_symlink() else None
    path = tables.fresh(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(tables.create(path)) as connection:
            connection.execute("PRAGMA journal_mode=OFF")  # nobody reads it before it is whole
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(f"PRAGMA cache_size={_CACHE}")
            head = log.head()
            with _no_collector():
                project(log, connection, head, progress)
            connection.execute("PRAGMA journal_mode=WAL")
            after = tables.digest(connection)
            comparable = before is not None and before[0] == head
        tables.swap(link, path)
    except BaseException:
        tables.discard(path)
        raise
    if old is not None:
        tables.discard(old)
    return Rebuilt(path, head, after, before[1] if before and comparable else None)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of small objects without a cycle among them: counting references is enough."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def ready(log: ports.Log, link: Path) -> Path:
    """The file of views to go on with: what is there, or what this version makes of the log."""
    if not (link.is_symlink() and tables.fit(link)):
        rebuild(log, link)
    return link.resolve()


def _live(link: Path) -> tuple[int, str] | None:
    if not tables.fit(link):
        return None
    with tables.reading(link) as connection:
        return tables.position(connection), tables.digest(connection)


def project(
    log: ports.Log,
    connection: sqlite3.Connection,
    head: int,
    progress: Progress = _silent,
    rows_of: RowsOf | None = None,
) -> None:
    """Project everything up to a position of the log, in large transactions.

    `rows_of` makes a stream's rows, in place of `of_stream`.
    """
    done, waiting = 0, list[Sequence[facts.Recorded]]()
    with tables.loading(connection):
        for stream in log.by_stream(head):
            waiting.append(stream)
            done += len(stream)
            if sum(map(len, waiting)) >= _CHUNK:
                _write(connection, waiting, rows_of or of_stream)
                waiting.clear()
                progress(done, head)
        _write(connection, waiting, rows_of or of_stream)
    connection.execute("UPDATE tracking SET position=?", (head,))
    progress(done, head)


def _write(
    connection: sqlite3.Connection, streams: Iterable[Sequence[facts.Recorded]], rows_of: RowsOf
) -> None:
    by_statement: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for stream in streams:
        for statement, parameters in rows_of(stream):
            by_statement[statement].append(parameters)
    connection.execute("BEGIN")
    for statement, many in by_statement.items():
        connection.executemany(statement, many)
    connection.execute("COMMIT")


def of_stream(stream: Sequence[facts.Recorded]) -> Iterable[rows.Write]:
    """All the rows of one stream."""
    last = stream[-1]
    if last.kind == "wheel":
        return rows.of_wheel(None, books.opened(last.stream_id, stream), last.position)
    return rows.of_small(last.kind, last.stream_id, stream)
