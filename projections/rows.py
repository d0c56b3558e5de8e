"""What a change of a story writes into the views: statements with their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from domain import alert as alerts
from domain import calendar, facts, money, subjects
from domain import channel as channels
from domain import job as jobs
from domain import notification as notifications
from domain import opportunity as opportunities
from domain import plugin as plugins
from domain import portfolio as portfolios
from domain import trade as trades
from domain import watchlist as watchlists
from domain import wheel as wheels
from domain.story import Story
from projections import answers, books, daily, snapshots, tables

Write = tuple[str, tuple[Any, ...]]
_FIRST = datetime.min.replace(tzinfo=UTC)
"""Rows do not know the time: whether evidence is missing is told by whoever reads them."""


def _upsert(table: str, columns: str) -> str:
    """Insert a row, or change it in its place."""
    names, key = columns.split(","), tables.TABLES[table].split(", ")
    marks = ",".join("?" * len(names))
    changes = ",".join(f"{name}=excluded.{name}" for name in names if name not in key)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({marks}) "  # noqa: S608
        f"ON CONFLICT ({','.join(key)}) DO UPDATE SET {changes}"
    )


_WHEEL = _upsert(
    "wheels",
    "id,portfolio_id,symbol,state,profile,is_active,shares,cash,capital_allocated,"
    "collateral_in_use,basis,tax_basis,created_at,updated_at,version,position,open_trades,split_on,body",
)
_TRADE = _upsert(
    "trades",
    "id,wheel_id,portfolio_id,symbol,direction,outcome,strike,contracts,premium_per_share,"
    "total_premium,net_premium,expiration_date,opened_at,closed_at,created_at,version,body",
)
_LOT = _upsert("lots", "wheel_id,id,acquired_at,body")
_CYCLE = _upsert("cycles", "wheel_id,number,body")
_OPEN = _upsert(
    "open_options",
    "trade_id,wheel_id,portfolio_id,symbol,state,direction,strike,expiration_date,contracts,"
    "multiplier,premium,split_on,position",
)
_UPSERT = {book: book.upsert() for book in daily.BOOKS}
_DELETE = {book: book.delete() for book in daily.BOOKS}
_PORTFOLIO = _upsert(
    "portfolios", "id,name,is_active,default_capital,created_at,updated_at,version,body"
)
_SETTING = _upsert("settings", "key,value")
_ALERT = _upsert(
    "alerts",
    "id,portfolio_id,wheel_id,trade_id,symbol,rule,severity,status,raised_at,version,body",
)
_WATCHED = _upsert("watchlist", "symbol,profile,watched_at,version,body")
_OPPORTUNITY = _upsert(
    "opportunities",
    "id,day,symbol,direction,profile,strike,expiration_date,dte,net_premium,probability_itm,"
    "annualized_yield_pct,score,rank,found_at,is_read,updated_at,version,body",
)
_JOB = _upsert("jobs", "id,job,portfolio_id,updated_at,version,body")
_RUN = _upsert(
    "job_runs",
    "id,entry,job,portfolio_id,trigger,outcome,due_at,started_at,finished_at,recorded_at,body",
)
_CHANNEL = _upsert("channels", "name,stream,version,body")
_DELIVERY = _upsert(
    "deliveries",
    "id,channel,alert_id,alert_position,severity,symbol,rule,status,attempts,error,due,escalate_at,"
    "planned_at,ended_at,failing_since,updated_at,version,body",
)
_PLUGIN = _upsert("plugins", "id,name,is_registered,enabled,registered_at,updated_at,version,body")
_PLUGIN_RUN = _upsert(
    "plugin_runs",
    "id,plugin,due_at,trigger,outcome,started_at,finished_at,updated_at,body",
)
_MARK = _upsert("marks", "wheel_id,at,version,day,portfolio_id,symbol,price,recorded_at,body")


def text(instant: datetime) -> str:
    """An instant as it is kept in a column: sortable as text."""
    return instant.isoformat(timespec="microseconds")


def of_wheel(before: books.Books | None, after: books.Books, position: int) -> Iterator[Write]:
    """Everything about a wheel that is not yet as `after` says."""
    story = after.story
    if not story.wheel.started:
        return
    old = before.story if before else Story(story.wheel_id)
    yield _wheel(after, position)
    yield from _trades(old, story)
    yield from _open_options(old, story, position)
    yield from _lots(old.wheel, story)
    yield from _cycles(old.wheel, story)
    yield from _daily(before.days if before else books.NOTHING, after)


def _wheel(after: books.Books, position: int) -> Write:
    story, state = after.story, after.story.wheel
    assert state.created_at is not None
    assert story.recorded_at is not None
    return _WHEEL, (
        story.wheel_id.hex,
        _hex(state.portfolio_id),
        state.symbol,
        state.state,
        state.profile,
        state.is_active,
        state.shares,
        money.in_cents(state.cash),
        money.in_cents(state.capital),
        money.in_cents(state.collateral_in_use),
        money.in_cents(state.basis),
        money.in_cents(state.tax_basis),
        text(state.created_at),
        text(story.recorded_at),
        story.version,
        position,
        len(state.open_trades),
        _day(state.split_on),
        answers.ENCODER.encode(answers.wheel(story)),
    )


def _hex(identity: UUID | None) -> str:
    assert identity is not None
    return identity.hex


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _trades(old: Story, story: Story) -> Iterator[Write]:
    for trade in books.changed_trades(old, story):
        yield _trade(story, trade, voided=False)
    gone = old.wheel.trades.keys() - story.wheel.trades.keys()
    new = (story.entries.get(each) for each in range(old.version + 1, story.version + 1))
    if gone or any(each.voided for each in new if each is not None):
        for trade_id, trade in story.voided_trades.items():
            if trade_id not in story.wheel.trades:
                yield _trade(story, trade, voided=True)


def _trade(story: Story, trade: trades.Trade, *, voided: bool) -> Write:
    shown = answers.trade(story, trade, _FIRST, voided=voided)
    return _TRADE, (
        trade.id.hex,
        story.wheel_id.hex,
        shown.portfolio_id.hex,
        shown.symbol,
        shown.direction,
        shown.outcome,
        float(shown.strike),
        shown.contracts,
        float(shown.premium_per_share),
        money.in_cents(shown.total_premium),
        money.in_cents(shown.net_premium),
        shown.expiration_date.isoformat(),
        text(shown.opened_at),
        text(shown.closed_at) if shown.closed_at else None,
        text(shown.created_at),
        shown.version,
        answers.ENCODER.encode(shown),
    )


def _open_options(old: Story, story: Story, position: int) -> Iterator[Write]:
    state = story.wheel
    for trade_id in set(old.wheel.open_trades) - set(state.open_trades):
        yield "DELETE FROM open_options WHERE trade_id=?", (trade_id.hex,)
    for trade_id in state.open_trades:
        trade = state.trades[trade_id]
        yield (
            _OPEN,
            (
                trade_id.hex,
                story.wheel_id.hex,
                _hex(state.portfolio_id),
                state.symbol,
                state.state,
                trade.direction,
                str(trade.strike),
                trade.expiration_date.isoformat(),
                trade.open_contracts,
                str(trade.multiplier),
                str(trade.premium_left),
                _day(state.split_on),
                position,
            ),
        )


def _lots(old: wheels.Wheel, story: Story) -> Iterator[Write]:
    known = {lot.id: lot for lot in old.lots}
    for lot in story.wheel.lots:
        if known.pop(lot.id, None) != lot:
            body = answers.ENCODER.encode(answers.lot(story.wheel_id, lot))
            yield _LOT, (story.wheel_id.hex, lot.id, text(lot.acquired_at), body)
    for gone in known:
        yield "DELETE FROM lots WHERE wheel_id=? AND id=?", (story.wheel_id.hex, gone)


def _cycles(old: wheels.Wheel, story: Story) -> Iterator[Write]:
    known = {cycle.number: cycle for cycle in old.cycles}
    for cycle in story.wheel.cycles:
        if known.pop(cycle.number, None) != cycle:
            body = answers.ENCODER.encode(answers.cycle(story.wheel_id, cycle))
            yield _CYCLE, (story.wheel_id.hex, cycle.number, body)
    for gone in known:
        yield "DELETE FROM cycles WHERE wheel_id=? AND number=?", (story.wheel_id.hex, gone)


def _daily(old: books.Days, after: books.Books) -> Iterator[Write]:
    state = after.story.wheel
    wheel_id, whose = after.story.wheel_id.hex, (_hex(state.portfolio_id), state.symbol)
    for book, before, rows in zip(daily.BOOKS, old, after.days, strict=True):
        for key, amounts in rows.items():
            if before.get(key) != amounts:
                yield _UPSERT[book], (wheel_id, *key, *whose, *amounts)
        for key in before.keys() - rows.keys():
            yield _DELETE[book], (wheel_id, *key)


def of_portfolio(state: portfolios.Portfolio) -> Iterator[Write]:
    """A portfolio's row; which one is the default stands in the settings."""
    if not state.version:
        return
    assert state.created_at is not None
    assert state.updated_at is not None
    yield (
        _PORTFOLIO,
        (
            state.id.hex,
            state.name,
            state.is_active,
            money.in_cents(state.default_capital),
            text(state.created_at),
            text(state.updated_at),
            state.version,
            answers.ENCODER.encode(answers.portfolio(state, is_default=False)),
        ),
    )


