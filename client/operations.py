"""All that the API can be asked and told: one table, the methods of both clients."""

from __future__ import annotations

import msgspec

from api.shapes import advice, scheduler
from api.shapes import login as logins
from api.shapes.notifications import Deed, Tried
from api.shapes.plugins import Plugin
from api.shapes.system import Config
from client import reads
from client.methods import Command, Download, Listing, Read
from domain import alert, commands, opportunity, permit, subjects, valuation
from domain import channel as channel_orders
from domain import job as catalogue
from domain import plugin as programs
from domain import watchlist as watchlists
from projections import answers, snapshots


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Put away, with options open only when forced; nothing in it is lost."""

    force: bool | None = None


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """Bring back what was put away."""


class BeginLogin(msgspec.Struct, frozen=True, kw_only=True):
    """Begin to log in at the market's provider; what was begun before counts no more."""


class Unwatch(msgspec.Struct, frozen=True, kw_only=True):
    """Take a symbol off the watchlist."""


class RemoveChannel(msgspec.Struct, frozen=True, kw_only=True):
    """Send nothing over a channel any more, and forget its URL."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed link says, as it stands in the link."""

    what: permit.Deed
    raised: int
    expires: str
    signature: str
    until: str | None = None


class RemovePlugin(msgspec.Struct, frozen=True, kw_only=True):
    """Want a plugin no more; its file and its runs stay."""


class RunPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """Run a plugin now, enabled or not."""


