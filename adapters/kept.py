"""What the market said last, as it is kept in the bus's bucket for all processes.

One entry a kind and symbol: the answer, the window of dates that it is about, and when it was
fetched. It stays after it has grown old, so that what was known can be shown while the provider
does not answer. Packed, as a chain can have thousands of contracts.
"""

import zlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from domain import calendar, freshness, market, subjects

T = TypeVar("T")

FRESH: Final[Mapping[subjects.MarketKind, timedelta]] = {
    "chain": timedelta(minutes=15),
    "history": timedelta(hours=24),
    "dividends": timedelta(hours=24),
    "earnings": timedelta(hours=24),
    "volatilities": timedelta(hours=24),
}
"""For how long (in market time) an answer is as good as a new one."""
AGAIN: Final = timedelta(minutes=1)
"""After which a chain is asked for again whose price has grown too old to act upon."""
HOLDS: Final[Mapping[subjects.MarketKind, Any]] = {
    "chain": market.Chain,
    "history": tuple[market.Bar, ...],
    "dividends": tuple[market.Dividend, ...],
    "earnings": tuple[market.Earning, ...],
    "volatilities": tuple[market.DayVolatility, ...],
}
_PACKING: Final = 1


class Kept(msgspec.Struct, Generic[T], frozen=True):
    """An answer, for the dates from first to last, as it was at `fetched_at`."""

    value: T
    first: date
    last: date
    fetched_at: datetime

    def covers(self, first: date, last: date) -> bool:
        """Whether it answers for these dates."""
        return self.first <= first and last <= self.last

    def is_fresh(self, kind: subjects.MarketKind, now: datetime) -> bool:
        """Whether asking again would be too soon; a history lacks a session that ended since."""
        if kind == "history" and calendar.last_close(self.fetched_at) < calendar.last_close(now):
            return False
        age = abs(now - self.fetched_at)
        return age < FRESH[kind] and (age < AGAIN or not self._is_outlived(now))

    def _is_outlived(self, now: datetime) -> bool:
        """Whether it is a chain of a price that is stale: it was not of the instant it came."""
        value = self.value
        return (
            isinstance(value, market.Chain)
            and freshness.price_state(value.underlying, now) == "stale"
        )


def key(kind: subjects.MarketKind, symbol: str) -> str:
    """Under which key of the bucket it is kept."""
    return f"{kind}.{market.subject_token(symbol)}"


def marks_key(symbol: str) -> str:
    """Under which key the marks of a symbol's held contracts are kept."""
    return f"marks.{market.subject_token(symbol)}"


def packed(entry: Kept[Any]) -> bytes:
    """The entry as it is kept."""
    return zlib.compress(msgspec.msgpack.encode(entry), _PACKING)


def unpacked(kind: subjects.MarketKind, body: bytes) -> Kept[Any] | None:
    """An entry that was kept; None for one that another version wrote, or nobody."""
    try:
        entry: Kept[Any] = _decoder(kind).decode(zlib.decompress(body))
    except (msgspec.MsgspecError, zlib.error):
        return None
    return entry


@cache
def _decoder(kind: subjects.MarketKind) -> msgspec.msgpack.Decoder[Any]:
    holds: Any = HOLDS[kind]
    return msgspec.msgpack.Decoder(Kept[holds])
