"""What has become of the options that expired: proposed, or recorded where a person says so.

Judged by what the share closed at on the day of expiration, as its provider says of the finished
session, and by nothing else. What closed at its strike, and an adjusted contract, are left to a
person, as is all of which no close is known.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from adapters import counter, event_store
from domain import (
    calendar,
    commands,
    deciding,
    fees,
    job_settings,
    mark,
    orders,
    story,
    subjects,
)
from domain import trade as trades
from projections import held, views
from workers import chore, pieces, running

SOURCE: Final = "scheduler"
SHOWN: Final = 20
"""Proposals that are told one by one."""


class Expired(NamedTuple):
    """An option that is open, and expired with a session."""

    wheel: held.Wheel
    trade: trades.Trade
    session: date

    @property
    def name(self) -> str:
        return (
            f"{self.trade.open_contracts} {self.wheel.symbol} {self.trade.strike:f} "
            f"{self.trade.direction} {self.trade.expiration_date}"
        )


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Review every option that had expired when the job was due, of the portfolio or of all.

    Without `auto_expire` nothing is recorded. Raises refusals.Unavailable without views.
    """
    asked = job_settings.meant(due.settings, job_settings.Expirations)
    session = calendar.last_close(due.at)
    live = views.Live(context.settings.views_path, connections=1)
    try:
        wheels = await pieces.tried(partial(held.expired, live, session, due.portfolio_id))
    finally:
        await live.close()
    with closing(await asyncio.to_thread(event_store.open_store, context.settings)) as log:
        reviewer = Reviewer(context, log, asked)
        looked = await pieces.every(
            wheels, partial(reviewer.look, session), lambda each: each.symbol
        )
        found = await pieces.every(reviewer.expired, reviewer.review, lambda each: each.name)
    failed = looked.failed + found.failed
    return chore.Done(done=found.done, failed=failed, message=_message(reviewer.told))


def _message(told: list[str]) -> str:
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return "; ".join(sorted(told)[:SHOWN]) + more or "nothing has expired"


class Reviewer:
    """Looks for what is `expired`, and tells how it ended, or records it where it may.

    `told` has that in words.
    """

    def __init__(
        self,
        context: running.Context,
        log: event_store.EventStore,
        asked: job_settings.Expirations,
    ) -> None:
        self.expired: list[Expired] = []
        self.told: list[str] = []
        self._log = log
        self._asked = asked
        self._clock = context.clock
        self._counter = counter.Counter(context.bus, context.clock, patient=True)
        self._tariff = fees.flat(context.settings.fee_per_contract)
        self._nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
        self._run = uuid4()

    async def look(self, session: date, wheel: held.Wheel) -> bool:
        """Note a wheel's options that are open and had expired, as they stood when they did."""
        told = await self._story(wheel.id)
        for trade_id in told.wheel.open_trades:
            last = calendar.last_session(told.wheel.trades[trade_id].expiration_date)
            then = told.wheel_at(calendar.close_at(last)).trades.get(trade_id)
            if last <= session and then is not None and then.open_contracts:
                self.expired.append(Expired(wheel, then, last))
        return False

    async def review(self, option: Expired) -> bool:
        """Propose how it ended, or record it. Raises a Refusal or a MarketFault."""
        close = await self._counter.close(option.wheel.symbol, option.session)
        doubt = self._doubt(option.trade, close)
        outcome = _outcome(option.trade, close)
        if doubt is not None:
            self.told.append(f"{option.name} at {close:f}: {doubt}, left to you")
        elif not self._asked.auto_expire:
            self.told.append(f"{option.name} at {close:f}: {outcome}, not recorded")
        else:
            await self._record(option, close)
            self.told.append(f"{option.name} at {close:f}: {outcome}, recorded")
            return True
        return False

    def _doubt(self, trade: trades.Trade, close: Decimal) -> str | None:
        """Why nobody but a person can say how it ended."""
        if trade.multiplier != mark.STANDARD:
            return "an adjusted contract"
        if abs(close - trade.strike) <= self._asked.margin:
            return "at the strike"
        return None

    async def _record(self, option: Expired, close: Decimal) -> None:
        command = commands.Expire(
            stock_price_at_expiry=close,
            source=SOURCE,
            external_id=f"expiration:{option.trade.id}:{option.session}",
        )
        told, now = await self._story(option.wheel.id), self._clock.now()
        order = orders.Order(command, now, self._run, self._tariff, trade_id=option.trade.id)
        recorded = deciding.decide(told, order)
        positions = await asyncio.to_thread(self._log.append, recorded)
        await self._nudge(positions[-1])

    async def _story(self, wheel_id: UUID) -> story.Story:
        return story.told(wheel_id, await asyncio.to_thread(self._log.stream, wheel_id))


def _outcome(trade: trades.Trade, close: Decimal) -> str:
    """By exercise by exception, as the order to expire has it."""
    inside = trade.strike - close if trade.direction == "put" else close - trade.strike
    if inside < trades.IN_THE_MONEY:
        return "worthless"
    return "assigned" if trade.direction == "put" else "called away"
