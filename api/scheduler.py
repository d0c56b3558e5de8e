"""The jobs: how each is set up, when it runs, what became of it, and how to run one now."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID, uuid4, uuid5

import msgspec
from cron_descriptor import FormatError, Options, get_description
from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec.structs import asdict

from adapters import request_id
from api import dependencies, desk
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.scheduler import Configured, Job, Trigger
from api.shapes.system import Planned
from domain import facts, refusals, schedule, subjects
from domain import job as jobs
from projections import answers, questions

_ALL: Final = Trigger()
From = Annotated[date | None, QueryParameter(name="from", description="First New York date.")]
To = Annotated[date | None, QueryParameter(name="to", description="Last New York date.")]
Rule: Final = {
    "any": "",
    "market_hours": ", while the market is open",
    "sessions": ", on days of trading",
}
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class SchedulerController(Controller):
    """The scheduler."""

    path = "/scheduler"
    tags = ("Scheduler",)

    @get("/jobs")
    async def list_jobs(self, office: NamedDependency[Office]) -> Reply[Answer[list[Job]]]:
        """Every job: how it is set up, when it is due next, and how it went last."""
        now = office.clock.now()
        lately = await _lately(office)
        return Reply(Answer([lately.shown(each, now) for each in await _setups(office)], now))

    @get("/history")
    async def history(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        job: FromQuery[str | None] = None,
        outcome: FromQuery[facts.RunOutcome | None] = None,
        trigger: FromQuery[facts.Trigger | None] = None,
        portfolio_id: FromQuery[UUID | None] = None,
        first: From = None,
        last: To = None,
    ) -> Reply[Page[subjects.JobRun]]:
        """List the runs of jobs, and those that were missed, the newest first."""
        if job is not None:
            jobs.known(job)
        wanted = questions.RunFilter(job, outcome, trigger, portfolio_id, first, last)
        async with office.views(clocks) as views:
            found = await questions.all_runs(views, wanted, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @get("/jobs/{job:str}")
    async def job(
        self,
        office: NamedDependency[Office],
        job: FromPath[str],
        portfolio_id: FromQuery[UUID | None] = None,
    ) -> Reply[Answer[Job]]:
        """One job, for all portfolios or as it is set up for one."""
        state = await _state(office, job, portfolio_id)
        if portfolio_id is not None and not state.spans:
            raise refusals.Unknown(f"job {job} of its own for portfolio", portfolio_id)
        now = office.clock.now()
        shown = (await _lately(office)).shown(answers.job_setup(state), now)
        return Reply(Answer(shown, now), headers={"ETag": f'"{shown.version}"'})

    @put("/jobs/{job:str}")
    async def configure(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        job: FromPath[str],
        data: JSONBody[jobs.Configure],
    ) -> Reply[Answer[Job]]:
        """Set a job up otherwise, for all portfolios or for one; what is left out stays."""
        jobs.check_whose(job, data.portfolio_id)
        await _check_portfolio(office, data.portfolio_id)
        at_first = (await _state(office, job, None)).setup
        return await office.desk.carry_out(_task(job, data, at_first, await _lately(office)), asked)

    @get("/jobs/{job:str}/history")
    async def configurations(
        self,
        office: NamedDependency[Office],
        job: FromPath[str],
        portfolio_id: FromQuery[UUID | None] = None,
    ) -> Reply[Answer[list[Configured]]]:
        """How a job was set up, and who said so, the newest first."""
        jobs.known(job)
        stream = await office.stream(facts.job_stream(job, portfolio_id))
        told = [_configured(*each) for each in zip([None, *stream], stream, strict=False)]
        return Reply(Answer(list(reversed(told)), office.clock.now()))

    @post("/jobs/{job:str}/trigger", status_code=200, opt={"records": False})
    async def trigger(
        self,
        office: NamedDependency[Office],
        job: FromPath[str],
        idempotency_key: dependencies.IdempotencyKey = None,
        data: JSONBody[Trigger] = _ALL,
    ) -> Reply[Answer[subjects.JobRun]]:
        """Run a job now, whatever the market's hours; answers while it runs.

        Under the same idempotency key it is the same run.
        """
        jobs.check_whose(job, data.portfolio_id)
        key = dependencies.checked(idempotency_key)
        await _check_portfolio(office, data.portfolio_id)
        entry = facts.job_stream(job, data.portfolio_id)
        run_id = uuid4() if key is None else uuid5(entry, key)
        order = subjects.JobOrder(run_id, job, data.portfolio_id, request_id.current.get())
        reply = await _asked(office, subjects.JobQuestion(order))
        return Reply(Answer(_begun(reply), office.clock.now()))


# --- how jobs are set up ----------------------------------------------------------------------


async def _setups(office: Office) -> list[answers.JobSetup]:
    """Every job of the catalogue, set up by somebody or not, and those of single portfolios."""
    said = {each.id: each for each in await questions.all_jobs(office.live)}
    every = {each.id: answers.job_setup(each) for each in map(jobs.Job, jobs.JOBS)} | said
    known = [each for each in every.values() if jobs.can_be(each.job, each.portfolio_id)]
    places = {name: place for place, name in enumerate(jobs.JOBS)}
    return sorted(known, key=lambda each: (places[each.job], str(each.portfolio_id or "")))


async def _state(office: Office, job: str, portfolio_id: UUID | None) -> jobs.Job:
    """A job as the ledger has it; raises refusals.Unknown."""
    jobs.known(job)
    model = _model(job, portfolio_id)
    return await office.desk.latest(model, facts.job_stream(job, portfolio_id))


def _model(job: str, portfolio_id: UUID | None) -> desk.Model[jobs.Job]:
    def empty(_: UUID) -> jobs.Job:
        return jobs.Job(job, portfolio_id)

    return desk.Model("job", empty, jobs.evolve, lambda state: state.version)


def _task(
    job: str, order: jobs.Configure, at_first: facts.JobConfigured, lately: Lately
) -> desk.Task[jobs.Job]:
    """One of a portfolio's own begins as the job is set up for all."""

    def decide(state: jobs.Job, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        begun = msgspec.structs.replace(state, at_first=at_first)
        return jobs.decide(begun, order, now=now, command_id=command_id)

    def show(state: jobs.Job, now: datetime) -> desk.Shown:
        return desk.Shown(lately.shown(answers.job_setup(state), now), state.version)

    model = _model(job, order.portfolio_id)
    stream = facts.job_stream(job, order.portfolio_id)
    return desk.Task(stream, model, order, decide, show, lambda state: state.version)


async def _check_portfolio(office: Office, portfolio_id: UUID | None) -> None:
    """Raise refusals.Unknown for a portfolio that is not there."""
    if portfolio_id is not None:
        await questions.portfolio(office.live, portfolio_id)


def _configured(before: facts.Recorded | None, recorded: facts.Recorded) -> Configured:
    setup, earlier = recorded.fact, before and before.fact
    assert isinstance(setup, facts.JobConfigured)
    assert earlier is None or isinstance(earlier, facts.JobConfigured)
    return Configured(
        version=recorded.version,
        at=recorded.recorded_at,
        source=recorded.source,
        setup=setup,
        before=earlier,
        notes=recorded.notes,
        request_id=recorded.request_id,
        position=recorded.position,
    )


# --- how they run -----------------------------------------------------------------------------


class Lately(msgspec.Struct, frozen=True):
    """What runs, and how each job ran last, by the job's id."""

    last: dict[UUID, subjects.JobRun]
    running: dict[UUID, subjects.JobRun]

    def shown(self, setup: answers.JobSetup, now: datetime) -> Job:
        """A job as it is told."""
        kind = jobs.JOBS[setup.job]
        return Job(
            **asdict(setup),
            description=kind.means,
            schedule_text=in_words(setup.schedule, setup.market_hours),
            catch_up=kind.catch_up,
            next_run=_next_run(setup, now),
            last_run=self.last.get(setup.id),
            running=self.running.get(setup.id),
        )


async def _lately(office: Office) -> Lately:
    try:
        running = (await _asked(office, subjects.JobQuestion())).runs
    except refusals.Unavailable:
        running = ()
    return Lately(
        await questions.last_runs(office.live),
        {facts.job_stream(each.job, each.portfolio_id): each for each in running},
    )


def _next_run(setup: answers.JobSetup, now: datetime) -> datetime | None:
    if not setup.enabled:
        return None
    return schedule.next_due(setup.schedule, setup.market_hours, now)


async def planned(office: Office) -> list[Planned]:
    """The jobs that are enabled, and when each is due next."""
    now = office.clock.now()
    return [
        Planned(job=each.job, portfolio_id=each.portfolio_id, next_run=_next_run(each, now))
        for each in await _setups(office)
        if each.enabled
    ]


def lag(office: Office) -> int:
    """Seconds of market time that the oldest due job has waited, as the scheduler said last."""
    return _counted(office, "lag")


def ahead(office: Office) -> int:
    """Seconds of market time until the last run would be due that is recorded already."""
    return _counted(office, "ahead")


def _counted(office: Office, what: str) -> int:
    beat = office.beats.get("scheduler")
    return 0 if beat is None else beat.counts.get(what, 0)


async def _asked(office: Office, question: subjects.JobQuestion) -> subjects.JobReply:
    return await office.ask(
        subjects.JOBS_ASK,
        question,
        subjects.JobReply,
        part="scheduler",
        silence="the scheduler does not answer",
    )


def _begun(reply: subjects.JobReply) -> subjects.JobRun:
    """The run that was asked for; raises refusals.Conflict where another stands in its way."""
    if reply.conflict is not None:
        run_id = str(reply.runs[0].run_id) if reply.runs else None
        raise refusals.Conflict(reply.conflict, run_id=run_id)
    return reply.runs[0]


# --- in words ---------------------------------------------------------------------------------


def in_words(said: facts.Schedule, rule: facts.MarketHours) -> str:
    """A schedule as a person says it."""
    if said.after_close_minutes is not None:
        return f"{said.after_close_minutes} minutes after the close of every session"
    if said.interval_seconds is not None:
        return f"Every {_long(said.interval_seconds)}{Rule[rule]}"
    return f"{_times(said.cron or '')}{Rule[rule]}, {said.timezone} time"


def _times(cron: str) -> str:
    options = Options()
    options.use_24hour_time_format = True
    spelled = schedule.spelled(cron)
    try:
        return str(get_description(spelled, options))
    except FormatError:  # what it has no words for is still a crontab
        return f"At {spelled}"


def _long(seconds: int) -> str:
    """A span in the largest unit that it is a whole number of."""
    size, unit = next(each for each in _UNITS if seconds % each[0] == 0)
    count = seconds // size
    return unit if count == 1 else f"{count} {unit}s"
