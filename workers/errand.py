"""One run of a job: its chore, tried as often as the setup says, and what came of it.

Pauses between tries are market time. How long a try may take is real time: work takes as long as
it takes, however fast the market's clock runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import tenacity
from msgspec.structs import asdict

from domain import facts, ports, refusals, subjects
from workers import chore

_logger = logging.getLogger(__name__)

Work = Callable[[chore.Due], Awaitable[chore.Done]]
"""Does the work of one run, whichever job it is of. Raises what it likes."""
Sleep = Callable[[float], Awaitable[None]]
"""Lets so many seconds of market time pass."""

MOST_ITEMS: Final = 20
"""How many of the pieces that failed are kept by name."""
LONGEST_PAUSE: Final = 3_600
MOST_WORDS: Final = 500


class TooLong(Exception):
    """A try was ended because its time was over."""


class Errand:
    """A run as it stands."""

    def __init__(self, due: chore.Due, clock: ports.Clock) -> None:
        self.due = due
        self.started_at = clock.now()
        self.attempts = 0
        self._clock = clock

    @property
    def run(self) -> subjects.JobRun:
        """The run, still under way."""
        return subjects.JobRun(
            **_whose(self.due),
            outcome="running",
            started_at=self.started_at,
            finished_at=None,
            duration_seconds=(self._clock.now() - self.started_at).total_seconds(),
            attempts=self.attempts,
            done=0,
            failed=0,
            items=(),
            error=None,
            message=None,
        )

    async def carried_out(
        self, work: Work, setup: facts.JobConfigured, sleep: Sleep
    ) -> facts.JobRan:
        """Do it, trying again what fails; never raises but when it is cancelled."""
        tries = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(setup.retries + 1),
            wait=tenacity.wait_exponential(setup.backoff_seconds, max=LONGEST_PAUSE),
            sleep=sleep,
            reraise=True,
        )
        try:
            done: chore.Done = await tries(self._tried, work, setup.timeout_seconds)
        except TooLong as reason:
            return self.ended("timed_out", error=str(reason))
        except Exception as reason:  # noqa: BLE001  whatever a chore raises is what came of it
            return self.ended("failed", error=_words(reason))
        return self._verdict(done)

    async def _tried(self, work: Work, seconds: float) -> chore.Done:
        self.attempts += 1
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await work(self.due)
        except TimeoutError as reason:
            if limit.expired():
                raise TooLong(f"not done within {seconds:g} s") from reason
            raise
        except Exception:
            _logger.warning("%s failed, try %d", self.due.job, self.attempts, exc_info=True)
            raise

    def _verdict(self, done: chore.Done) -> facts.JobRan:
        """A run in which not one piece of the work was done has failed."""
        in_vain = bool(done.failed) and not done.done
        return self.ended(
            "failed" if in_vain else "succeeded",
            done=done.done,
            failed=len(done.failed),
            items=tuple(facts.FailedItem(each.item, each.why) for each in done.failed[:MOST_ITEMS]),
            error="no piece of the work could be done" if in_vain else None,
            message=done.message,
        )

    def ended(self, outcome: facts.RunOutcome, **told: Any) -> facts.JobRan:
        """The fact of it."""
        return facts.JobRan(
            **_whose(self.due),
            outcome=outcome,
            started_at=self.started_at,
            finished_at=max(self.started_at, self._clock.now()),
            attempts=self.attempts,
            **told,
        )


def not_made(due: chore.Due, outcome: facts.RunOutcome, why: str, now: datetime) -> facts.JobRan:
    """The fact of a run that never was."""
    return facts.JobRan(**_whose(due), outcome=outcome, started_at=None, finished_at=now, error=why)


def _whose(due: chore.Due) -> dict[str, Any]:
    told = asdict(due)
    told["due_at"] = told.pop("at")
    told.pop("settings")
    return told


def _words(reason: Exception) -> str:
    """What a person is told of it; the log has the rest."""
    words = reason.message if isinstance(reason, refusals.Refusal) else str(reason)
    named = words if isinstance(reason, refusals.Refusal) else f"{type(reason).__name__}: {words}"
    return named[:MOST_WORDS]
