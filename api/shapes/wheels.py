"""What a wheel's state is told as; a wheel is told as the views keep it."""

from __future__ import annotations

from projections import answers


class WheelState(answers.Wheel, frozen=True, kw_only=True):
    """A wheel with what may be recorded next, and what is open."""

    next_moves: list[str]
    open_trades: list[answers.Trade]
