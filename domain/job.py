"""A job: work that is due at certain times, how it is set up, and which of its runs are made.

──JobConfigured──▶ set up ──JobConfigured──▶ set up otherwise, from then on

Each due time of a job that is enabled has one run, a stream of its own with one fact, `JobRan`:
it was made when it was due, caught up later, or is known to have been missed. Which times were
due is told by what was set up at that time, however it was changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from domain import commands, facts, job_settings, moments, refusals, schedule

CatchUp = Literal["all", "latest", "none"]
"""Which of the runs that were missed are made up for."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A job of the catalogue: what it does, what of it is caught up, and how it stands at first."""

    means: str
    schedule: facts.Schedule
    market_hours: facts.MarketHours = "any"
    catch_up: CatchUp = "latest"
    timeout_seconds: int = 600
    retries: int = 2
    backoff_seconds: int = 30
    settings: Mapping[str, facts.Scalar] = MappingProxyType({})
    divisible: bool = True
    """Whether it can be done for one portfolio alone."""


_MINUTES: Final = 60
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)

JOBS: Final[Mapping[str, Kind]] = {
    "price_refresh": Kind(
        means="Fetch the prices of what is held and watched.",
        schedule=facts.Schedule(interval_seconds=5 * _MINUTES),
        market_hours="market_hours",
        catch_up="none",
        timeout_seconds=120,
        retries=1,
    ),
    "risk_monitoring": Kind(
        means="Go through all open positions, behind the rules that watch them live.",
        schedule=facts.Schedule(interval_seconds=15 * _MINUTES),
        market_hours="market_hours",
        timeout_seconds=120,
        retries=1,
    ),
    "daily_snapshot": Kind(
        means="Write down what every wheel holds and is worth at the end of the session.",
        schedule=facts.Schedule(after_close_minutes=30),
        market_hours="sessions",
        catch_up="all",
    ),
    "opportunity_scanning": Kind(
        means="Look for contracts worth selling in what is watched.",
        schedule=facts.Schedule(cron="45 9 * * *"),
        market_hours="sessions",
        timeout_seconds=3600,
        divisible=False,
    ),
    "expiration_review": Kind(
        means="Go through the options that expired today, and how they seem to have ended.",
        schedule=facts.Schedule(after_close_minutes=15),
        market_hours="sessions",
        catch_up="all",
        settings={"auto_expire": False},
    ),
    "performance_rollup": Kind(
        means="Check the sums of performance against the ledger.",
        schedule=facts.Schedule(cron="0 1 * * *"),
        timeout_seconds=1800,
    ),
    "ledger_checkpoint": Kind(
        means="Verify the ledger, and note how far it is whole.",
        schedule=facts.Schedule(cron="30 1 * * *"),
        timeout_seconds=1800,
        divisible=False,
    ),
    "backup": Kind(
        means="Copy the ledger to where backups are kept.",
        schedule=facts.Schedule(cron="0 2 * * *"),
        timeout_seconds=3600,
        settings={"keep": 14},
        divisible=False,
    ),
}
"""Every job, as it is set up at first."""


BOUNDS: Final = {
    "timeout_seconds": (1, 86_400),
    "retries": (0, 10),
    "backoff_seconds": (1, 3_600),
}
"""The least and the most of each number of a setup."""


def _between(field: str) -> Meta:
    least, most = BOUNDS[field]
    return Meta(extra_json_schema={"minimum": least, "maximum": most})


class Configure(commands.Command, frozen=True, kw_only=True):
    """Set a job up otherwise, for all portfolios or for one; what is left out stays.

    Of `settings` only those that are named change.
    """

    portfolio_id: UUID | None = None
    enabled: bool | UnsetType = UNSET
    schedule: facts.Schedule | UnsetType = UNSET
    market_hours: facts.MarketHours | UnsetType = UNSET
    timeout_seconds: Annotated[int, _between("timeout_seconds")] | UnsetType = UNSET
    retries: Annotated[int, _between("retries")] | UnsetType = UNSET
    backoff_seconds: Annotated[int, _between("backoff_seconds")] | UnsetType = UNSET
    settings: dict[str, facts.Scalar] | UnsetType = UNSET


class Span(msgspec.Struct, frozen=True):
    """How a job was set up, from an instant on."""

    since: datetime
    setup: facts.JobConfigured


class Job(msgspec.Struct, frozen=True):
    """A job as it is set up, and was; nothing was said of it yet where there is no span.

    `at_first` is how it is set up then, where not as the catalogue has it.
    """

    job: str
    portfolio_id: UUID | None = None
    version: int = 0
    recorded_at: datetime | None = None
    source: str | None = None
    spans: tuple[Span, ...] = ()
    at_first: facts.JobConfigured | None = None

    @property
    def id(self) -> UUID:
        """Its stream."""
        return facts.job_stream(self.job, self.portfolio_id)

    @property
    def setup(self) -> facts.JobConfigured:
        """How it is set up now."""
        if self.spans:
            return self.spans[-1].setup
        first = self.at_first or standard(self.job)
        return replace(first, portfolio_id=self.portfolio_id)


def known(job: str) -> Kind:
    """A job of the catalogue; raises refusals.Unknown."""
    if job not in JOBS:
        raise refusals.Unknown("job", job)
    return JOBS[job]


