"""The market as files remember it: end-of-day chains and daily bars, played back by a clock.

At any instant the market is what was known by then: the latest session that has closed,
and while a session runs its opening price when there is a bar of it. A price is "live"
from its session's close until the next opening, "delayed" while that next session runs,
and "stale" once a session has begun that the files do not have.

Two kinds of comma-separated file, told apart by nothing but their header; `.gz` is
unpacked. Columns that are absent are simply not known.

- options: underlying, underlying_last, type, expiration, quotedate, strike, bid, ask and
  perhaps last, volume, openinterest, impliedvol, delta, gamma, theta, vega;
- bars: symbol, date, open, high, low, close, volume and perhaps divCash (dollars per
  share, on the ex-date). Adjusted columns are left alone.

Prices are read from the text as exact decimals, never through floating point.
"""

import csv
import gzip
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

import msgspec

from domain import calendar, market

SOURCE = "replay"

_BAR_COLUMNS = frozenset({"symbol", "date", "open", "high", "low", "close", "volume"})
_OPTION_COLUMNS = frozenset(
    {"underlying", "underlying_last", "type", "expiration", "quotedate", "strike", "bid", "ask"}
)


class _Tape(msgspec.Struct, frozen=True):
    """All that the files hold of one symbol, by session."""

    bars: dict[date, market.Bar] = {}
    closes: dict[date, Decimal] = {}
    options: dict[date, list[market.OptionMark]] = {}
    dividends: list[market.Dividend] = []


class Replay:
    """Recorded prices as a provider; `now` tells the time that the recording is played to.

    Raises Unreadable at once when a file is missing or makes no sense.
    """

    def __init__(
        self, now: Callable[[], datetime], chain_csv: Path | None, bars_csv: Path | None
    ) -> None:
        self._now = now
        self._tapes: defaultdict[str, _Tape] = defaultdict(_Tape)
        if chain_csv:
            _read(chain_csv, _OPTION_COLUMNS, self._add_option)
        if bars_csv:
            _read(bars_csv, _BAR_COLUMNS, self._add_bar)
        self._days = {symbol: sorted(tape.closes) for symbol, tape in self._tapes.items()}
        self._chain_days = {symbol: sorted(tape.options) for symbol, tape in self._tapes.items()}

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
        bars = self._tape(symbol).bars
        end = min(last, calendar.last_close(self._now()))
        return tuple(bars[day] for day in sorted(bars) if first <= day <= end)

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        chain = self.chain_at(symbol, self._now(), None, None)
        return tuple(sorted({option.expiration for option in chain.options}))

    async def ex_dividends(
        self, symbol: str, first: date, last: date
    ) -> tuple[market.Dividend, ...]:
        """Give them all: a dividend is declared ahead, so those to come are told too."""
        known = sorted(self._tape(symbol).dividends, key=lambda dividend: dividend.ex_date)
        return tuple(dividend for dividend in known if first <= dividend.ex_date <= last)

    async def volatilities(
        self,
        symbol: str,
        first: date,  # noqa: ARG002
        last: date,  # noqa: ARG002
    ) -> tuple[market.DayVolatility, ...]:
        """Give none yet."""
        self._tape(symbol)
        return ()

    def login(self) -> None:
        """Nobody asks who we are."""

    def quote_at(self, symbol: str, instant: datetime) -> market.Quote:
        """The quote at any instant. Raises a MarketFault when there is none."""
        tape, known = self._tape(symbol), symbol.upper()
        today = tape.bars.get(calendar.trading_day(instant))
        if today and calendar.is_open(instant):
            return _quote(known, today.open, calendar.open_at(today.day), "delayed")
        day = _last_closed(known, self._days[known], instant)
        state = _state(day, self._days[known], instant)
        return _quote(known, tape.closes[day], calendar.close_at(day), state)

    def chain_at(
        self, symbol: str, instant: datetime, first: date | None, last: date | None
    ) -> market.Chain:
        """The chain at any instant: as quoted at a close, with the price of that close.

        Raises a MarketFault when there is none.
        """
        tape, known = self._tape(symbol), symbol.upper()
        day = _last_closed(known, self._chain_days[known], instant)
        close = calendar.close_at(day)
        state = _state(day, self._chain_days[known], instant)
        options = (
            option
            for option in tape.options[day]
            if (first is None or first <= option.expiration)
            and (last is None or option.expiration <= last)
        )
        return market.Chain(
            symbol=known,
            underlying=_quote(known, tape.closes[day], close, state),
            options=tuple(sorted(options, key=_order)),
            as_of=close,
            source=SOURCE,
            state=state,
        )

    def _tape(self, symbol: str) -> _Tape:
        known = symbol.upper()
        if known not in self._days:
            raise market.UnknownSymbol(symbol, "not in the recording")
        return self._tapes[known]

    def _add_option(self, row: Mapping[str, str]) -> None:
        symbol, day = row["underlying"], date.fromisoformat(row["quotedate"])
        tape = self._tapes[symbol]
        tape.closes[day] = Decimal(row["underlying_last"])
        tape.options.setdefault(day, []).append(_option(symbol, row))

    def _add_bar(self, row: Mapping[str, str]) -> None:
        bar = _bar(row)
        tape = self._tapes[bar.symbol]
        tape.bars[bar.day] = bar
        tape.closes[bar.day] = bar.close
        if dividend := _decimal(row.get("divCash")):
            tape.dividends.append(market.Dividend(bar.symbol, bar.day, dividend))


