"""What is told to all who listen: each fact read once and encoded once, the newest of the rest.

    the log ──▶ window: the last facts, encoded        ──▶ every reader, from its place on
    the bus ──▶ boards: the newest of each symbol, ... ──▶ every reader, what is new on them

A reader is a place in these and has no queue. To one that is slow the boards show only what is
newest, and what the window no longer has it reads from the log: it loses no fact, it holds no
memory, and nobody waits for it. One that was away is no other case than one that is slow.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, Final, Protocol

import msgspec

from api.shapes import ledger
from api.shapes.stream import Frame, Topic
from domain import facts, market, refusals, risk, subjects
from projections import answers

_logger = logging.getLogger(__name__)

MOST_READERS: Final = 1_000
KEPT: Final = 1_000
KEPT_BYTES: Final = 4 * 1024 * 1024
BATCH: Final = 100
ON_A_BOARD: Final = 10_000
PAUSE: Final = 0.2
"""Seconds between two looks at the log while nobody nudges."""
BREATH: Final = 0.05
"""Seconds between two awakenings of all readers: what comes meanwhile is told together."""
SILENCE: Final = 15.0
"""Seconds after which a reader that has been told nothing hears that we are here."""
STALLED: Final = 30.0
"""Seconds after which a reader that takes nothing is given up."""
GRACE: Final = 1.0
"""The same when we are about to end."""


class Feed(Protocol):
    """What the hub needs of the log. Blocking."""

    def head(self) -> int: ...

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]: ...


class Message(msgspec.Struct, frozen=True, dict=True):
    """Something told, in the forms in which it travels; each is made once, however many hear it."""

    event: str
    id: int | None
    data: bytes

    @cached_property
    def sse(self) -> bytes:
        """A server-sent event."""
        place = b"" if self.id is None else b"id: %d\n" % self.id
        return b"event: %s\n%sdata: %s\n\n" % (self.event.encode(), place, self.data)

    @cached_property
    def frame(self) -> bytes:
        """A frame of a WebSocket."""
        return answers.ENCODER.encode(Frame(self.event, self.id, msgspec.Raw(self.data)))


class Told(msgspec.Struct, frozen=True):
    """A fact as it is told: once to each reader, in the form of the topic that it asked for."""

    position: int
    ledger: Message
    alert: Message | None

    def to(self, topics: frozenset[Topic]) -> Message | None:
        """The message for a reader of some topics; None when it is not for them."""
        if self.alert is not None and "alerts" in topics:
            return self.alert
        return self.ledger if "ledger" in topics else None

    @property
    def size(self) -> int:
        """Bytes, about: both transports may have made their forms of it."""
        return 3 * (len(self.ledger.data) + (len(self.alert.data) if self.alert else 0))


def told(recorded: facts.Recorded) -> Told:
    """A fact in its forms."""
    alert = None
    if isinstance(recorded.fact, facts.AlertFact):
        alert = _message("alert", recorded.position, subjects.alert_notice(recorded, recorded.fact))
    return Told(
        recorded.position,
        _message("ledger", recorded.position, ledger.Event.of(recorded)),
        alert,
    )


def _message(event: str, position: int | None, data: Any) -> Message:
    return Message(event, position, answers.ENCODER.encode(data))


class Board:
    """The newest message of each key, in the order in which they came."""

    def __init__(self) -> None:
        self.count = 0
        """How many have come; a reader that has seen so many has seen all."""
        self._newest: OrderedDict[Hashable, tuple[int, Message]] = OrderedDict()

    def put(self, key: Hashable, message: Message) -> None:
        """In place of what the key had."""
        self.count += 1
        self._newest[key] = self.count, message
        self._newest.move_to_end(key)
        if len(self._newest) > ON_A_BOARD:
            self._newest.popitem(last=False)

    def after(self, seen: int) -> list[Message]:
        """What has come behind the first `seen`, as far as nothing newer took its place."""
        found = []
        for count, message in reversed(self._newest.values()):
            if count <= seen:
                break
            found.append(message)
        return found[::-1]


class Hub:
    """The one place from which all readers of this process are told."""

    def __init__(self, log: Feed) -> None:
        self.closing = False
        self.quotes, self.positions = Board(), Board()
        self.news = asyncio.Event()
        """Set once, when there is something new; then another takes its place."""
        self._log = log
        self._listening: set[Reader] = set()
        self._wanted, self._deserted, self._woken = (asyncio.Event() for _ in range(3))
        self._deserted.set()
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="stream")
        self._window: list[Told] = []
        self._size = 0
        self._begin = 0
        """All facts behind this position, up to the window's last, are in the window."""
        self._fresh = False

    @property
    def readers(self) -> int:
        """How many listen at this moment."""
        return len(self._listening)

    # --- hearing

    def wake(self) -> None:
        """There may be new facts."""
        self._woken.set()

    def quoted(self, quote: market.Quote) -> None:
        """A symbol has a new price."""
        self._post(self.quotes, quote.symbol, _message("quote", None, quote))

    def moved(self, changed: risk.PositionRisk) -> None:
        """A position's risk has changed."""
        self._post(self.positions, changed.trade_id, _message("position", None, changed))

    def _post(self, board: Board, key: Hashable, message: Message) -> None:
        board.put(key, message)
        self._fresh = True
        self._woken.set()

    async def run(self) -> None:
        """Follow the log and wake the readers, for ever; at rest while there are none."""
        while True:
            await self._wanted.wait()
            try:
                await self._begin_anew()
                while self._listening:
                    await self._look()
            except refusals.Unavailable as error:
                _logger.warning("the streams wait: %s", error.message)
                await asyncio.sleep(PAUSE)
            except Exception:
                _logger.exception("the streams stumbled")
                await asyncio.sleep(PAUSE)

    async def _begin_anew(self) -> None:
        """From a little before the head: readers that come back after a restart missed little."""
        head = await asyncio.to_thread(self._log.head)
        self._window, self._size = [], 0
        self._begin = max(head - BATCH, 0)

    async def _look(self) -> None:
        """Read what is new, tell of it, and rest until there may be more."""
        self._woken.clear()
        found = await asyncio.to_thread(self._read, self._end)
        self._keep(found)
        if found or self._fresh:
            self._announce()
            await asyncio.sleep(BREATH)
        if len(found) < BATCH:
            await _within(PAUSE, self._woken)

    def _read(self, position: int) -> list[Told]:
        return [told(each) for each in self._log.after(position, BATCH)]

    @property
    def _end(self) -> int:
        return self._window[-1].position if self._window else self._begin

    def _keep(self, found: Sequence[Told]) -> None:
        self._window += found
        self._size += sum(each.size for each in found)
        gone = 0
        while len(self._window) - gone > KEPT or self._size > KEPT_BYTES:
            self._begin = self._window[gone].position
            self._size -= self._window[gone].size
            gone += 1
        del self._window[:gone]

    def _announce(self) -> None:
        self._fresh = False
        news, self.news = self.news, asyncio.Event()
        news.set()

    # --- telling

    async def reader(self, topics: frozenset[Topic], after: int | None) -> Reader:
        """A reader from behind a position of the log; without one, from now on.

        Raises refusals.Unavailable when there are too many, refusals.Invalid when the log ends
        before that position.
        """
        if self.closing:
            raise refusals.Unavailable("the service is about to end", part="stream")
        if self.readers >= MOST_READERS:
            raise refusals.Unavailable(f"{MOST_READERS} readers listen already", part="stream")
        head = await asyncio.to_thread(self._log.head)
        if after is not None and after > head:
            raise refusals.Invalid("Last-Event-ID", after, f"must not be beyond the head, {head}")
        return Reader(self, topics, head if after is None else after)

    @contextmanager
    def listening(self, reader: Reader) -> Iterator[None]:
        """The reader is told as long as the block lasts."""
        self._listening.add(reader)
        self._wanted.set()
        self._deserted.clear()
        try:
            yield
        finally:
            self._listening.discard(reader)
            if not self._listening:
                self._wanted.clear()
                self._deserted.set()
                self._woken.set()

    async def after(self, position: int) -> Sequence[Told]:
        """The next facts behind a position, from the window or else from the log."""
        if position < self._begin:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._behind, self._read, position)
        first = bisect_right(self._window, position, key=lambda each: each.position)
        return self._window[first : first + BATCH]

    async def close(self) -> None:
        """Let every reader say goodbye and end; wait for them, though not for long."""
        self.closing = True
        self._announce()
        for reader in self._listening:
            reader.hurry()
        await _within(2 * GRACE, self._deserted)
        self._behind.shutdown(wait=False, cancel_futures=True)


