"""What a wheel's trend is told as; a snapshot is told as the views keep it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from projections import snapshots


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """How a wheel's marks have moved: a point for each day or week that has one, in order."""

    wheel_id: UUID
    symbol: str
    interval: Literal["daily", "weekly"]
    points: list[snapshots.Point]
