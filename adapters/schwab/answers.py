"""Quotes, bars, expirations, dividends and hours as Schwab sends them; chains stand by themselves.

Each takes a body, or a part of one, and raises Unreadable when that makes no sense.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from adapters.schwab import symbols
from adapters.schwab.chains import SOURCE, UNREADABLE, instant, price
from domain import calendar, market

T = TypeVar("T")


class Session(msgspec.Struct, frozen=True):
    """The hours of regular trading on a day, in UTC."""

    opens: datetime
    closes: datetime


class _Errors(msgspec.Struct, rename="camel"):
    invalid_symbols: list[str] = []


class _Last(msgspec.Struct, rename="camel"):
    last_price: Decimal | None = None
    bid_price: Decimal | None = None
    ask_price: Decimal | None = None
    quote_time: int | None = None
    trade_time: int | None = None


class _Quoted(msgspec.Struct, rename="camel"):
    quote: _Last
    realtime: bool = False


class _Fundamental(msgspec.Struct, rename="camel", frozen=True):
    div_pay_amount: Decimal | None = None
    div_ex_date: str | None = None
    next_div_ex_date: str | None = None


class _Share(msgspec.Struct):
    fundamental: _Fundamental = _Fundamental()


class _Candle(msgspec.Struct):
    datetime: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: float = 0


class _History(msgspec.Struct):
    candles: list[_Candle] = []


class _Expiration(msgspec.Struct, rename="camel"):
    expiration_date: date
    standard: bool = True


class _Expirations(msgspec.Struct, rename="camel"):
    expiration_list: list[_Expiration]


class _Span(msgspec.Struct):
    start: datetime
    end: datetime


class _Hours(msgspec.Struct, rename="camel"):
    is_open: bool
    session_hours: dict[str, list[_Span]] = {}


_Said = dict[str, msgspec.Raw]
_SAID: Final = msgspec.json.Decoder(_Said)
_ERRORS: Final = msgspec.json.Decoder(_Errors)
_QUOTED: Final = msgspec.json.Decoder(_Quoted)
_SHARE: Final = msgspec.json.Decoder(_Share)
_HISTORY: Final = msgspec.json.Decoder(_History)
_EXPIRATIONS: Final = msgspec.json.Decoder(_Expirations)
_HOURS: Final = msgspec.json.Decoder(dict[str, dict[str, _Hours]])


def quotes(body: bytes, asked: list[str]) -> dict[str, market.Quote | market.MarketFault]:
    """A quote or a fault for each symbol that was asked about, each read by itself."""
    said = _read(asked[0], lambda: _SAID.decode(body))
    unknown = _unknown(asked[0], said)
    return {symbol: _quote_or_fault(symbol, said, unknown) for symbol in asked}


def _quote_or_fault(
    symbol: str, said: _Said, unknown: set[str]
) -> market.Quote | market.MarketFault:
    try:
        written = _part(symbol, said, unknown)
        return _read(symbol, lambda: _quote(symbol, _QUOTED.decode(written)))
    except market.MarketFault as fault:
        return fault


def _quote(symbol: str, said: _Quoted) -> market.Quote:
    quote = said.quote
    last = price(quote.last_price)
    at = max(quote.quote_time or 0, quote.trade_time or 0)
    if last is None or not at:
        raise market.NoData(symbol, "the provider has no price for it")
    return market.Quote(
        symbol=symbol,
        last=last,
        bid=price(quote.bid_price),
        ask=price(quote.ask_price),
        as_of=instant(at),
        source=SOURCE,
        state="live" if said.realtime else "delayed",
    )


def dividends(body: bytes, symbol: str) -> tuple[market.Dividend, ...]:
    """The last dividend and the next one, which is expected to be as large.

    An ex-date is midnight in New York or in UTC, by turns: the date counts as it is written.
    """
    said = _read(symbol, lambda: _SAID.decode(body))
    written = _part(symbol, said, _unknown(symbol, said))
    return _read(symbol, lambda: _dividends(symbol, _SHARE.decode(written).fundamental))


def _dividends(symbol: str, said: _Fundamental) -> tuple[market.Dividend, ...]:
    amount = price(said.div_pay_amount)
    if amount is None:
        return ()
    days = {date.fromisoformat(at[:10]) for at in (said.div_ex_date, said.next_div_ex_date) if at}
    return tuple(market.Dividend(symbol, day, amount) for day in sorted(days))


def bars(body: bytes, symbol: str) -> tuple[market.Bar, ...]:
    """The daily bars, in order; each is stamped with an hour of its New York day."""
    return _read(symbol, lambda: _bars(symbol, _HISTORY.decode(body)))


def _bars(symbol: str, said: _History) -> tuple[market.Bar, ...]:
    read = (
        market.Bar(
            symbol=symbol,
            day=calendar.trading_day(instant(candle.datetime)),
            open=_price(candle.open),
            high=_price(candle.high),
            low=_price(candle.low),
            close=_price(candle.close),
            volume=int(candle.volume),
        )
        for candle in said.candles
    )
    return tuple(sorted(read, key=lambda bar: bar.day))


def _price(said: Decimal) -> Decimal:
    if (meant := price(said)) is None:
        raise ValueError("a bar has no price")
    return meant


def expirations(body: bytes, symbol: str) -> tuple[date, ...]:
    """The days on which options end that are what they seem, in order."""
    said = _read(symbol, lambda: _EXPIRATIONS.decode(body)).expiration_list
    return tuple(sorted({each.expiration_date for each in said if each.standard}))


def session(body: bytes, day: date) -> Session | None:
    """The regular session of shares on a day, None when there is none.

    Under `equity` stands the product, whose name is another one (`EQ`, `equity`) when closed.
    """
    about = day.isoformat()
    said = _read(about, lambda: _HOURS.decode(body)).get("equity", {})
    spans = [
        span
        for hours in said.values()
        if hours.is_open
        for span in hours.session_hours.get("regularMarket", [])
    ]
    if not said or any(span.start.tzinfo is None or span.end.tzinfo is None for span in spans):
        raise market.Unreadable(about, "the provider does not say when shares are traded")
    if not spans:
        return None
    opens, closes = min(span.start for span in spans), max(span.end for span in spans)
    return Session(opens.astimezone(UTC), closes.astimezone(UTC))


def _part(symbol: str, said: Mapping[str, msgspec.Raw], unknown: set[str]) -> msgspec.Raw:
    """What is said of one symbol."""
    if (written := said.get(symbols.theirs(symbol))) is not None:
        return written
    if symbol in unknown:
        raise market.UnknownSymbol(symbol, "Schwab does not know it")
    raise market.NoData(symbol, "the provider left it out of its answer")


def _unknown(symbol: str, said: Mapping[str, msgspec.Raw]) -> set[str]:
    if (errors := said.get("errors")) is None:
        return set()
    told = _read(symbol, lambda: _ERRORS.decode(errors))
    return {symbols.ours(each) for each in told.invalid_symbols}


def _read(symbol: str, reading: Callable[[], T]) -> T:
    try:
        return reading()
    except UNREADABLE as reason:
        why = f"the provider's answer makes no sense: {reason}"
        raise market.Unreadable(symbol, why) from reason
