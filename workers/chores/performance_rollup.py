"""The books that performance is read from, held against the facts.

Of the wheels that have changed, every day's income under every policy, activity and capital; of
their portfolios, the sums. A difference must never be, and is told as a failure.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters import event_store
from domain import job_settings, policies
from projections import jobs, reckoning
from workers import chore, pieces, running

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Reckon anew. Raises refusals.Unavailable without views."""
    asked = job_settings.meant(due.settings, job_settings.Rollup)
    link = context.settings.views_path
    wheels = await pieces.tried(partial(asyncio.to_thread, _changed, link, due, asked.days))
    owners = sorted({each.portfolio_id for each in wheels})
    with closing(await asyncio.to_thread(event_store.open_store, context.settings)) as log:

        async def of_wheel(each: reckoning.Changed) -> bool:
            return _agreed(await asyncio.to_thread(reckoning.of_wheel, log, link, each.wheel_id))

        rows = await pieces.every(wheels, of_wheel, lambda each: each.symbol)

    async def of_portfolio(each: UUID) -> bool:
        return _agreed(await asyncio.to_thread(reckoning.of_portfolio, link, each))

    sums = await pieces.every(owners, of_portfolio, lambda each: f"portfolio {each}")
    return chore.Done(
        done=rows.done + sums.done,
        failed=rows.failed + sums.failed,
        message=f"{len(wheels)} wheels and {len(owners)} portfolios reckoned anew "
        f"under {', '.join(policies.POLICIES)}",
    )


def _changed(link: Path, due: chore.Due, days: int) -> list[reckoning.Changed]:
    """What has changed in so many days, and since a run went well last, all where none did."""
    last = jobs.last_success(link, due.job, due.portfolio_id) or _BEGINNING
    return reckoning.changed(link, min(due.at - timedelta(days=days), last), due.portfolio_id)


def _agreed(difference: str | None) -> bool:
    if difference is not None:
        raise pieces.Amiss(difference)
    return False
