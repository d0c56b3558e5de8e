"""A scheduler whose time is turned, and never waited for; its chores note what they are asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.event_store import EventStore
from domain import facts, subjects
from domain import job as jobs
from projections.jobs import Standing
from tests.workers.exchange import Turned
from workers import chore
from workers.agenda import Agenda
from workers.job_log import JobLog

NEW_YEAR = datetime(2026, 1, 1, 5, 0, tzinfo=UTC) - timedelta(microseconds=1)
"""The last moment of 2025 in New York."""
END = datetime(2027, 1, 1, 5, 0, tzinfo=UTC) - timedelta(microseconds=1)
Do = Callable[[chore.Due], chore.Done]


class Office:
    """One scheduler at a time, a log, and a clock that stands until it is turned."""

    def __init__(self, log: EventStore, at: datetime = NEW_YEAR) -> None:
        self.log = log
        self.clock = Turned(at)
        self.asked: list[chore.Due] = []
        self.told: list[subjects.JobNotice] = []
        self.do: Do = lambda _: chore.Done(done=1)
        self.slept: list[float] = []
        self.agenda = self._agenda()

    def _agenda(self) -> Agenda:
        self.book = JobLog(self.log, self._nudge, self.clock)
        return Agenda(self.book, self._work, self._tell, self.clock, self._sleep)

    async def _nudge(self, _: int) -> None: ...

    async def _tell(self, notice: subjects.JobNotice) -> None:
        self.told.append(notice)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.turn(seconds=seconds)

    async def _work(self, due: chore.Due) -> chore.Done:
        self.asked.append(due)
        return self.do(due)

    async def begin(self) -> None:
        """A scheduler that knows nothing but the log, as after a crash."""
        self.agenda = self._agenda()
        await self.book.begin(Standing())
        self.agenda.has_the_word = True
        await self.turn()

    async def turn(self) -> None:
        """Deal with what is due at this moment."""
        await self.agenda.look()
        self.agenda.turn()
        await self.agenda.settled()

    async def live(self, until: datetime) -> None:
        """Let time pass: from one due time to the next."""
        while (at := self.agenda.next_at) is not None and at <= until:
            self.clock.at = max(at, self.clock.at)
            await self.turn()
        self.clock.at = max(until, self.clock.at)

    @property
    def runs(self) -> list[facts.JobRan]:
        return runs(self.log)


def runs(log: EventStore) -> list[facts.JobRan]:
    """All that is recorded of runs."""
    every = (each.fact for each in log.after(0, 1_000_000))
    return [each for each in every if isinstance(each, facts.JobRan)]


def times(found: Iterable[facts.JobRan], job: str, *outcomes: str) -> list[datetime]:
    return sorted(
        each.due_at
        for each in found
        if each.job == job and (not outcomes or each.outcome in outcomes)
    )


def planned(job: str, since: datetime, until: datetime) -> list[datetime]:
    """When a job is due, as it is set up at first."""
    setup = jobs.standard(job)
    span = jobs.Span(since, setup)
    return list(jobs.due(jobs.Job(job, spans=(span,)), since, until))


def twice(found: Iterable[facts.JobRan]) -> list[UUID]:
    """Runs that are recorded more than once."""
    return [run for run, count in Counter(each.run_id for each in found).items() if count > 1]
