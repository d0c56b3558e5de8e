"""What listens to the bus, on whichever connection there is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import msgspec
import nats.errors
from nats.aio.msg import Msg

from adapters.bygone import kept
from adapters.envelope import MESSAGE_ID, Heard
from adapters.link import BusDown, Link, border, place

log = logging.getLogger(__name__)

Handler = Callable[[Heard], Awaitable[None]]
Answerer = Callable[[Heard], Awaitable[bytes]]


class Dated(Protocol):
    """What is kept in a bucket says of when it is."""

    @property
    def as_of(self) -> datetime: ...


V = TypeVar("V", bound=Dated)


class Ear(Protocol):
    """Something that listens anew on every connection, until it is deaf."""

    async def listen(self, link: Link) -> None: ...

    async def deaf(self) -> None: ...


class SubjectEar:
    """Hears a subject: one message at a time, in order."""

    def __init__(self, subject: str, handler: Handler) -> None:
        self._subject = subject
        self._handler = handler
        self._stop: Callable[[], Awaitable[None]] | None = None

    async def listen(self, link: Link) -> None:
        with border():
            subscription = await link.client.subscribe(self._subject, cb=self._heard)
            self._stop = subscription.unsubscribe
            await link.heard()

    async def deaf(self) -> None:
        if self._stop is not None:
            with suppress(nats.errors.Error, OSError):
                await self._stop()

    async def _heard(self, message: Msg) -> None:
        try:
            await self._handler(_heard(message))
        except Exception:
            log.exception("bus: a message on %s was not handled", message.subject)


class AnsweringEar:
    """Hears questions on a subject, and answers each by itself: one that takes long holds up none.

    A question whose answer cannot be made is left without one; who asked waits no longer than
    he wants to.
    """

    def __init__(self, subject: str, answerer: Answerer) -> None:
        self._subject = subject
        self._answerer = answerer
        self._stop: Callable[[], Awaitable[None]] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def listen(self, link: Link) -> None:
        with border():
            subscription = await link.client.subscribe(self._subject, cb=self._asked)
            self._stop = subscription.unsubscribe
            await link.heard()

    async def deaf(self) -> None:
        if self._stop is not None:
            with suppress(nats.errors.Error, OSError):
                await self._stop()
        for each in self._answering:
            each.cancel()

    async def _asked(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message), name=f"answer on {self._subject}")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            answer = await self._answerer(_heard(message))
            with suppress(nats.errors.Error, OSError):
                await message.respond(answer)
        except Exception:
            log.exception("bus: a question on %s was not answered", message.subject)


class BucketEar(Generic[V]):
    """Hears some keys of a bucket: first what is kept there, then what comes."""

    def __init__(
        self, bucket: str, keys: str, kind: type[V], handler: Callable[[V], Awaitable[None]]
    ) -> None:
        self._bucket = bucket
        self._keys = keys
        self._kind = kind
        self._handler = handler
        self._seen: dict[str, datetime] = {}
        self._live = SubjectEar(f"{place(bucket)}{keys}", self._heard)
        self._fill: asyncio.Task[None] | None = None

    async def listen(self, link: Link) -> None:
        await self._live.listen(link)
        self._fill = asyncio.create_task(self._hear_so_far(link))

    async def deaf(self) -> None:
        if self._fill is not None:
            self._fill.cancel()
        await self._live.deaf()

    async def _hear_so_far(self, link: Link) -> None:
        try:
            for key, body in (await kept(link, self._bucket, self._keys)).items():
                await self._tell(key, body)
        except BusDown as reason:
            log.debug("bus: the bucket %s could not be read: %s", self._bucket, reason)
        except Exception:
            log.exception("bus: something kept in %s was not handled", self._bucket)

    async def _heard(self, heard: Heard) -> None:
        if heard.body:
            await self._tell(heard.subject.removeprefix(place(self._bucket)), heard.body)

    async def _tell(self, key: str, body: bytes) -> None:
        """Hand it on, unless a newer one was: the two ways into here can overtake each other."""
        value = msgspec.json.decode(body, type=self._kind)
        seen = self._seen.get(key)
        if seen is None or seen <= value.as_of:
            self._seen[key] = value.as_of
            await self._handler(value)


def _heard(message: Msg) -> Heard:
    headers = message.headers or {}
    return Heard(message.subject, message.data, headers.get(MESSAGE_ID, ""))
