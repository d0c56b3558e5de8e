"""What a job does when it is due: a chore does it, for one `Due`, and tells what is `Done`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domain import facts
from workers import running


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a job: for which instant of market time it was due, and what made it run.

    `portfolio_id` is None where the job is for all portfolios; `settings` are the job's own.
    """

    job: str
    run_id: UUID
    at: datetime
    trigger: facts.Trigger
    portfolio_id: UUID | None = None
    settings: Mapping[str, Any] = {}


class Missed(msgspec.Struct, frozen=True):
    """A piece of the work that failed, and why; the others were done."""

    item: str
    why: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to: how many pieces were done, which failed, and a word for people."""

    done: int = 0
    failed: tuple[Missed, ...] = ()
    message: str | None = None


Chore = Callable[[running.Context, Due], Awaitable[Done]]
"""Does the work of one run, as often as it is asked: a second time changes nothing.

Raises what it likes: the run has then failed, and may be tried again.
"""
