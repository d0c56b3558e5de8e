"""The projector's process: keeps the views up with the log, and says how far it is."""

from __future__ import annotations

import asyncio
from contextlib import closing

from adapters import event_store
from domain import calendar, subjects
from projections import projector
from workers import running


async def run(context: running.Context) -> None:
    """Follow the log into the views until asked to stop."""

    async def advanced(position: int) -> None:
        context.beat.update(state="running", position=position)
        await context.bus.nudge(subjects.VIEWS_ADVANCED, position)

    await asyncio.to_thread(calendar.is_open, context.clock.now())  # its first answer takes a while
    woken = await running.wake_on(context.bus, subjects.LEDGER_APPENDED)
    with closing(event_store.open_store(context.settings)) as log:
        await projector.follow(log, context.settings.views_path, context.stop, woken, advanced)
