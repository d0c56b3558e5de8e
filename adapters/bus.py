"""The bus: NATS, as the rest of the program knows it.

A Bus is there whether or not a server is. It connects in the background and for ever, makes
the streams that are missing, and listens again to all that it listened to. What can go wrong
is a BusFault (see adapters/link.py): BusDown, OutOfOrder or Rejected.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final
from uuid import uuid4

import msgspec
import nats.errors

from adapters import bygone
from adapters.durable import Durable
from adapters.ears import (
    Answerer,
    AnsweringEar,
    BucketEar,
    Ear,
    Handler,
    SubjectEar,
    V,
)
from adapters.envelope import MESSAGE_ID, Envelope, Heard, Message, Unreadable, plain, sealed
from adapters.link import (
    ANSWER_WITHIN,
    BusDown,
    BusFault,
    Link,
    OutOfOrder,
    Rejected,
    border,
    end_of,
    kept_under,
    newest,
    place,
    prepare,
    stored,
)
from domain import market, ports, subjects

__all__ = [
    "Bus",
    "BusDown",
    "BusFault",
    "Envelope",
    "Heard",
    "Last",
    "Message",
    "OutOfOrder",
    "Rejected",
    "Unreadable",
    "connect",
]

log = logging.getLogger(__name__)

RETRY_AFTER: Final = 0.1
FIRST_TRY: Final = 1.0
NUDGE_BACKLOG: Final = 256 * 1024
READERS: Final = frozenset({"subscriber"})

EXPECTED_LAST: Final = "Nats-Expected-Last-Sequence"
EXPECTED_LAST_ID: Final = "Nats-Expected-Last-Msg-Id"
EXPECTED_LAST_AMONG: Final = "Nats-Expected-Last-Subject-Sequence"
AMONG: Final = "Nats-Expected-Last-Subject-Sequence-Subject"

Unsubscribe = Callable[[], Awaitable[None]]


class Last(msgspec.Struct, frozen=True):
    """The newest message of some subjects: its id and sequence ("" and 0 when there is none).

    `end` is the sequence with which the whole stream ends.
    """

    id: str
    sequence: int
    end: int


@asynccontextmanager
async def connect(
    url: str, role: str, password: str, clock: ports.Clock, *, shelf: str | None = None
) -> AsyncIterator["Bus"]:
    """A bus for as long as the block lasts.

    Does not fail when no server is there; when one is, the block begins connected. What is kept
    in the buckets stands on a shelf, and who has another one does not see it.
    """
    bus = Bus(url, role, password, clock, shelf=shelf)
    keeper = asyncio.create_task(bus.keep(), name=f"bus of {role}")
    try:
        await bus.wait_up(FIRST_TRY)
        yield bus
    finally:
        await bus.close()
        while not keeper.done():  # nats-py can swallow a cancellation
            keeper.cancel()
            await asyncio.wait([keeper], timeout=RETRY_AFTER)


class Bus:
    """All that a process says and hears; made by `connect`."""

    def __init__(
        self,
        url: str,
        role: str,
        password: str,
        clock: ports.Clock,
        *,
        shelf: str | None = None,
    ) -> None:
        self.role = role
        self.connections = 0
        """How many there have been: a new one may be to an empty server."""
        self._url = url
        self._password = password
        self._clock = clock
        self._source = f"/wheelwright/{role}"
        self._shelf = "" if shelf is None else f"{shelf}."
        self._link: Link | None = None
        self._up = asyncio.Event()
        self._closing = False
        self._told: str | None = None
        self._ears: list[Ear] = []

    @property
    def connected(self) -> bool:
        """Whether a server is there at this moment."""
        return self._link is not None and not self._link.lost.is_set()

    async def wait_up(self, within: float) -> bool:
        """Wait until a server is there; whether one is."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._up.wait(), within)
        return self.connected

    # --- speaking

    async def nudge(self, subject: str, position: int) -> None:
        """Say that there is something new. Never raises, never waits; may be lost."""
        await self.say(subject, subjects.Nudge(position), id=str(position), type=subject)

    async def say(self, subject: str, data: object, *, id: str, type: str) -> None:  # noqa: A002 - as CloudEvents name them
        """Say something that may be lost. Never raises, never waits."""
        link = self._link
        if link is None or link.client.pending_data_size > NUDGE_BACKLOG:
            return
        message = Message(subject, data, id, type, self._clock.now())
        with suppress(nats.errors.Error, OSError):
            await link.client.publish(subject, sealed(message, self._source))

    async def publish(
        self,
        subject: str,
        data: object,
        *,
        id: str,  # noqa: A002 - as CloudEvents name them
        type: str,  # noqa: A002
        time: datetime,
        after: int | None = None,
        among: str | None = None,
    ) -> int:
        """Publish to a stream and wait until it is stored; the answer is its sequence.

        With `after` it is stored only if the stream, or the subjects in it that `among`
        names, end with that sequence. Raises BusDown, OutOfOrder or Rejected.
        """
        message = Message(subject, data, id, type, time)
        with border():
            async with asyncio.timeout(ANSWER_WITHIN):
                return await (await self._send(message, _behind(after, among)))

    async def publish_all(self, messages: Sequence[Message], *, after: int | None = None) -> int:
        """Publish in order without waiting for each; the answer is the last one's sequence.

        With `after`, the sequence that the stream ends with, the first is stored only
        directly behind it and each other only directly behind the one before it; else
        OutOfOrder is raised, or what went wrong first.
        """
        with border():
            async with asyncio.timeout(ANSWER_WITHIN):
                sent = [
                    await self._send(message, headers)
                    for message, headers in zip(messages, _chained(messages, after), strict=True)
                ]
                return await stored(sent, after)

    async def _send(self, message: Message, headers: dict[str, str]) -> asyncio.Future[int]:
        headers[MESSAGE_ID] = message.id
        return await self._live().send(message.subject, sealed(message, self._source), headers)

    # --- hearing

    async def subscribe(self, subject: str, handler: Handler) -> Unsubscribe:
        """Hear what is said from now on, also over later connections; call the answer to stop.

        One message at a time, in order. What is said during a gap is not heard.
        """
        return await self._hear(SubjectEar(subject, handler))

    async def watch_quotes(self, handler: Callable[[market.Quote], Awaitable[None]]) -> Unsubscribe:
        """Hear the last quote of every symbol, then each newer one as it is kept."""
        return await self.watch(subjects.QUOTES_BUCKET, ">", market.Quote, handler)

    async def watch(
        self, bucket: str, keys: str, kind: type[V], handler: Callable[[V], Awaitable[None]]
    ) -> Unsubscribe:
        """Hear what is kept under some keys of a bucket, then each newer one as it is kept.

        After a gap the last ones are told again; no key's time ever goes backwards.
        """
        return await self._hear(BucketEar(bucket, self._shelf + keys, kind, handler))

    async def answer(self, subject: str, answerer: Answerer) -> Unsubscribe:
        """Answer the questions that come on a subject, each by itself, also over later links."""
        return await self._hear(AnsweringEar(subject, answerer))

    @asynccontextmanager
    async def durable(self, stream: str, subject: str, name: str) -> AsyncIterator[Durable]:
        """Read a stream from the place that is kept under a name. Raises BusDown.

        It is of this connection: when that is lost, begin again.
        """
        reader = Durable(self._live(), stream, subject, name)
        await reader.open()
        try:
            yield reader
        finally:
            await reader.close()

    async def _hear(self, ear: Ear) -> Unsubscribe:
        async def stop() -> None:
            if ear in self._ears:
                self._ears.remove(ear)
                await ear.deaf()

        self._ears.append(ear)
        if self._link is not None:
            with suppress(BusDown):
                await ear.listen(self._link)
        return stop

    # --- asking

    async def ask(self, subject: str, data: object, within: float) -> bytes:
        """Ask whoever answers on a subject. Raises BusDown where nobody does in that time."""
        link = self._live()
        message = Message(subject, data, str(uuid4()), subject, self._clock.now())
        with border():
            body = sealed(message, self._source)
            return (await link.client.request(subject, body, timeout=within)).data

    async def last(self, stream: str, subject: str) -> Last:
        """What a stream has last on some subjects (wildcards allowed). Raises BusDown."""
        link = self._live()
        with border():
            end = await end_of(link, stream)
            message = await newest(link, stream, subject)
        if message is None:
            return Last("", 0, end)
        return Last((message.headers or {}).get(MESSAGE_ID, ""), message.seq or 0, end)

    async def newest(self, stream: str, subject: str) -> Heard | None:
        """The newest message that a stream keeps on some subjects. Raises BusDown."""
        link = self._live()
        with border():
            message = await newest(link, stream, subject)
        if message is None:
            return None
        identity = (message.headers or {}).get(MESSAGE_ID, "")
        return Heard(message.subject or subject, message.data or b"", identity, message.time)

    async def last_until(self, stream: str, told: Sequence[str], until: datetime) -> list[Heard]:
        """The last message on each of some subjects, until a (real) instant. Raises BusDown."""
        return await bygone.last_until(self._live(), stream, told, until)

    async def last_message_id(self, stream: str, subject: str) -> str:
        """The id of the newest message on some subjects, "" when there is none."""
        return (await self.last(stream, subject)).id

    # --- the buckets

    async def put_quote(self, quote: market.Quote) -> None:
        """Keep the quote as the last of its symbol. Raises BusDown."""
        await self.put_quotes([quote])

    async def put_quotes(self, quotes: Sequence[market.Quote]) -> None:
        """Keep many at once. Raises BusDown."""
        await self.put_all(
            subjects.QUOTES_BUCKET,
            {market.subject_token(quote.symbol): plain(quote) for quote in quotes},
        )

    async def quotes(self) -> dict[str, market.Quote]:
        """The last quote of every symbol. Raises BusDown."""
        bodies = (
            await bygone.kept(self._live(), subjects.QUOTES_BUCKET, f"{self._shelf}>")
        ).values()
        found = [msgspec.json.decode(body, type=market.Quote) for body in bodies]
        return {quote.symbol: quote for quote in found}

    async def put_all(self, bucket: str, entries: Mapping[str, bytes]) -> None:
        """Keep each under its key, in place of what was there. Raises BusDown, or Rejected."""
        link = self._live()
        with border():
            async with asyncio.timeout(ANSWER_WITHIN):
                shelf = place(bucket) + self._shelf
                await stored([await link.send(shelf + key, body) for key, body in entries.items()])

    async def get(self, bucket: str, key: str) -> bytes | None:
        """What is kept under a key, if anything is. Raises BusDown."""
        link = self._live()
        with border():
            async with asyncio.timeout(ANSWER_WITHIN):
                return await kept_under(link, bucket, self._shelf + key)

    async def entry(self, bucket: str, key: str) -> tuple[bytes, int] | None:
        """What is kept under a key, with its revision. Raises BusDown."""
        link = self._live()
        with border():
            found = await newest(link, f"KV_{bucket}", place(bucket) + key)
        return None if found is None else (found.data or b"", found.seq or 0)

    async def put_behind(self, bucket: str, key: str, body: bytes, revision: int) -> int:
        """Keep it if what is there has this revision (0: if nothing is); the new revision.

        Raises OutOfOrder when somebody else was first, BusDown when nobody knows.
        """
        link, headers = self._live(), {EXPECTED_LAST_AMONG: str(revision)}
        with border():
            async with asyncio.timeout(ANSWER_WITHIN):
                return await (await link.send(place(bucket) + key, body, headers))

    # --- the connection

    def _live(self) -> Link:
        if self._link is None or self._link.lost.is_set():
            raise BusDown("no server is there")
        return self._link

    async def keep(self) -> None:
        """Have a connection, for ever."""
        while not self._closing:
            link = Link()
            try:
                await self._hold(link)
            except BusFault as reason:
                self._tell(f"not connected ({reason}), trying on")
            except Exception:
                log.exception("bus: connecting failed")
            finally:
                await self._release(link)
            await asyncio.sleep(RETRY_AFTER)

    async def _hold(self, link: Link) -> None:
        """Connect, get everything ready, and stay until the connection is lost."""
        await link.open(self._url, self.role, self._password)
        if self.role not in READERS:
            await prepare(link)
        self._link = link
        self.connections += 1
        for ear in tuple(self._ears):
            if ear in self._ears:  # still: the one before took its time
                await ear.listen(link)
        self._tell("connected")
        self._up.set()
        await link.lost.wait()
        if not self._closing:
            self._tell("connection lost, trying on")

    async def _release(self, link: Link) -> None:
        self._up.clear()
        self._link = None
        await link.shut()

    async def close(self) -> None:
        """Finish within a second."""
        self._closing = True
        if self._link is not None:
            await self._link.shut()

    def _tell(self, news: str) -> None:
        """Log what has changed, and nothing twice."""
        if news != self._told:
            log.log(logging.INFO if news == "connected" else logging.WARNING, "bus: %s", news)
        self._told = news


def _behind(after: int | None, among: str | None = None) -> dict[str, str]:
    """Store it only if this is what the stream, or some subjects in it, ends with."""
    if after is None:
        return {}
    if among is None:
        return {EXPECTED_LAST: str(after)}
    return {EXPECTED_LAST_AMONG: str(after), AMONG: among}


def _chained(messages: Sequence[Message], after: int | None) -> Iterator[dict[str, str]]:
    """The same for each of a row: by sequence, and by the id of the one before."""
    before: dict[str, str] = {}
    for n, message in enumerate(messages):
        yield {} if after is None else _behind(after + n) | before
        before = {EXPECTED_LAST_ID: message.id}
