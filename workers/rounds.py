"""When it is whose turn to be asked about."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Final, Literal

from domain import calendar

SHORTEST: Final = 0.2
Turn = Literal["whole", "failing", "new"]


class Rounds:
    """When it is whose turn: every symbol, those that failed, or only those that are new.

    `every` is in real seconds.
    """

    def __init__(self, every: float) -> None:
        self.every = every
        self._begun = -math.inf
        self._market_time = datetime.min.replace(tzinfo=UTC)
        self._connections = 0

    def turn(self, connections: int, now: datetime) -> Turn:
        """Whose turn it is at this instant of market time."""
        if connections != self._connections:
            return "whole"  # the first round; or the bus is a new one, perhaps an empty one
        if asyncio.get_running_loop().time() < self._begun + self.every:
            return "new"
        return "whole" if self._has_traded(now) else "failing"

    def begin(self, connections: int, now: datetime) -> None:
        """A round was made."""
        self._begun = asyncio.get_running_loop().time()
        self._market_time = now
        self._connections = connections

    def _has_traded(self, now: datetime) -> bool:
        """Whether there can be news since the last round.

        The market need not be open now: the last price of a day comes after its close, and on
        a fast clock a whole session fits between two looks.
        """
        closed = calendar.close_at(calendar.last_close(now))
        return calendar.is_open(now) or closed > self._market_time
