"""A market without an account or a network: seeded, and the same however it is asked.

Every price is a pure function of (seed, symbol, instant): each random block is drawn from
a Philox generator keyed by a hash of the seed, the symbol and the time it belongs to, and
nothing depends on which question came first. What is kept in memory is only a shortcut.

The model, in log prices, one step a session (252 a year) from the first session of 2000:

- market volatility is a log Ornstein-Uhlenbeck process (kappa 4, level 16 %, volatility of
  volatility 1.4, correlation -0.7 with the market's own moves); the market jumps twice a
  year, by -3 % on average;
- a symbol moves by its beta times the market, a diffusion of its own, a jump every 63
  sessions when it reports, and its dividend every 63 sessions; a slow pull (0.35 a year)
  keeps it in reach of its reference price at whatever date a run starts;
- a session opens after a gap (jumps happen at night) and runs to its close as a Brownian
  bridge over its minutes; between two minutes the price moves in a straight line;
- options are Black-Scholes-Merton on an SSVI smile (Gatheral and Jacquier, 2014), never
  under their intrinsic value, with bids and asks on ticks of 0.01 below 3 and 0.05 above.

A Script forces prices, gaps, splits, halts, staleness and failures; so does a file, while a
run goes on (docs/simulation.md).
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from adapters.simulation import chains, sessions, symbols
from adapters.simulation.paths import Paths
from adapters.simulation.script import CENT, NOTHING, Halt, Script, to_the_cent
from adapters.simulation.script_file import ScriptFile
from domain import calendar, market

SOURCE = "simulated"


class Simulated:
    """The simulated market as a provider; `now` tells the market's time.

    Where there is a `script_file`, what it says at the moment is played, else `script`.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        seed: int = 0,
        script: Script = NOTHING,
        script_file: Path | None = None,
    ) -> None:
        self._now = now
        self._paths = Paths(seed, known=now().year)  # its days take a while: no question waits
        self._played = script
        self._file = ScriptFile(script_file) if script_file else None

    async def quotes(self, symbols: Iterable[str]) -> dict[str, market.Quote | market.MarketFault]:
        instant = self._now()
        answers: dict[str, market.Quote | market.MarketFault] = {}
        for symbol in symbols:
            try:
                answers[symbol] = self.quote_at(symbol, instant)
            except market.MarketFault as fault:
                answers[symbol] = fault
        return answers

    async def chain(self, symbol: str, first: date | None, last: date | None) -> market.Chain:
        return self.chain_at(symbol, self._now(), first, last)

    async def history(self, symbol: str, first: date, last: date) -> tuple[market.Bar, ...]:
        instant = self._now()
        known = self._known(symbol, instant)
        closed = calendar.last_close(instant)
        days = calendar.sessions(max(first, sessions.EPOCH), min(last, closed))
        return tuple(self._bar(known, day) for day in days)

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        instant = self._now()
        self._known(symbol, instant)
        return self._listed(instant)

    async def ex_dividends(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.Dividend, ...]:
        about = symbols.profile(known := self._known(symbol, self._now()))
        amount = Decimal(
            f"{about.price * about.dividend_yield * sessions.QUARTER / sessions.PER_YEAR:.2f}"
        )
        days = calendar.sessions(max(first, sessions.EPOCH), last) if amount else ()
        numbers = ((day, sessions.number(day)) for day in days)
        return tuple(
            market.Dividend(known, day, amount)
            for day, number in numbers
            if number % sessions.QUARTER == about.dividend_phase
        )

    async def earnings(self, symbol: str, first: date, last: date) -> tuple[market.Earning, ...]:
        """Give the days on which it reports, those to come too: half report after a close.

        The price jumps over the night behind that close, or before that opening.
        """
        instant = self._now()
        known = self._known(symbol, instant)
        return tuple(
            market.Earning(known, day, hour, SOURCE, instant)
            for day, hour in symbols.reports(symbols.profile(known), first, last)
        )

    async def volatilities(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.DayVolatility, ...]:
        instant = self._now()
        known = self._known(symbol, instant)
        days = calendar.sessions(
            max(first, sessions.EPOCH), min(last, calendar.last_close(instant))
        )
        return tuple(
            market.DayVolatility(day, chains.at_the_money(known, day, self._paths)) for day in days
        )

    def login(self) -> None:
        """Nobody asks who we are."""

    def quote_at(self, symbol: str, instant: datetime) -> market.Quote:
        """The quote at any instant. Raises a MarketFault when there is none."""
        known = self._known(symbol, instant)
        held = self._script(known, instant).freeze(known, instant)
        seen = held.since if held else instant
        last, as_of = self._price(known, seen)
        spread = max(CENT, (last / 10_000).quantize(CENT))
        halted = isinstance(held, Halt)
        return market.Quote(
            symbol=known,
            last=last,
            bid=None if halted or last <= spread else last - spread,
            ask=None if halted else last + spread,
            as_of=as_of,
            source=SOURCE,
            state="stale" if held else "live",
        )

    def chain_at(
        self, symbol: str, instant: datetime, first: date | None, last: date | None
    ) -> market.Chain:
        """The chain at any instant. Raises a MarketFault when there is none."""
        underlying = self.quote_at(symbol, instant)
        expirations = tuple(
            day
            for day in self._listed(instant)
            if (first is None or first <= day) and (last is None or day <= last)
        )
        options = chains.marks(underlying, expirations, self._paths) if expirations else ()
        if self._script(underlying.symbol, instant).blind(underlying.symbol, instant):
            options = tuple(chains.blinded(option) for option in options)
        return market.Chain(
            symbol=underlying.symbol,
            underlying=underlying,
            options=options,
            as_of=underlying.as_of,
            source=SOURCE,
            state=underlying.state,
        )

    def _known(self, symbol: str, instant: datetime) -> str:
        try:
            known = market.valid_symbol(symbol)
        except ValueError as error:
            raise market.UnknownSymbol(symbol) from error
        if fault := self._script(known, instant).fault(known, instant):
            raise fault
        return known

    def _script(self, symbol: str, instant: datetime) -> Script:
        return self._file.script(symbol, instant) if self._file else self._played

    def _price(self, symbol: str, instant: datetime) -> tuple[Decimal, datetime]:
        """The last price to the cent, and the instant it was made at."""
        played = self._script(symbol, instant)
        if forced := played.forced(symbol, instant):
            return forced, instant
        path, as_of = self._paths.price(symbol, instant)
        price = played.level(symbol, instant, to_the_cent(Decimal(path)))
        moved = played.moved(symbol, instant)
        return price, max(as_of, moved) if moved else as_of

    def _bar(self, symbol: str, day: date) -> market.Bar:
        prices, volume = self._paths.bar(symbol, day)
        close = calendar.close_at(day)
        played = self._script(symbol, close)
        ohlc = [
            played.level(symbol, close, to_the_cent(Decimal(price))) for price in prices.tolist()
        ]
        return market.Bar(symbol, day, ohlc[0], ohlc[1], ohlc[2], ohlc[3], volume)

    @staticmethod
    def _listed(instant: datetime) -> tuple[date, ...]:
        days = chains.expirations(calendar.trading_day(instant))
        return tuple(day for day in days if calendar.close_at(day) > instant)
