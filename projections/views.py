"""Where questions are put: to the live views, or to views of the past made for the purpose.

The same SQL answers both. Past views are the same tables, projected in memory from the facts
that were known then of what had happened by then.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import aiosqlite

from domain import facts, ports, refusals
from projections import books, rows, tables

Row = Sequence[Any]
POLL = 0.025
PATIENCE = 1.0


class Views(Protocol):
    """Answers SQL."""

    async def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        ...


class Live:
    """The live views: read-only connections that never wait for the projector."""

    def __init__(self, link: Path, *, connections: int = 2) -> None:
        self._link = link
        self._path: Path | None = None
        self._free: asyncio.Queue[aiosqlite.Connection | None] = asyncio.Queue()
        for _ in range(connections):
            self._free.put_nowait(None)
        self._open: dict[aiosqlite.Connection, Path] = {}
        self._position = 0
        self._moved = asyncio.Condition()

    @property
    def position(self) -> int:
        """The log's position that the views are known to have reached."""
        return self._position

    async def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query; refusals.Unavailable while there are no views yet."""
        try:
            async with self._connection() as connection:
                return list(await connection.execute_fetchall(statement, parameters))
        except sqlite3.Error as error:
            raise refusals.Unavailable(f"the views do not answer: {error}", part="views") from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosqlite.Connection]:
        held = await self._free.get()
        try:
            held = await self._current(held)
            yield held
        finally:
            self._free.put_nowait(held)

    async def _current(self, held: aiosqlite.Connection | None) -> aiosqlite.Connection:
        """The connection, opened anew when a rebuild has swapped the file."""
        path = self._link.resolve()
        if held is not None and self._open.get(held) == path:
            return held
        if held is not None:
            self._open.pop(held, None)
            await held.close()
        if not path.exists():
            raise sqlite3.OperationalError("there are none yet")
        if not await asyncio.to_thread(tables.fit, path):
            raise refusals.Unavailable("the views are being made", part="views")
        opened = await aiosqlite.connect(tables.uri(path), uri=True)
        self._open[opened] = path
        return opened

    async def refresh(self) -> int:
        """Read the position that the views have reached."""
        try:
            found = await self.rows("SELECT position FROM tracking")
        except refusals.Unavailable:
            return self._position
        await self.moved(int(found[0][0]))
        return self._position

    async def moved(self, position: int) -> None:
        """Hear that the views have reached a position."""
        if position > self._position:
            async with self._moved:
                self._position = position
                self._moved.notify_all()

    async def reached(self, position: int) -> None:
        """Wait until the views have reached a position, for a second at most."""
        if self._position >= position:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                while self._position < position:
                    await self._heard(position)
        except TimeoutError:
            return

    async def _heard(self, position: int) -> None:
        """Wait for the next word of the views' position, or look for oneself."""
        try:
            async with asyncio.timeout(POLL), self._moved:
                await self._moved.wait_for(lambda: self._position >= position)
        except TimeoutError:
            await self.refresh()

    async def close(self) -> None:
        """Close the connections."""
        for connection in list(self._open):
            await connection.close()
        self._open.clear()


class Past:
    """Views of the past, in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        return await asyncio.to_thread(self._rows, statement, parameters)

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        return self._connection.execute(statement, parameters).fetchall()


@asynccontextmanager
async def past(
    log: ports.Log,
    as_of: datetime | None,
    known_at: datetime | None,
    streams: Iterable[UUID] | None,
) -> AsyncIterator[Past]:
    """The views as they were known at one instant, of what had happened by another.

    `streams` names those that the question needs, None all of them.
    """
    connection = await asyncio.to_thread(_projected, log, as_of, known_at, streams)
    try:
        yield Past(connection)
    finally:
        await asyncio.to_thread(connection.close)


def _projected(
    log: ports.Log,
    as_of: datetime | None,
    known_at: datetime | None,
    streams: Iterable[UUID] | None,
) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(tables.SCHEMA)
    found: Iterable[Sequence[facts.Recorded]] = (
        log.by_stream(log.head())
        if streams is None
        else (log.stream(stream_id) for stream_id in streams)
    )
    connection.execute("BEGIN")
    for stream in found:
        for statement, parameters in _rows_then(stream, as_of, known_at):
            connection.execute(statement, parameters)
    connection.execute("COMMIT")
    return connection


def _by(recorded: facts.Recorded, as_of: datetime) -> bool:
    """Whether it had happened; a portfolio was there before it was entered, like a wheel."""
    return recorded.effective_at <= as_of or isinstance(recorded.fact, facts.PortfolioCreated)


def _rows_then(
    stream: Sequence[facts.Recorded], as_of: datetime | None, known_at: datetime | None
) -> Iterable[rows.Write]:
    known = [each for each in stream if known_at is None or each.recorded_at <= known_at]
    if not known:
        return ()
    last = known[-1]
    if last.kind == "wheel":
        told = books.opened(last.stream_id, known, as_of=as_of)
        return rows.of_wheel(None, told, last.position)
    happened = [each for each in known if as_of is None or _by(each, as_of)]
    return rows.of_small(last.kind, last.stream_id, happened) if happened else ()
