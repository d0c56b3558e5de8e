"""What a price is worth now, by its age and by the exchange's hours."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from domain import calendar, market

STALE_AFTER: Final = timedelta(minutes=15)
MARK_STALE_AFTER: Final = timedelta(minutes=30)
"""A chain is asked for every 15 minutes, so its marks are that much older when they come."""


def worth(
    state: market.PriceState,
    as_of: datetime,
    now: datetime,
    within: timedelta,
    *,
    answering: bool = True,
) -> market.PriceState:
    """What a price is worth now: one that has not moved on while the market is open is stale.

    A delayed one is as old as its provider says, and stays so while that provider is `answering`.
    """
    ages = state == "live" or (state == "delayed" and not answering)
    newest = now if calendar.is_open(now) else calendar.close_at(calendar.last_close(now))
    return "stale" if ages and as_of < newest - within else state


def price_state(
    quote: market.Quote | None, now: datetime, *, answering: bool = True
) -> market.PriceState:
    """What a share's price is worth; `answering` is whether its provider is there."""
    if quote is None:
        return "missing"
    return worth(quote.state, quote.as_of, now, STALE_AFTER, answering=answering)


def before_split(as_of: datetime, split_on: date | None) -> bool:
    """Whether a price is of a day before the last split: then it is of another share.

    Days, not instants: a split counts from the morning, and is often entered in the course of it.
    """
    return split_on is not None and calendar.trading_day(as_of) < split_on
