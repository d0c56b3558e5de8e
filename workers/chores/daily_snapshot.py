"""What every wheel held at a session's close, and what that was worth, written down once.

The session is the last that had closed when the job was due, so that a run that is made up for
later, on another day too, is of the day it missed. A mark bears the session's name: a second one
of the same wheel is refused, whoever runs it.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import date
from functools import partial, reduce
from typing import Final
from uuid import UUID, uuid4

from msgspec.structs import replace

from adapters import counter, event_store
from domain import (
    calendar,
    facts,
    freshness,
    job_settings,
    mark,
    market,
    refusals,
    story,
    subjects,
    valuation,
)
from projections import held, views
from projections.prices import Bygone, Prices
from workers import chore, pieces, running

SOURCE: Final = "scheduler"


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Mark every wheel with shares or open options, of the portfolio or of all.

    A wheel without a price of that session is told as failed. Raises refusals.Unavailable without
    views.
    """
    job_settings.meant(due.settings, job_settings.JobSettings)
    session = calendar.last_close(due.at)
    wheels, prices = await _looked_up(context, session, due.portfolio_id)
    with closing(await asyncio.to_thread(event_store.open_store, context.settings)) as log:
        scribe = Scribe(context, log, session, prices)
        found = await pieces.every(wheels, scribe.mark, lambda each: each.symbol)
    message = f"session {session}: {scribe.written} written, {scribe.there} were there"
    return chore.Done(done=scribe.written + scribe.there, failed=found.failed, message=message)


async def _looked_up(
    context: running.Context, session: date, portfolio_id: UUID | None
) -> tuple[list[held.Wheel], Prices]:
    """The wheels that may have held something at the close, and the prices of then."""
    live = views.Live(context.settings.views_path, connections=1)
    try:
        at = calendar.close_at(session)
        wheels = await pieces.tried(partial(held.perhaps, live, at, portfolio_id))
        bygone = Bygone(context.clock, context.bus, live)
        return wheels, await bygone.closing(session, {each.symbol for each in wheels})
    finally:
        await live.close()


class Scribe:
    """Marks wheels as of one close; counts what is `written` now, and what was `there`."""

    def __init__(
        self,
        context: running.Context,
        log: event_store.EventStore,
        session: date,
        prices: Prices,
    ) -> None:
        self.written = self.there = 0
        self._log = log
        self._session = session
        self._at = calendar.close_at(session)
        self._prices = prices
        self._clock = context.clock
        self._counter = counter.Counter(context.bus, context.clock, patient=True)
        self._market = context.settings.market
        self._nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
        self._run = uuid4()

    async def mark(self, wheel: held.Wheel) -> bool:
        """Write a wheel's mark, unless it is there or the wheel held nothing. Raises a Refusal."""
        told = story.told(wheel.id, await asyncio.to_thread(self._log.stream, wheel.id))
        then = told.wheel_at(self._at)
        if not (then.is_active and (then.shares or then.open_trades)):
            return False
        name, before = f"snapshot:{self._session}", await self._before(wheel.id)
        if name in before.external_ids:
            self.there += 1
            return False
        command = valuation.MarkPosition(
            effective_at=self._at.isoformat(), source=SOURCE, external_id=name
        )
        recorded = valuation.decide(
            before,
            told,
            command,
            await self._price(wheel.symbol),
            mark.mids(self._prices.boards.get(wheel.symbol, {}), self._at),
            at=self._at,
            now=self._clock.now(),
            command_id=self._run,
        )
        positions = await asyncio.to_thread(self._log.append, recorded)
        await self._nudge(positions[-1])
        self.written += 1
        return True

    async def _before(self, wheel_id: UUID) -> valuation.Valuation:
        stream = await asyncio.to_thread(self._log.stream, facts.valuation_stream(wheel_id))
        return reduce(valuation.evolve, stream, valuation.UNMARKED)

    async def _price(self, symbol: str) -> market.Quote:
        """The last price that was heard of the session, where it is of its end, else its close."""
        heard = self._prices.quotes.get(symbol)
        state = freshness.price_state(heard, self._at)
        if heard is not None and state in {"live", "delayed"}:
            return replace(heard, state=state)
        try:
            close = await self._counter.close(symbol, self._session)
        except (market.MarketFault, refusals.Unavailable) as reason:
            if heard is not None:
                return replace(heard, state=state)
            raise refusals.OutOfTurn(
                f"no price of {symbol} is known from {self._session}: {reason}"
            ) from reason
        return market.Quote(symbol, close, None, None, self._at, self._market, "live")
