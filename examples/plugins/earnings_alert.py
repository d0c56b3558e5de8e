"""Tells of open options whose company reports its earnings soon: within 7 days, unless told else.

Prices jump when a company reports. An option that is open over that day carries that risk whether
its premium was paid for it or not.
"""

from datetime import date, timedelta

from plugin import Config, Context, Plugin, Schedule, Unanswered


class Settings(Config):
    """How many `days` ahead to look; `before_expiration_only` leaves out what has ended by then."""

    days: int = 7
    before_expiration_only: bool = False


class EarningsAlert(Plugin):
    """Tells of open options whose company reports its earnings soon."""

    name = "earnings_alert"
    version = "1.0"
    default_schedule = Schedule(cron="0 9 * * 1-5")
    default_market_hours = "sessions"
    config = Settings

    def execute(self, context: Context) -> None:
        """Ask for the earnings of each symbol once, and tell of each that is near."""
        last = context.now.date() + timedelta(days=self.settings.days)
        ends: dict[str, list[date]] = {}
        for position in context.positions():
            if position.expiration is not None:
                ends.setdefault(position.symbol, []).append(position.expiration)
        for symbol in sorted(ends):
            try:
                ahead = context.earnings(symbol, until=last)
            except Unanswered as reason:
                context.log.info("%s: %s", symbol, reason)
                continue
            for earning in ahead:
                held = ends[symbol]
                if self.settings.before_expiration_only:
                    held = [each for each in held if each >= earning.day]
                if held:
                    context.alert(
                        f"{symbol} reports on {earning.day}; options open: {len(held)}",
                        key=f"{symbol} {earning.day}",
                        symbol=symbol,
                    )
