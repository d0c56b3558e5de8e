"""Schedulers on a real bus and ledger: one has the word, another follows it, none doubles it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from adapters import bus, event_store, settings
from adapters.event_store import EventStore
from adapters.lease import Lease
from domain import facts, subjects
from domain import job as jobs
from projections.jobs import Standing
from tests.conftest import Join, NatsServer, soon
from tests.workers.exchange import Turned
from tests.workers.year import planned, runs, times, twice
from workers import chore, chores, running, scheduler
from workers.agenda import Agenda
from workers.asked import Asked
from workers.job_log import JobLog

MONDAY = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""Midnight in New York."""
LASTS = 0.4
RUN = UUID(int=9)


class News:
    """Wakes whoever waits for a run to be recorded."""

    def __init__(self, log: EventStore) -> None:
        self._log = log
        self._news = asyncio.Condition()

    async def told(self, _: int = 0) -> None:
        async with self._news:
            self._news.notify_all()

    async def recorded(self, run_id: UUID) -> None:
        """Wait until a run is recorded."""
        await self.until(lambda: bool(self._log.stream(run_id)))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(condition)


class Scheduler:
    """A scheduler that can be killed: it says nothing more, and gives nothing back."""

    def __init__(self, log: EventStore, news: News, connected: bus.Bus, clock: Turned) -> None:
        self.asked: list[chore.Due] = []
        self._news = news
        self.woken = asyncio.Event()
        self.plan = Agenda(
            JobLog(log, news.told, clock),
            self._work,
            self._tell,
            clock,
            clock.sleep,
            Asked(connected),
        )
        lease = Lease(connected, "scheduler", LASTS)
        listen = partial(scheduler.answering, connected, self.plan)
        self._watch = scheduler.Watch(self.plan, lease, listen)
        self._clock = clock
        self._task = asyncio.create_task(self._run())

    async def _work(self, due: chore.Due) -> chore.Done:
        self.asked.append(due)
        for _ in range(random.Random(due.run_id.int).randrange(20)):
            await asyncio.sleep(0)
        return chore.Done(done=1)

    async def _tell(self, notice: subjects.JobNotice) -> None: ...

    async def _run(self) -> None:
        await self.plan._book.begin(Standing())
        stop = asyncio.Event()
        await scheduler.watched(self._watch, self._clock, self._pause, stop, {})

    async def _pause(self, _: float) -> None:
        await running.nap(LASTS / 8, self.woken, self.plan.freed)
        self.woken.clear()
        await self._news.told()  # who was killed may have recorded, and not told

    async def kill(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.plan.stop()


@pytest.fixture
def log(settings: settings.Settings) -> Iterator[EventStore]:
    with closing(event_store.open_store(settings)) as opened:
        yield opened


@pytest.mark.parametrize("seed", range(3))
async def test_two_schedulers_of_which_one_is_killed_at_random_make_one_run_per_due_time(
    server: NatsServer, join: Join, log: EventStore, seed: int
) -> None:
    chance, clock, news = random.Random(seed), Turned(MONDAY), News(log)
    until = MONDAY + timedelta(hours=18)
    hired = [Scheduler(log, news, await join("scheduler"), clock) for _ in range(2)]
    everybody = [*hired]
    await soon(news.until(lambda: any(each.plan.has_the_word for each in hired)))
    expected = {name: planned(name, MONDAY, until) for name in jobs.JOBS}
    due = sorted({at for times in expected.values() for at in times})
    killed_at = set(chance.sample(range(len(due)), 5))
    for number, at in enumerate(due):
        clock.at = at
        for each in hired:
            each.woken.set()
        if number in killed_at:
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            victim = int(hired[1].plan.has_the_word)
            await hired[victim].kill()
            hired[victim] = Scheduler(log, news, await join("scheduler"), clock)
            everybody.append(hired[victim])
        for name in (name for name, when in expected.items() if at in when):
            await soon(news.recorded(facts.run_stream(name, None, at)))
    for each in hired:
        await each.kill()
    found = runs(log)
    assert twice(found) == []
    assert {name: times(found, name, "succeeded") for name in jobs.JOBS} == expected
    assert sum(bool(each.asked) for each in everybody) > 1


# --- the process ------------------------------------------------------------------------------


class Hand:
    """Does the work of every job, and notes it."""

    def __init__(self) -> None:
        self.asked: list[chore.Due] = []
        self.news = asyncio.Condition()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def load(self, job: str) -> chore.Chore:
        if job == "backup":
            raise ModuleNotFoundError("no module for it")
        return self.work

    async def work(self, context: running.Context, due: chore.Due) -> chore.Done:
        async with self.news:
            self.asked.append(due)
            self.news.notify_all()
        await self.goes_on.wait()
        return chore.Done(done=1, message="done")

    async def until_asked(self, count: int) -> None:
        async with self.news:
            await self.news.wait_for(lambda: len(self.asked) >= count)


@asynccontextmanager
async def process(
    settings: settings.Settings, connected: bus.Bus, clock: Turned, load: chores.Load
) -> AsyncIterator[running.Context]:
    """The scheduler's process, until the block ends."""
    context = running.Context("scheduler", settings, clock, connected, asyncio.Event(), {})
    task = asyncio.create_task(scheduler.run(context, load))
    try:
        yield context
    finally:
        context.stop.set()
        await soon(task)


class Ears:
    """Hears what is told of jobs."""

    def __init__(self) -> None:
        self.told: list[subjects.JobNotice] = []
        self._news = asyncio.Condition()

    async def hear(self, heard: bus.Heard) -> None:
        async with self._news:
            self.told.append(heard.read(subjects.JobNotice).data)
            self._news.notify_all()

    async def outcome(self, job: str, outcome: str) -> subjects.JobNotice:
        def found() -> list[subjects.JobNotice]:
            return [each for each in self.told if (each.job, each.outcome) == (job, outcome)]

        async with self._news:
            await self._news.wait_for(lambda: bool(found()))
        return found()[0]


def set_up(log: EventStore, name: str, **said: Any) -> None:
    """Set a job up otherwise, as the API does it."""
    job = jobs.Job(name)
    job = jobs.fold(job, log.stream(job.id))
    log.append(jobs.decide(job, jobs.Configure(**said), now=MONDAY, command_id=RUN))


async def asked(connected: bus.Bus, question: subjects.JobQuestion) -> subjects.JobReply:
    """The scheduler's answer, once there is one."""
    while True:
        try:
            body = await connected.ask(subjects.JOBS_ASK, question, 1.0)
        except bus.BusDown:
            await asyncio.sleep(0.02)
        else:
            return msgspec.json.decode(body, type=subjects.JobReply)


async def test_the_process_runs_what_is_due_and_tells_it(
    server: NatsServer, settings: settings.Settings, join: Join, log: EventStore
) -> None:
    clock, hand, ears = Turned(MONDAY), Hand(), Ears()
    api = await join("api")
    await api.subscribe(subjects.EVERY_JOB, ears.hear)
    set_up(log, "backup", retries=0)
    async with process(settings, await join("scheduler"), clock, hand.load) as context:
        await soon(asked(api, subjects.JobQuestion()))
        clock.turn(hours=1)
        told = await soon(ears.outcome("performance_rollup", "succeeded"))
        clock.turn(hours=1)
        failed = await soon(ears.outcome("backup", "failed"))
        assert context.beat["state"] == "running"
    assert (told.due_at, told.trigger, told.message) == (
        MONDAY + timedelta(hours=1),
        "schedule",
        "done",
    )
    assert failed.message == "ModuleNotFoundError: no module for it"
    assert {each.outcome for each in runs(log) if each.job == "backup"} == {"failed"}


async def test_a_job_is_run_when_the_bus_asks(
    server: NatsServer, settings: settings.Settings, join: Join, log: EventStore
) -> None:
    clock, hand, api = Turned(MONDAY), Hand(), await join("api")
    hand.goes_on.clear()
    question = subjects.JobQuestion(subjects.JobOrder(RUN, "daily_snapshot"))
    async with process(settings, await join("scheduler"), clock, hand.load):
        reply = await soon(asked(api, question))
        assert [each.outcome for each in reply.runs] == ["running"]
        await soon(hand.until_asked(1))
        assert (await soon(asked(api, subjects.JobQuestion()))).runs[0].run_id == RUN
        hand.goes_on.set()
    assert [each.run_id for each in runs(log)] == [RUN]


async def test_a_change_counts_within_a_second(
    server: NatsServer, settings: settings.Settings, join: Join, log: EventStore
) -> None:
    clock, hand, api = Turned(MONDAY), Hand(), await join("api")
    async with process(settings, await join("scheduler"), clock, hand.load):
        await soon(asked(api, subjects.JobQuestion()))
        every_minute = facts.Schedule(interval_seconds=60)
        set_up(log, "daily_snapshot", schedule=every_minute, market_hours="any")
        clock.turn(minutes=1)
        await soon(hand.until_asked(1))
    assert (hand.asked[0].job, hand.asked[0].at) == ("daily_snapshot", clock.at)


async def test_who_ends_lets_another_take_over_at_once(
    server: NatsServer, settings: settings.Settings, join: Join, log: EventStore
) -> None:
    clock, hand, api = Turned(MONDAY), Hand(), await join("api")
    async with process(settings, await join("scheduler"), clock, hand.load):
        await soon(asked(api, subjects.JobQuestion()))
    other = Lease(await join("scheduler"), "scheduler", 600)
    assert await other.renew()


def test_there_is_a_module_named_for_every_job() -> None:
    assert chores.CHORES.keys() == jobs.JOBS.keys()
    with pytest.raises(KeyError):
        chores.load("mowing")
