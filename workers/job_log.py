"""The jobs as the ledger has them: how each is set up, and up to when its runs are recorded.

The views tell where to begin; from there the log is followed, so that a change counts as soon as
it is recorded, and nothing that another scheduler has recorded is overlooked.

A job that was never set up nor run is missed since the first run of any; where there is none nobody
knows since when, and it is looked back for a day. Never further than the ledger goes, or a year.

What is recorded of a time that is yet to come, by a clock that was ahead, does not count before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

from msgspec.structs import replace

from domain import facts, ports, refusals
from domain import job as jobs
from projections.jobs import Standing

BATCH: Final = 2_000
LOOK_BACK: Final = timedelta(days=1)
LONGEST_GAP: Final = timedelta(days=366)
"""What was due longer ago than that is neither made up for nor written down."""
AHEAD: Final = timedelta(minutes=5)
"""What two clocks may differ by."""


class Feed(Protocol):
    """What is needed of the log. Blocking."""

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]: ...

    def stream(self, stream_id: UUID) -> Sequence[facts.Recorded]: ...

    def append_each(
        self, appends: Sequence[ports.Append]
    ) -> Sequence[Sequence[int] | refusals.Refusal]: ...


class JobLog:
    """Follows the log, and records what became of due times. Blocking calls go to `thread`."""

    def __init__(
        self,
        log: Feed,
        nudge: Callable[[int], Awaitable[None]],
        clock: ports.Clock,
        thread: Executor | None = None,
    ) -> None:
        self.jobs: dict[UUID, jobs.Job] = {job.id: job for job in map(jobs.Job, jobs.JOBS)}
        self.last: dict[UUID, datetime] = {}
        """The last due time of each job that has its run recorded."""
        self.latest: datetime | None = None
        """The latest due time that has its run recorded, of any job."""
        self.position = 0
        self._since = self._floor = clock.now()
        self._log = log
        self._nudge = nudge
        self._clock = clock
        self._thread = thread

    async def begin(self, standing: Standing) -> None:
        """Know what the views know. Raises refusals.Unavailable."""
        self.last = dict(standing.last)
        self.position = standing.position
        for first in await self._aside(lambda: self._log.after(0, 1)):
            self._floor = first.recorded_at - LOOK_BACK
            self._since = max(min(first.recorded_at, self._since), self._since - LOOK_BACK)
        self._ran(standing.first)
        self._ran(standing.latest)
        for id_ in standing.jobs:
            for recorded in await self._aside(partial(self._log.stream, id_)):
                self._take(recorded)

    def dealt_with(self, job: jobs.Job) -> datetime:
        """Up to when nothing that was due needs to be dealt with."""
        first = job.spans[0].since if job.spans else self._since
        known = self.last.get(job.id) or (first if job.portfolio_id else min(first, self._since))
        return max(known, self._clock.now() - LONGEST_GAP)

    async def follow(self) -> None:
        """Know all that the log has. Raises refusals.Unavailable."""
        while batch := await self._aside(lambda: self._log.after(self.position, BATCH)):
            for recorded in batch:
                self._take(recorded)
            self.position = batch[-1].position

    @property
    def ahead(self) -> timedelta:
        """How far in the time to come runs are recorded already."""
        now = self._clock.now()
        return max((self.latest or now) - now - AHEAD, timedelta())

    def _take(self, recorded: facts.Recorded) -> None:
        now = self._clock.now()
        match recorded.fact:
            case facts.JobConfigured(job=name, portfolio_id=portfolio_id):
                job = self.jobs.get(recorded.stream_id) or jobs.Job(name, portfolio_id)
                if jobs.can_be(name, portfolio_id) and recorded.version > job.version:
                    since = recorded.recorded_at
                    if since > now:
                        since = min(self.last.get(job.id, self._since), now)
                    self.jobs[job.id] = jobs.evolve(job, replace(recorded, recorded_at=since))
            case facts.JobRan(trigger="manual"):
                return
            case facts.JobRan() as ran:
                self._ran(ran.due_at)
                if ran.due_at <= now + AHEAD:
                    id_ = facts.job_stream(ran.job, ran.portfolio_id)
                    self.last[id_] = max(self.last.get(id_, ran.due_at), ran.due_at)
            case _:
                return

    def _ran(self, due_at: datetime | None) -> None:
        """Something was due then, of some job."""
        if due_at is not None:
            self._since = min(self._since, max(due_at, self._floor))
            self.latest = max(self.latest or due_at, due_at)

    async def run(self, run_id: UUID) -> facts.JobRan | None:
        """What became of a run, if that is recorded. Raises refusals.Unavailable."""
        for recorded in await self._aside(lambda: self._log.stream(run_id)):
            if isinstance(recorded.fact, facts.JobRan):
                return recorded.fact
        return None

    async def record(
        self, runs: Sequence[facts.JobRan], request_id: str | None = None
    ) -> list[facts.JobRan]:
        """Record what became of due times, each once: those that nobody had recorded before.

        Raises refusals.Unavailable; some may be recorded then.
        """
        taken = await self._record([_recorded(ran, self._clock.now(), request_id) for ran in runs])
        return [ran for ran, is_new in zip(runs, taken, strict=True) if is_new]

    async def _record(self, recorded: Sequence[facts.Recorded]) -> list[bool]:
        """Whether each was stored; if not, its place was taken."""
        appends = [ports.Append([each]) for each in recorded]
        outcomes = await self._aside(lambda: self._log.append_each(appends)) if appends else []
        stored = [each for each in outcomes if not isinstance(each, refusals.Refusal)]
        if stored:
            await self._nudge(stored[-1][-1])
        for each in outcomes:
            if isinstance(each, refusals.Refusal) and not isinstance(each, refusals.Stale):
                raise each
        return [not isinstance(each, refusals.Refusal) for each in outcomes]

    async def _aside(self, blocking: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, blocking)


def _recorded(ran: facts.JobRan, now: datetime, request_id: str | None) -> facts.Recorded:
    """As the first fact of its stream: a second one has no place there."""
    at = max(now, ran.finished_at)
    return facts.Recorded(
        0, ran.run_id, 1, at, ran.finished_at, "scheduler", ran.run_id, None, ran, None, request_id
    )
