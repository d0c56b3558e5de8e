"""How late an alert is: from a quote handed to the bus to the alert in a subscriber's hands.

Publisher and subscriber are two clients in one process, on one clock. A quote falls past the
strike of two positions at most; every alert is timed. The yardstick is the quote itself on its
way to the same subscriber.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy

from adapters import clock, envelope
from benchmarks import positions
from benchmarks.figures import Line, Now, Sizes, latencies
from benchmarks.instance import Instance, Trouble
from benchmarks.positions import Watched
from domain import market, subjects

WITHIN: Final = 20.0
"""Milliseconds."""
_QUIET: Final = 1.0
_PATIENCE: Final = 30.0
_SOURCE: Final = "/wheelwright/prices"

Key = tuple[str, Decimal]
"""A symbol at a price: no price is quoted twice."""


class _Told(msgspec.Struct):
    symbol: str
    status: str
    price: Decimal | None = None


class _Notice(msgspec.Struct):
    data: _Told


class _Quoted(msgspec.Struct):
    symbol: str
    last: Decimal


class _Quote(msgspec.Struct):
    data: _Quoted


_NOTICES: Final = msgspec.json.Decoder(_Notice)
_QUOTES: Final = msgspec.json.Decoder(_Quote)


class Ear:
    """Hears alerts and quotes, and keeps when each came."""

    def __init__(self) -> None:
        self.alerts: list[tuple[Key, float]] = []
        self.quotes: list[tuple[Key, float]] = []
        self._last = Now()

    async def alert(self, message: Msg) -> None:
        """An alert has come."""
        self._last = Now()
        told = _NOTICES.decode(message.data).data
        if told.status == "raised" and told.price is not None:
            self.alerts.append(((told.symbol, told.price), self._last))

    async def quote(self, message: Msg) -> None:
        """A quote has come."""
        came = Now()
        quoted = _QUOTES.decode(message.data).data
        self.quotes.append(((quoted.symbol, quoted.last), came))

    async def quiet(self) -> None:
        """Wait until nothing has come for a moment."""
        self._last = began = Now()
        while (left := min(self._last + _QUIET, began + _PATIENCE) - Now()) > 0:  # noqa: ASYNC110 - we wait for nothing to come
            await asyncio.sleep(left)


async def measured(running: Instance, watched: Watched, sizes: Sizes) -> list[Line]:
    """Let all prices stand above every strike, then fall past one after the other."""
    ear = Ear()
    async with _joined(running, "prices") as speaker, _joined(running, "subscriber") as listener:
        streams = listener.jetstream()
        await streams.subscribe(
            subjects.EVERY_ALERT, cb=ear.alert, stream="RISK", deliver_policy=DeliverPolicy.NEW
        )
        await listener.subscribe(subjects.EVERY_QUOTE, cb=ear.quote)
        await listener.flush()
        await _quoted(speaker, [(each, positions.ABOVE_ALL) for each in watched.symbols], 0)
        await ear.quiet()
        prices = positions.falling(watched.symbols, len(positions.STRIKES))[: sizes.quotes]
        sent = await _quoted(speaker, prices, sizes.quote_rate)
        await ear.quiet()
    late = _late(ear.alerts, sent)
    name = f"quote to alert, {len(late)} alerts"
    bare = _late(ear.quotes, sent)
    return list(latencies("alerts", name, late, bare, within=WITHIN))


@asynccontextmanager
async def _joined(running: Instance, role: str) -> AsyncIterator[Client]:
    client = await nats.connect(running.bus_url, user=role, password=running.password(role))
    try:
        yield client
    finally:
        await client.close()


async def _quoted(client: Client, prices: Sequence[Key], rate: float) -> dict[Key, float]:
    """Publish quotes, so many a second (0: all at once); when each was handed over."""
    sent, began = {}, Now()
    for n, (symbol, price) in enumerate(prices):
        if rate:
            await asyncio.sleep(max(began + n / rate - Now(), 0))
        message = _message(symbol, price)
        sent[symbol, price] = Now()
        await client.publish(message.subject, envelope.sealed(message, _SOURCE))
    return sent


def _message(symbol: str, price: Decimal) -> envelope.Message:
    now = clock.SYSTEM.now()
    return envelope.Message(
        subject=subjects.market_quote(symbol),
        data=market.Quote(symbol, price, None, None, now, "bench", "live"),
        id=f"{symbol}@{now.isoformat()}={price}",
        type="market.quote",
        time=now,
    )


def _late(heard: Sequence[tuple[Key, float]], sent: dict[Key, float]) -> list[float]:
    """Seconds from the sending to each hearing."""
    found = [came - sent[key] for key, came in heard if key in sent]
    if not found:
        raise Trouble("no alert has come")
    return found
