"""Where questions are put: to the live views, or to views of the past made for the purpose.

The same SQL answers both: views of the past are the same tables (see projections/past.py).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiosqlite

from domain import refusals
from projections import tables

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

    def __init__(self, link: Path, *, connections: int = 6) -> None:
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
        async with self._connection() as connection:
            return await Look(connection).rows(statement, parameters)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Look]:
        """One unchanging look: whatever is asked inside is answered from the same state.

        Ask nothing else of the live views inside: there are only so many connections.
        """
        async with self._connection() as connection:
            looked = Look(connection)
            await looked.rows("BEGIN")
            try:
                yield looked
            finally:
                await connection.rollback()

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
            raise _silent("there are none yet")
        if not await asyncio.to_thread(tables.fit, path):
            raise refusals.Unavailable("the views are being made", part="views")
        try:
            opened = await aiosqlite.connect(tables.uri(path), uri=True)
        except sqlite3.Error as error:
            raise _silent(error) from error
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


class Look:
    """The live views on one connection."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query; raises refusals.Unavailable when there is no answer."""
        try:
            return list(await self._connection.execute_fetchall(statement, parameters))
        except sqlite3.Error as error:
            raise _silent(error) from error


def _silent(why: object) -> refusals.Unavailable:
    return refusals.Unavailable(f"the views do not answer: {why}", part="views")


class Past:
    """Views of the past, in memory or in a checkpoint."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        return await asyncio.to_thread(self._rows, statement, parameters)

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise refusals.Unavailable(f"the past does not answer: {error}", part="past") from error


@asynccontextmanager
async def past(opened: Callable[[], sqlite3.Connection]) -> AsyncIterator[Past]:
    """Views of the past, opened in a thread and closed when the block ends."""
    connection = await asyncio.to_thread(opened)
    try:
        yield Past(connection)
    finally:
        await asyncio.to_thread(connection.close)