def of_settings(fact: facts.Fact) -> Iterator[Write]:
    """The settings that a fact sets."""
    if isinstance(fact, facts.DefaultPortfolioChosen):
        yield _SETTING, ("default_portfolio", fact.portfolio_id.hex)


def of_alert(stream_id: UUID, state: alerts.Alert) -> Iterator[Write]:
    """An alert's row."""
    if state.told is None or state.raised_at is None:
        return
    shown = answers.alert(stream_id, state)
    yield (
        _ALERT,
        (
            stream_id.hex,
            shown.portfolio_id and shown.portfolio_id.hex,
            shown.wheel_id and shown.wheel_id.hex,
            shown.trade_id and shown.trade_id.hex,
            shown.symbol,
            shown.rule,
            shown.severity,
            shown.status,
            text(shown.raised_at),
            shown.version,
            answers.ENCODER.encode(shown),
        ),
    )


def of_watchlist(state: watchlists.Watchlist) -> Iterator[Write]:
    """A row for each symbol that is watched, and none for one that is not any more."""
    for entry in state.entries.values():
        if not entry.is_watched:
            yield "DELETE FROM watchlist WHERE symbol=?", (entry.symbol,)
            continue
        body = answers.ENCODER.encode(answers.watched(entry))
        yield _WATCHED, (entry.symbol, entry.profile, text(entry.watched_at), entry.version, body)


