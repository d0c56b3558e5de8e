"""The clerk behind the counter: asks the provider for the others, and keeps what it says.

One question at a time about the same thing; who asks the same meanwhile is answered with it.
What is kept and still fresh is not asked for again, also after a restart. Patient questions wait
behind each other, so that those who scan do not keep those waiting who watch.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from adapters import bus, kept
from adapters.counter import YEAR
from domain import calendar, market, ports, subjects, volatility
from workers.standing import Standing

AT_ONCE: Final = 8
PATIENT_AT_ONCE: Final = 2
LEAST_CHAIN: Final = timedelta(days=38)
"""Chains reach past thirty days, where the volatility of the day is read off."""
LEAST_AHEAD: Final = timedelta(days=120)
PAUSE: Final = 60.0
KEPT_REFUSALS: Final = 1_000
NEVER: Final = datetime.min.replace(tzinfo=UTC)


Round = Callable[[Sequence[str]], Awaitable[subjects.MarketAnswer]]
"""Makes a round of quotes; raises a MarketFault."""


class Clerk:
    """Answers for a provider, and for who knows earnings, if anybody does.

    Quotes are the price worker's (workers/prices.py), who makes a `round_`.
    """

    def __init__(
        self,
        provider: market.MarketData,
        earnings: market.EarningsData | None,
        connected: bus.Bus,
        clock: ports.Clock,
        standing: Standing,
        round_: Round | None = None,
    ) -> None:
        self.asked = 0
        self._provider = provider
        self._earnings = earnings
        self._bus = connected
        self._clock = clock
        self._standing = standing
        self._round = round_ or _no_round
        self._under_way: weakref.WeakValueDictionary[str, asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )
        self._refusals = Refusals()
        self._hands = asyncio.Semaphore(AT_ONCE)
        self._spare_hands = asyncio.Semaphore(PATIENT_AT_ONCE)

    async def answer(self, heard: bus.Heard) -> bytes:
        """Answer a question that came over the bus."""
        try:
            return msgspec.json.encode(await self._answered(_question(heard)))
        except bus.Unreadable as reason:
            return _said("Unreadable", str(reason))
        except bus.BusFault as reason:
            return _said("ProviderDown", f"the answer could not be kept: {reason}")
        except market.MarketFault as fault:
            return _said(type(fault).__name__, fault.why, getattr(fault, "retry_after", None))

    async def _answered(
        self, question: subjects.MarketQuestion | subjects.RoundQuestion
    ) -> subjects.MarketAnswer:
        if isinstance(question, subjects.RoundQuestion):
            return await self._round(question.symbols)
        await self.keep(question)
        return subjects.MarketAnswer()

    async def keep(self, question: subjects.MarketQuestion) -> kept.Kept[Any]:
        """Have a fresh answer kept, and give it. Raises a MarketFault or a BusFault."""
        hands = self._spare_hands if question.patient else self._hands
        place = kept.key(question.kind, question.symbol)
        async with self._alone_with(place), hands:
            entry = await self.last(question.kind, question.symbol)
            if entry is not None and _answers(entry, question, self._clock.now()):
                return entry
            self._refusals.still(place)
            fetched = await self._fetched(question, entry, place)
            await self._bus.put_all(subjects.MARKET_BUCKET, {place: kept.packed(fetched)})
        if question.kind == "chain":
            await self._collect(fetched.value)  # who holds on to a chain waits for nothing else
        return fetched

    def _alone_with(self, place: str) -> asyncio.Lock:
        return self._under_way.setdefault(place, asyncio.Lock())

    async def last(self, kind: subjects.MarketKind, symbol: str) -> kept.Kept[Any] | None:
        """What is kept, however old. Raises a BusFault."""
        body = await self._bus.get(subjects.MARKET_BUCKET, kept.key(kind, symbol))
        return None if body is None else kept.unpacked(kind, body)

    async def _fetched(
        self, question: subjects.MarketQuestion, before: kept.Kept[Any] | None, place: str
    ) -> kept.Kept[Any]:
        if question.kind != "earnings":
            self._standing.rested(question.symbol)
        symbol, first, last = _widened(question)
        self.asked += 1
        try:
            value = await self._said(question.kind, symbol, first, last, before)
        except market.MarketFault as fault:
            if fault.state is None or question.kind == "earnings":
                self._refusals.note(place, fault)
            else:
                self._standing.failed(fault)
            raise
        return kept.Kept(value, first, last, self._clock.now())

    async def _said(
        self,
        kind: subjects.MarketKind,
        symbol: str,
        first: date,
        last: date,
        before: kept.Kept[Any] | None,
    ) -> Any:
        """What whoever knows says."""
        match kind:
            case "chain":
                return await self._chain(symbol, first, last)
            case "history":
                return await self._provider.history(symbol, first, last)
            case "dividends":
                return await self._provider.ex_dividends(symbol, first, last)
            case "earnings":
                return await self._reports(symbol, first, last)
            case "volatilities":
                return await self._volatilities(symbol, first, last, before)

    async def _chain(self, symbol: str, first: date, last: date) -> market.Chain:
        chain = await self._provider.chain(symbol, first, last)
        self._standing.answered(chain.state)
        return chain

    async def _reports(self, symbol: str, first: date, last: date) -> tuple[market.Earning, ...]:
        if self._earnings is None:
            raise market.NoData(symbol, "nobody is asked for earnings: no key is set")
        return await self._earnings.earnings(symbol, first, last)

    async def _volatilities(
        self, symbol: str, first: date, last: date, before: kept.Kept[Any] | None
    ) -> tuple[market.DayVolatility, ...]:
        """What the provider knows of the year, with what was collected on its days."""
        told = {} if before is None else {each.day: each for each in before.value}
        said = await self._provider.volatilities(symbol, first, last)
        told |= {each.day: each for each in said}
        return tuple(told[day] for day in sorted(told) if first <= day <= last)

    async def _collect(self, chain: market.Chain) -> None:
        """Note the day's volatility, for providers that know only the present."""
        found = await asyncio.to_thread(volatility.at_the_money, chain)
        if found is None or chain.state == "stale":
            return
        day = calendar.last_session(calendar.trading_day(chain.as_of))
        place = kept.key("volatilities", chain.symbol)
        async with self._alone_with(place):
            before = await self.last("volatilities", chain.symbol) or _nothing_yet(day)
            told = {each.day: each for each in before.value}
            told[day] = market.DayVolatility(day, found)
            noted = msgspec.structs.replace(
                before, value=tuple(told[each] for each in sorted(told))
            )
            await self._bus.put_all(subjects.MARKET_BUCKET, {place: kept.packed(noted)})