class Reader:
    """A place in what is told, and the patience that there is with whoever stands there."""

    def __init__(self, hub: Hub, topics: frozenset[Topic], position: int) -> None:
        self.hub = hub
        self.topics = topics
        self.position = position
        self._quotes = 0
        self._positions = hub.positions.count
        self._patience: asyncio.Timeout | None = None

    async def batches(self) -> AsyncIterator[list[Message]]:
        """What there is to tell, whenever there is; an empty list after a silence.

        The last quote of every symbol comes first. Ends when the hub closes.
        """
        while not self.hub.closing:
            news, before = self.hub.news, self.position
            batch = [*await self._facts(), *self._posted()]
            if batch:
                yield batch
            elif self.position == before and not await _within(SILENCE, news):
                yield []

    async def _facts(self) -> list[Message]:
        if not self.topics & {"ledger", "alerts"}:
            return []
        found = await self._next_facts()
        if found:
            self.position = found[-1].position
        return [message for each in found if (message := each.to(self.topics))]

    async def _next_facts(self) -> Sequence[Told]:
        """Asked for again while the log does not answer."""
        while not self.hub.closing:
            try:
                return await self.hub.after(self.position)
            except refusals.Unavailable:
                await asyncio.sleep(PAUSE)
        return ()

    def _posted(self) -> list[Message]:
        found = []
        if "quotes" in self.topics:
            found += self.hub.quotes.after(self._quotes)
            self._quotes = self.hub.quotes.count
        if "positions" in self.topics:
            found += self.hub.positions.after(self._positions)
            self._positions = self.hub.positions.count
        return found

    async def patiently(self, send: Callable[[], Awaitable[object]]) -> None:
        """Wait until something is taken; raises TimeoutError when it is not for too long."""
        try:
            async with asyncio.timeout(GRACE if self.hub.closing else STALLED) as self._patience:
                await send()
        finally:
            self._patience = None

    def hurry(self) -> None:
        """There is little time left."""
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time() + GRACE)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event was set in that time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
