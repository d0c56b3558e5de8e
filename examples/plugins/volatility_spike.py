"""Tells of held symbols that have begun to move much more than they used to.

Compared are the realised volatility of the last days and that of the weeks before, and, where it is
known, the volatility that options at the money imply today with that of a month.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from plugin import Config, Context, Plugin, Schedule, Unanswered

SESSIONS = 252


class Settings(Config):
    """A symbol is told whose volatility is `ratio` times what it was, and at least `least`.

    `recent` and `usual` are sessions; `least` is a decimal a year.
    """

    ratio: float = 1.5
    least: float = 0.2
    recent: int = 5
    usual: int = 40


class VolatilitySpike(Plugin):
    """Tells of held symbols that have begun to move much more than they used to."""

    name = "volatility_spike"
    version = "1.0"
    default_schedule = Schedule(cron="45 9,12,15 * * 1-5")
    default_market_hours = "sessions"
    config = Settings

    def execute(self, context: Context) -> None:
        """Look at every symbol of an active wheel."""
        for symbol in sorted({wheel.symbol for wheel in context.wheels()}):
            try:
                realised = self._realised(context, symbol)
            except Unanswered as reason:
                context.log.info("%s: %s", symbol, reason)
                continue
            for name, now, before in (realised, self._implied(context, symbol)):
                context.log.info("%s %s: %.3f, before %.3f", symbol, name, now, before)
                if now >= self.settings.least and now >= self.settings.ratio * before > 0:
                    context.alert(
                        f"{symbol}: its {name} volatility is {now:.0%}, before it was {before:.0%}",
                        symbol=symbol,
                        key=f"{symbol} {name}",
                    )

    def _realised(self, context: Context, symbol: str) -> tuple[str, float, float]:
        closes = [float(bar.close) for bar in context.history(symbol)]
        moves = [math.log(after / before) for before, after in pairwise(closes)]
        recent, usual = self.settings.recent, self.settings.usual
        return "realised", _a_year(moves[-recent:]), _a_year(moves[:-recent][-usual:])

    def _implied(self, context: Context, symbol: str) -> tuple[str, float, float]:
        try:
            known = [each.volatility for each in context.volatilities(symbol)]
        except Unanswered:
            known = []
        return "implied", known[-1] if known else 0.0, fmean(known[-22:-1]) if known[1:] else 0.0


def _a_year(moves: Sequence[float]) -> float:
    return pstdev(moves) * math.sqrt(SESSIONS) if len(moves) > 1 else 0.0