def _last_closed(symbol: str, days: Sequence[date], instant: datetime) -> date:
    """The latest of the recorded days whose session has closed by the instant."""
    place = bisect_right(days, instant, key=calendar.close_at)
    if not place:
        raise market.NoData(symbol, "nothing was recorded by that time")
    return days[place - 1]


def _state(day: date, days: Sequence[date], instant: datetime) -> market.PriceState:
    """How fresh a close is at the instant, given all the days that were recorded."""
    following = calendar.next_session(day)
    if instant < calendar.open_at(following):
        return "live"
    place = bisect_right(days, day)
    return "delayed" if place < len(days) and days[place] == following else "stale"


def _quote(symbol: str, last: Decimal, as_of: datetime, state: market.PriceState) -> market.Quote:
    return market.Quote(symbol, last, None, None, as_of, SOURCE, state)


def _order(option: market.OptionMark) -> tuple[date, Decimal, str]:
    return option.expiration, option.strike, option.direction


def _bar(row: Mapping[str, str]) -> market.Bar:
    return market.Bar(
        symbol=row["symbol"],
        day=date.fromisoformat(row["date"]),
        open=Decimal(row["open"]),
        high=Decimal(row["high"]),
        low=Decimal(row["low"]),
        close=Decimal(row["close"]),
        volume=int(Decimal(row["volume"])),
    )


def _option(symbol: str, row: Mapping[str, str]) -> market.OptionMark:
    return market.OptionMark(
        symbol=symbol,
        direction=msgspec.convert(row["type"], market.Direction),
        strike=Decimal(row["strike"]),
        expiration=date.fromisoformat(row["expiration"]),
        bid=_decimal(row.get("bid")),
        ask=_decimal(row.get("ask")),
        last=_decimal(row.get("last")),
        implied_volatility=_number(row.get("impliedvol")),
        delta=_number(row.get("delta")),
        gamma=_number(row.get("gamma")),
        theta=_number(row.get("theta")),
        vega=_number(row.get("vega")),
        open_interest=_count(row.get("openinterest")),
        volume=_count(row.get("volume")),
    )


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _number(text: str | None) -> float | None:
    """A float, or None for an empty field and for what is not a number."""
    number = float(text) if text else math.nan
    return number if math.isfinite(number) else None


def _count(text: str | None) -> int | None:
    return int(Decimal(text)) if text else None


def _read(path: Path, needed: frozenset[str], take: Callable[[Mapping[str, str]], None]) -> None:
    """Hand every row of the file on. Raises Unreadable, naming the file and the line."""
    with _opened(path) as file:
        rows = csv.DictReader(file)
        if missing := needed - set(rows.fieldnames or ()):
            raise market.Unreadable(path.name, f"no column {', '.join(sorted(missing))}")
        for row in rows:
            try:
                take(row)
            except (ValueError, TypeError, InvalidOperation) as error:
                raise market.Unreadable(path.name, f"line {rows.line_num}: {error!r}") from error


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The file as text, unpacked when its name says so."""
    try:
        with _text(path) as file:
            yield file
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise market.Unreadable(path.name, str(error)) from error


def _text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
