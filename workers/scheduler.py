"""The scheduler's process: runs the jobs that are due, while it has the lease.

lease ──▶ ┌───────────┐ ──▶ JobRan facts ──▶ the log
the log ─▶│ scheduler │ ──▶ ops.job.<job>.<outcome>
jobs.ask ▶└───────────┘ ──▶ chores
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any, Final

import msgspec

from adapters import bus, clock, event_store
from adapters.lease import Lease
from domain import refusals, subjects
from projections import jobs as views
from workers import agenda, chore, chores, running
from workers.agenda import Agenda
from workers.asked import Asked
from workers.errand import Work
from workers.job_log import AHEAD, JobLog

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
BREATH: Final = 0.02
GRACE: Final = 5.0
"""Real seconds after which a run is late, where a minute of market time is shorter."""

Pause = Callable[[float], Awaitable[None]]
"""Waits so many real seconds, or until something happens."""


async def run(context: running.Context, load: chores.Load = chores.load) -> None:
    """Run what is due until stopped."""
    woken = await running.wake_on(context.bus, subjects.LEDGER_APPENDED)
    with (
        closing(event_store.open_store(context.settings)) as ledger,
        ThreadPoolExecutor(1, thread_name_prefix="jobs") as thread,
    ):
        nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
        while not context.stop.is_set():
            book = JobLog(ledger, nudge, context.clock, thread)
            await _followed(context, working(context, load), book, woken)


async def _followed(
    context: running.Context, work: Work, book: JobLog, woken: asyncio.Event
) -> None:
    """Run what is due until stopped, or until the clock was turned back: then all begins anew."""
    plan = Agenda(
        book,
        work,
        partial(tell, context.bus),
        context.clock,
        context.clock.sleep if context.clock.speed else asyncio.sleep,
        Asked(context.bus),
        grace(context.clock),
    )
    watch = Watch(plan, Lease(context.bus, context.name), partial(answering, context.bus, plan))

    async def pause(seconds: float) -> None:
        await running.nap(seconds, woken, plan.freed, context.stop)
        woken.clear()

    try:
        await begun(book, context)
        await watched(watch, context.clock, pause, context.stop, context.beat)
    finally:
        await watch.end()


def working(context: running.Context, load: chores.Load) -> Work:
    """Does the work of any job."""

    async def work(due: chore.Due) -> chore.Done:
        do = await asyncio.to_thread(load, due.job)
        return await do(context, due)

    return work


def grace(time: clock.Clock) -> timedelta:
    """How late a run may be and still be on time: on a fast clock hours pass in a second."""
    return max(agenda.GRACE, timedelta(seconds=GRACE * time.speed))


async def begun(book: JobLog, context: running.Context) -> None:
    """Know where the jobs stand; the views, if there are any, spare reading the whole log."""
    standing = views.Standing()
    try:
        until = context.clock.now() + AHEAD
        standing = await asyncio.to_thread(views.standing, context.settings.views_path, until)
    except refusals.Unavailable as reason:
        log.info("the log is read from its beginning: %s", reason)
    while not context.stop.is_set():
        try:
            return await book.begin(standing)
        except refusals.Unavailable as reason:
            log.warning("waiting: %s", reason)
            await running.nap(LOOK_EVERY, context.stop)
    return None


class Watch:
    """Has the agenda run things as long as we have the lease."""

    def __init__(
        self, plan: Agenda, lease: Lease, listen: Callable[[], Awaitable[bus.Unsubscribe]]
    ) -> None:
        self.agenda = plan
        self.lease = lease
        self._listen = listen
        self._deaf: bus.Unsubscribe | None = None

    async def turn(self) -> None:
        """Take up what is due, if we may. Raises refusals.Unavailable."""
        may = await self.lease.renew()
        if not may:
            await self.rest()
        elif not self.agenda.has_the_word:
            await self.agenda.inherit()
        self.agenda.has_the_word = may
        await self.agenda.look()
        if may:
            self.agenda.turn()
            if self._deaf is None:
                self._deaf = await self._listen()

    async def rest(self) -> None:
        """Another has the word: begin nothing. What runs is recorded once, by whoever is first."""
        self.agenda.has_the_word = False
        if self._deaf is not None:
            deaf, self._deaf = self._deaf, None
            await deaf()

    async def end(self) -> None:
        """End what runs, and let another have the word at once."""
        await self.rest()
        await self.agenda.stop()
        await self.lease.give_back()


async def watched(
    watch: Watch,
    time: clock.Clock,
    pause: Pause,
    stop: asyncio.Event,
    beat: dict[str, Any],
) -> None:
    """Turn after turn, each when something is due, or was said, or a second later.

    Ends early when the clock was turned back: what is known of due times is not true any more.
    """
    latest = time.now()
    while not stop.is_set():
        if (now := time.now()) < latest - AHEAD:
            log.warning("the clock was turned back from %s to %s", latest, now)
            return
        latest = max(latest, now)
        watch.agenda.freed.clear()
        try:
            await watch.turn()
            state = "running"
        except refusals.Unavailable as reason:
            log.warning("waiting: %s", reason)
            state = "waiting"
        beat.update(state=state, leading=int(watch.agenda.has_the_word), **watch.agenda.report)
        await pause(until_next(watch.agenda, time))


def until_next(plan: Agenda, time: clock.Clock) -> float:
    """Real seconds until there is something to do."""
    at = plan.next_at
    if at is None:
        return LOOK_EVERY
    return min(max(time.real_seconds((at - time.now()).total_seconds()), BREATH), LOOK_EVERY)


async def answering(connected: bus.Bus, plan: Agenda) -> bus.Unsubscribe:
    """Answer questions about jobs, from now on."""
    return await connected.answer(subjects.JOBS_ASK, partial(answer, plan))


async def answer(plan: Agenda, heard: bus.Heard) -> bytes:
    """Answer a question about jobs, as plain JSON. Raises bus.Unreadable when it is none."""
    question = heard.read(subjects.JobQuestion).data
    return msgspec.json.encode(await plan.reply(question))


async def tell(connected: bus.Bus, notice: subjects.JobNotice) -> None:
    """Tell how a run stands."""
    await running.tell_of_job(connected, notice, f"{notice.run_id}-{notice.outcome}")