def can_be(job: str, portfolio_id: UUID | None) -> bool:
    """Whether there is such a job: some are done for all portfolios at once only."""
    return job in JOBS and (portfolio_id is None or JOBS[job].divisible)


def check_whose(job: str, portfolio_id: UUID | None) -> None:
    """Raise refusals.Unknown for no job, refusals.Invalid for one that is not of a portfolio."""
    known(job)
    if not can_be(job, portfolio_id):
        raise refusals.Invalid(
            "portfolio_id", str(portfolio_id), f"must be left out: {job} is done for all at once"
        )


def standard(job: str) -> facts.JobConfigured:
    """How a job is set up as long as nobody says otherwise."""
    kind = JOBS[job]
    return facts.JobConfigured(
        job=job,
        enabled=True,
        schedule=kind.schedule,
        market_hours=kind.market_hours,
        timeout_seconds=kind.timeout_seconds,
        retries=kind.retries,
        backoff_seconds=kind.backoff_seconds,
        settings=dict(kind.settings),
    )


def fold(job: Job, stream: Iterable[facts.Recorded]) -> Job:
    """The job that a stream's facts lead to."""
    for recorded in stream:
        job = evolve(job, recorded)
    return job


def evolve(job: Job, recorded: facts.Recorded) -> Job:
    """Fold one fact in. Never refuses: what happened, happened."""
    fact, at = recorded.fact, recorded.recorded_at
    if not isinstance(fact, facts.JobConfigured):  # a stranger in the stream means nothing to it
        return replace(job, version=recorded.version)
    return Job(
        fact.job,
        fact.portfolio_id,
        recorded.version,
        at,
        recorded.source,
        (*job.spans, Span(at, fact)),
    )


def decide(job: Job, order: Configure, *, now: datetime, command_id: UUID) -> list[facts.Recorded]:
    """The fact that an order leads to, not stored yet (position 0); none where nothing changes.

    Raises refusals.Invalid for what cannot be meant.
    """
    if order.effective_at is not None:
        raise refusals.Invalid(
            "effective_at", order.effective_at, "must be left out: a job is set up from now on"
        )
    setup = _changed(job, order)
    _check(setup, now)
    if job.spans and setup == job.setup:
        return []
    return [_recorded(job, setup, now, command_id, order)]


def _changed(job: Job, order: Configure) -> facts.JobConfigured:
    said = {field: value for field in _SETUP if (value := getattr(order, field)) is not UNSET}
    if "settings" in said:
        said["settings"] = {**job.setup.settings, **cast("dict[str, Any]", said["settings"])}
    return replace(job.setup, **said)


_SETUP: Final = (
    "enabled",
    "schedule",
    "market_hours",
    "timeout_seconds",
    "retries",
    "backoff_seconds",
    "settings",
)


def _check(setup: facts.JobConfigured, now: datetime) -> None:
    for field, (least, most) in BOUNDS.items():
        value = getattr(setup, field)
        if not least <= value <= most:
            raise refusals.Invalid(field, value, f"must be from {least} to {most}")
    job_settings.check(setup.job, setup.settings)
    schedule.check(setup.schedule, setup.market_hours, now)


def _recorded(
    job: Job, fact: facts.JobConfigured, now: datetime, command_id: UUID, order: Configure
) -> facts.Recorded:
    learned = moments.learned(now, job.recorded_at)
    return facts.Recorded(
        0,
        job.id,
        job.version + 1,
        learned,
        learned,
        order.source,
        command_id,
        order.external_id,
        fact,
        order.notes,
    )


# --- due times --------------------------------------------------------------------------------


def due(job: Job, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every instant in (after, until] at which it was, or is, due, in order.

    Each by what was set up at that instant, for all portfolios by the catalogue until somebody
    says otherwise; for one nothing is due until then.
    """
    always = () if job.portfolio_id else (Span(_BEGINNING, standard(job.job)),)
    spans = (*always, *job.spans)
    ends = [*(span.since for span in spans[1:]), until]
    for span, end in zip(spans, ends, strict=False):
        begins, ends_at = max(after, span.since), min(until, end)
        if begins < ends_at and span.setup.enabled:
            yield from schedule.due(span.setup.schedule, span.setup.market_hours, begins, ends_at)


def next_due(job: Job, after: datetime) -> datetime | None:
    """The next instant at which it is due, as it is set up now; None where it is disabled."""
    setup = job.setup
    if not setup.enabled or (job.portfolio_id and not job.spans):
        return None
    return schedule.next_due(setup.schedule, setup.market_hours, after)


class Turn(msgspec.Struct, frozen=True):
    """What becomes of a due time: it is run, or, without a trigger, it is known to be missed."""

    due_at: datetime
    trigger: facts.Trigger | None


def turns(
    times: Sequence[datetime], now: datetime, grace: timedelta, catch_up: CatchUp
) -> Iterator[Turn]:
    """What becomes of due times, all past and none run, in their order.

    One is late when its grace is over. Of a job that catches all up each is run, else at most the
    last of them.
    """
    for n, at in enumerate(times, 1):
        late, last = now - at > grace, n == len(times)
        runs = catch_up == "all" or (last and (catch_up == "latest" or not late))
        yield Turn(at, ("catch_up" if late else "schedule") if runs else None)
