"""What an author of plugins needs: a class to begin from, and what it is given when it runs.

    from plugin import Config, Context, Plugin, Schedule

    class Settings(Config):
        percent: float = 80

    class PremiumTarget(Plugin):
        name = "premium_target"
        version = "1.0"
        default_schedule = Schedule(cron="0 16 * * 1-5")
        default_market_hours = "sessions"
        config = Settings

        def execute(self, context: Context) -> None:
            for position in context.positions():
                ...
                context.alert(f"{position.symbol} has earned {self.settings.percent} %")

docs/plugins.md leads there from an empty file.
"""

from plugin.base import Config, Plugin, Schedule
from plugin.context import Context, Unanswered

__all__ = ["Config", "Context", "Plugin", "Schedule", "Unanswered"]
