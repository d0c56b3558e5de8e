"""What every handler is given: the desk, the views, the clock, and the last prices heard."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from adapters import courier, logs
from adapters.addresses import Addresses
from adapters.bus import Bus, BusFault
from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.settings import Layers, Settings, given
from api.archive import Archive
from api.aside import Aside
from api.desk import Desk
from api.hub import Hub
from domain import facts, fees, mark, market, moments, refusals, subjects
from projections import past, prices, questions, views

T = TypeVar("T")

ANSWER_WITHIN = 3.0
_TRADES_KEPT = 50_000
RESTLESS = 60.0


When = past.When


def when(as_of: str | None, known_at: str | None, now: datetime) -> When:
    """The two clocks as written: a date means the end of its New York day; from now on is now."""
    told = (moments.until("as_of", as_of), moments.until("known_at", known_at))
    return When(*(None if each is None or each >= now else each for each in told))


class Office:
    """The parts that answer a request, wired once when the process starts."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        log: EventStore,
        live: views.Live,
        bus: Bus,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.log = log
        self.live = live
        self.bus = bus
        self.addresses = Addresses(settings.notifications_dir)
        self.courier = courier.Apprise()
        self.addressing = asyncio.Lock()
        self.tests = asyncio.Semaphore(courier.AT_ONCE - 1)
        self.aside = Aside(settings)
        self.archive = Archive(settings, log, live)
        self._bygone = prices.Bygone(clock, bus, live)
        self.hub = Hub(log)
        self.desk = Desk(log, clock, self._nudge, live.reached)
        self.layers = given(settings)
        self.tariff = fees.flat(settings.fee_per_contract)
        self.quotes: dict[str, market.Quote] = {}
        self.boards: dict[str, mark.Board] = {}
        self.provider: market.Provider | None = None
        self.heard: dict[str, datetime] = {}
        self._heard_at: dict[str, float] = {}
        self.beats: dict[str, subjects.Heartbeat] = {}
        self._moved_at: dict[str, float] = {}
        self._born_at: dict[str, list[float]] = {}
        self.started_at = clock.now()
        self._wheels: OrderedDict[UUID, UUID] = OrderedDict()

    def configure(self, layers: Layers) -> None:
        """Go on with these settings; what needs another process to start anew, needs it."""
        before, self.settings = self.settings, layers.settings()
        self.layers = layers
        self.tariff = fees.flat(self.settings.fee_per_contract)
        if self.settings.log_level != before.log_level:
            logs.set_level(self.settings.log_level)

    async def _nudge(self, position: int) -> None:
        await self.bus.nudge(subjects.LEDGER_APPENDED, position)

    @asynccontextmanager
    async def views(
        self, asked: When, streams: Collection[UUID] | None = None
    ) -> AsyncIterator[views.Views]:
        """One look at the live views, or at those of the past that the question is about."""
        if asked.is_now:
            async with self.live.look() as now:
                yield now
            return
        async with self.archive.views(asked, streams) as then:
            yield then

    async def ask(
        self, subject: str, question: msgspec.Struct, reply: type[T], *, part: str, silence: str
    ) -> T:
        """What the worker that answers for a part says; with `silence` for what nobody answers.

        Raises refusals.Unavailable.
        """
        try:
            body = await self.bus.ask(subject, question, ANSWER_WITHIN)
        except BusFault as reason:
            raise refusals.Unavailable(silence, part=part) from reason
        return msgspec.json.decode(body, type=reply)

    async def prices_at(self, asked: When, symbols: Collection[str]) -> prices.Prices:
        """The last prices of these symbols, as they were known then; now, all that are known."""
        if asked.is_now:
            return prices.Prices(self.quotes, self.boards)
        return await self._bygone.prices(asked, symbols)

    def keep_quote(self, quote: market.Quote) -> None:
        """Hear a symbol's last quote."""
        self.quotes[quote.symbol] = quote

    def keep_marks(self, held: market.HeldMarks) -> None:
        """Hear what the options held in a symbol are worth; what is not named has no mark now."""
        self.boards[held.symbol] = mark.board(held)

    def keep_provider(self, provider: market.Provider) -> None:
        """Hear how the provider of prices is."""
        self.provider = provider

    def keep_heartbeat(self, beat: subjects.Heartbeat, ago: timedelta = timedelta(0)) -> None:
        """Hear that a worker lives, or did a while ago: in the market's time and in real time."""
        at = time.monotonic() - ago.total_seconds()
        if beat.state != "stopping" and at >= self._heard_at.get(beat.worker, -math.inf):
            self.heard[beat.worker] = beat.as_of
            self._heard_at[beat.worker] = at
            self._compare(self.beats.get(beat.worker), beat, at)
            self.beats[beat.worker] = beat

    def _compare(
        self, before: subjects.Heartbeat | None, beat: subjects.Heartbeat, at: float
    ) -> None:
        if before is None or before.position != beat.position or self._has_all(beat):
            self._moved_at[beat.worker] = at
        if before is None or before.pid != beat.pid:
            born = [each for each in self._born_at.get(beat.worker, []) if each > at - RESTLESS]
            self._born_at[beat.worker] = [*born, at]

    def _has_all(self, beat: subjects.Heartbeat) -> bool:
        """Whether it has no more to follow, so that to stand still is right."""
        return beat.position is not None and beat.position >= max(
            self.desk.head, self.live.position
        )

    def stuck(self, worker: str, head: int) -> timedelta:
        """How long a worker that follows the log has stood still behind its head."""
        position = self.beats[worker].position
        if position is None or position >= head:
            return timedelta(0)
        return timedelta(seconds=time.monotonic() - self._moved_at[worker])

    def births(self, worker: str) -> int:
        """How often a worker has begun in the last minute."""
        since = time.monotonic() - RESTLESS
        return sum(each > since for each in self._born_at.get(worker, []))

    def silence(self, worker: str) -> timedelta:
        """How long a worker has not been heard, in real time."""
        return timedelta(seconds=time.monotonic() - self._heard_at[worker])

    async def stream(self, stream_id: UUID) -> list[facts.Recorded]:
        """All that was recorded in a stream."""
        return await asyncio.to_thread(self.log.stream, stream_id)

    async def streams_of(self, portfolio_id: UUID) -> list[UUID]:
        """The streams that a question about a portfolio needs."""
        return [portfolio_id, *await questions.wheels_of(self.live, portfolio_id)]

    async def portfolios(self) -> list[UUID]:
        """The streams that tell which portfolio is the default one."""
        found = await self.live.rows("SELECT id FROM portfolios")
        return [facts.SETTINGS_STREAM, *(UUID(row[0]) for row in found)]

    async def alerts(self) -> list[UUID]:
        """The streams of all alerts that were ever raised."""
        return [UUID(row[0]) for row in await self.live.rows("SELECT id FROM alerts")]

    async def opportunities(self) -> list[UUID]:
        """The streams of all opportunities that were ever found."""
        return [UUID(row[0]) for row in await self.live.rows("SELECT id FROM opportunities")]

    async def deliveries(self) -> list[UUID]:
        """The streams of all that was ever to be told to channels."""
        return [UUID(row[0]) for row in await self.live.rows("SELECT id FROM deliveries")]

    async def plugins(self, name: str | None = None) -> list[UUID]:
        """The streams of all plugins that were ever registered and of their runs, or of one's."""
        found = await self.live.rows(
            "SELECT id FROM plugins WHERE ? IN (name, '') "
            "UNION ALL SELECT id FROM plugin_runs WHERE ? IN (plugin, '')",
            [name or "", name or ""],
        )
        return [UUID(row[0]) for row in found]

    def remember(self, recorded: Iterable[facts.Recorded]) -> None:
        """Know at once which wheel a new trade belongs to, however far behind the views are."""
        for each in recorded:
            if isinstance(each.fact, facts.OptionSold):
                self._wheels[each.fact.trade_id] = each.stream_id
        while len(self._wheels) > _TRADES_KEPT:
            self._wheels.popitem(last=False)

    async def wheel_of(self, trade_id: UUID) -> UUID:
        """Which wheel a trade belongs to; raises refusals.Unknown."""
        known = self._wheels.get(trade_id) or await questions.wheel_of_trade(self.live, trade_id)
        if known is None:
            raise refusals.Unknown("trade", trade_id)
        return known
