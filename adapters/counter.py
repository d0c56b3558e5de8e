"""The counter: where any process asks what the market says.

    ask ──▶ kept, fresh, and for these dates? ──yes──▶ the answer
              │ no
              └──▶ market.ask ──▶ the clerk (workers/clerk.py) asks the provider and keeps it

Only the clerk asks the provider, so that there is one login, one limit of requests, and one
question at a time about the same thing, however many processes there are.
"""

import asyncio
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters import bus, kept
from domain import calendar, market, ports, refusals, subjects

WITHIN: Final = 30.0
"""Real seconds until an answer must have come."""
PATIENT_TRIES: Final = 10
BREATH: Final = 1.0
"""Real seconds between them: the clerk, or the bus, may just be starting anew."""
YEAR: Final = timedelta(days=372)


class Counter:
    """Asks for one process; a patient one lets those go first who wait, and asks again.

    So the end of a clerk costs it neither the answer nor more than the time of one question.
    """

    def __init__(self, connected: bus.Bus, clock: ports.Clock, *, patient: bool = False) -> None:
        self._bus = connected
        self._clock = clock
        self._patient = patient
        self._tries = PATIENT_TRIES if patient else 1

    async def chain(self, symbol: str, last: date) -> market.Chain:
        """The options that expire up to a date, never an old answer.

        Raises a MarketFault, and refusals.Unavailable where nobody can be asked.
        """
        answer: market.Chain = await self._asked("chain", symbol, self._today, last)
        return answer

    async def history(self, symbol: str) -> tuple[market.Bar, ...]:
        """The finished sessions of the last year, in order. Raises as `chain` does."""
        answer: tuple[market.Bar, ...] = await self._asked(
            "history", symbol, self._today - YEAR, self._today
        )
        return answer

    async def close(self, symbol: str, session: date) -> Decimal:
        """What a share closed at, in USD, as its provider says of a finished session.

        Raises market.NoData where it says nothing of that one, and as `chain` does.
        """
        for bar in await self.history(symbol):
            if bar.day == session:
                return bar.close
        raise market.NoData(symbol, f"nobody says what it closed at on {session}")

    async def dividends(self, symbol: str, last: date) -> tuple[market.Dividend, ...]:
        """The dividends from today up to a date, in order. Raises as `chain` does."""
        found: tuple[market.Dividend, ...] = await self._asked(
            "dividends", symbol, self._today, last
        )
        return tuple(each for each in found if self._today <= each.ex_date <= last)

    async def earnings(self, symbol: str, last: date) -> tuple[market.Earning, ...]:
        """The earnings from today up to a date, in order; NoData where nobody knows any."""
        found: tuple[market.Earning, ...] = await self._asked("earnings", symbol, self._today, last)
        return tuple(each for each in found if self._today <= each.day <= last)

    async def volatilities(self, symbol: str) -> tuple[market.DayVolatility, ...]:
        """The at-the-money volatilities of the last year, in order. Raises as `chain` does."""
        found: tuple[market.DayVolatility, ...] = await self._asked(
            "volatilities", symbol, self._today - YEAR, self._today
        )
        return found

    @property
    def _today(self) -> date:
        return calendar.trading_day(self._clock.now())

    async def _asked(self, kind: subjects.MarketKind, symbol: str, first: date, last: date) -> Any:
        for _ in range(self._tries - 1):
            with suppress(bus.BusFault):
                return await self._fetched(kind, symbol, first, last)
            await asyncio.sleep(BREATH)
        try:
            return await self._fetched(kind, symbol, first, last)
        except bus.BusFault as reason:
            raise refusals.Unavailable(
                f"the market cannot be asked: {reason}", part="prices"
            ) from reason

    async def _fetched(
        self, kind: subjects.MarketKind, symbol: str, first: date, last: date
    ) -> Any:
        """What is kept and fresh; else what is kept once the clerk has answered."""
        entry = await self._kept(kind, symbol, first, last)
        if entry is None or not entry.is_fresh(kind, self._clock.now()):
            await self._ask(subjects.MarketQuestion(kind, symbol, first, last, self._patient))
            entry = await self._kept(kind, symbol, first, last)
        if entry is None:
            raise market.Unreadable(symbol, f"the {kind} that was fetched cannot be read")
        return entry.value

    async def _kept(
        self, kind: subjects.MarketKind, symbol: str, first: date, last: date
    ) -> kept.Kept[Any] | None:
        """What is kept, where it is about these dates."""
        body = await self._bus.get(subjects.MARKET_BUCKET, kept.key(kind, symbol))
        entry = None if body is None else kept.unpacked(kind, body)
        return entry if entry is not None and entry.covers(first, last) else None

    async def _ask(self, question: subjects.MarketQuestion) -> None:
        body = await self._bus.ask(subjects.MARKET_ASK, question, WITHIN)
        answer = msgspec.json.decode(body, type=subjects.MarketAnswer)
        if answer.fault is not None:
            raise market.fault(answer.fault, question.symbol, answer.why, answer.retry_after)
