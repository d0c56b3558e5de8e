"""The price worker asked to fetch, now, what is held and watched."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import msgspec

from adapters import bus
from domain import job_settings, market, refusals, subjects
from projections import symbols
from workers import chore, pieces, running

WITHIN: Final = 90.0
"""Real seconds that a round may take."""


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Have fresh quotes of the portfolio's symbols, or of all that are held and watched.

    Those that fail are asked for again. Raises refusals.Unavailable where there is no price worker.
    """
    job_settings.meant(due.settings, job_settings.JobSettings)
    wanted = await asyncio.to_thread(_wanted, context, due)
    failed: tuple[subjects.Unquoted, ...] = ()
    left = sorted(wanted)
    for _ in range(pieces.TRIES):
        if not left:
            break
        failed = await pieces.tried(partial(_asked, context, left))
        left = [each.symbol for each in failed]
    return chore.Done(
        done=len(wanted) - len(failed),
        failed=tuple(chore.Missed(each.symbol, each.why) for each in failed),
        message=f"{len(wanted) - len(failed)} of {len(wanted)} symbols have a fresh price",
    )


def _wanted(context: running.Context, due: chore.Due) -> set[str]:
    link = context.settings.views_path
    return (
        symbols.held(link) if due.portfolio_id is None else symbols.held_in(link, due.portfolio_id)
    )


async def _asked(context: running.Context, wanted: list[str]) -> tuple[subjects.Unquoted, ...]:
    """Which of these could not be quoted."""
    question = subjects.RoundQuestion(tuple(wanted))
    try:
        body = await context.bus.ask(subjects.MARKET_ASK, question, WITHIN)
    except bus.BusFault as reason:
        raise refusals.Unavailable(f"no prices can be asked for: {reason}", part="prices") from (
            reason
        )
    answer = msgspec.json.decode(body, type=subjects.MarketAnswer)
    if answer.fault is not None:
        raise market.fault(answer.fault, wanted[0], answer.why, answer.retry_after)
    return answer.unquoted