class Operations:
    """A line for each operation; questions are described in `reads`."""

    portfolios = Listing(reads.all_portfolios)
    open_portfolio = Command("POST", "/portfolios", commands.OpenPortfolio, answers.Portfolio)
    portfolio = Read(reads.portfolio)
    change_portfolio = Command(
        "PUT", "/portfolios/{portfolio_id}", commands.ChangePortfolio, answers.Portfolio
    )
    archive_portfolio = Command(
        "DELETE", "/portfolios/{portfolio_id}", Archive, answers.Portfolio, body=False
    )
    restore_portfolio = Command(
        "POST", "/portfolios/{portfolio_id}/restore", Restore, answers.Portfolio, body=False
    )
    portfolio_summary = Read(reads.portfolio_summary)
    default_portfolio = Read(reads.default_portfolio)
    choose_default = Command(
        "PUT", "/portfolios/default", commands.ChooseDefault, answers.Portfolio
    )

    wheels = Listing(reads.all_wheels)
    wheels_of = Listing(reads.wheels_of)
    start_wheel = Command(
        "POST", "/portfolios/{portfolio_id}/wheels", commands.StartWheel, answers.Wheel
    )
    wheel = Read(reads.wheel)
    configure_wheel = Command("PUT", "/wheels/{wheel_id}", commands.ConfigureWheel, answers.Wheel)
    archive_wheel = Command("DELETE", "/wheels/{wheel_id}", Archive, answers.Wheel, body=False)
    restore_wheel = Command(
        "POST", "/wheels/{wheel_id}/restore", Restore, answers.Wheel, body=False
    )
    wheel_state = Read(reads.wheel_state)
    lots = Read(reads.lots)
    cycles = Read(reads.cycles)
    wheel_events = Listing(reads.wheel_events)
    trade_shares = Command("POST", "/wheels/{wheel_id}/shares", commands.TradeShares, answers.Wheel)
    receive_dividend = Command(
        "POST", "/wheels/{wheel_id}/dividends", commands.ReceiveDividend, answers.Wheel
    )
    apply_split = Command("POST", "/wheels/{wheel_id}/splits", commands.ApplySplit, answers.Wheel)
    void_fact = Command(
        "POST", "/wheels/{wheel_id}/events/{version}/void", commands.VoidFact, answers.Wheel
    )

    trades = Listing(reads.all_trades)
    trades_of = Listing(reads.trades_of)
    sell_option = Command("POST", "/wheels/{wheel_id}/trades", commands.SellOption, answers.Trade)
    trade = Read(reads.trade)
    correct_trade = Command("PUT", "/trades/{trade_id}", commands.CorrectTrade, answers.Trade)
    void_trade = Command("DELETE", "/trades/{trade_id}", commands.VoidTrade, answers.Trade)
    expire = Command("POST", "/trades/{trade_id}/expire", commands.Expire, answers.Trade)
    close_trade = Command("POST", "/trades/{trade_id}/close", commands.Close, answers.Trade)
    assign = Command("POST", "/trades/{trade_id}/assign", commands.Assign, answers.Trade)
    roll = Command("POST", "/trades/{trade_id}/roll", commands.Roll, answers.Trade)
    trade_history = Read(reads.trade_history)

    open_positions = Listing(reads.open_positions)
    positions_of = Listing(reads.positions_of)
    position = Read(reads.position)
    risk = Read(reads.risk)
    mark_position = Command(
        "POST", "/wheels/{wheel_id}/snapshots", valuation.MarkPosition, snapshots.Snapshot
    )
    snapshots = Listing(reads.snapshots_of)
    latest_snapshot = Read(reads.latest_snapshot)
    snapshot = Read(reads.snapshot)
    trend = Read(reads.trend)
    alerts = Listing(reads.all_alerts)
    acknowledge = Command(
        "POST", "/alerts/{alert_id}/acknowledge", alert.Acknowledge, answers.Alert
    )
    clear_alert = Command("POST", "/alerts/{alert_id}/clear", alert.Dismiss, answers.Alert)
    alert_deed = Read(reads.alert_deed)
    act_on_alert = Command("POST", "/alerts/{alert_id}/act", Act, Deed, body=False)
    mute = Command("POST", "/alerts/{alert_id}/mute", alert.Mute, answers.Alert)

    channels = Listing(reads.all_channels)
    add_channel = Command("POST", "/notifications/channels", channel_orders.Add, answers.Channel)
    channel = Read(reads.channel)
    change_channel = Command(
        "PUT", "/notifications/channels/{name}", channel_orders.Change, answers.Channel
    )
    remove_channel = Command(
        "DELETE", "/notifications/channels/{name}", RemoveChannel, answers.Channel, body=False
    )
    test_channel = Command("POST", "/notifications/test", channel_orders.Test, Tried)
    deliveries = Listing(reads.all_deliveries)

    recommend = Read(reads.recommend)
    recommend_batch = Command("POST", "/wheels/recommend/batch", advice.Asked, advice.Batch)
    roll_candidates = Read(reads.roll_candidates)
    watchlist = Listing(reads.all_watched)
    watched = Read(reads.watched)
    watch = Command("POST", "/watchlist", watchlists.Watch, answers.Watched)
    unwatch = Command("DELETE", "/watchlist/{symbol}", Unwatch, answers.Watched, body=False)
    scan = Command("POST", "/watchlist/scan", watchlists.Search, subjects.Scan)
    last_scan = Read(reads.last_scan)
    opportunities = Listing(reads.all_opportunities)
    read_opportunity = Command(
        "POST", "/opportunities/{opportunity_id}/read", opportunity.Read, answers.Opportunity
    )

    jobs = Read(reads.all_jobs)
    job = Read(reads.job)
    configure_job = Command("PUT", "/scheduler/jobs/{job}", catalogue.Configure, scheduler.Job)
    job_configurations = Read(reads.job_configurations)
    trigger_job = Command(
        "POST", "/scheduler/jobs/{job}/trigger", scheduler.Trigger, subjects.JobRun
    )
    job_history = Listing(reads.job_history)

    discovered_plugins = Read(reads.discovered_plugins)
    plugins = Listing(reads.all_plugins)
    plugin = Read(reads.plugin)
    plugin_runs = Listing(reads.plugin_runs)
    register_plugin = Command("POST", "/plugins", programs.Register, Plugin)
    remove_plugin = Command("DELETE", "/plugins/{name}", RemovePlugin, Plugin, body=False)
    enable_plugin = Command("POST", "/plugins/{name}/enable", programs.Enable, Plugin)
    disable_plugin = Command("POST", "/plugins/{name}/disable", programs.Disable, Plugin)
    schedule_plugin = Command("PUT", "/plugins/{name}/schedule", programs.Schedule, Plugin)
    configure_plugin = Command("PUT", "/plugins/{name}/config", programs.Configure, Plugin)
    grant_plugin = Command("PUT", "/plugins/{name}/grants", programs.Grant, Plugin)
    limit_plugin = Command("PUT", "/plugins/{name}/limits", programs.Limit, Plugin)
    run_plugin = Command(
        "POST", "/plugins/{name}/run", RunPlugin, subjects.PluginRunning, body=False
    )

    wheel_performance = Read(reads.wheel_performance)
    portfolio_performance = Read(reads.portfolio_performance)
    aggregate = Read(reads.aggregate)
    win_loss = Read(reads.win_loss)
    timeline = Read(reads.timeline)
    compare = Listing(reads.compare)
    explain = Listing(reads.explain)
    export = Download(reads.export)

    events = Listing(reads.events)
    verify = Read(reads.verify)
    checkpoints = Listing(reads.checkpoints)
    ledger_export = Download(reads.ledger_export)

    login = Read(reads.login)
    begin_login = Command("POST", "/market/login", BeginLogin, logins.Visit, body=False)
    complete_login = Command("POST", "/market/login/complete", logins.CompleteLogin, logins.Login)

    health = Read(reads.health)
    info = Read(reads.info)
    config = Read(reads.config)
    change_config = Command("PUT", "/config", commands.ChangeConfiguration, Config)
    metrics = Read(reads.metrics)
