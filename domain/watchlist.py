"""The watchlist: the symbols in which opportunities are looked for.

──SymbolWatched──▶ watched ──SymbolUnwatched──▶ not watched, and perhaps watched again
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import commands, facts, moments, refusals


class Watch(commands.Command, frozen=True, kw_only=True):
    """Put a symbol on the watchlist; `notes` say why, `profile` how far out to look."""

    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=10)]
    profile: facts.Profile = "conservative"


class Unwatch(commands.Command, frozen=True, kw_only=True):
    """Take a symbol off the watchlist."""

    symbol: str


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Look for opportunities now: in these symbols, or in all that are watched."""

    symbols: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)] | None = None

    @property
    def named(self) -> tuple[str, ...] | None:
        """The symbols as they are kept, each once; raises refusals.Invalid for what is none."""
        if self.symbols is None:
            return None
        return tuple(dict.fromkeys(map(commands.symbol_of, self.symbols)))


Order = Watch | Unwatch


class Entry(msgspec.Struct, frozen=True):
    """A symbol as it was put on the list, and whether it is still there.

    `version` is that of the list's last fact about it.
    """

    symbol: str
    notes: str | None
    profile: facts.Profile
    watched_at: datetime
    version: int
    is_watched: bool = True


class Watchlist(msgspec.Struct, frozen=True):
    """Every symbol that was ever watched; `version` counts the facts."""

    entries: Mapping[str, Entry] = {}
    version: int = 0
    recorded_at: datetime | None = None

    @property
    def watched(self) -> list[Entry]:
        """What is watched now, by symbol."""
        return sorted(
            (each for each in self.entries.values() if each.is_watched),
            key=lambda each: each.symbol,
        )

    def entry(self, symbol: str) -> Entry | None:
        """The entry of a symbol that is watched."""
        found = self.entries.get(symbol)
        return found if found is not None and found.is_watched else None


EMPTY = Watchlist()


def fold(stream: Iterable[facts.Recorded], watchlist: Watchlist = EMPTY) -> Watchlist:
    """The list that a stream's facts lead to."""
    for recorded in stream:
        watchlist = evolve(watchlist, recorded)
    return watchlist


def evolve(watchlist: Watchlist, recorded: facts.Recorded) -> Watchlist:
    """Fold one fact in. Never refuses: what happened, happened."""
    entry = _entry(watchlist, recorded)
    entries = watchlist.entries if entry is None else {**watchlist.entries, entry.symbol: entry}
    return Watchlist(entries, recorded.version, recorded.recorded_at)


def _entry(watchlist: Watchlist, recorded: facts.Recorded) -> Entry | None:
    """The entry that a fact leaves, if it leaves one."""
    match recorded.fact:
        case facts.SymbolWatched(symbol=symbol, notes=notes, profile=profile):
            return Entry(symbol, notes, profile, recorded.effective_at, recorded.version)
        case facts.SymbolUnwatched(symbol=symbol) if before := watchlist.entries.get(symbol):
            return replace(before, version=recorded.version, is_watched=False)
        case _:  # a stranger in the stream means nothing to the list
            return None


def law(watchlist: Watchlist, fact: facts.WatchlistFact) -> refusals.Refusal | None:
    """Why this fact could not happen to this list, if it could not."""
    match fact:
        case facts.SymbolWatched(symbol=symbol) if watchlist.entry(symbol):
            return refusals.Exists(f"{symbol} is watched already", symbol=symbol)
        case facts.SymbolUnwatched(symbol=symbol) if not watchlist.entry(symbol):
            return refusals.Unknown("watched symbol", symbol)
        case facts.SymbolWatched() | facts.SymbolUnwatched():
            return None
        case _:
            assert_never(fact)


def decide(
    watchlist: Watchlist, order: Order, *, now: datetime, command_id: UUID
) -> list[facts.Recorded]:
    """The fact that an order leads to, not stored yet (position 0).

    Raises refusals.Invalid for what is no symbol, refusals.Exists for one that is watched, and
    refusals.Unknown for taking off one that is not.
    """
    fact = _fact(order)
    if refusal := law(watchlist, fact):
        raise refusal
    at = now
    if order.effective_at is not None:
        at = moments.happened("effective_at", order.effective_at, now)
    learned = moments.learned(now, watchlist.recorded_at)
    return [
        facts.Recorded(
            0,
            facts.WATCHLIST_STREAM,
            watchlist.version + 1,
            learned,
            at,
            order.source,
            command_id,
            order.external_id,
            fact,
        )
    ]


def _fact(order: Order) -> facts.WatchlistFact:
    match order:
        case Watch(notes=notes, profile=profile):
            symbol = commands.symbol_of(order.symbol)
            return facts.SymbolWatched(symbol=symbol, notes=notes, profile=profile)
        case Unwatch():
            return facts.SymbolUnwatched(symbol=order.symbol.upper())
        case _:
            assert_never(order)
