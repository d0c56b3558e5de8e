"""What the scanner finds in a symbol: the puts worth selling, for who has no wheel in it yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from adapters import survey
from adapters.counter import Counter
from domain import calendar, facts, fees, market, recommendation
from workers import running, search

BEST: Final = 3
"""How many are found in a symbol at most."""
_ANY_SCAN: Final = UUID(int=0)
_ONE_CONTRACT: Final = recommendation.Means()
_SHARED: Final = frozenset(recommendation.Recommendation.__struct_fields__) & frozenset(
    facts.OpportunityFound.__struct_fields__
)


def found_in(context: running.Context) -> search.Find:
    """The search of one symbol, which waits patiently until nobody else asks the market."""
    config, clock = context.settings, context.clock
    counter = Counter(context.bus, clock, patient=True)
    tariff = fees.flat(config.fee_per_contract)

    async def find(symbol: str, profile: facts.Profile) -> Sequence[facts.OpportunityFound]:
        now = clock.now()
        today = calendar.trading_day(now)
        last = today + timedelta(days=config.max_dte)
        chain, outlook = await survey.surveyed(counter, symbol, last, config.risk_free_rate, now)
        terms = recommendation.Terms(
            direction="put", profile=profile, max_dte=config.max_dte, limit=BEST
        )
        advice = await asyncio.to_thread(
            recommendation.recommended, chain, outlook, terms, _ONE_CONTRACT, tariff, now
        )
        return [
            _found(chain, today, profile, rank, each)
            for rank, each in enumerate(advice.recommendations, 1)
        ]

    return find


def _found(
    chain: market.Chain,
    day: date,
    profile: facts.Profile,
    rank: int,
    best: recommendation.Recommendation,
) -> facts.OpportunityFound:
    price = chain.underlying
    assert price.state != "missing"  # nothing is recommended on such a price
    return facts.OpportunityFound(
        **{field: getattr(best, field) for field in _SHARED},
        scan_id=_ANY_SCAN,
        day=day,
        profile=profile,
        rank=rank,
        price_as_of=price.as_of,
        price_source=price.source,
        price_state=price.state,
    )
