"""A scheduler whose time is turned, and never waited for; its chores note what they are asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import facts, ports, refusals, subjects
from domain import job as jobs
from projections.jobs import Standing
from tests.workers.exchange import Turned
from workers import chore
from workers.agenda import Agenda
from workers.asked import Asked
from workers.job_log import Feed, JobLog

NEW_YEAR = datetime(2026, 1, 1, 5, 0, tzinfo=UTC) - timedelta(microseconds=1)
"""The last moment of 2025 in New York."""
END = datetime(2027, 1, 1, 5, 0, tzinfo=UTC) - timedelta(microseconds=1)
Do = Callable[[chore.Due], chore.Done]


class Memory:
    """A log without a disk, in which a place that is taken is taken."""

    def __init__(self) -> None:
        self.facts: list[facts.Recorded] = []
        self.streams: dict[UUID, list[facts.Recorded]] = {}

    def after(self, position: int, limit: int) -> list[facts.Recorded]:
        return self.facts[position : position + limit]

    def stream(self, stream_id: UUID) -> list[facts.Recorded]:
        return list(self.streams.get(stream_id, ()))

    def append_each(
        self, appends: Sequence[ports.Append]
    ) -> list[Sequence[int] | refusals.Refusal]:
        return [self._append(each) for append in appends for each in append.recorded]

    def _append(self, recorded: facts.Recorded) -> Sequence[int] | refusals.Refusal:
        stream = self.streams.setdefault(recorded.stream_id, [])
        if recorded.version != len(stream) + 1:
            return refusals.Stale("something else was recorded first")
        placed = replace(recorded, position=len(self.facts) + 1)
        stream.append(placed)
        self.facts.append(placed)
        return [placed.position]


class Shelf:
    """A bucket without a bus."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    async def get(self, _: str, key: str) -> bytes | None:
        return self.entries.get(key)

    async def put_all(self, _: str, entries: Mapping[str, bytes]) -> None:
        await asyncio.sleep(0)
        self.entries.update(entries)


class AtOnce(Executor):
    """Does what it is given where it is given: no thread is waited for."""

    def submit(self, do: Callable[..., Any], /, *args: Any, **said: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(do(*args, **said))
        return done


class Office:
    """One scheduler at a time, a log, and a clock that stands until it is turned."""

    def __init__(self, log: Feed, at: datetime = NEW_YEAR) -> None:
        self.log = log
        self.shelf = Shelf()
        self.clock = Turned(at)
        self.asked: list[chore.Due] = []
        self.told: list[subjects.JobNotice] = []
        self.do: Do = lambda _: chore.Done(done=1)
        self.slept: list[float] = []
        self.agenda = self._agenda()

    def _agenda(self) -> Agenda:
        self.book = JobLog(self.log, self._nudge, self.clock, AtOnce())
        asked = Asked(self.shelf)
        return Agenda(self.book, self._work, self._tell, self.clock, self._sleep, asked)

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
        await self.agenda.inherit()
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


def runs(log: Feed) -> list[facts.JobRan]:
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
    return list(jobs.due(jobs.Job(job), since, until))


def twice(found: Iterable[facts.JobRan]) -> list[UUID]:
    """Runs that are recorded more than once."""
    return [run for run, count in Counter(each.run_id for each in found).items() if count > 1]