def of_opportunity(stream_id: UUID, state: opportunities.Opportunity) -> Iterator[Write]:
    """An opportunity's row."""
    if state.found is None or state.recorded_at is None:
        return
    shown = answers.opportunity(stream_id, state)
    yield (
        _OPPORTUNITY,
        (
            stream_id.hex,
            shown.day.isoformat(),
            shown.symbol,
            shown.direction,
            shown.profile,
            float(shown.strike),
            shown.expiration_date.isoformat(),
            shown.dte,
            money.in_cents(shown.net_premium),
            shown.probability_itm,
            shown.annualized_yield_pct,
            shown.score,
            shown.rank,
            text(shown.found_at),
            shown.is_read,
            text(state.recorded_at),
            shown.version,
            answers.ENCODER.encode(shown),
        ),
    )


def of_job(stream: Sequence[facts.Recorded]) -> Iterator[Write]:
    """The row of how a job is set up, or of what became of one of its runs."""
    last = stream[-1]
    if isinstance(last.fact, facts.JobRan):
        yield from _run(last, last.fact)
    elif isinstance(last.fact, facts.JobConfigured):
        state = jobs.fold(jobs.Job(last.fact.job, last.fact.portfolio_id), stream)
        portfolio = state.portfolio_id and state.portfolio_id.hex
        body = answers.ENCODER.encode(answers.job_setup(state))
        updated = text(last.recorded_at)
        yield _JOB, (last.stream_id.hex, state.job, portfolio, updated, state.version, body)


def _run(recorded: facts.Recorded, ran: facts.JobRan) -> Iterator[Write]:
    yield (
        _RUN,
        (
            recorded.stream_id.hex,
            facts.job_stream(ran.job, ran.portfolio_id).hex,
            ran.job,
            ran.portfolio_id and ran.portfolio_id.hex,
            ran.trigger,
            ran.outcome,
            text(ran.due_at),
            ran.started_at and text(ran.started_at),
            text(ran.finished_at),
            text(recorded.recorded_at),
            answers.ENCODER.encode(subjects.job_run(ran)),
        ),
    )


