"""A copy of the ledger for the New York day on which the job was due, and only the newest kept."""

from __future__ import annotations

import asyncio

from adapters import backup
from domain import calendar, job_settings
from workers import chore, running


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Make that day's copy, in place of an earlier one.

    Raises chain.Torn when the ledger is not whole, refusals.Unavailable when it cannot be copied.
    """
    asked = job_settings.meant(due.settings, job_settings.Backup)
    day = calendar.trading_day(due.at)
    path, found = await asyncio.to_thread(backup.make, context.settings, day)
    gone = await asyncio.to_thread(backup.tidy, context.settings, asked.keep, path)
    removed = f"; {len(gone)} older ones removed" if gone else ""
    message = f"{path.name}: {found.checked} facts, sha256 {found.head_hash}{removed}"
    return chore.Done(done=1, message=message)
