"""What a price is worth now, by its age and by the exchange's hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain import calendar, market

STALE_AFTER: Final = timedelta(minutes=15)


def newest(now: datetime) -> datetime:
    """The instant of the newest price that there can be: now, or the last close."""
    return now if calendar.is_open(now) else calendar.close_at(calendar.last_close(now))


def price_state(quote: market.Quote | None, now: datetime) -> market.PriceState:
    """What a price is worth: a live one that has not moved on while the market is open is stale."""
    if quote is None:
        return "missing"
    if quote.state == "live" and quote.as_of < newest(now) - STALE_AFTER:
        return "stale"
    return quote.state
