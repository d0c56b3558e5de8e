"""What a trade's history is told as."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain import facts
from projections import answers


class FieldChanged(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a recorded fact that an amendment changed."""

    field: str
    before: Any = msgspec.field(name="from")
    after: Any = msgspec.field(name="to")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A fact, or an amendment of one, and the trade as it was believed afterwards.

    `amends` is the version of the fact that an amendment is about, `reason` why, `changes` what
    it changed; `after` is null where nothing of the trade was believed to have happened by
    `as_of`.
    """

    position: int
    version: int
    name: str
    recorded_at: datetime
    effective_at: datetime
    source: str
    external_id: str | None
    notes: str | None
    amends: int | None
    reason: str | None
    changes: list[FieldChanged]
    fact: facts.WheelFact | facts.Amendment
    after: answers.Trade | None
