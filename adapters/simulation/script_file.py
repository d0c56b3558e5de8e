"""A script that somebody writes from outside, into a file, while the simulation runs."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from adapters.simulation import script
from domain import market

MOST: Final = Decimal(1_000_000)
EVERY: Final = "*"

_log = logging.getLogger(__name__)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_UNREADABLE: Final = (OSError, msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
_FAULTS: Final = MappingProxyType(
    {
        "down": market.ProviderDown,
        "throttled": market.Throttled,
        "unauthenticated": market.ReauthRequired,
        "unknown": market.UnknownSymbol,
        "unreadable": market.Unreadable,
    }
)


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to a symbol from `since` on (from when it is read) until `until` (for good)."""

    price: Decimal | None = None
    gap: Decimal | None = None
    split: Decimal | None = None
    fault: Literal["down", "throttled", "unauthenticated", "unknown", "unreadable"] | None = None
    stale: bool = False
    halt: bool = False
    no_greeks: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.price is not None and not _is_price(self.price):
            raise ValueError(f"a price is above 0 and below {MOST}")
        if self.gap is not None and not -1 < self.gap < MOST:
            raise ValueError("a gap is a fraction above -1")
        if self.split is not None and not 0 < self.split < MOST:
            raise ValueError("a split's ratio is above 0")


_Timed = tuple[datetime, Decimal]
_Content = dict[str, Decimal | Told | list[Told | _Timed]]
_DECODER: Final = msgspec.json.Decoder(_Content)


class ScriptFile:
    """Reads the file when a question finds it changed; docs/simulation.md has its format.

    While it is missing or half written, what it said before holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None
        self._refused: tuple[int, int] | None = None
        self._begun: dict[tuple[str, Told], datetime] = {}
        self._scripts: dict[str, script.Script] = {}

    def script(self, symbol: str, instant: datetime) -> script.Script:
        """What the file says now about the symbol, to a question of that instant."""
        self._refresh(instant)
        return self._scripts.get(symbol) or self._scripts.get(EVERY) or script.NOTHING

    def _refresh(self, instant: datetime) -> None:
        seen = None
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen != self._read:
                self._take(_DECODER.decode(self._path.read_bytes()), instant)
                self._read = seen
        except _UNREADABLE as reason:
            if seen != self._refused:
                self._refused = seen
                _log.warning("the market's script cannot be read, the one before holds: %s", reason)

    def _take(self, content: _Content, instant: datetime) -> None:
        told = {symbol.upper(): list(_listed(said)) for symbol, said in content.items()}
        pairs = [(symbol, each) for symbol, listed in told.items() for each in listed]
        self._begun = {pair: self._begun.get(pair, instant) for pair in pairs}
        acts = {
            symbol: [act for each in listed for act in _acts(each, self._begun[symbol, each])]
            for symbol, listed in told.items()
        }
        for_all = acts.get(EVERY, [])
        self._scripts = {
            symbol: script.Script((*for_all, *own) if symbol != EVERY else tuple(own))
            for symbol, own in acts.items()
        }


def _listed(said: Decimal | Told | list[Told | _Timed]) -> Iterator[Told]:
    """All that is said of one symbol; a price that cannot be is not said."""
    if isinstance(said, Decimal):
        said = [(_EVER, said)]
    for each in [said] if isinstance(said, Told) else said:
        if isinstance(each, Told):
            yield each
        elif _is_price(each[1]):
            yield Told(price=each[1], since=each[0])


def _acts(told: Told, begun: datetime) -> Iterator[script.Act]:
    since = _aware(told.since or begun)
    until = _aware(told.until) if told.until else None
    if told.price is not None:
        yield script.Forced(symbol=None, since=since, until=until, price=told.price)
    if told.gap is not None:
        yield script.Gap(symbol=None, since=since, until=until, change=told.gap)
    if told.split is not None:
        yield script.Split(symbol=None, since=since, until=until, ratio=told.split)
    if told.fault is not None:
        yield script.Failure(symbol=None, since=since, until=until, fault=_FAULTS[told.fault])
    if told.stale:
        yield script.Stale(symbol=None, since=since, until=until)
    if told.halt:
        yield script.Halt(symbol=None, since=since, until=until)
    if told.no_greeks:
        yield script.NoGreeks(symbol=None, since=since, until=until)


def _is_price(price: Decimal) -> bool:
    """Nobody sells for nothing."""
    return price.is_finite() and 0 < price < MOST


def _aware(instant: datetime) -> datetime:
    """An instant without a zone is meant in UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
