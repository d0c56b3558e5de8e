"""A plugin's life: registered, configured, reloaded, removed, and what is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from msgspec.structs import asdict, replace

from domain import facts, plugin, refusals

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
DAILY = facts.Schedule(cron="0 9 * * *")
HOURLY = facts.Schedule(interval_seconds=3_600)
FOUND = facts.PluginRegistered(
    plugin="idle",
    origin="file:idle.py",
    digest="1",
    plugin_version="1.0",
    description="Does nothing.",
    default_schedule=DAILY,
    default_market_hours="market_hours",
    config_schema='{"type": "object"}',
)
BROKEN = facts.PluginReloaded(**(asdict(FOUND) | {"digest": "2", "fault": "SyntaxError"}))
MENDED = facts.PluginReloaded(**(asdict(FOUND) | {"digest": "3"}))


def after(*told: facts.PluginFact, plugin_: plugin.Plugin = plugin.NOTHING) -> plugin.Plugin:
    """Each a minute after the one before."""
    for fact in told:
        now = AT + timedelta(minutes=plugin_.version)
        recorded = plugin.recorded(plugin_, fact, now, UUID(int=1), "api")
        plugin_ = plugin.evolve(plugin_, recorded)
    return plugin_


def decided(state: plugin.Plugin, *orders: plugin.Order) -> plugin.Plugin:
    for order in orders:
        state = after(*plugin.decide(state, "idle", order, AT, FOUND), plugin_=state)
    return state


REGISTERED = after(FOUND)
ENABLED = decided(REGISTERED, plugin.Enable())


def test_what_is_registered_is_disabled_with_its_own_schedule_and_no_grants() -> None:
    state = REGISTERED.decided
    assert state is not None
    assert (state.enabled, state.schedule, state.config, state.grants) == (False, DAILY, "{}", ())
    assert not REGISTERED.is_due_at_all


def test_an_order_changes_what_it_says_and_nothing_else() -> None:
    orders: Sequence[plugin.Order] = [
        plugin.Enable(),
        plugin.Schedule(schedule=HOURLY, market_hours="sessions"),
        plugin.Configure(config={"b": 1, "a": [2]}),
        plugin.Grant(commands=("trades.roll", "trades.close", "trades.roll")),
        plugin.Limit(timeout_seconds=5),
        plugin.Limit(memory_mb=128),
    ]
    assert decided(REGISTERED, *orders).decided == facts.PluginConfigured(
        plugin="idle",
        enabled=True,
        schedule=HOURLY,
        market_hours="sessions",
        config='{"a":[2],"b":1}',
        grants=("trades.close", "trades.roll"),
        timeout_seconds=5,
        memory_mb=128,
    )


@pytest.mark.parametrize("order", [plugin.Enable(), plugin.Limit(), plugin.Grant(commands=())])
def test_an_order_that_changes_nothing_records_nothing(order: plugin.Order) -> None:
    assert plugin.decide(ENABLED, "idle", order, AT) == []


def test_what_is_broken_is_due_no_more_and_is_again_from_when_it_is_mended() -> None:
    broken = after(BROKEN, plugin_=ENABLED)
    assert not broken.is_due_at_all
    mended = after(MENDED, plugin_=broken)
    assert mended.is_due_at_all
    assert mended.since == AT + timedelta(minutes=3)
    assert mended.decided == ENABLED.decided


def test_only_a_new_rhythm_counts_anew() -> None:
    configured = decided(ENABLED, plugin.Configure(config={"a": 1}))
    assert configured.since == ENABLED.since
    for order in (
        plugin.Schedule(schedule=HOURLY),
        plugin.Schedule(schedule=DAILY, market_hours="sessions"),
    ):
        assert decided(configured, order).since != ENABLED.since


def test_what_was_removed_begins_anew_when_it_is_registered_again() -> None:
    removed = decided(ENABLED, plugin.Grant(commands=("trades.close",)), plugin.Remove())
    assert (removed.found, removed.is_due_at_all) == (None, False)
    again = decided(removed, plugin.Register(name="idle"))
    assert (again.decided, again.version) == (REGISTERED.decided, 5)


@pytest.mark.parametrize(
    ("state", "order", "found", "refusal"),
    [
        (plugin.NOTHING, plugin.Register(name="idle"), None, refusals.Unknown),
        (REGISTERED, plugin.Register(name="idle"), FOUND, refusals.Exists),
        (REGISTERED, plugin.Register(name="idle"), None, refusals.Exists),
        (plugin.NOTHING, plugin.Enable(), None, refusals.Unknown),
        (plugin.NOTHING, plugin.Remove(), None, refusals.Unknown),
        (after(FOUND, BROKEN), plugin.Enable(), None, refusals.OutOfTurn),
        (REGISTERED, plugin.Schedule(schedule=facts.Schedule()), None, refusals.Invalid),
        (REGISTERED, plugin.Grant(commands=("config.change",)), None, refusals.Invalid),
    ],
)
def test_what_cannot_be_is_refused(
    state: plugin.Plugin,
    order: plugin.Order,
    found: facts.PluginRegistered | None,
    refusal: type[refusals.Refusal],
) -> None:
    with pytest.raises(refusal):
        plugin.decide(state, "idle", order, AT, found)


def test_a_configuration_must_fit_when_it_is_given_and_when_it_begins_to_count() -> None:
    asked = []

    def fits(config: str, schema: str) -> None:
        asked.append((config, schema))
        raise refusals.Invalid("config", config, "does not fit")

    for order in (plugin.Configure(config={"a": 1}), plugin.Enable()):
        with pytest.raises(refusals.Invalid):
            plugin.decide(REGISTERED, "idle", order, AT, None, fits)
    assert asked == [('{"a":1}', FOUND.config_schema), ("{}", FOUND.config_schema)]


def test_a_status_tells_what_is_wrong() -> None:
    outcomes: list[facts.PluginOutcome | None] = [None, *get_args(facts.PluginOutcome)]
    told = [plugin.status(enabled=True, fault=None, last=each) for each in outcomes]
    assert told == [
        "healthy",
        "healthy",
        "failed",
        "timed_out",
        "out_of_memory",
        "refused",
        "broken",
    ]
    assert plugin.status(enabled=False, fault=None, last="failed") == "disabled"
    assert plugin.status(enabled=False, fault="gone", last=None) == "broken"


def test_one_run_is_one_stream_for_its_instant_whatever_its_zone() -> None:
    there = AT.astimezone(None)
    assert facts.plugin_run_stream("idle", there) == facts.plugin_run_stream("idle", AT)
    later = AT + timedelta(microseconds=1)
    assert facts.plugin_run_stream("idle", later) != facts.plugin_run_stream("idle", AT)


def test_the_clock_of_a_stream_is_never_turned_back() -> None:
    early = plugin.recorded(REGISTERED, replace(MENDED), AT - timedelta(days=1), UUID(int=1), "api")
    assert early.recorded_at == AT


def test_a_run_ends_when_its_plugin_is_disabled_or_removed_and_else_goes_on() -> None:
    disabled = decided(ENABLED, plugin.Disable())
    anew = decided(ENABLED, plugin.Remove(), plugin.Register(name="idle"))
    assert plugin.ended_by(ENABLED, disabled) == "the plugin was disabled"
    assert plugin.ended_by(ENABLED, decided(ENABLED, plugin.Remove())) == "the plugin was removed"
    assert plugin.ended_by(ENABLED, anew) == "the plugin was removed"
    for before, now in (
        (disabled, disabled),
        (disabled, ENABLED),
        (ENABLED, after(MENDED, plugin_=ENABLED)),
    ):
        assert plugin.ended_by(before, now) is None
