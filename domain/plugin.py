"""A plugin: a program of the user's that runs beside ours, when and with what it is allowed to.

nothing ──PluginRegistered──▶ disabled ──PluginConfigured──▶ enabled, on its schedule
   ▲ ◀──PluginRemoved────────────┘        PluginReloaded: what there is to run is another now

What was found and what it told of itself comes from whoever looked (workers/shelf.py); what it may
do is decided here. A plugin is registered under the name of its file or entry point, so that it
stays itself while it is broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Literal, assert_never
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from domain import commands, facts, refusals, schedule

Status = Literal["healthy", "disabled", "failed", "timed_out", "out_of_memory", "refused", "broken"]

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
COMMANDS: Final = (
    "alerts.acknowledge",
    "alerts.mute",
    "opportunities.read",
    "shares.trade",
    "snapshots.take",
    "trades.assign",
    "trades.close",
    "trades.expire",
    "trades.roll",
    "trades.sell",
    "watchlist.watch",
)
"""What can be granted; everything else is refused."""
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")
TIMEOUT: Final = 60
MEMORY: Final = 512


class Register(commands.Command, frozen=True, kw_only=True):
    """Register a plugin that was found; it is disabled until somebody enables it."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]


class Enable(commands.Command, frozen=True, kw_only=True):
    """Let a plugin run on its schedule."""


class Disable(commands.Command, frozen=True, kw_only=True):
    """Let a plugin run no more by itself."""


class Remove(commands.Command, frozen=True, kw_only=True):
    """Want a plugin no more; its file and its runs stay."""


class Schedule(commands.Command, frozen=True, kw_only=True):
    """When a plugin runs, said as a job's times are; none of it is left from before."""

    schedule: facts.Schedule
    market_hours: facts.MarketHours = "any"


class Configure(commands.Command, frozen=True, kw_only=True):
    """What a plugin is told, whole; what is left out is as the plugin has it."""

    config: dict[str, Any]


class Grant(commands.Command, frozen=True, kw_only=True):
    """Which commands a plugin may give, all of them; none are left from before."""

    commands: Annotated[tuple[str, ...], Meta(max_length=20)]


class Limit(commands.Command, frozen=True, kw_only=True):
    """How long one run may take, in real seconds, and how much memory; left out: as before."""

    timeout_seconds: Annotated[int, Meta(ge=1, le=3600)] | None = None
    memory_mb: Annotated[int, Meta(ge=64, le=65536)] | None = None


Order = Register | Enable | Disable | Remove | Schedule | Configure | Grant | Limit
Fits = Callable[[str, str], None]
"""Raises refusals.Invalid where a configuration (JSON) does not fit a JSON schema."""


class Plugin(msgspec.Struct, frozen=True):
    """What the next decision needs; `found` and `decided` are None while it is not registered.

    `since` is the instant from which its schedule counts.
    """

    version: int = 0
    found: facts.AsInspected | None = None
    decided: facts.PluginConfigured | None = None
    registered_at: datetime | None = None
    recorded_at: datetime | None = None
    since: datetime | None = None

    @property
    def is_due_at_all(self) -> bool:
        """Whether it runs by itself."""
        if self.found is None or self.decided is None or self.found.fault is not None:
            return False
        return self.decided.enabled and self.decided.schedule is not None


NOTHING = Plugin()


def fold(stream: Iterable[facts.Recorded], plugin: Plugin = NOTHING) -> Plugin:
    """The plugin that a stream's facts lead to."""
    for recorded in stream:
        plugin = evolve(plugin, recorded)
    return plugin


def evolve(plugin: Plugin, recorded: facts.Recorded) -> Plugin:
    """Fold one fact in. Never refuses: what happened, happened."""
    then = replace(plugin, version=recorded.version, recorded_at=recorded.recorded_at)
    at = recorded.effective_at
    match recorded.fact:
        case facts.PluginRegistered() as found:
            return replace(then, found=found, decided=_fresh(found), registered_at=at, since=at)
        case facts.PluginReloaded() as found:
            mended = plugin.found is not None and plugin.found.fault is not None
            return replace(then, found=found, since=at if mended else plugin.since)
        case facts.PluginConfigured() as decided:
            same = plugin.decided is not None and _rhythm(plugin.decided) == _rhythm(decided)
            return replace(then, decided=decided, since=plugin.since if same else at)
        case facts.PluginRemoved():
            return replace(then, found=None, decided=None, since=None)
        case _:  # a stranger in the stream means nothing to a plugin
            return then


def _fresh(found: facts.PluginRegistered) -> facts.PluginConfigured:
    return facts.PluginConfigured(
        plugin=found.plugin,
        enabled=False,
        schedule=found.default_schedule,
        market_hours=found.default_market_hours,
        config="{}",
        grants=(),
        timeout_seconds=TIMEOUT,
        memory_mb=MEMORY,
    )


def _rhythm(
    decided: facts.PluginConfigured,
) -> tuple[bool, facts.Schedule | None, facts.MarketHours]:
    return decided.enabled, decided.schedule, decided.market_hours


