"""The notifier's way to the log: what comes together is stored together, in one durable commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID, uuid4

from domain import facts, ports, refusals

log = logging.getLogger(__name__)

SOURCE: Final = "notifier"
AGAIN_AFTER: Final = 0.5

T = TypeVar("T")


class NoticeLog(Protocol):
    """What the notifier needs of the log. Blocking."""

    def head(self) -> int: ...

    def stream(self, stream_id: UUID, *, after: int = 0) -> Sequence[facts.Recorded]: ...

    def append_each(
        self, appends: Sequence[ports.Append]
    ) -> Sequence[Sequence[int] | refusals.Refusal]: ...


class Book:
    """Reads streams and writes facts, from one thread."""

    def __init__(
        self,
        ledger: NoticeLog,
        nudge: Callable[[int], Awaitable[None]],
        clock: ports.Clock,
        thread: Executor | None = None,
    ) -> None:
        self._log = ledger
        self._nudge = nudge
        self._clock = clock
        self._thread = thread
        self._waiting: list[tuple[ports.Append, asyncio.Future[Sequence[int]]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def head(self) -> int:
        """The position of the newest fact."""
        return await self.aside(self._log.head)

    async def stream(self, stream_id: UUID, after: int = 0) -> Sequence[facts.Recorded]:
        """A stream's facts behind a version."""
        return await self.aside(lambda: self._log.stream(stream_id, after=after))

    def entry(self, stream_id: UUID, version: int, fact: facts.Fact) -> facts.Recorded:
        """A fact as it is to be stored behind a version of a stream: it happens now."""
        now = self._clock.now()
        return facts.Recorded(0, stream_id, version + 1, now, now, SOURCE, uuid4(), None, fact)

    async def write(self, *entries: facts.Recorded) -> None:
        """Store some facts together, for ever trying: what has happened must not be forgotten.

        Raises refusals.Stale where somebody else has stored another one in a place of them.
        """
        while True:
            try:
                await self._store(ports.Append(entries))
            except refusals.Unavailable as reason:
                log.warning("what was sent cannot be recorded yet: %s", reason)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return

    async def aside(self, blocking: Callable[[], T]) -> T:
        """Wait for something that blocks, elsewhere."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, blocking)

    async def _store(self, append: ports.Append) -> Sequence[int]:
        done: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((append, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="the notifier's facts")
        return await asyncio.shield(done)

    async def _write(self) -> None:
        while self._waiting:
            jobs, self._waiting = self._waiting, []
            outcomes = await self._stored([append for append, _ in jobs])
            for (_, done), outcome in zip(jobs, outcomes, strict=True):
                _settle(done, outcome)
            positions = [each for each in outcomes if not isinstance(each, Exception)]
            if positions:
                await self._nudge(positions[-1][-1])

    async def _stored(self, appends: Sequence[ports.Append]) -> Sequence[Any]:
        try:
            return await self.aside(lambda: self._log.append_each(appends))
        except Exception as reason:  # noqa: BLE001  it belongs to who waits for it
            return [reason] * len(appends)


def _settle(done: asyncio.Future[Sequence[int]], outcome: Sequence[int] | Exception) -> None:
    if done.done():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
        done.exception()  # who waited may be gone
    else:
        done.set_result(outcome)
