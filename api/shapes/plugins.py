"""How plugins are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain import facts
from domain import plugin as plugins
from projections import answers


class Plugin(answers.Plugin, frozen=True, kw_only=True):
    """A registered plugin, and how it is: `reason` says what is wrong with it.

    `last_run` is null as long as it has not run, `next_run_at` while it does not run by itself.
    """

    status: plugins.Status
    reason: str | None
    last_run: answers.PluginRun | None
    next_run_at: datetime | None


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that was found, registered or not; `fault` says why it cannot be loaded."""

    name: str
    origin: str
    digest: str
    plugin_version: str
    description: str
    default_schedule: facts.Schedule | None
    default_market_hours: facts.MarketHours
    config_schema: dict[str, Any]
    wants: tuple[str, ...]
    fault: str | None
    is_registered: bool
