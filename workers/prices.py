"""The price worker: keeps the quotes of held symbols fresh, on the bus and in its bucket.

All of them at the start and then, while the market is open, once an interval of market
time, and once more when it has closed, for the closing price; a symbol that is new at once.
What a symbol's price was stays in the bucket while its provider does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from msgspec.structs import replace

from adapters import bus, envelope
from domain import market, ports, subjects
from workers import running
from workers.rounds import SHORTEST, Rounds
from workers.standing import Standing

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
BREATH: Final = 0.05

Held = Callable[[], Awaitable[set[str]]]


class Provider(Protocol):
    """What the worker needs of a `market.MarketData`."""

    async def quotes(
        self, symbols: Iterable[str]
    ) -> dict[str, market.Quote | market.MarketFault]: ...


async def run(
    desk: Desk,
    clock: ports.Clock,
    held: Held,
    interval: float,
    stop: asyncio.Event,
    woken: asyncio.Event,
    beat: dict[str, Any],
) -> None:
    """Refresh until asked to stop; `interval` is in real seconds."""
    rounds = Rounds(max(SHORTEST, interval))
    while not stop.is_set():
        woken.clear()
        symbols = await held()
        if desk.connected:
            await _look(symbols, desk, rounds, clock.now())
            await desk.tell_standing()
        beat.update(
            state="running" if desk.connected else "waiting",
            symbols=len(symbols),
            failing=len(desk.failing),
            published=desk.published,
        )
        await running.nap(BREATH, stop)
        await running.nap(min(LOOK_EVERY, rounds.every), woken, stop)


async def _look(symbols: set[str], desk: Desk, rounds: Rounds, now: datetime) -> None:
    """Refresh what is due; what the bus did not take stays due."""
    turn = rounds.turn(desk.connections, now)
    wanted = {
        "whole": symbols,
        "failing": (symbols - desk.known) | (symbols & desk.failing.keys()),
        "new": symbols - desk.known,
    }[turn]
    if await desk.refresh(wanted) and turn != "new":
        rounds.begin(desk.connections, now)


class Desk:
    """Asks the provider and tells the bus; remembers who is known and who fails, and why."""

    def __init__(self, provider: Provider, connected: bus.Bus, standing: Standing) -> None:
        self._provider = provider
        self._standing = standing
        self._told: tuple[int, market.Provider] | None = None
        self._bus = connected
        self.known: set[str] = set()
        self.failing: dict[str, market.MarketFault] = {}
        self.published = 0

    @property
    def connected(self) -> bool:
        return self._bus.connected

    @property
    def connections(self) -> int:
        return self._bus.connections

    async def refresh(self, symbols: set[str]) -> bool:
        """Ask for these and publish what comes; whether the bus took it."""
        answers = await self._provider.quotes(sorted(symbols)) if symbols else {}
        self._standing.quoted(answers.values())
        quotes = [answer for answer in answers.values() if isinstance(answer, market.Quote)]
        self._tell({symbol: _fault(answer) for symbol, answer in answers.items()})
        if not await self._publish(quotes):
            return False
        self.known |= symbols
        return True

    async def round(self, symbols: Sequence[str]) -> subjects.MarketAnswer:
        """Refresh these at once, and tell which of them failed. Raises market.ProviderDown."""
        if not await self.refresh(set(symbols)):
            raise market.ProviderDown(", ".join(symbols), "the bus did not take the quotes")
        failing = {each: self.failing[each] for each in symbols if each in self.failing}
        return subjects.MarketAnswer(
            unquoted=tuple(
                subjects.Unquoted(each, type(fault).__name__, fault.why)
                for each, fault in failing.items()
            )
        )

    async def tell_standing(self) -> None:
        """Keep how the provider is, where that has changed or the bus may not know it."""
        provider = self._standing.told()
        news = self.connections, replace(provider, as_of=provider.since)
        if news == self._told:
            return
        try:
            entry = {subjects.PROVIDER_KEY: envelope.plain(provider)}
            await self._bus.put_all(subjects.MARKET_BUCKET, entry)
        except bus.BusFault as reason:
            log.debug("not told: %s", reason)
        else:
            self._told = news

    async def _publish(self, quotes: list[market.Quote]) -> bool:
        try:
            await self._bus.publish_all([_message(quote) for quote in quotes])
            await self._bus.put_quotes(quotes)
        except bus.BusFault as reason:
            log.debug("not published: %s", reason)
            return False
        self.published += len(quotes)
        return True

    def _tell(self, faults: Mapping[str, market.MarketFault | None]) -> None:
        """Log who fails and who is back, each change once, those with one reason in one line."""
        told: dict[str, list[str]] = defaultdict(list)
        for symbol, fault in faults.items():
            before, now = _name(self.failing.pop(symbol, None)), _name(fault)
            if fault is not None:
                self.failing[symbol] = fault
            if before != now:
                told[f"{now}: {fault.why}" if fault else "prices are back"].append(symbol)
        for news, symbols in told.items():
            log.warning("%s (%s)", news, ", ".join(symbols))


def _fault(answer: market.Quote | market.MarketFault) -> market.MarketFault | None:
    return answer if isinstance(answer, market.MarketFault) else None


def _name(fault: market.MarketFault | None) -> str | None:
    return type(fault).__name__ if fault else None


def _message(quote: market.Quote) -> bus.Message:
    """Under an id of its own for every instant and price: a repeated quote is stored once."""
    return bus.Message(
        subject=subjects.market_quote(quote.symbol),
        data=quote,
        id=f"{quote.symbol}@{quote.as_of.isoformat()}={quote.last}",
        type="market.quote",
        time=quote.as_of,
    )
