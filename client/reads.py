"""Every question that can be asked, and what answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, Unpack

from api.shapes import (
    advice,
    ledger,
    performance,
    portfolios,
    positions,
    scheduler,
    snapshots,
    system,
    trades,
    wheels,
)
from api.shapes import login as logins
from api.shapes.envelope import Answer, Page
from api.shapes.notifications import Deed
from api.shapes.plugins import Discovered, Plugin
from client import queries, requests
from client.queries import Id
from client.requests import Paged, Request, get, paged
from domain import subjects
from projections import answers
from projections import snapshots as marks

T = TypeVar("T")
Listed = Paged[Page[T], T]

# --- portfolios -------------------------------------------------------------------------------


def all_portfolios(**query: Unpack[queries.Active]) -> Listed[answers.Portfolio]:
    """List portfolios, by name."""
    return paged(answers.Portfolio, "/portfolios", query)


def portfolio(portfolio_id: Id, **query: Unpack[queries.Clocks]) -> Request[answers.Portfolio]:
    """One portfolio."""
    path = "/portfolios/{portfolio_id}"
    return get(answers.Portfolio, path, query, portfolio_id=portfolio_id)


def default_portfolio(**query: Unpack[queries.Clocks]) -> Request[answers.Portfolio]:
    """The portfolio that is meant when none is named."""
    return get(answers.Portfolio, "/portfolios/default", query)


def portfolio_summary(
    portfolio_id: Id, **query: Unpack[queries.Clocks]
) -> Request[portfolios.Summary]:
    """What a portfolio comes to."""
    path = "/portfolios/{portfolio_id}/summary"
    return get(portfolios.Summary, path, query, portfolio_id=portfolio_id)


# --- wheels -----------------------------------------------------------------------------------


def all_wheels(**query: Unpack[queries.Wheels]) -> Listed[answers.Wheel]:
    """List the wheels of all portfolios."""
    return paged(answers.Wheel, "/wheels", query)


def wheels_of(portfolio_id: Id, **query: Unpack[queries.OfWheels]) -> Listed[answers.Wheel]:
    """List a portfolio's wheels."""
    path = "/portfolios/{portfolio_id}/wheels"
    return paged(answers.Wheel, path, query, portfolio_id=portfolio_id)


