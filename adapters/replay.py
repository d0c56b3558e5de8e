"""The market as files remember it: chains, bars, dividends and earnings, played back by a clock.

At any instant the market is what was known by then: the last price that was made, be it the close
of a session, its opening when there is a bar of it, or the one beside a chain that was taken in
between; and the last chain. What was made at a close is "live" until the next opening, "delayed"
while that next session runs, and "stale" once a session has begun that the files do not have. What
was made within a session is "live" for a quarter of an hour, then "delayed" until the next opening,
then "stale".

What kinds of file there are is said in adapters/recordings.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from adapters.recordings import files
from adapters.recordings.tape import Tape
from domain import calendar, market, volatility

SOURCE: Final = "replay"
FRESH: Final = timedelta(minutes=15)
CLOSING: Final = timedelta(minutes=1)
"""What was quoted in a session's last minute is taken for its close."""


class _Played(NamedTuple):
    """A symbol's tape; its prices by when they were made, and what is looked up, in order."""

    tape: Tape
    prices: dict[datetime, Decimal]
    made: list[datetime]
    days: frozenset[date]
    options: dict[datetime, list[market.OptionMark]]
    chains: list[datetime]
    chain_days: frozenset[date]


class Replay:
    """Recorded prices as a provider; `now` tells the time that the recording is played to.

    `path` is a file, or a directory of them. Raises Unreadable at once when one makes no sense.
    """

    def __init__(self, now: Callable[[], datetime], path: Path) -> None:
        self._now = now
        self._played = {symbol: _played(tape) for symbol, tape in files.read(path).items()}
        self._volatility: dict[tuple[str, datetime], float | None] = {}

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
        bars = self._of(symbol).tape.bars
        end = min(last, calendar.last_close(self._now()))
        return tuple(bars[day] for day in sorted(bars) if first <= day <= end)

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        chain = self.chain_at(symbol, self._now(), None, None)
        return tuple(sorted({option.expiration for option in chain.options}))

    async def ex_dividends(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.Dividend, ...]:
        """Give them all: a dividend is declared ahead, so those to come are told too."""
        known = sorted(self._of(symbol).tape.dividends.items())
        return tuple(
            market.Dividend(symbol.upper(), day, amount)
            for day, amount in known
            if first <= day <= last
        )

    async def earnings(self, symbol: str, first: date, last: date) -> tuple[market.Earning, ...]:
        """Give them all, those to come too: a date is set ahead.

        Raises NoData for a symbol of which none was recorded: nobody knows whether it reports.
        """
        known = sorted(self._of(symbol).tape.earnings.items())
        if not known:
            raise market.NoData(symbol, "no earnings were recorded")
        instant = self._now()
        return tuple(
            market.Earning(symbol.upper(), day, hour, SOURCE, instant)
            for day, hour in known
            if first <= day <= last
        )

    async def volatilities(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.DayVolatility, ...]:
        """Give what the last chain of each session says at the money, of sessions that are over."""
        played, end = self._of(symbol), min(last, calendar.last_close(self._now()))
        chains = {calendar.trading_day(at): at for at in played.chains}
        wanted = [(day, at) for day, at in chains.items() if first <= day <= end]
        return await asyncio.to_thread(lambda: tuple(self._at_the_money(symbol, wanted)))

    def login(self) -> None:
        """Nobody asks who we are."""

    def quote_at(self, symbol: str, instant: datetime) -> market.Quote:
        """The quote at any instant. Raises a MarketFault when there is none."""
        played = self._of(symbol)
        at = _latest(symbol, played.made, instant)
        return _quote(symbol, played.prices[at], at, _state(at, played.days, instant))

    def chain_at(
        self, symbol: str, instant: datetime, first: date | None, last: date | None
    ) -> market.Chain:
        """The chain at any instant: the last one taken, with the share's price of then.

        Raises a MarketFault when there is none.
        """
        played = self._of(symbol)
        at = _latest(symbol, played.chains, instant)
        state = _state(at, played.chain_days, instant)
        options = (
            option
            for option in played.options[at]
            if (first is None or first <= option.expiration)
            and (last is None or option.expiration <= last)
        )
        return market.Chain(
            symbol=symbol.upper(),
            underlying=_quote(symbol, played.tape.snapshots[at].price, at, state),
            options=tuple(options),
            as_of=at,
            source=SOURCE,
            state=state,
        )

    def _of(self, symbol: str) -> _Played:
        played = self._played.get(symbol.upper())
        if played is None:
            raise market.UnknownSymbol(symbol, "not in the recording")
        return played

    def _at_the_money(
        self, symbol: str, wanted: Sequence[tuple[date, datetime]]
    ) -> Iterator[market.DayVolatility]:
        """Reckoned once, then kept: a recording does not change."""
        for day, at in wanted:
            key = symbol.upper(), at
            if key not in self._volatility:
                self._volatility[key] = volatility.at_the_money(
                    self.chain_at(symbol, at, None, None)
                )
            if (found := self._volatility[key]) is not None:
                yield market.DayVolatility(day, found)


def _played(tape: Tape) -> _Played:
    prices = {at: snapshot.price for at, snapshot in tape.snapshots.items()}
    prices |= {calendar.open_at(day): bar.open for day, bar in tape.bars.items()}
    prices |= {calendar.close_at(day): bar.close for day, bar in tape.bars.items()}
    return _Played(
        tape=tape,
        prices=prices,
        made=sorted(prices),
        days=frozenset(map(calendar.trading_day, prices)),
        options={at: [o for _, o in sorted(s.options.items())] for at, s in tape.snapshots.items()},
        chains=sorted(tape.snapshots),
        chain_days=frozenset(map(calendar.trading_day, tape.snapshots)),
    )


def _latest(symbol: str, made: Sequence[datetime], instant: datetime) -> datetime:
    """The last of these that was by the instant."""
    place = bisect_right(made, instant)
    if not place:
        raise market.NoData(symbol, "nothing was recorded by that time")
    return made[place - 1]


def _state(made: datetime, days: frozenset[date], instant: datetime) -> market.PriceState:
    """How fresh something is at the instant, given all the days that were recorded."""
    day = calendar.trading_day(made)
    following = calendar.next_session(day)
    closed = not calendar.is_session(day) or made >= calendar.close_at(day) - CLOSING
    if instant < calendar.open_at(following):
        return "live" if closed or instant - made <= FRESH else "delayed"
    return "delayed" if closed and following in days else "stale"


def _quote(symbol: str, last: Decimal, at: datetime, state: market.PriceState) -> market.Quote:
    return market.Quote(symbol.upper(), last, None, None, at, SOURCE, state)
