"""The projector: follows the log by position and keeps the views.

A batch's rows and the position they lead to are written in one transaction, so every fact is
projected exactly once, whatever is killed when.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

from domain import facts, ports, refusals
from projections import books, rebuild, rows, tables

BATCH = 1_000
KEPT = 2_000
PAUSE = 0.2
_logger = logging.getLogger(__name__)


class Projector:
    """Turns facts into rows, with the books of recently touched wheels at hand."""

    def __init__(self, log: ports.Log, connection: sqlite3.Connection) -> None:
        self._log = log
        self._connection = connection
        self._books: OrderedDict[UUID, books.Books] = OrderedDict()

    def advance(self) -> int:
        """Project the next batch of the log; answer the position reached."""
        position = tables.position(self._connection)
        batch = self._log.after(position, BATCH)
        if not batch:
            return position
        try:
            with self._transaction():
                self._write(batch)
                self._track(position, batch[-1].position)
        except BaseException:
            self._books.clear()
            raise
        return batch[-1].position

    def _transaction(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def _track(self, before: int, after: int) -> None:
        moved = self._connection.execute(
            "UPDATE tracking SET position=? WHERE position=?", (after, before)
        )
        if moved.rowcount != 1:
            raise refusals.Unavailable("another projector writes the same views", part="views")

    def _write(self, batch: Sequence[facts.Recorded]) -> None:
        before: dict[UUID, books.Books | None] = {}
        last: dict[UUID, facts.Recorded] = {}
        for recorded in batch:
            if recorded.kind == "valuation":
                self._run(rows.of_mark(recorded))
                continue
            last[recorded.stream_id] = recorded
            if recorded.kind == "wheel":
                self._fold(recorded, before)
        for stream_id, recorded in last.items():
            self._run(self._rows(stream_id, recorded, before.get(stream_id)))
        self._forget()

    def _fold(self, recorded: facts.Recorded, before: dict[UUID, books.Books | None]) -> None:
        wheel_id = recorded.stream_id
        known = self._books.get(wheel_id)
        if known is None or known.story.version + 1 != recorded.version:
            earlier = [
                each for each in self._log.stream(wheel_id) if each.version < recorded.version
            ]
            known = books.opened(wheel_id, earlier)
        before.setdefault(wheel_id, known if known.story.version else None)
        self._books[wheel_id] = known.then(recorded)
        self._books.move_to_end(wheel_id)

    def _rows(
        self, stream_id: UUID, recorded: facts.Recorded, before: books.Books | None
    ) -> Iterable[rows.Write]:
        if recorded.kind == "wheel":
            return rows.of_wheel(before, self._books[stream_id], recorded.position)
        return rows.of_small(recorded.kind, stream_id, self._until(recorded))

    def _until(self, recorded: facts.Recorded) -> list[facts.Recorded]:
        return [
            each
            for each in self._log.stream(recorded.stream_id)
            if each.version <= recorded.version
        ]

    def _run(self, writes: Iterable[rows.Write]) -> None:
        for statement, parameters in writes:
            self._connection.execute(statement, parameters)

    def _forget(self) -> None:
        while len(self._books) > KEPT:
            self._books.popitem(last=False)


async def follow(
    log: ports.Log,
    link: Path,
    stop: asyncio.Event,
    woken: asyncio.Event,
    advanced: Callable[[int], Awaitable[None]],
) -> None:
    """Keep the views up with the log until asked to stop; tell `advanced` each new position.

    A rebuild swaps the file under the link: then the new file is followed on from its position.
    """
    while not stop.is_set():
        path = await asyncio.to_thread(rebuild.ready, log, link)
        with closing(tables.create(path)) as connection:
            projector = Projector(log, connection)
            await advanced(tables.position(connection))
            await _follow_one(projector, link, path, stop, woken, advanced)


async def _follow_one(
    projector: Projector,
    link: Path,
    path: Path,
    stop: asyncio.Event,
    woken: asyncio.Event,
    advanced: Callable[[int], Awaitable[None]],
) -> None:
    reached = -BATCH
    while not stop.is_set() and tables.leads(link, path):
        woken.clear()
        position = await _advanced(projector, reached)
        came, reached = position - reached, position
        if came:
            await advanced(position)
        if came < BATCH:
            await nap(stop, woken)


async def _advanced(projector: Projector, reached: int) -> int:
    """Project one batch, here and now: this process does nothing else.

    A store that does not answer is asked again later; the views wait for it.
    """
    try:
        return projector.advance()
    except (refusals.Unavailable, sqlite3.OperationalError) as error:
        _logger.warning("the views wait: %s", error)
        await asyncio.sleep(PAUSE)
        return reached


async def nap(stop: asyncio.Event, woken: asyncio.Event, seconds: float = PAUSE) -> None:
    """Sleep until there may be something to do."""
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(woken.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
