"""A symbol as it is weighed: its chain, and all else that is known of it."""

import asyncio
from collections.abc import Awaitable
from datetime import date, datetime
from typing import TypeVar

from adapters.counter import Counter
from domain import freshness, market
from domain.outlook import Outlook, outlook

T = TypeVar("T")


async def surveyed(
    counter: Counter, symbol: str, last: date, rate: float, now: datetime
) -> tuple[market.Chain, Outlook]:
    """Ask for a chain up to a date, and for what goes with it.

    Raises a MarketFault where the chain is missing, or no price to act upon: then nothing shall
    be recommended. What else is not known is left out of the outlook. Raises
    refusals.Unavailable where nobody can be asked.
    """
    chain = await counter.chain(symbol, last)
    priced(chain, now)
    bars, year, dividends, earnings = await asyncio.gather(
        _if_known(counter.history(symbol)),
        _if_known(counter.volatilities(symbol)),
        _if_known(counter.dividends(symbol, last)),
        _if_known(counter.earnings(symbol, last)),
    )
    made = await asyncio.to_thread(
        outlook, chain, bars or (), year or (), dividends or (), earnings, rate
    )
    return chain, made


def priced(chain: market.Chain, now: datetime) -> None:
    """Raise market.StalePrice unless the chain has prices to act upon at this instant."""
    state = freshness.price_state(chain.underlying, now)
    if state == "stale":
        seen = f"{chain.underlying.as_of:%Y-%m-%dT%H:%M:%SZ}"
        raise market.StalePrice(chain.symbol, f"the last price is of {seen}")
    if state == "missing":
        raise market.NoData(chain.symbol)
    within = freshness.MARK_STALE_AFTER
    if freshness.worth(chain.state, chain.as_of, now, within) == "stale":
        seen = f"{chain.as_of:%Y-%m-%dT%H:%M:%SZ}"
        raise market.StalePrice(chain.symbol, f"the last option quotes are of {seen}")


async def _if_known(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except market.MarketFault:
        return None
