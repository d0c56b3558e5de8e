"""What is said of jobs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from domain import facts, subjects
from domain import job as jobs


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job, for all portfolios or for one: how it is set up, when it ran and will run.

    `schedule_text` says the schedule in words, `next_run` is null where it is disabled, and
    `running` null where it does not run or no scheduler says so. Of runs that were missed
    `catch_up` says which are made up for. `version` is 0 as long as nothing was recorded of it.
    """

    id: UUID
    job: str
    portfolio_id: UUID | None
    description: str
    enabled: bool
    schedule: facts.Schedule
    schedule_text: str
    market_hours: facts.MarketHours
    catch_up: jobs.CatchUp
    timeout_seconds: int
    retries: int
    backoff_seconds: int
    settings: dict[str, facts.Scalar]
    next_run: datetime | None
    last_run: subjects.JobRun | None
    running: subjects.JobRun | None
    configured_at: datetime | None
    source: str | None
    version: int


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Run a job now, for all portfolios or for one."""

    portfolio_id: UUID | None = None


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """How a job was set up at one time, what it was before, and who said so.

    `before` is null for the first time.
    """

    version: int
    at: datetime
    source: str
    setup: facts.JobConfigured
    before: facts.JobConfigured | None
    notes: str | None
    request_id: str | None
    position: int
