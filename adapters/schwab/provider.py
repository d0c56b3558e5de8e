"""Schwab as a provider of the market's data."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from aiolimiter import AsyncLimiter
from msgspec.structs import replace

from adapters.inquiry import Inquiry
from adapters.schwab import answers, chains, symbols
from adapters.schwab.client import AsyncClient
from adapters.schwab.line import Line, about
from domain import calendar, market, ports

BURST: Final = 20
SPAN: Final = 12.0
"""Twenty at once and a hundred a minute after them: never more than the 120 that Schwab allows."""
MOST_SYMBOLS: Final = 200
WIDEST: Final = timedelta(days=31)
"""A window of expirations that is asked for as it is; a wider one is asked for in parts."""
MOST_EXPIRATIONS: Final = 6
_DAY: Final = timedelta(days=1)
_QUOTE: Final = AsyncClient.Quote.Fields
_EQUITY: Final = AsyncClient.MarketHours.Market.EQUITY

Window = tuple[date, date]
Answers = dict[str, market.Quote | market.MarketFault]


def inquiry() -> Inquiry:
    """How Schwab is asked; one to a process."""
    return Inquiry("Schwab", AsyncLimiter(BURST, SPAN))


class Schwab:
    """What Schwab says at the clock's present."""

    def __init__(self, line: Line, clock: ports.Clock) -> None:
        self._line = line
        self._clock = clock

    async def quotes(self, symbols: Iterable[str]) -> Answers:
        answered: Answers = {}
        known: dict[str, str] = {}
        for symbol in symbols:
            try:
                known[symbol] = _known(symbol)
            except market.UnknownSymbol as fault:
                answered[symbol] = fault
        said = await self._quoted(sorted(set(known.values())))
        return answered | {symbol: said[each] for symbol, each in known.items()}

    async def _quoted(self, known: list[str]) -> Answers:
        said: Answers = {}
        for start in range(0, len(known), MOST_SYMBOLS):
            batch = known[start : start + MOST_SYMBOLS]
            try:
                body = await self._quote_body(batch, _QUOTE.QUOTE)
                said |= answers.quotes(body, batch)
            except market.MarketFault as fault:
                said |= {symbol: about(symbol, fault) for symbol in batch}
        return said

    async def _quote_body(self, known: Sequence[str], fields: object) -> bytes:
        written = [symbols.theirs(symbol) for symbol in known]
        return await self._line.ask(
            known[0], lambda client: client.get_quotes(written, fields=fields)
        )

    async def chain(self, symbol: str, first: date | None, last: date | None) -> market.Chain:
        known = _known(symbol)
        begin = first or self._today()
        windows = await self._windows(known, begin, last)
        whole = _joined([await self._part(known, window) for window in windows])
        inside = (
            mark
            for mark in whole.options
            if begin <= mark.expiration and (last is None or mark.expiration <= last)
        )
        return replace(whole, options=tuple(inside))

    async def _windows(self, known: str, begin: date, last: date | None) -> list[Window]:
        """What to ask for, bit by bit: all of a large chain at once is more than Schwab can do."""
        if last is not None and last - begin <= WIDEST:
            return [(begin, max(begin, last))]
        days = [
            day
            for day in await self.expirations(known)
            if begin <= day and (last is None or day <= last)
        ]
        parts = (days[n : n + MOST_EXPIRATIONS] for n in range(0, len(days), MOST_EXPIRATIONS))
        return [(part[0], part[-1]) for part in parts] or [(begin, begin)]

    async def _part(self, known: str, window: Window) -> market.Chain:
        """The chain of a window; where a part of it is left out, of its halves."""
        first, last = window
        body = await self._line.ask(
            known,
            lambda client: client.get_option_chain(
                symbols.theirs(known),
                from_date=first,
                to_date=last,
                include_underlying_quote=True,
            ),
        )
        try:
            return chains.decoded(body, known)
        except chains.Truncated as reason:
            if first == last:
                raise market.Unreadable(known, reason.why) from reason
        middle = first + (last - first) // 2
        halves = ((first, middle), (middle + _DAY, last))
        return _joined([await self._part(known, half) for half in halves])

    async def history(self, symbol: str, first: date, last: date) -> tuple[market.Bar, ...]:
        known = _known(symbol)
        until = min(last, calendar.last_close(self._clock.now()))
        if until < first:
            return ()
        body = await self._line.ask(
            known,
            lambda client: client.get_price_history_every_day(
                symbols.theirs(known),
                start_datetime=datetime.combine(first, time.min, calendar.NEW_YORK),
                end_datetime=calendar.day_end(until),
                need_extended_hours_data=False,
            ),
        )
        return tuple(bar for bar in answers.bars(body, known) if first <= bar.day <= until)

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        known = _known(symbol)
        body = await self._line.ask(
            known, lambda client: client.get_option_expiration_chain(symbols.theirs(known))
        )
        return answers.expirations(body, known)

    async def ex_dividends(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.Dividend, ...]:
        known = _known(symbol)
        body = await self._quote_body([known], _QUOTE.FUNDAMENTAL)
        said = answers.dividends(body, known)
        return tuple(each for each in said if first <= each.ex_date <= last)

    async def volatilities(
        self,
        symbol: str,
        first: date,  # noqa: ARG002  the port's
        last: date,  # noqa: ARG002  the port's
    ) -> tuple[market.DayVolatility, ...]:
        """Schwab knows the present only."""
        _known(symbol)
        return ()

    async def hours(self, day: date) -> answers.Session | None:
        """The regular session of a day, None when shares are not traded on it."""
        body = await self._line.ask(
            day.isoformat(), lambda client: client.get_market_hours([_EQUITY], date=day)
        )
        return answers.session(body, day)

    def login(self) -> market.Login | None:
        kept = self._line.kept()
        return None if kept is None else kept.login

    async def aclose(self) -> None:
        """Close the connections."""
        await self._line.aclose()

    def _today(self) -> date:
        return calendar.trading_day(self._clock.now())


def _known(symbol: str) -> str:
    try:
        return market.valid_symbol(symbol)
    except ValueError as error:
        raise market.UnknownSymbol(symbol) from error


def _joined(parts: Sequence[market.Chain]) -> market.Chain:
    """Parts of one chain, in the order of their expirations, as the whole."""
    newest = max(parts, key=lambda part: part.as_of)
    delayed = any(part.state == "delayed" for part in parts)
    options = tuple(mark for part in parts for mark in part.options)
    return replace(newest, options=options, state="delayed" if delayed else newest.state)
