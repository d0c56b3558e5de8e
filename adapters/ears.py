"""What listens to the bus, on whichever connection there is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, Protocol

import msgspec
import nats.errors
from nats.aio.msg import Msg

from adapters.envelope import MESSAGE_ID, Heard
from adapters.link import ANSWER_WITHIN, BusDown, Link, border
from domain import market, subjects

log = logging.getLogger(__name__)

QUOTES: Final = f"$KV.{subjects.QUOTES_BUCKET}."

Handler = Callable[[Heard], Awaitable[None]]
QuoteHandler = Callable[[market.Quote], Awaitable[None]]


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
            await link.heard()
        self._stop = subscription.unsubscribe

    async def deaf(self) -> None:
        if self._stop is not None:
            with suppress(nats.errors.Error, OSError):
                await self._stop()

    async def _heard(self, message: Msg) -> None:
        headers = message.headers or {}
        try:
            await self._handler(Heard(message.subject, message.data, headers.get(MESSAGE_ID, "")))
        except Exception:
            log.exception("bus: a message on %s was not handled", message.subject)


class QuoteEar:
    """Hears the bucket of last quotes: first what is in it, then what comes."""

    def __init__(self, handler: QuoteHandler) -> None:
        self._handler = handler
        self._seen: dict[str, datetime] = {}
        self._live = SubjectEar(f"{QUOTES}>", self._heard)
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
            for quote in (await kept_quotes(link)).values():
                await self._tell(quote)
        except BusDown as reason:
            log.debug("bus: the last quotes could not be read: %s", reason)
        except Exception:
            log.exception("bus: a quote was not handled")

    async def _heard(self, heard: Heard) -> None:
        if heard.body:
            await self._tell(msgspec.json.decode(heard.body, type=market.Quote))

    async def _tell(self, quote: market.Quote) -> None:
        """Hand it on, unless a newer one was: the two ways into here can overtake each other."""
        seen = self._seen.get(quote.symbol)
        if seen is None or seen <= quote.as_of:
            self._seen[quote.symbol] = quote.as_of
            await self._handler(quote)


async def kept_quotes(link: Link) -> dict[str, market.Quote]:
    """What the bucket of last quotes holds. Raises BusDown."""
    with border():
        bucket = await link.streams.key_value(subjects.QUOTES_BUCKET)
        watcher = await bucket.watchall(ignore_deletes=True)
        quotes: dict[str, market.Quote] = {}
        try:
            while entry := await watcher.updates(timeout=ANSWER_WITHIN):  # type: ignore[no-untyped-call]
                quote = msgspec.json.decode(entry.value, type=market.Quote)
                quotes[quote.symbol] = quote
        finally:
            await watcher.stop()  # type: ignore[no-untyped-call]
        return quotes
