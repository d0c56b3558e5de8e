"""What the market says of the contracts that are held: on the bus, and in its bucket.

A symbol's chain is asked for as often as it grows old while the market is open, once more when
it has closed, and at once when another contract is held; one that failed after a minute, and then
less and less often. What was last said of a contract stays in the bucket while the provider does
not answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from adapters import bus, envelope, kept
from adapters.clock import Clock
from domain import calendar, market, subjects
from projections.symbols import Contract
from workers import running
from workers.clerk import Clerk
from workers.rounds import SHORTEST, Rounds

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
AT_ONCE: Final = 4
AGAIN: Final = 60.0
"""Market seconds until a symbol that failed is asked about again; they double, up to a round's."""
AHEAD: Final = timedelta(days=100)
Contracts = Mapping[str, frozenset[Contract]]
Held = Callable[[], Awaitable[Contracts]]


async def run(
    desk: MarksDesk,
    clock: Clock,
    held: Held,
    stop: asyncio.Event,
    woken: asyncio.Event,
    beat: dict[str, Any],
) -> None:
    """Keep the marks of all that is held until asked to stop."""
    every = clock.real_seconds(kept.FRESH["chain"].total_seconds())
    rounds = Rounds(max(SHORTEST, every))
    while not stop.is_set():
        woken.clear()
        desk.holds(await held())
        if desk.connected:
            turn = rounds.turn(desk.connections, clock.now())
            due = desk.due(turn) | desk.failed_long_ago(rounds.every)
            if await desk.refresh(due) and turn != "new":
                rounds.begin(desk.connections, clock.now())
        beat.update(marked=desk.published)
        await running.nap(min(LOOK_EVERY, rounds.every), woken, stop)


class MarksDesk:
    """Asks the clerk about what is held, and tells the bus."""

    def __init__(
        self, clerk: Clerk, connected: bus.Bus, clock: Clock, *, again: float = AGAIN
    ) -> None:
        self._clerk = clerk
        self._bus = connected
        self._clock = clock
        self._contracts: Contracts = {}
        self._known: dict[str, frozenset[Contract]] = {}
        self._failing: dict[str, str] = {}
        self._first_pause = self._pause = max(SHORTEST, clock.real_seconds(again))
        self._again = math.inf
        self.published = 0

    @property
    def connected(self) -> bool:
        return self._bus.connected

    @property
    def connections(self) -> int:
        return self._bus.connections

    def holds(self, contracts: Contracts) -> None:
        """These are held now."""
        self._contracts = contracts
        self._known = {
            symbol: known for symbol, known in self._known.items() if symbol in contracts
        }

    def due(self, turn: str) -> set[str]:
        """Whose turn it is: all, or those that failed or hold something new."""
        new = {each for each, held in self._contracts.items() if self._known.get(each) != held}
        match turn:
            case "whole":
                return set(self._contracts)
            case "failing":
                return new | (self._failing.keys() & self._contracts.keys())
            case _:
                return new

    def failed_long_ago(self, longest: float) -> set[str]:
        """Who has failed and should be asked about again by now, before the turn of all."""
        now = asyncio.get_running_loop().time()
        if not self._failing:
            self._again, self._pause = math.inf, self._first_pause
        elif self._again == math.inf:
            self._again = now + self._pause
        elif now >= self._again:
            self._again, self._pause = math.inf, min(2 * self._pause, longest)
            return self._failing.keys() & self._contracts.keys()
        return set()

    async def refresh(self, symbols: set[str]) -> bool:
        """Ask about these and publish what comes; whether the bus took it."""
        hands = asyncio.Semaphore(AT_ONCE)

        async def one(symbol: str) -> bool:
            async with hands:
                return await self._refreshed(symbol)

        return all(await asyncio.gather(*map(one, sorted(symbols))))

    async def _refreshed(self, symbol: str) -> bool:
        held = self._contracts[symbol]
        try:
            marks = await self._marks(symbol, held)
            await self._publish(marks)
        except market.MarketFault as fault:
            self._tell(symbol, fault)
        except bus.BusFault as reason:
            log.debug("not published: %s", reason)
            return False
        else:
            self._tell(symbol, None)
        self._known[symbol] = held
        return True

    async def _marks(self, symbol: str, held: frozenset[Contract]) -> market.HeldMarks:
        now = self._clock.now()
        today = calendar.trading_day(now)
        farthest = max((expiration for _, _, expiration in held), default=today)
        ahead = today + AHEAD
        asked = subjects.MarketQuestion("chain", symbol, today, max(farthest, today))
        chain: market.Chain = (await self._clerk.keep(asked)).value
        dividends = await self._ahead("dividends", symbol, today, ahead) or ()
        earnings = await self._ahead("earnings", symbol, today, ahead)
        return market.HeldMarks(
            symbol=symbol,
            price=chain.underlying.last,
            options=tuple(each for each in chain.options if contract(each) in held),
            dividend=next((each for each in dividends if each.ex_date >= today), None),
            earnings=None if earnings is None else tuple(each.day for each in earnings),
            as_of=chain.as_of,
            source=chain.source,
            state=chain.state,
        )

    async def _ahead(
        self, kind: subjects.MarketKind, symbol: str, first: date, last: date
    ) -> tuple[Any, ...] | None:
        """What awaits the symbol; what was known of it while nobody answers, None for nothing."""
        try:
            entry = await self._clerk.keep(subjects.MarketQuestion(kind, symbol, first, last))
        except market.MarketFault:
            before = await self._clerk.last(kind, symbol)
            return None if before is None else before.value
        found: tuple[Any, ...] = entry.value
        return found

    async def _publish(self, marks: market.HeldMarks) -> None:
        await self._bus.publish_all([_message(marks)])
        entry = {kept.marks_key(marks.symbol): envelope.plain(marks)}
        await self._bus.put_all(subjects.MARKET_BUCKET, entry)
        self.published += 1

    def _tell(self, symbol: str, fault: market.MarketFault | None) -> None:
        """Log who fails and who is back, each change once."""
        before = self._failing.pop(symbol, None)
        if fault is not None:
            self._failing[symbol] = type(fault).__name__
            if before != type(fault).__name__:
                log.warning("no marks of %s: %s", symbol, fault.why)
        elif before is not None:
            log.info("marks of %s are back", symbol)


def contract(mark: market.OptionMark) -> Contract:
    """Which contract it is."""
    return mark.direction, f"{mark.strike.normalize():f}", mark.expiration


def _message(marks: market.HeldMarks) -> bus.Message:
    """Under an id of its own for every instant and state: what is repeated is stored once."""
    held = len(marks.options)
    return bus.Message(
        subject=subjects.market_chain(marks.symbol),
        data=marks,
        id=f"marks-{marks.symbol}@{marks.as_of.isoformat()}={marks.state}/{held}",
        type="market.chain",
        time=marks.as_of,
    )