def wheel(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[answers.Wheel]:
    """One wheel."""
    return get(answers.Wheel, "/wheels/{wheel_id}", query, wheel_id=wheel_id)


def wheel_state(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[wheels.WheelState]:
    """Where a wheel stands, what may be recorded next, and what is open."""
    return get(wheels.WheelState, "/wheels/{wheel_id}/state", query, wheel_id=wheel_id)


def lots(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[list[answers.Lot]]:
    """The lots that a wheel's shares came in, the oldest first."""
    return get(list[answers.Lot], "/wheels/{wheel_id}/lots", query, wheel_id=wheel_id)


def cycles(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[list[answers.Cycle]]:
    """A wheel's cycles, from flat to flat, the oldest first."""
    return get(list[answers.Cycle], "/wheels/{wheel_id}/cycles", query, wheel_id=wheel_id)


def wheel_events(
    wheel_id: Id, **query: Unpack[queries.Bounds]
) -> Paged[ledger.Events, ledger.Event]:
    """A wheel's events; the bounds are versions of the wheel."""
    return _events("/wheels/{wheel_id}/events", query, wheel_id=wheel_id)


# --- trades -----------------------------------------------------------------------------------


def all_trades(**query: Unpack[queries.Trades]) -> Listed[answers.Trade]:
    """List the trades of all wheels, the newest first."""
    return paged(answers.Trade, "/trades", query)


def trades_of(wheel_id: Id, **query: Unpack[queries.OfTrades]) -> Listed[answers.Trade]:
    """List a wheel's trades, the newest first."""
    return paged(answers.Trade, "/wheels/{wheel_id}/trades", query, wheel_id=wheel_id)


def trade(trade_id: Id, **query: Unpack[queries.Clocks]) -> Request[answers.Trade]:
    """One trade."""
    return get(answers.Trade, "/trades/{trade_id}", query, trade_id=trade_id)


def trade_history(trade_id: Id, **query: Unpack[queries.Clocks]) -> Request[list[trades.Moment]]:
    """All that was ever recorded of a trade, in that order."""
    path = "/trades/{trade_id}/history"
    return get(list[trades.Moment], path, query, trade_id=trade_id)


# --- positions, snapshots, alerts -------------------------------------------------------------


def open_positions(**query: Unpack[queries.Positions]) -> Listed[positions.Position]:
    """List the open positions of all portfolios, the next to expire first."""
    return paged(positions.Position, "/positions/open", query)


def positions_of(
    portfolio_id: Id, **query: Unpack[queries.OfPositions]
) -> Listed[positions.Position]:
    """List a portfolio's open positions, the next to expire first."""
    path = "/portfolios/{portfolio_id}/positions"
    return paged(positions.Position, path, query, portfolio_id=portfolio_id)


def position(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[positions.Position]:
    """A wheel's most endangered open option; without one, its shares or its cash."""
    return get(positions.Position, "/wheels/{wheel_id}/position", query, wheel_id=wheel_id)


def risk(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[positions.WheelRisk]:
    """A wheel's risk: every open option at the last price, and its active alerts."""
    return get(positions.WheelRisk, "/wheels/{wheel_id}/risk", query, wheel_id=wheel_id)


def snapshots_of(wheel_id: Id, **query: Unpack[queries.Snapshots]) -> Listed[marks.Snapshot]:
    """List a wheel's snapshots, the newest first."""
    return paged(marks.Snapshot, "/wheels/{wheel_id}/snapshots", query, wheel_id=wheel_id)


def latest_snapshot(wheel_id: Id, **query: Unpack[queries.Clocks]) -> Request[marks.Snapshot]:
    """A wheel's last snapshot."""
    return get(marks.Snapshot, "/wheels/{wheel_id}/snapshots/latest", query, wheel_id=wheel_id)


def snapshot(
    wheel_id: Id, version: int, **query: Unpack[queries.Clocks]
) -> Request[marks.Snapshot]:
    """One snapshot of a wheel."""
    path = "/wheels/{wheel_id}/snapshots/{version}"
    return get(marks.Snapshot, path, query, wheel_id=wheel_id, version=version)


def trend(wheel_id: Id, **query: Unpack[queries.Trend]) -> Request[snapshots.Trend]:
    """How a wheel's price, moneyness, risk, option value and time value have moved."""
    return get(snapshots.Trend, "/wheels/{wheel_id}/trend", query, wheel_id=wheel_id)


def all_alerts(**query: Unpack[queries.Alerts]) -> Listed[answers.Alert]:
    """List alerts, the newest first."""
    return paged(answers.Alert, "/alerts", query)


# --- advice -----------------------------------------------------------------------------------


def recommend(wheel_id: Id, **query: Unpack[queries.Recommend]) -> Request[advice.Recommended]:
    """What is worth selling in a wheel now, the best first, and why the rest is not."""
    return get(advice.Recommended, "/wheels/{wheel_id}/recommend", query, wheel_id=wheel_id)


def roll_candidates(trade_id: Id, **query: Unpack[queries.Rolls]) -> Request[advice.RollAdvice]:
    """What an open option can be rolled into, beside closing it now and taking assignment."""
    path = "/trades/{trade_id}/roll-candidates"
    return get(advice.RollAdvice, path, query, trade_id=trade_id)


# --- notifications ----------------------------------------------------------------------------


def all_channels(**query: Unpack[queries.Part]) -> Listed[answers.Channel]:
    """List the channels, by name; their URLs are never told."""
    return paged(answers.Channel, "/notifications/channels", query)


def channel(name: str, **query: Unpack[queries.Clocks]) -> Request[answers.Channel]:
    """One channel."""
    return get(answers.Channel, "/notifications/channels/{name}", query, name=name)


def all_deliveries(**query: Unpack[queries.Deliveries]) -> Listed[answers.Delivery]:
    """List what was told, or is to be told, to channels, the newest first."""
    return paged(answers.Delivery, "/notifications/deliveries", query)


def alert_deed(alert_id: Id, **query: Unpack[queries.Deed]) -> Request[Deed]:
    """What a signed link would do."""
    return get(Deed, "/alerts/{alert_id}/act", query, alert_id=alert_id)


# --- the watchlist and what is found ----------------------------------------------------------


def all_watched(**query: Unpack[queries.Part]) -> Listed[answers.Watched]:
    """List the watched symbols, by name."""
    return paged(answers.Watched, "/watchlist", query)


def watched(symbol: str, **query: Unpack[queries.Clocks]) -> Request[answers.Watched]:
    """One watched symbol."""
    return get(answers.Watched, "/watchlist/{symbol}", query, symbol=symbol)


def last_scan() -> Request[subjects.Scan]:
    """The scan that was begun last, as it stands."""
    return get(subjects.Scan, "/watchlist/scan")


def all_opportunities(**query: Unpack[queries.Opportunities]) -> Listed[answers.Opportunity]:
    """List opportunities, the newest day first, and of a day the best first."""
    return paged(answers.Opportunity, "/opportunities", query)


# --- plugins ----------------------------------------------------------------------------------


def discovered_plugins() -> Request[list[Discovered]]:
    """Every plugin that was found, registered or not."""
    return get(list[Discovered], "/plugins/discovered")


def all_plugins(**query: Unpack[queries.Part]) -> Listed[Plugin]:
    """List the registered plugins, by name."""
    return paged(Plugin, "/plugins", query)


def plugin(name: str, **query: Unpack[queries.Clocks]) -> Request[Plugin]:
    """One registered plugin."""
    return get(Plugin, "/plugins/{name}", query, name=name)


def plugin_runs(name: str, **query: Unpack[queries.PluginRuns]) -> Listed[answers.PluginRun]:
    """List a plugin's runs, the newest first."""
    return paged(answers.PluginRun, "/plugins/{name}/runs", query, name=name)


# --- performance ------------------------------------------------------------------------------


def wheel_performance(
    wheel_id: Id, **query: Unpack[queries.Over]
) -> Request[performance.Performance]:
    """What a wheel has earned."""
    path = "/wheels/{wheel_id}/performance"
    return get(performance.Performance, path, query, wheel_id=wheel_id)


def portfolio_performance(
    portfolio_id: Id, **query: Unpack[queries.Over]
) -> Request[performance.Performance]:
    """What a portfolio has earned."""
    path = "/portfolios/{portfolio_id}/performance"
    return get(performance.Performance, path, query, portfolio_id=portfolio_id)


def aggregate(**query: Unpack[queries.Ranked]) -> Request[performance.Aggregate]:
    """What everything together has earned, with the symbols and portfolios at both ends."""
    return get(performance.Aggregate, "/performance/aggregate", query)


def win_loss(**query: Unpack[queries.WinLoss]) -> Request[performance.WinLoss]:
    """How the trades ended that ended in the span: rates, averages, extremes and streaks."""
    return get(performance.WinLoss, "/performance/win-loss", query)


def timeline(**query: Unpack[queries.Timeline]) -> Request[performance.Timeline]:
    """Equity, realized P&L and drawdown by day, week or month."""
    return get(performance.Timeline, "/performance/timeline", query)


def compare(**query: Unpack[queries.Compared]) -> Listed[performance.Compared]:
    """Portfolios side by side, by name or by any of their figures."""
    return paged(performance.Compared, "/performance/compare", query)


def explain(
    **query: Unpack[queries.Explained],
) -> Paged[performance.Explanation, performance.Part]:
    """The events and the rules that add up to a figure; `each` goes through all the parts."""
    return Paged(
        method="GET",
        path=f"{requests.PREFIX}/performance/explain",
        at={},
        query=query,
        told=requests.one(performance.Explanation),
        items=lambda page: page.parts,
        following=_next_parts,
    )


def _next_parts(
    query: Mapping[str, object], page: performance.Explanation
) -> Mapping[str, object] | None:
    return None if page.next_after is None else {**query, "after": page.next_after}


def export(**query: Unpack[queries.Exported]) -> Request[bytes]:
    """Trades, performance or snapshots as CSV, Parquet or JSON."""
    return requests.question("/performance/export", requests.content, query)


# --- jobs -------------------------------------------------------------------------------------


def all_jobs() -> Request[list[scheduler.Job]]:
    """Every job: how it is set up, when it is due next, and how it went last."""
    return get(list[scheduler.Job], "/scheduler/jobs")


def job(job: str, **query: Unpack[queries.OfJob]) -> Request[scheduler.Job]:
    """One job, for all portfolios or as it is set up for one."""
    return get(scheduler.Job, "/scheduler/jobs/{job}", query, job=job)


def job_configurations(
    job: str, **query: Unpack[queries.OfJob]
) -> Request[list[scheduler.Configured]]:
    """How a job was set up, and who said so, the newest first."""
    return get(list[scheduler.Configured], "/scheduler/jobs/{job}/history", query, job=job)


def job_history(**query: Unpack[queries.Runs]) -> Listed[subjects.JobRun]:
    """List the runs of jobs, and those that were missed, the newest first."""
    return paged(subjects.JobRun, "/scheduler/history", query)


# --- the ledger -------------------------------------------------------------------------------


def events(**query: Unpack[queries.Events]) -> Paged[ledger.Events, ledger.Event]:
    """The ledger in its one order, or back from its newest event."""
    return _events("/ledger/events", query)


def verify(**query: Unpack[queries.Verified]) -> Request[ledger.Verified]:
    """Whether the ledger is what was recorded; else the first position that is not."""
    return get(ledger.Verified, "/ledger/verify", query)


def checkpoints(
    **query: Unpack[queries.Checkpoints],
) -> Paged[ledger.Checkpoints, ledger.Checkpoint]:
    """The checkpoints, the newest first."""
    return Paged(
        method="GET",
        path=f"{requests.PREFIX}/ledger/checkpoints",
        at={},
        query=query,
        told=requests.plainly(ledger.Checkpoints),
        items=lambda page: page.data,
        following=_next_before,
    )


def ledger_export(*, after: int = 0) -> Request[bytes]:
    """The ledger as JSON lines; the last one carries the head's position and hash."""
    return requests.question("/ledger/export", requests.content, {"after": after})


def _events(
    path: str, query: Mapping[str, object], **at: object
) -> Paged[ledger.Events, ledger.Event]:
    return Paged(
        method="GET",
        path=requests.PREFIX + path,
        at=at,
        query=query,
        told=requests.plainly(ledger.Events),
        items=lambda page: page.data,
        following=_next_events,
    )


def _next_events(query: Mapping[str, object], page: ledger.Events) -> Mapping[str, object] | None:
    if page.next_after is not None:
        return {**query, "after": page.next_after}
    return _next_before(query, page)


def _next_before(
    query: Mapping[str, object], page: ledger.Events | ledger.Checkpoints
) -> Mapping[str, object] | None:
    return None if page.next_before is None else {**query, "before": page.next_before}


# --- the service ------------------------------------------------------------------------------


def health() -> Request[system.Health]:
    """How the service is, in all and by part; also when it cannot take commands."""
    return requests.question("/health", _health)


def _health(response: Any) -> system.Health:
    return requests.plainly(Answer[system.Health], 503)(response).data


def info() -> Request[system.Info]:
    """What runs there, and how much it holds."""
    return get(system.Info, "/info")


def login() -> Request[logins.LoginState]:
    """How the login at the market's provider stands."""
    return get(logins.LoginState, "/market/login")


def config() -> Request[system.Config]:
    """Every key of the configuration with its value, and where that comes from."""
    return get(system.Config, "/config")


def metrics() -> Request[str]:
    """What is counted and measured, in Prometheus's words."""
    return requests.question("/metrics", requests.text)
