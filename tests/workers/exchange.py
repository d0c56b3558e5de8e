"""A provider in a few lines, which counts what it is asked and fails when it is told to."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from adapters.clock import Clock
from domain import market

OPEN = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
FRIDAY = date(2026, 3, 27)


class Turned(Clock):
    """A clock that stands until somebody turns it."""

    def __init__(self, at: datetime = OPEN) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at

    def turn(self, **ahead: float) -> None:
        self.at += timedelta(**ahead)


class Exchange:
    """Knows a put and a call of every symbol; each answer is a cent dearer than the one before."""

    def __init__(self, clock: Turned) -> None:
        self.asked: list[str] = []
        self.fault: market.MarketFault | None = None
        self.bars: tuple[market.Bar, ...] = ()
        self.slow = asyncio.Event()
        self.slow.set()
        self._news = asyncio.Condition()
        self.state: market.PriceState = "live"
        self.behind = timedelta(0)
        self._clock = clock

    async def until_asked(self, count: int) -> None:
        """Wait until it has been asked so often."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.asked) >= count)

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        async with self._news:
            self._news.notify_all()
        await self.slow.wait()
        if self.fault is not None:
            raise self.fault

    async def quotes(self, symbols: Iterable[str]) -> dict[str, market.Quote | market.MarketFault]:
        await self._ask("quotes")
        return {symbol: self._quote(symbol) for symbol in symbols}

    async def chain(self, symbol: str, first: date | None, last: date | None) -> market.Chain:
        await self._ask(f"chain {symbol} {first} {last}")
        bid = Decimal("1.00") + Decimal(len(self.asked)) / 100
        put = self._option(symbol, "put", "98.00", bid)
        call = self._option(symbol, "call", "102.00", bid)
        now = self._clock.now()
        return market.Chain(symbol, self._quote(symbol), (put, call), now, "test", self.state)

    @staticmethod
    def _option(
        symbol: str, direction: market.Direction, strike: str, bid: Decimal
    ) -> market.OptionMark:
        return market.OptionMark(
            symbol=symbol,
            direction=direction,
            strike=Decimal(strike),
            expiration=FRIDAY,
            bid=bid,
            ask=bid + Decimal("0.05"),
            last=None,
            implied_volatility=0.4,
            delta=None,
            gamma=None,
            theta=None,
            vega=None,
            open_interest=900,
            volume=12,
        )

    async def history(self, symbol: str, first: date, last: date) -> tuple[market.Bar, ...]:
        await self._ask(f"history {symbol} {first} {last}")
        return tuple(each for each in self.bars if each.symbol == symbol)

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        await self._ask(f"expirations {symbol}")
        return (FRIDAY,)

    async def ex_dividends(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.Dividend, ...]:
        await self._ask(f"dividends {symbol} {first} {last}")
        return (market.Dividend(symbol, date(2026, 3, 10), Decimal("0.25")),)

    async def volatilities(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.DayVolatility, ...]:
        await self._ask(f"volatilities {symbol} {first} {last}")
        return ()

    async def earnings(self, symbol: str, first: date, last: date) -> tuple[market.Earning, ...]:
        await self._ask(f"earnings {symbol} {first} {last}")
        return (market.Earning(symbol, date(2026, 3, 11), "amc", "test", self._clock.now()),)

    def login(self) -> market.Login | None:
        return None

    def _quote(self, symbol: str) -> market.Quote:
        at = self._clock.now() - self.behind
        return market.Quote(symbol, Decimal("100.00"), None, None, at, "test", self.state)
