"""What prices were, at an instant in the past: from the bus, and from snapshots beyond it.

The bus keeps the quotes and marks of a week. Before that, a day's last snapshots of a symbol tell
its price and what its options were worth, where any were taken.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import msgspec

from adapters import bus, clock, envelope
from domain import calendar, freshness, mark, market, subjects
from projections import past, questions, rows, snapshots, views

_logger = logging.getLogger(__name__)
_LAST_MARKS = (
    "SELECT body, MAX(at||recorded_at) FROM marks WHERE symbol IN (SELECT value FROM json_each(?)) "
    "AND day=? AND at<=? AND recorded_at<=? GROUP BY wheel_id"
)
_QUOTE = subjects.EVERY_QUOTE.removesuffix(">")
T = TypeVar("T")


class Prices(msgspec.Struct, frozen=True):
    """The last quote of each symbol, and the marks of its options."""

    quotes: Mapping[str, market.Quote]
    boards: Mapping[str, mark.Board]

    def quote(self, symbol: str, split_on: date | None) -> market.Quote | None:
        """That of a symbol; None where there is none since its last split."""
        found = self.quotes.get(symbol)
        return found if found and not freshness.before_split(found.as_of, split_on) else None

    def mark(self, symbol: str, contract: mark.Contract, split_on: date | None) -> mark.Mark | None:
        """That of a contract; None where there is none since its last split."""
        found = self.boards.get(symbol, {}).get(contract)
        return found if found and not freshness.before_split(found.as_of, split_on) else None

    def missing(self, symbols: Collection[str]) -> list[str]:
        """Which of these have no price, or no marks, in order."""
        return sorted(set(symbols) - (self.quotes.keys() & self.boards.keys()))

    def or_else(self, other: Prices) -> Prices:
        """These, and where there are none, the others."""
        return Prices({**other.quotes, **self.quotes}, {**other.boards, **self.boards})


class Bygone:
    """Tells the last prices of each symbol that were known at an instant."""

    def __init__(self, time: clock.Clock, connected: bus.Bus, live: views.Live) -> None:
        self._time = time
        self._bus = connected
        self._live = live

    async def prices(self, when: past.When, symbols: Collection[str]) -> Prices:
        """By symbol; one without a price then is left out. `when` lies in the past."""
        at = when.told_at(self._time.now())
        heard = await self._heard(at, at, symbols)
        return await self._completed(heard, at, when.known_at or self._time.now(), symbols)

    async def closing(self, session: date, symbols: Collection[str]) -> Prices:
        """The last of a session that has closed, as far as they are known by now; of no other day.

        What was said last may be of after the close: then what had been said by the close counts.
        """
        close, now = calendar.close_at(session), self._time.now()
        heard = await self._heard(close, now, symbols)
        earlier = await self._heard(close, close, heard.missing(symbols))
        found = await self._completed(heard.or_else(earlier), close, now, symbols)
        quotes = {
            symbol: quote
            for symbol, quote in found.quotes.items()
            if calendar.trading_day(quote.as_of) == session
        }
        return Prices(quotes, found.boards)

    async def _completed(
        self, heard: Prices, at: datetime, known_at: datetime, symbols: Collection[str]
    ) -> Prices:
        """What was heard, and beyond it what was written down on that day."""
        missing = heard.missing(symbols)
        return heard.or_else(await self._kept(at, known_at, missing)) if missing else heard

    async def _heard(self, at: datetime, said_by: datetime, symbols: Collection[str]) -> Prices:
        """What was said last on the bus by one instant, as far as it was of another before it."""
        really = self._time.real_time(said_by)
        if really is None or not symbols:
            return Prices({}, {})
        named = sorted(set(symbols))
        told = [
            said(each) for each in named for said in (subjects.market_quote, subjects.market_chain)
        ]
        try:
            heard = await self._bus.last_until(subjects.MARKET.name, told, really)
        except bus.BusFault as reason:
            _logger.warning("no prices of the past: %s", reason)
            return Prices({}, {})
        about_shares = [each for each in heard if each.subject.startswith(_QUOTE)]
        about_options = [each for each in heard if not each.subject.startswith(_QUOTE)]
        quotes, marks = _read(about_shares, market.Quote), _read(about_options, market.HeldMarks)
        return Prices(
            {each.symbol: each for each in quotes if each.as_of <= at},
            {each.symbol: mark.board(each) for each in marks if each.as_of <= at},
        )

    async def _kept(self, at: datetime, known_at: datetime, symbols: Sequence[str]) -> Prices:
        """By the last snapshots of that New York day; of one instant the one recorded last."""
        day = calendar.trading_day(at).isoformat()
        asked: list[Any] = [json.dumps(symbols), day, rows.text(at), rows.text(known_at)]
        found = await self._live.rows(_LAST_MARKS, asked)
        last = [questions.decoded(row[0], snapshots.Snapshot) for row in found]
        last.sort(key=lambda each: (each.effective_at, each.recorded_at))
        boards: dict[str, dict[mark.Contract, mark.Mark]] = {}
        for each in last:
            boards.setdefault(each.symbol, {}).update(_board(each))
        return Prices({each.symbol: _quote(each) for each in last}, boards)


def _read(heard: Iterable[envelope.Heard], kind: type[T]) -> Iterator[T]:
    for each in heard:
        try:
            yield each.read(kind).data
        except envelope.Unreadable as reason:
            _logger.warning("not a price of the past: %s", reason)


def _quote(snapshot: snapshots.Snapshot) -> market.Quote:
    return market.Quote(
        snapshot.symbol,
        snapshot.price,
        None,
        None,
        snapshot.price_as_of,
        snapshot.price_source,
        snapshot.price_state,
    )


def _board(snapshot: snapshots.Snapshot) -> dict[mark.Contract, mark.Mark]:
    """Its options' mids, which were fresh when it was taken."""
    marks = (
        mark.Mark(
            contract=mark.Contract(each.direction, each.strike, each.expiration, each.multiplier),
            price=snapshot.price,
            mid=each.option_mid,
            as_of=snapshot.effective_at,
            state="live",
        )
        for each in snapshot.options
        if each.option_mid is not None
    )
    return {each.contract: each for each in marks}