def of_channels(state: channels.Channels) -> Iterator[Write]:
    """A row for each channel that is there, and none for one that was removed."""
    for name, each in state.known.items():
        if not each.is_there:
            yield "DELETE FROM channels WHERE name=?", (name,)
            continue
        body = answers.ENCODER.encode(answers.channel(each))
        yield _CHANNEL, (name, facts.CHANNELS_STREAM.hex, each.version, body)


def of_notification(stream_id: UUID, state: notifications.Notification) -> Iterator[Write]:
    """A notification's row."""
    plan = state.plan
    if plan is None or state.planned_at is None or state.recorded_at is None:
        return
    yield (
        _DELIVERY,
        (
            stream_id.hex,
            plan.channel,
            plan.alert_id.hex,
            plan.alert_position,
            plan.severity,
            plan.symbol,
            plan.rule,
            state.status,
            state.attempts,
            state.error,
            state.due and text(state.due),
            plan.escalate_at and text(plan.escalate_at),
            text(state.planned_at),
            state.ended_at and text(state.ended_at),
            state.failing_since and text(state.failing_since),
            text(state.recorded_at),
            state.version,
            answers.ENCODER.encode(answers.delivery(stream_id, state)),
        ),
    )


def of_plugin(stream_id: UUID, stream: Sequence[facts.Recorded]) -> Iterator[Write]:
    """A plugin's row; one that was removed keeps its last, so that its past can be asked for."""
    states = list(accumulate(stream, plugins.evolve, initial=plugins.NOTHING))
    known = next((each for each in reversed(states) if each.found is not None), None)
    if known is None:
        return
    shown, now = answers.plugin(known), states[-1]
    assert now.recorded_at is not None
    yield (
        _PLUGIN,
        (
            stream_id.hex,
            shown.name,
            now.found is not None,
            shown.enabled,
            text(shown.registered_at),
            text(now.recorded_at),
            now.version,
            answers.ENCODER.encode(shown),
        ),
    )


def of_plugin_run(recorded: facts.Recorded) -> Iterator[Write]:
    """A run's row: each stands by itself."""
    if not isinstance(recorded.fact, facts.PluginRan):
        return
    shown = answers.plugin_run(recorded.fact)
    yield (
        _PLUGIN_RUN,
        (
            recorded.stream_id.hex,
            shown.plugin,
            text(shown.due_at),
            shown.trigger,
            shown.outcome,
            text(shown.started_at),
            text(shown.finished_at),
            text(recorded.recorded_at),
            answers.ENCODER.encode(shown),
        ),
    )


def of_mark(recorded: facts.Recorded) -> Iterator[Write]:
    """A mark's row: each stands by itself, whatever comes after it."""
    shown = snapshots.snapshot(recorded)
    yield (
        _MARK,
        (
            shown.wheel_id.hex,
            text(shown.effective_at),
            shown.version,
            calendar.trading_day(shown.effective_at).isoformat(),
            shown.portfolio_id.hex,
            shown.symbol,
            float(shown.price),
            text(shown.recorded_at),
            answers.ENCODER.encode(shown),
        ),
    )


def of_small(kind: str, stream_id: UUID, stream: Sequence[facts.Recorded]) -> Iterator[Write]:
    """The rows of a short stream, from all of its facts."""
    if kind == "portfolio":
        yield from of_portfolio(portfolios.fold(stream_id, stream))
    elif kind == "alert":
        yield from of_alert(stream_id, alerts.fold(stream))
    elif kind == "watchlist":
        yield from of_watchlist(watchlists.fold(stream))
    elif kind == "opportunity":
        yield from of_opportunity(stream_id, opportunities.fold(stream))
    elif kind == "job":
        yield from of_job(stream)
    elif kind == "notification" and stream_id == facts.CHANNELS_STREAM:
        yield from of_channels(channels.fold(stream))
    elif kind == "notification":
        yield from of_notification(stream_id, notifications.fold(stream))
    elif kind == "plugin":
        yield from of_plugin(stream_id, stream)
    elif kind == "plugin_run":
        yield from of_plugin_run(stream[0])
    elif kind == "valuation":
        for each in stream:
            yield from of_mark(each)
    elif kind == "settings":
        for each in stream:
            yield from of_settings(each.fact)
