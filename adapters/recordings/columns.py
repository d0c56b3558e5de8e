"""Recordings as parquet, told apart by their columns: chains, as two projects publish them.

- Lean's: quote_date, underlying, underlying_close, type, expiration, strike, bid, ask, last,
  volume, open_interest: chains at the close, without volatilities;
- Yahoo's: exchange_time (UTC), underlying_index, spot_price, contract, contract_size, optiontype
  (C or P), expiry, strike, bid_price, ask_price, mark_iv, delta, gamma, vega (per 1.00, so a
  hundredth of it is taken), open_interest, volume. Its theta is left alone: it is four times what
  the rest of the row makes of it.

Prices are stored as floats there: they are taken as the shortest decimals that stand for them,
to a hundredth of a cent.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from adapters.recordings import rows
from adapters.recordings.tape import Tapes
from domain import calendar, market

Row = dict[str, Any]

HUNDRED: Final = 100
_NONSENSE: Final = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError)
_PLACES: Final = 4
_DIRECTIONS: Final[Mapping[str, market.Direction]] = MappingProxyType({"C": "call", "P": "put"})


class Kind(NamedTuple):
    """A kind of file: the columns that are read of it, and how a row of them is taken."""

    columns: tuple[str, ...]
    take: Callable[[Row, Tapes], None]


def read(path: Path, tapes: Tapes) -> bool:
    """Take the file's rows, if it is of a kind that is known here.

    Raises Unreadable, naming the file, when it cannot be read.
    """
    import polars as pl  # noqa: PLC0415  it takes long to load, and few have such files

    try:
        names = frozenset(pl.read_parquet_schema(path))
        kind = next((kind for kind in KINDS.values() if names.issuperset(kind.columns)), None)
        if kind is None:
            return False
        for row in pl.read_parquet(path, columns=list(kind.columns)).iter_rows(named=True):
            kind.take(row, tapes)
    except (OSError, pl.exceptions.PolarsError, *_NONSENSE) as error:
        raise market.Unreadable(path.name, repr(error)) from error
    return True


def _lean(row: Row, tapes: Tapes) -> None:
    tapes.add_option(
        calendar.close_at(row["quote_date"]),
        _price(row["underlying_close"]),
        market.OptionMark(
            symbol=row["underlying"],
            direction=msgspec.convert(row["type"], market.Direction),
            strike=_price(row["strike"]),
            expiration=row["expiration"],
            bid=_decimal(row["bid"]),
            ask=_decimal(row["ask"]),
            last=_decimal(row["last"]),
            implied_volatility=None,
            delta=None,
            gamma=None,
            theta=None,
            vega=None,
            open_interest=row["open_interest"],
            volume=row["volume"],
        ),
    )


def _yahoo(row: Row, tapes: Tapes) -> None:
    symbol = row["underlying_index"]
    if row["contract_size"] != HUNDRED or rows.is_adjusted(symbol, row["contract"]):
        return
    vega = _number(row["vega"])
    tapes.add_option(
        _instant(row["exchange_time"]),
        _price(row["spot_price"]),
        market.OptionMark(
            symbol=symbol,
            direction=_DIRECTIONS[row["optiontype"]],
            strike=_price(row["strike"]),
            expiration=_expiration(row["expiry"]),
            bid=_decimal(row["bid_price"]),
            ask=_decimal(row["ask_price"]),
            last=None,
            implied_volatility=_number(row["mark_iv"]),
            delta=_number(row["delta"]),
            gamma=_number(row["gamma"]),
            theta=None,
            vega=None if vega is None else vega / HUNDRED,
            open_interest=row["open_interest"],
            volume=row["volume"],
        ),
    )


_LEAN: Final = (
    "quote_date underlying underlying_close type expiration strike bid ask last"
    " volume open_interest"
)
_YAHOO: Final = (
    "exchange_time underlying_index spot_price contract contract_size optiontype expiry strike"
    " bid_price ask_price mark_iv delta gamma vega open_interest volume"
)
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"lean": Kind(tuple(_LEAN.split()), _lean), "yahoo": Kind(tuple(_YAHOO.split()), _yahoo)}
)


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    """The instant that was written; one without a zone is in UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def _expiration(text: str) -> date:
    return calendar.trading_day(_instant(text))


def _price(number: float) -> Decimal:
    price = _decimal(number)
    if not price:
        raise ValueError(f"{number!r} is no price")
    return price


def _decimal(number: float | None) -> Decimal | None:
    known = _number(number)
    return None if known is None or known < 0 else Decimal(repr(round(known, _PLACES)))


def _number(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
