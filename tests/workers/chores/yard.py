"""Where a chore is tried: a real ledger and bus, views of it, and time that somebody turns."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from adapters import beside, bus, clock
from adapters.event_store import EventStore
from adapters.settings import Settings
from domain import calendar, facts, market, subjects
from projections import rebuild
from tests.domain.desk import MONDAY, Desk
from tests.projections import ledger
from workers import chore, running

HALF_PAST_FOUR = datetime(2026, 1, 5, 21, 30, tzinfo=UTC)
CLOSE = datetime(2026, 1, 5, 21, 0, tzinfo=UTC)


class Time(clock.Clock):
    """Stands still until it is turned, and knows when it really was which time."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self._turns: list[tuple[datetime, datetime]] = []
        self._at = at

    def now(self) -> datetime:
        return self._at

    def turn_to(self, instant: datetime) -> None:
        self._turns.append((instant, super().now()))
        self._at = instant

    def real_time(self, instant: datetime) -> datetime:
        turned = (really for at, really in self._turns if at > instant)
        return next(turned, super().now())


class Yard:
    """An instance without its other processes: what they would do, a test does."""

    def __init__(self, settings: Settings, log: EventStore, ours: bus.Bus, prices: bus.Bus) -> None:
        self.settings, self.log, self.prices = settings, log, prices
        self.time = Time(MONDAY)
        self.context = running.Context("scheduler", settings, self.time, ours, asyncio.Event(), {})
        ledger.found_portfolio(log)

    def desk(self, symbol: str = "XYZ", **start: Any) -> Desk:
        return Desk("60000", symbol=symbol, log=self.log, **start)

    def project(self) -> None:
        """Let the views come up to the log."""
        rebuild.rebuild(self.log, self.settings.views_path)

    async def quoted(self, symbol: str, last: str, as_of: datetime) -> None:
        """Have a price said on the bus, and kept."""
        quote = market.Quote(symbol, Decimal(last), None, None, as_of, "test", "live")
        subject, name = subjects.market_quote(symbol), f"{symbol}@{as_of}={last}"
        await self.prices.publish(subject, quote, id=name, type="market.quote", time=as_of)
        await self.prices.put_quote(quote)

    async def answers(self, answer: Callable[[bus.Heard], Any]) -> None:
        await self.prices.answer(subjects.MARKET_ASK, answer)

    def due(self, job: str, at: datetime = HALF_PAST_FOUR, **more: Any) -> chore.Due:
        said: dict[str, Any] = {"run_id": uuid4(), "trigger": "schedule"} | more
        return chore.Due(job=job, at=at, **said)

    def recorded(self, name: str) -> list[facts.Recorded]:
        """What the ledger has of a name."""
        return self.log.part(beside.Part(limit=100_000, name=name))


def failed(done: chore.Done) -> dict[str, str]:
    return {each.item: each.why for each in done.failed}


def closing(symbol: str, day: datetime, close: str) -> market.Bar:
    """A session that ended at a price."""
    price = Decimal(close)
    on = calendar.trading_day(day)
    return market.Bar(symbol, on, price, price, price, price, 1_000)