def _question(heard: bus.Heard) -> subjects.MarketQuestion | subjects.RoundQuestion:
    try:
        return heard.read(subjects.MarketQuestion).data
    except bus.Unreadable:
        return heard.read(subjects.RoundQuestion).data


async def _no_round(symbols: Sequence[str]) -> subjects.MarketAnswer:
    raise market.ProviderDown(", ".join(symbols), "nobody makes rounds here")


def _nothing_yet(day: date) -> kept.Kept[Any]:
    """An entry that is not fresh: the provider has not been asked what it knows of the year."""
    return kept.Kept((), day, day, NEVER)


class Refusals:
    """What was not answered about a symbol is not asked again for a while."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, market.MarketFault]] = {}

    def note(self, place: str, fault: market.MarketFault) -> None:
        """Remember a fault."""
        self._until[place] = (_now() + PAUSE, fault)
        while len(self._until) > KEPT_REFUSALS:
            self._until.pop(next(iter(self._until)))

    def still(self, place: str) -> None:
        """Raise the fault again while it is too soon to ask again."""
        until, fault = self._until.get(place, (-math.inf, None))
        if fault is not None and _now() < until:
            raise fault.with_traceback(None)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _answers(entry: kept.Kept[Any], question: subjects.MarketQuestion, now: datetime) -> bool:
    return entry.covers(question.first, question.last) and entry.is_fresh(question.kind, now)


def _widened(question: subjects.MarketQuestion) -> tuple[str, date, date]:
    """The window that is asked for: at least so wide that the next question is answered too."""
    first, last = question.first, question.last
    match question.kind:
        case "chain":
            last = max(last, first + LEAST_CHAIN)
        case "dividends" | "earnings":
            last = max(last, first + LEAST_AHEAD)
        case "history" | "volatilities":
            first = min(first, last - YEAR)
    return question.symbol, first, last


def _said(fault: str, why: str, retry_after: float | None = None) -> bytes:
    return msgspec.json.encode(subjects.MarketAnswer(fault, why, retry_after))