def law(plugin: Plugin, fact: facts.PluginFact) -> refusals.Refusal | None:
    """Why this fact could not happen to this plugin, if it could not."""
    match fact:
        case facts.PluginRegistered() if plugin.found is not None:
            return refusals.Exists(f"{fact.plugin} is registered already", name=fact.plugin)
        case facts.PluginRegistered():
            return None
        case facts.PluginReloaded() | facts.PluginConfigured() | facts.PluginRemoved() if (
            plugin.found is None
        ):
            return refusals.Unknown("plugin", fact.plugin)
        case facts.PluginReloaded() | facts.PluginConfigured() | facts.PluginRemoved():
            return None
        case _:
            assert_never(fact)


def decide(
    plugin: Plugin,
    name: str,
    order: Order,
    now: datetime,
    found: facts.PluginRegistered | None = None,
    fits: Fits = lambda _config, _schema: None,
) -> list[facts.PluginFact]:
    """What an order leads to: one fact, or none where it would change nothing.

    `found` is what was found under the name, where it is to be registered. Raises refusals.Unknown
    for a plugin that is not registered or not there, refusals.Exists for one that is registered,
    refusals.OutOfTurn for enabling what is broken, refusals.Invalid for what cannot be meant.
    """
    fact = _fact(plugin, name, order, now, found, fits)
    if refusal := law(plugin, fact):
        raise refusal
    return [] if fact == plugin.decided else [fact]


def _fact(
    plugin: Plugin,
    name: str,
    order: Order,
    now: datetime,
    found: facts.PluginRegistered | None,
    fits: Fits,
) -> facts.PluginFact:
    match order:
        case Register():
            if found is None and plugin.found is None:
                raise refusals.Unknown("plugin", name)
            return found or facts.PluginRegistered(**msgspec.structs.asdict(_there(plugin, name)))
        case Remove():
            return facts.PluginRemoved(plugin=name)
        case _:
            return _configured(plugin, name, order, now, fits)


def _there(plugin: Plugin, name: str) -> facts.AsInspected:
    if plugin.found is None:
        raise refusals.Unknown("plugin", name)
    return plugin.found


def _configured(
    plugin: Plugin,
    name: str,
    order: Enable | Disable | Schedule | Configure | Grant | Limit,
    now: datetime,
    fits: Fits,
) -> facts.PluginConfigured:
    found, before = _there(plugin, name), plugin.decided
    assert before is not None
    match order:
        case Enable():
            if found.fault is not None:
                raise refusals.OutOfTurn(
                    f"{name} cannot be loaded: {found.fault}", expected="a plugin that can be"
                )
            fits(before.config, found.config_schema)
            return replace(before, enabled=True)
        case Disable():
            return replace(before, enabled=False)
        case Schedule():
            schedule.check(order.schedule, order.market_hours, now)
            return replace(before, schedule=order.schedule, market_hours=order.market_hours)
        case Configure(config=config):
            told = _ENCODER.encode(config).decode()
            fits(told, found.config_schema)
            return replace(before, config=told)
        case Grant(commands=granted):
            return replace(before, grants=_granted(granted))
        case Limit(timeout_seconds=seconds, memory_mb=memory):
            return replace(
                before,
                timeout_seconds=seconds or before.timeout_seconds,
                memory_mb=memory or before.memory_mb,
            )
        case _:
            assert_never(order)


def _granted(granted: tuple[str, ...]) -> tuple[str, ...]:
    for each in granted:
        if each not in COMMANDS:
            raise refusals.Invalid("commands", each, f"must be among {', '.join(COMMANDS)}")
    return tuple(sorted(set(granted)))


def status(*, enabled: bool, fault: str | None, last: facts.PluginOutcome | None) -> Status:
    """What there is to say of a plugin in one word: what is wrong with it, if anything is."""
    if fault is not None:
        return "broken"
    if not enabled:
        return "disabled"
    return "healthy" if last is None or last == "succeeded" else last


def ended_by(before: Plugin, now: Plugin) -> str | None:
    """Why a run that has begun is to end, if what became of its plugin meanwhile ends it."""
    if now.found is None or now.registered_at != before.registered_at:
        return "the plugin was removed"
    assert now.decided is not None
    if before.decided is not None and before.decided.enabled and not now.decided.enabled:
        return "the plugin was disabled"
    return None


def recorded(
    plugin: Plugin,
    fact: facts.PluginFact,
    now: datetime,
    command_id: UUID,
    source: str,
    order: Order | None = None,
) -> facts.Recorded:
    """A fact as the next one of its stream, not stored yet (position 0)."""
    at = now if plugin.recorded_at is None else max(now, plugin.recorded_at)
    stream = facts.plugin_stream(fact.plugin)
    external = None if order is None else order.external_id
    notes = None if order is None else order.notes
    return facts.Recorded(
        0, stream, plugin.version + 1, at, at, source, command_id, external, fact, notes
    )
