"""What prices were, at an instant in the past: from the bus, and from snapshots beyond it.

The bus keeps the quotes of a week. Before that, a day's last snapshot of a symbol tells its price,
where one was taken.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from adapters import bus, clock, envelope
from domain import calendar, market, subjects
from projections import past, questions, rows, snapshots, views

_logger = logging.getLogger(__name__)
_LAST_MARKS = (
    "SELECT body, MAX(at||recorded_at) FROM marks WHERE symbol IN (SELECT value FROM json_each(?)) "
    "AND day=? AND at<=? AND recorded_at<=? GROUP BY symbol"
)


class Bygone:
    """Tells the last price of each symbol that was known at an instant."""

    def __init__(self, time: clock.Clock, connected: bus.Bus, live: views.Live) -> None:
        self._time = time
        self._bus = connected
        self._live = live

    async def quotes(self, when: past.When, symbols: Collection[str]) -> dict[str, market.Quote]:
        """By symbol; one without a price then is left out. `when` lies in the past."""
        at = when.told_at(self._time.now())
        found = await self._heard(at, symbols)
        if missing := sorted(set(symbols) - found.keys()):
            found |= await self._marked(at, when.known_at or self._time.now(), missing)
        return found

    async def _heard(self, at: datetime, symbols: Collection[str]) -> dict[str, market.Quote]:
        """What was said on the bus by then, as far as it was of then."""
        really = self._time.real_time(at)
        if really is None or not symbols:
            return {}
        told = [subjects.market_quote(each) for each in sorted(set(symbols))]
        try:
            heard = await self._bus.last_until(subjects.MARKET.name, told, really)
            quotes = [each.read(market.Quote).data for each in heard]
        except (bus.BusFault, envelope.Unreadable) as reason:
            _logger.warning("no prices of the past: %s", reason)
            return {}
        return {each.symbol: each for each in quotes if each.as_of <= at}

    async def _marked(
        self, at: datetime, known_at: datetime, symbols: Sequence[str]
    ) -> dict[str, market.Quote]:
        """The last snapshot of that New York day; of one instant the one recorded last."""
        day = calendar.trading_day(at).isoformat()
        asked: list[Any] = [json.dumps(symbols), day, rows.text(at), rows.text(known_at)]
        found = await self._live.rows(_LAST_MARKS, asked)
        marks = [questions.decoded(row[0], snapshots.Snapshot) for row in found]
        return {each.symbol: _quote(each) for each in marks}


def _quote(mark: snapshots.Snapshot) -> market.Quote:
    return market.Quote(
        mark.symbol,
        mark.price,
        None,
        None,
        mark.price_as_of,
        mark.price_source,
        mark.price_state,
    )
