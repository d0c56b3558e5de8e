"""A ledger with some life in it: what the tests of the read side have in common."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters import event_store
from domain import commands, facts, job, opportunity, plugin, portfolio, ports, watchlist
from projections import rebuild, tables, views
from tests.domain.desk import MONDAY, PORTFOLIO, Desk, usd
from tests.domain.finds import FOUND

FIND = opportunity.Find(FOUND)

IDLE = facts.PluginRegistered(
    plugin="idle",
    origin="file:idle.py",
    digest="1",
    plugin_version="1.0",
    description="Does nothing.",
    default_schedule=facts.Schedule(cron="0 9 * * *"),
    config_schema="{}",
)


def opened(folder: Path) -> event_store.EventStore:
    return event_store.open_sqlite(folder / "ledger.db")


def found_portfolio(log: ports.Log) -> None:
    """Open a portfolio and choose it."""
    order = commands.OpenPortfolio(name="Income")
    state = portfolio.Portfolio(PORTFOLIO)
    log.append(portfolio.decide(state, order, now=MONDAY, command_id=UUID(int=1)))
    chosen = facts.DefaultPortfolioChosen(portfolio_id=PORTFOLIO)
    stream = facts.SETTINGS_STREAM
    log.append([facts.Recorded(0, stream, 1, MONDAY, MONDAY, "api", UUID(int=2), None, chosen)])


def raise_alert(log: ports.Log, desk: Desk, trade: UUID) -> None:
    """One alert on an open option."""
    option = desk.trade(trade)
    told = facts.AlertRaised(
        portfolio_id=PORTFOLIO,
        wheel_id=desk.wheel_id,
        trade_id=trade,
        symbol=desk.wheel.symbol,
        rule="itm",
        severity="HIGH",
        message="in the money",
        direction=option.direction,
        strike=option.strike,
        expiration_date=option.expiration_date,
    )
    stream = facts.alert_stream(trade, "itm")
    log.append([facts.Recorded(0, stream, 1, desk.now, desk.now, "risk", UUID(int=3), None, told)])


def list_symbol(log: ports.Log, order: watchlist.Order, now: datetime = MONDAY) -> None:
    """Put a symbol on the watchlist, or take it off."""
    state = watchlist.fold(log.stream(facts.WATCHLIST_STREAM))
    log.append(watchlist.decide(state, order, now=now, command_id=UUID(int=4)))


def come_upon(log: ports.Log, command: opportunity.Command = FIND, now: datetime = MONDAY) -> UUID:
    """Find an opportunity, or read that which was found; its stream."""
    of = command.found if isinstance(command, opportunity.Find) else FOUND
    stream = facts.opportunity_stream(of)
    state = opportunity.fold(log.stream(stream))
    for fact in opportunity.decide(state, command):
        version = state.version + 1
        log.append(
            [facts.Recorded(0, stream, version, now, now, "scanner", UUID(int=5), None, fact)]
        )
    return stream


def set_up_job(log: ports.Log, now: datetime = MONDAY, **said: Any) -> None:
    """Set the backup up, or otherwise."""
    state = job.fold(job.Job("backup"), log.stream(job.Job("backup").id))
    log.append(job.decide(state, job.Configure(**said), now=now, command_id=UUID(int=6)))


def run_job(log: ports.Log, now: datetime = MONDAY) -> None:
    """A run of it that is over."""
    run = facts.run_stream("backup", None, now)
    ran = facts.JobRan(
        job="backup",
        run_id=run,
        due_at=now,
        trigger="schedule",
        outcome="succeeded",
        started_at=now,
        finished_at=now,
        done=1,
    )
    log.append([facts.Recorded(0, run, 1, now, now, "scheduler", run, None, ran)])


def plug(log: ports.Log, fact: facts.PluginFact, now: datetime = MONDAY) -> None:
    """Record what became of a plugin."""
    state = plugin.fold(log.stream(facts.plugin_stream(fact.plugin)))
    log.append([plugin.recorded(state, fact, now, UUID(int=6), "api")])


def run_plugin(log: ports.Log, name: str, now: datetime = MONDAY) -> None:
    """Record that a plugin ran."""
    ran = facts.PluginRan(
        plugin=name,
        run_id=UUID(int=7),
        plugin_version="1.0",
        due_at=now,
        trigger="schedule",
        started_at=now,
        finished_at=now,
        outcome="succeeded",
    )
    stream = facts.plugin_run_stream(name, now)
    log.append([facts.Recorded(0, stream, 1, now, now, "plugins", UUID(int=7), None, ran)])


def lively(log: ports.Log, *, found: bool = True) -> Desk:
    """A portfolio, two wheels and an alert, with all that makes views hard to keep."""
    if found:
        found_portfolio(log)
    desk = Desk("60000", log=log)
    puts = desk.put("100", "1.50", 3, fees=usd("1.95"))
    raise_alert(log, desk, puts)
    for symbol in ("AAPL", "BRK.B"):
        list_symbol(log, watchlist.Watch(symbol=symbol))
    come_upon(log)
    set_up_job(log)
    run_job(log)
    plug(log, IDLE)
    run_plugin(log, "idle")
    other = Desk("30000", symbol="ABC", log=log)
    desk.assigned(puts, 1)
    desk.call("105", "1.20")
    slip = desk.put("90", "0.70")
    other.closes(other.put("50", "2.00", 2), "0.80")
    desk.voids(slip)
    desk.closes(puts, "0.40", 1)
    list_symbol(log, watchlist.Unwatch(symbol="AAPL"))
    come_upon(log, opportunity.Read())
    set_up_job(log, desk.now, retries=5)
    run_job(log, desk.now)
    plug(log, facts.PluginRemoved(plugin="idle"))
    desk.buys(50, "98", effective_at="2026-01-02")
    desk.corrects(puts, premium_per_share=usd("1.55"), notes="typed over")
    desk.on("2026-01-12")
    desk.does(
        commands.ReceiveDividend(amount_per_share=usd("0.25"), ex_date=desk.now.date(), shares=150)
    )
    desk.splits(2, 1)
    desk.rolls(puts, "0.10", "45", "0.90", contracts=1)
    return desk


def dump(link: Path) -> list[str]:
    """The views as they are."""
    with closing(tables.create(tables.current(link))) as connection:
        return list(tables.dump(connection))


@contextmanager
def projected(log: ports.Log) -> Iterator[views.Past]:
    """Views of all that has been recorded, to put questions to."""
    with closing(tables.create(":memory:")) as connection:
        rebuild.project(log, connection, log.head())
        yield views.Past(connection)
