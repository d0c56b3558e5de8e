"""Which job runs when: each due time of each job once, one run of a job at a time.

A job is busy or it is not. Where it is not, all its due times up to now are taken up in their
order; those that are not run are recorded as missed, or as skipped where the run before was what
kept it busy. What is recorded by another scheduler meanwhile is not done again here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec.structs import replace

from domain import facts, ports, refusals, subjects
from domain import job as jobs
from workers import chore
from workers.asked import Asked, Order
from workers.errand import Errand, Sleep, Work, not_made
from workers.job_log import JobLog

_logger = logging.getLogger(__name__)

Tell = Callable[[subjects.JobNotice], Awaitable[None]]
"""Tells how a run stands; what cannot be told is not, and is no reason to stop."""

GRACE: Final = timedelta(minutes=1)
AGAIN_AFTER: Final = 1.0
RUNNING: Final = "the job runs already"
INTERRUPTED: Final = "interrupted: the scheduler ended before the run did"
TAKEN_OVER: Final = "interrupted: another scheduler took over before the run was over"
MISSED: Final = "nobody was there to run it"
SKIPPED: Final = "the run before was not over"
_OUTCOMES: Final[dict[str, subjects.Outcome]] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "timed_out": "failed",
    "missed": "missed",
    "skipped": "missed",
}


class Line:
    """One job: up to when its due times are dealt with, when the next one is, and what runs."""

    def __init__(self, job: jobs.Job) -> None:
        self.job = job
        self.after: datetime | None = None
        self.next_at: datetime | None = None
        self.errand: Errand | None = None
        self.task: asyncio.Task[None] | None = None
        self.busy: tuple[datetime, datetime] | None = None
        """From when to when the last run went."""

    @property
    def is_busy(self) -> bool:
        return self.task is not None and not self.task.done()

    def is_due(self, now: datetime) -> bool:
        return self.next_at is not None and self.next_at <= now

    def dealt_with(self, until: datetime) -> None:
        """Everything due by then has its run."""
        if self.after is None or until > self.after:
            self.after = until
        self.plan()

    def plan(self) -> None:
        """Know the next due time, which depends on how the job is set up."""
        assert self.after is not None
        changed = max([self.after, *(span.since for span in self.job.spans)])
        before = jobs.due(self.job, self.after, changed)
        self.next_at = next(before, None) or jobs.next_due(self.job, changed)

    def times(self, now: datetime) -> list[datetime]:
        """What is due by now and has no run yet."""
        return [] if self.after is None else list(jobs.due(self.job, self.after, now))


class Agenda:
    """Runs what is due, as long as it has the word."""

    def __init__(
        self,
        book: JobLog,
        work: Work,
        tell: Tell,
        clock: ports.Clock,
        sleep: Sleep,
        asked: Asked,
        grace: timedelta = GRACE,
    ) -> None:
        self.lines: dict[UUID, Line] = {}
        self.has_the_word = False
        self.freed = asyncio.Event()
        """Set when a job is not busy any more."""
        self.counts = {"succeeded": 0, "failed": 0, "missed": 0}
        self._book = book
        self._work = work
        self._tell_all = tell
        self._clock = clock
        self._sleep = sleep
        self._asked = asked
        self._grace = grace

    # --- its course

    async def look(self) -> None:
        """Know how every job is set up now. Raises refusals.Unavailable."""
        await self._book.follow()
        for id_, job in self._book.jobs.items():
            line = self.lines.setdefault(id_, Line(job))
            until = self._book.dealt_with(job)
            if line.job is not job or line.after is None or until > line.after:
                line.job = job
                line.dealt_with(until)

    async def inherit(self) -> None:
        """Record of what was asked for, and died with who ran it. Raises refusals.Unavailable."""
        for order in await self._asked.left():
            errand = Errand(order.due, self._clock)
            errand.started_at = order.due.at
            ran = errand.ended("failed", error=TAKEN_OVER)
            for each in await self._book.record([ran], order.request_id):
                _logger.warning("%s, which was asked for, was cut short", each.job)
                await self._tell(subjects.job_run(each), "failed")
        await self._asked.keep()

    def turn(self) -> None:
        """Take up what is due, and do not wait for it."""
        now = self._clock.now()
        for line in self.lines.values():
            if not line.is_busy and line.is_due(now):
                self._begin(line, partial(self._caught_up, line))

    def _begin(self, line: Line, course: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await course()
            except refusals.Unavailable as reason:
                _logger.warning("%s waits: %s", line.job.job, reason)
                await asyncio.sleep(AGAIN_AFTER)
            except Exception:
                _logger.exception("%s stumbled", line.job.job)
                await asyncio.sleep(AGAIN_AFTER)
            finally:
                line.errand = None
                self.freed.set()

        line.task = asyncio.create_task(run(), name=f"job {line.job.job}")

    @property
    def next_at(self) -> datetime | None:
        """When something is due next that does not wait for its job to be over."""
        times = [line.next_at for line in self.lines.values() if not line.is_busy]
        return min((at for at in times if at is not None), default=None)

    @property
    def report(self) -> dict[str, int]:
        """What a heartbeat tells; `lag` are seconds of market time."""
        now = self._clock.now()
        lines = self.lines.values()
        waits = [now - each.next_at for each in lines if each.next_at and not each.is_busy]
        return {
            "jobs": sum(
                line.job.setup.enabled for id_, line in self.lines.items() if id_ in self._book.jobs
            ),
            "running": len(self._running),
            "lag": max(0, *(int(each.total_seconds()) for each in waits), 0),
            "ahead": int(self._book.ahead.total_seconds()),
            **self.counts,
        }

    @property
    def _running(self) -> tuple[subjects.JobRun, ...]:
        errands = (line.errand for line in self.lines.values())
        return tuple(each.run for each in errands if each is not None)

    async def settled(self) -> None:
        """Wait until no job is busy."""
        while busy := [line.task for line in self.lines.values() if line.task and line.is_busy]:
            await asyncio.wait(busy)

    async def stop(self) -> None:
        """End what runs. What was due is caught up by whoever comes next."""
        self.has_the_word = False
        busy = [line.task for line in self.lines.values() if line.task and line.is_busy]
        for task in busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy)

    # --- what is due

    async def _caught_up(self, line: Line) -> None:
        """Deal with all that is due, until nothing is."""
        while self._may() and line.is_due(self._clock.now()):
            await self._book.follow()
            line.dealt_with(self._book.dealt_with(line.job))
            await self._next_run(line, self._clock.now())

    async def _next_run(self, line: Line, now: datetime) -> None:
        """Record what is missed up to the next run that is to be made, and make that."""
        missed: list[facts.JobRan] = []
        catch_up = jobs.JOBS[line.job.job].catch_up
        for turn in jobs.turns(line.times(now), now, self._grace, catch_up):
            if turn.trigger is not None:
                await self._record(line, missed)
                due = await self._free(_due(line.job, turn.due_at, turn.trigger))
                await self._made(line, due)
                return
            missed.append(self._missed(line, turn.due_at, now))
        await self._record(line, missed)

    async def _free(self, due: chore.Due) -> chore.Due:
        """A clock that was ahead may have taken its place: then it has another beside that."""
        if self._book.ahead and await self._book.run(due.run_id) is not None:
            return replace(due, run_id=uuid5(due.run_id, "again"))
        return due

    def _may(self) -> bool:
        return self.has_the_word

    async def _made(self, line: Line, due: chore.Due, request_id: str | None = None) -> None:
        """Run it, and record what came of it."""
        errand = line.errand = line.errand or Errand(due, self._clock)
        await self._tell(errand.run, "started")
        try:
            ran = await errand.carried_out(self._work, line.job.setup, self._sleep)
        except asyncio.CancelledError:
            if due.trigger == "manual":  # nobody would catch it up
                await self._book.record([errand.ended("failed", error=INTERRUPTED)], request_id)
            raise
        line.busy = (errand.started_at, ran.finished_at)
        line.errand = None
        await _whole(self._record(line, [ran], request_id))

    def _missed(self, line: Line, at: datetime, now: datetime) -> facts.JobRan:
        due = _due(line.job, at, "schedule")
        if line.busy is not None and line.busy[0] < at <= line.busy[1]:
            return not_made(due, "skipped", SKIPPED, now)
        return not_made(due, "missed", MISSED, now)

    async def _record(
        self, line: Line, runs: list[facts.JobRan], request_id: str | None = None
    ) -> None:
        """Record what became of due times, and tell it."""
        if not runs:
            return
        for ran in await self._recorded(runs, request_id):
            self.counts[_OUTCOMES[ran.outcome]] += 1
            await self._tell(subjects.job_run(ran), _OUTCOMES[ran.outcome])
        if runs[-1].trigger == "manual":
            self._asked.over(runs[-1].run_id)
        else:
            line.dealt_with(runs[-1].due_at)

    async def _recorded(
        self, runs: list[facts.JobRan], request_id: str | None
    ) -> list[facts.JobRan]:
        """Record them, however long that takes: the work is done already. Those that are ours."""
        while True:
            try:
                return await self._book.record(runs, request_id)
            except refusals.Unavailable as reason:
                _logger.warning("runs of %s are not recorded yet: %s", runs[0].job, reason)
                await asyncio.sleep(AGAIN_AFTER)

    async def _tell(self, run: subjects.JobRun, outcome: subjects.Outcome) -> None:
        at = run.finished_at or run.started_at or self._clock.now()
        await self._tell_all(
            subjects.JobNotice(
                job=run.job,
                run_id=run.run_id,
                outcome=outcome,
                started_at=run.started_at or at,
                at=at,
                done=run.done,
                total=run.done + run.failed,
                failed=run.failed,
                found=0,
                message=run.error or run.message,
                portfolio_id=run.portfolio_id,
                due_at=run.due_at,
                trigger=run.trigger,
            )
        )

    # --- what is asked for

    async def reply(self, question: subjects.JobQuestion) -> subjects.JobReply:
        """Run a job now, unless it runs; or tell what runs."""
        order = question.order
        if order is None:
            return subjects.JobReply(self._running)
        if (ran := await self._book.run(order.id)) is not None:
            return subjects.JobReply((subjects.job_run(ran),))
        line = self._line(order)
        if line.is_busy:
            return _busy(line, order)
        due = _due(line.job, self._clock.now(), "manual")
        due = replace(due, run_id=order.id, portfolio_id=order.portfolio_id)
        await self._asked.begins(Order(due, order.request_id))
        line = self._line(order)
        if line.is_busy:  # with something that came meanwhile
            reply = _busy(line, order)
            if reply.conflict is not None:
                self._asked.over(order.id)
            return reply
        line.errand = Errand(due, self._clock)
        self._begin(line, partial(self._made, line, due, order.request_id))
        return subjects.JobReply((line.errand.run,))

    def _line(self, order: subjects.JobOrder) -> Line:
        """The job's line; for a portfolio with none of its own, as the job is set up for all."""
        id_ = facts.job_stream(order.job, order.portfolio_id)
        line = self.lines.setdefault(id_, Line(jobs.Job(order.job, order.portfolio_id)))
        if order.portfolio_id is not None and not line.job.spans and not line.is_busy:
            for_all = self._book.jobs[facts.job_stream(order.job, None)].setup
            line.job = replace(line.job, at_first=for_all)
        return line


async def _whole(course: Coroutine[Any, Any, None]) -> None:
    """Wait for its end, even when we are cancelled meanwhile: what was done shall be recorded."""
    task = asyncio.ensure_future(course)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _busy(line: Line, order: subjects.JobOrder) -> subjects.JobReply:
    if line.errand is None:  # between two runs
        return subjects.JobReply((), RUNNING)
    conflict = None if line.errand.due.run_id == order.id else RUNNING
    return subjects.JobReply((line.errand.run,), conflict)


def _due(job: jobs.Job, at: datetime, trigger: facts.Trigger) -> chore.Due:
    return chore.Due(
        job=job.job,
        run_id=facts.run_stream(job.job, job.portfolio_id, at),
        at=at,
        trigger=trigger,
        portfolio_id=job.portfolio_id,
        settings=job.setup.settings,
    )
