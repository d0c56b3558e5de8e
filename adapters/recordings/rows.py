"""Recordings as comma-separated text, told apart by the columns in their header.

- options: underlying, underlying_last, type, expiration, quotedate, strike, bid, ask and perhaps
  optionroot, last, volume, openinterest, impliedvol, delta, gamma, theta, vega: chains as they
  were quoted at the close;
- bars: symbol, date, open, high, low, close, volume and perhaps divCash (dollars per share, on
  the ex-date). Adjusted columns are left alone: prices are as they were traded;
- actions: symbol, ex_date, kind, value. Dividends in dollars per share are taken; splits are
  passed over, as bars and chains are as they were traded, before and after;
- earnings: symbol, date (day/month/year), release_time (pre, post, NULL);
- reports: stock, earnings_date: earnings whose hour nobody wrote down.

`.gz` is unpacked. Columns that are absent are simply not known. Prices are read from the text as
exact decimals, never through floating point.
"""

import csv
import gzip
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, TextIO

import msgspec

from adapters.recordings.tape import Hour, Tapes
from domain import calendar, market

Row = Mapping[str, str]

_NOTHING: Final = frozenset({"", "NULL"})
_HOURS: Final[Mapping[str, Hour]] = MappingProxyType({"pre": "bmo", "post": "amc"})
_DATE: Final = "%d/%m/%Y"
_NAMED: Final = re.compile(r"([A-Z]+)(\d?)\d{6}[CP]\d{8}")


class Kind(NamedTuple):
    """A kind of file: the columns that it must have, and how a row of it is taken."""

    columns: frozenset[str]
    take: Callable[[Row, Tapes], None]


def read(path: Path, tapes: Tapes) -> bool:
    """Take the file's rows, if it is of a kind that is known here.

    Raises Unreadable, naming the file and the line, when it cannot be read.
    """
    with _opened(path) as file:
        rows = csv.DictReader(file)
        kind = _kind(frozenset(rows.fieldnames or ()))
        if kind is None:
            return False
        for row in rows:
            try:
                kind.take(row, tapes)
            except (ValueError, TypeError, InvalidOperation) as error:
                raise market.Unreadable(path.name, f"line {rows.line_num}: {error!r}") from error
    return True


def _kind(columns: frozenset[str]) -> Kind | None:
    return next((kind for kind in KINDS.values() if kind.columns <= columns), None)


# --- the kinds -------------------------------------------------------------------------------


def _option(row: Row, tapes: Tapes) -> None:
    symbol = row["underlying"]
    if is_adjusted(symbol, row.get("optionroot")):
        return
    price = _price(row["underlying_last"])
    tapes.add_option(
        calendar.close_at(_day(row["quotedate"])),
        price,
        market.OptionMark(
            symbol=symbol,
            direction=msgspec.convert(row["type"], market.Direction),
            strike=_price(row["strike"]),
            expiration=_day(row["expiration"]),
            bid=_decimal(row["bid"]),
            ask=_decimal(row["ask"]),
            last=_decimal(row.get("last")),
            implied_volatility=_number(row.get("impliedvol")),
            delta=_number(row.get("delta")),
            gamma=_number(row.get("gamma")),
            theta=_number(row.get("theta")),
            vega=_number(row.get("vega")),
            open_interest=_count(row.get("openinterest")),
            volume=_count(row.get("volume")),
        ),
    )


def _bar(row: Row, tapes: Tapes) -> None:
    symbol, day = row["symbol"], _day(row["date"])
    opened, high, low, close = (_price(row[name]) for name in ("open", "high", "low", "close"))
    volume = int(Decimal(row["volume"]))
    tapes.of(symbol).bars[day] = market.Bar(symbol, day, opened, high, low, close, volume)
    if dividend := _decimal(row.get("divCash")):
        tapes.of(symbol).dividends[day] = dividend


def _action(row: Row, tapes: Tapes) -> None:
    value = _price(row["value"])
    match row["kind"]:
        case "dividend":
            tapes.of(row["symbol"]).dividends.setdefault(_day(row["ex_date"]), value)
        case "split":
            pass
        case other:
            raise ValueError(f"{other!r} is neither a dividend nor a split")


def _earning(row: Row, tapes: Tapes) -> None:
    day = datetime.strptime(row["date"], _DATE).date()  # noqa: DTZ007  a date has no zone
    said = row["release_time"]
    if said not in _HOURS and said not in _NOTHING:
        raise ValueError(f"{said!r} is neither pre nor post")
    tapes.of(row["symbol"]).earnings[day] = _HOURS.get(said, "")


def _report(row: Row, tapes: Tapes) -> None:
    tapes.of(row["stock"]).earnings.setdefault(_day(row["earnings_date"]), "")


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        name: Kind(frozenset(columns.split(" ")), take)
        for name, columns, take in (
            (
                "options",
                "underlying underlying_last type expiration quotedate strike bid ask",
                _option,
            ),
            ("bars", "symbol date open high low close volume", _bar),
            ("actions", "symbol ex_date kind value", _action),
            ("earnings", "symbol date release_time", _earning),
            ("reports", "stock earnings_date", _report),
        )
    }
)


# --- fields ----------------------------------------------------------------------------------


def is_adjusted(symbol: str, contract: str | None) -> bool:
    """Whether a contract's name says that it delivers something else than the share: AAPL7."""
    named = _NAMED.fullmatch(contract or "")
    return named is not None and named[1] == symbol and named[2] != ""


@lru_cache(maxsize=8192)
def _day(text: str) -> date:
    return date.fromisoformat(text)


def _price(text: str) -> Decimal:
    price = Decimal(text)
    if not (price.is_finite() and price > 0):
        raise ValueError(f"{text!r} is no price")
    return price


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text and text not in _NOTHING else None


def _number(text: str | None) -> float | None:
    """A float, or None for an empty field and for what is not a number."""
    number = float(text) if text else math.nan
    return number if math.isfinite(number) else None


def _count(text: str | None) -> int | None:
    return int(Decimal(text)) if text else None


# --- files -----------------------------------------------------------------------------------


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
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
