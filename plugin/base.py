"""The class that a plugin is made from."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from domain import facts
from plugin.context import Context

Schedule = facts.Schedule
"""When to run: `interval_seconds`, `cron` on the clocks of `timezone`, or `after_close_minutes`."""


class Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a user may set, a field each; the types are checked before the plugin sees them."""


class Plugin:
    """A plugin: one object for one run, in a process of its own.

    `name` is that of its file, or of its entry point. Of what `default_schedule` says,
    `default_market_hours` leaves all (any), what falls on days of trading (sessions), or while the
    market is open (market_hours). `commands` are those that it would like to
    be granted. `settings` are what the user has set, as a `config`.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "0"
    default_schedule: ClassVar[Schedule | None] = None
    default_market_hours: ClassVar[facts.MarketHours] = "any"
    config: ClassVar[type[Config]] = Config
    commands: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def on_startup(self, context: Context) -> None:
        """Before each run."""

    def execute(self, context: Context) -> None:
        """Do the work. What it raises is how it failed."""
        raise NotImplementedError

    def on_success(self, context: Context) -> None:
        """After a run that raised nothing."""

    def on_failure(self, context: Context, error: Exception) -> None:
        """After a run that raised something; not when it was killed."""
