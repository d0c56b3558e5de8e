"""Tells of open options that have earned most of their premium, and may be bought back.

Selling an option earns the last of its premium slowly and at the most risk: many close it when
most is earned, and sell another.
"""

from plugin import Config, Context, Plugin, Schedule


class Settings(Config):
    """`percent` of the premium that must be earned; only `symbols`, where any are named."""

    percent: float = 80
    symbols: tuple[str, ...] = ()


class PremiumTarget(Plugin):
    """Tells of open options that have earned most of their premium."""

    name = "premium_target"
    version = "1.0"
    default_schedule = Schedule(cron="*/30 10-15 * * 1-5")
    default_market_hours = "sessions"
    config = Settings

    def execute(self, context: Context) -> None:
        """Compare what each open option has earned with what it could."""
        for position in context.positions():
            earned, premium = position.unrealized_pnl, position.premium_collected
            if position.trade_id is None or earned is None or premium <= 0:
                continue
            if self.settings.symbols and position.symbol not in self.settings.symbols:
                continue
            percent = float(earned / premium) * 100
            context.log.info("%s has earned %.0f %%", position.symbol, percent)
            if percent >= self.settings.percent:
                context.alert(
                    f"{position.symbol} {position.strike} {position.direction} of "
                    f"{position.expiration}: {percent:.0f} % of its premium is earned",
                    severity="LOW",
                    key=str(position.trade_id),
                    about=position,
                )
