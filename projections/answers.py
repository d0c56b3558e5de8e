"""What is answered about wheels, trades, lots and cycles: pure functions of a story.

The same structs are the rows of the views, the API's bodies and its schema. Amounts are in
whole cents, prices as recorded, times UTC, dates New York dates.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from domain import alert as alerts
from domain import calendar, facts, lots, money, subjects
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

ENCODER = msgspec.json.Encoder(decimal_format="number")


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """A portfolio's own data."""

    id: UUID
    name: str
    description: str | None
    default_capital: Decimal
    is_default: bool
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel as it stands; `cost_basis` and `adjusted_cost_basis` in USD per share held."""

    id: UUID
    portfolio_id: UUID
    symbol: str
    state: wheels.State
    shares: int
    capital_allocated: Decimal
    cash: Decimal
    collateral_in_use: Decimal
    cost_basis: Decimal | None
    adjusted_cost_basis: Decimal | None
    starting_direction: facts.Direction
    profile: facts.Profile
    collateral: facts.Collateral
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How a part of a trade ended; `net_premium` is what that part brought in all."""

    outcome: trades.Outcome
    contracts: int
    closed_at: datetime
    price_per_share: Decimal | None
    stock_price: Decimal | None
    fees: Decimal
    net_premium: Decimal
    rolled_to: UUID | None


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """An option sale and what became of it."""

    id: UUID
    wheel_id: UUID
    portfolio_id: UUID
    symbol: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    open_contracts: int
    multiplier: Decimal
    premium_per_share: Decimal
    total_premium: Decimal
    fees: Decimal
    outcome: trades.Outcome
    opened_at: datetime
    closed_at: datetime | None
    expired_at: datetime | None
    stock_price_at_expiry: Decimal | None
    close_price: Decimal | None
    net_premium: Decimal
    closings: list[Closing]
    rolled_from: UUID | None
    rolled_to: UUID | None
    evidence_missing: bool
    notes: str | None
    source: str
    external_id: str | None
    cycle: int
    created_at: datetime
    version: int


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that came in together; amounts in USD for what is still held of them."""

    id: int
    wheel_id: UUID
    acquired_at: datetime
    how: str
    shares: int
    shares_left: int
    basis: Decimal
    basis_left: Decimal
    basis_per_share: Decimal
    tax_basis_left: Decimal
    trade_id: UUID | None
    cycle: int


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """From flat to flat; `total` is the sum of the three before it."""

    number: int
    wheel_id: UUID
    started_at: datetime
    ended_at: datetime | None
    premiums: Decimal
    dividends: Decimal
    stock_gain: Decimal
    total: Decimal


class Tally(msgspec.Struct, frozen=True):
    """One trade's share of the counts, and its premiums, exact."""

    trades: int = 0
    ended: int = 0
    wins: int = 0
    losses: int = 0
    assigned: int = 0
    called_away: int = 0
    puts: int = 0
    calls: int = 0
    gross: Decimal = money.ZERO
    net: Decimal = money.ZERO
    fees: Decimal = money.ZERO


def portfolio(state: portfolios.Portfolio, *, is_default: bool) -> Portfolio:
    """A portfolio's answer."""
    assert state.created_at is not None
    assert state.updated_at is not None
    return Portfolio(
        id=state.id,
        name=state.name,
        description=state.description,
        default_capital=money.cents(state.default_capital),
        is_default=is_default,
        is_active=state.is_active,
        created_at=state.created_at,
        updated_at=state.updated_at,
        version=state.version,
    )


def wheel(story: Story) -> Wheel:
    """A wheel's answer."""
    state = story.wheel
    assert state.portfolio_id is not None
    assert state.created_at is not None
    assert story.recorded_at is not None
    return Wheel(
        id=story.wheel_id,
        portfolio_id=state.portfolio_id,
        symbol=state.symbol,
        state=state.state,
        shares=state.shares,
        capital_allocated=money.cents(state.capital),
        cash=money.cents(state.cash),
        collateral_in_use=money.cents(state.collateral_in_use),
        cost_basis=_per_share(state.basis, state.shares),
        adjusted_cost_basis=_per_share(_adjusted(state), state.shares),
        starting_direction=state.starting_direction,
        profile=state.profile,
        collateral=state.collateral,
        is_active=state.is_active,
        created_at=state.created_at,
        updated_at=story.recorded_at,
        version=story.version,
    )


def _per_share(amount: Decimal, shares: int) -> Decimal | None:
    """To the hundredth of a cent, at least two decimals."""
    if not shares:
        return None
    return money.price((amount / shares).quantize(Decimal("0.0001")))


def _adjusted(state: wheels.Wheel) -> Decimal:
    """The basis net of the cycle's premiums and dividends."""
    cycle = state.cycle
    return state.basis - (cycle.premiums + cycle.dividends if cycle else money.ZERO)


def trade(story: Story, state: trades.Trade, now: datetime, *, voided: bool = False) -> Trade:
    """A trade's answer; `now` decides whether its expiry lacks evidence."""
    last = state.closings[-1] if state.closings and not state.open_contracts else None
    wheel_state = story.wheel
    assert wheel_state.portfolio_id is not None
    return Trade(
        id=state.id,
        wheel_id=story.wheel_id,
        portfolio_id=wheel_state.portfolio_id,
        symbol=wheel_state.symbol,
        direction=state.direction,
        strike=money.price(state.strike),
        expiration_date=state.expiration_date,
        contracts=state.contracts,
        open_contracts=0 if voided else state.open_contracts,
        multiplier=_multiplier(state.multiplier),
        premium_per_share=money.price(state.premium_per_share),
        total_premium=money.cents(state.total_premium),
        fees=money.cents(state.fees),
        outcome="voided" if voided else state.outcome,
        opened_at=state.opened_at,
        closed_at=last.at if last else None,
        expired_at=last.at if last and last.at_expiry else None,
        stock_price_at_expiry=_price(last.stock_price) if last and last.at_expiry else None,
        close_price=next(
            (_price(each.price) for each in reversed(state.closings) if each.price is not None),
            None,
        ),
        net_premium=money.cents(state.net_premium),
        closings=[_closing(each) for each in state.closings],
        rolled_from=state.rolled_from,
        rolled_to=state.rolled_to,
        evidence_missing=not voided and lacks_evidence(state, now),
        notes=state.notes,
        source=state.source,
        external_id=state.external_id,
        cycle=state.cycle,
        created_at=state.recorded_at,
        version=state.touched,
    )


def lacks_evidence(state: trades.Trade, now: datetime) -> bool:
    """Past its expiration's close, and nobody has said how it ended."""
    return state.open_contracts > 0 and now > calendar.close_at(state.expiration_date)


def _multiplier(multiplier: Decimal) -> Decimal:
    whole = multiplier.to_integral_value()
    return whole if whole == multiplier else multiplier.normalize()


def _price(price: Decimal | None) -> Decimal | None:
    return None if price is None else money.price(price)


def _closing(closing: trades.Closing) -> Closing:
    return Closing(
        outcome=closing.outcome,
        contracts=closing.contracts,
        closed_at=closing.at,
        price_per_share=_price(closing.price),
        stock_price=_price(closing.stock_price),
        fees=money.cents(closing.fees),
        net_premium=money.cents(closing.premium - closing.cost),
        rolled_to=closing.rolled_to,
    )


def lot(wheel_id: UUID, state: lots.Lot) -> Lot:
    """A lot's answer."""
    return Lot(
        id=state.id,
        wheel_id=wheel_id,
        acquired_at=state.acquired_at,
        how=state.how,
        shares=state.shares,
        shares_left=state.shares_left,
        basis=money.cents(state.basis),
        basis_left=money.cents(state.basis_left),
        basis_per_share=_per_share(state.basis, state.shares) or money.CENT * 0,
        tax_basis_left=money.cents(state.tax_left),
        trade_id=state.trade_id,
        cycle=state.cycle,
    )


def cycle(wheel_id: UUID, state: wheels.Cycle) -> Cycle:
    """A cycle's answer."""
    return Cycle(
        number=state.number,
        wheel_id=wheel_id,
        started_at=state.started_at,
        ended_at=state.ended_at,
        premiums=money.cents(state.premiums),
        dividends=money.cents(state.dividends),
        stock_gain=money.cents(state.stock_gain),
        total=money.cents(state.total),
    )


def tally(state: trades.Trade) -> Tally:
    """One trade's share of the counts.

    Winning: expired worthless, or bought back at a net gain. Losing: assigned or called away,
    or bought back at a net loss.
    """
    outcome = state.outcome
    exercised = outcome in ("assigned", "called_away")
    bought_back = outcome in ("closed_early", "rolled")
    won = outcome == "expired_worthless" or (bought_back and state.net_premium > 0)
    lost = exercised or (bought_back and state.net_premium < 0)
    put = state.direction == "put"
    return Tally(
        1,
        int(outcome != "open"),
        int(won),
        int(lost),
        int(outcome != "open" and any(each.outcome == "assigned" for each in state.closings)),
        int(outcome != "open" and any(each.outcome == "called_away" for each in state.closings)),
        int(put),
        int(not put),
        state.total_premium,
        state.net_premium,
        state.fees + sum((each.fees for each in state.closings), money.ZERO),
    )


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule has to say about one open option, or, without a trade, about the login."""

    id: UUID
    status: Literal["active", "cleared"]
    severity: facts.Severity
    rule: str
    symbol: str
    portfolio_id: UUID | None
    wheel_id: UUID | None
    trade_id: UUID | None
    direction: facts.Direction | None
    strike: Decimal | None
    expiration_date: date | None
    price: Decimal | None
    message: str
    raised_at: datetime
    acknowledged: bool
    muted_until: datetime | None
    version: int


def alert(alert_id: UUID, state: alerts.Alert) -> Alert:
    """An alert's answer; it has been raised at least once."""
    told = state.told
    assert told is not None
    assert state.raised_at is not None
    return Alert(
        id=alert_id,
        status="active" if state.is_active else "cleared",
        severity=told.severity,
        rule=told.rule,
        symbol=told.symbol,
        portfolio_id=told.portfolio_id,
        wheel_id=told.wheel_id,
        trade_id=told.trade_id,
        direction=told.direction,
        strike=_price(told.strike),
        expiration_date=told.expiration_date,
        price=_price(told.price),
        message=told.message,
        raised_at=state.raised_at,
        acknowledged=state.acknowledged,
        muted_until=state.muted_until,
        version=state.version,
    )


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol in which opportunities are looked for; `is_watched` is false once it is taken off.

    `version` is that of the list's last fact about it.
    """

    symbol: str
    notes: str | None
    profile: facts.Profile
    is_watched: bool
    watched_at: datetime
    version: int


def watched(entry: watchlists.Entry) -> Watched:
    """A watched symbol's answer."""
    return Watched(
        symbol=entry.symbol,
        notes=entry.notes,
        profile=entry.profile,
        is_watched=entry.is_watched,
        watched_at=entry.watched_at,
        version=entry.version,
    )


class Opportunity(msgspec.Struct, frozen=True, kw_only=True):
    """A contract worth selling, as a scan found it on a New York day; amounts for one contract.

    `day` is that day, `premium_per_share` the bid, and `rank` its place among those of its symbol.
    Volatilities are decimals a year, probabilities from 0 to 1, what ends in `_pct` percent.
    """

    id: UUID
    scan_id: UUID
    day: date
    symbol: str
    direction: facts.Direction
    profile: facts.Profile
    strike: Decimal
    expiration_date: date
    dte: int
    premium_per_share: Decimal
    bid: Decimal
    ask: Decimal | None
    total_premium: Decimal
    net_premium: Decimal
    collateral: Decimal
    sigma_distance: float
    probability_itm: float
    delta: float | None
    implied_volatility: float | None
    annualized_yield_pct: float
    expected_return_pct: float
    bias_score: float
    score: float
    open_interest: int | None
    current_price: Decimal
    break_even: Decimal
    warnings: tuple[str, ...]
    volatility_source: str
    rank: int
    price_as_of: datetime
    price_source: str
    price_state: facts.PriceState
    found_at: datetime
    is_read: bool
    version: int


_PRICES = ("strike", "premium_per_share", "bid", "ask", "current_price", "break_even")
_AMOUNTS = ("total_premium", "net_premium", "collateral")


def opportunity(stream_id: UUID, state: opportunities.Opportunity) -> Opportunity:
    """An opportunity's answer; it has been found."""
    assert state.found is not None
    assert state.found_at is not None
    told = msgspec.structs.asdict(state.found)
    told |= {field: _price(told[field]) for field in _PRICES}
    told |= {field: money.cents(told[field]) for field in _AMOUNTS}
    return Opportunity(
        id=stream_id,
        **told,
        found_at=state.found_at,
        is_read=state.is_read,
        version=state.version,
    )


class JobSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is set up, for all portfolios or for one, since when, and who said so.

    `configured_at` and `source` are null as long as nobody has said anything.
    """

    id: UUID
    job: str
    portfolio_id: UUID | None
    enabled: bool
    schedule: facts.Schedule
    market_hours: facts.MarketHours
    timeout_seconds: int
    retries: int
    backoff_seconds: int
    settings: dict[str, facts.Scalar]
    configured_at: datetime | None
    source: str | None
    version: int


def job_setup(state: jobs.Job) -> JobSetup:
    """How a job is set up now."""
    return JobSetup(
        id=state.id,
        **msgspec.structs.asdict(state.setup),
        configured_at=state.recorded_at,
        source=state.source,
        version=state.version,
    )


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A way to reach somebody; its URL is a secret, of which `service` tells the kind.

    `is_there` is false once it is removed, `created_at` when it was set up first, or again.
    """

    name: str
    service: str
    enabled: bool
    severities: tuple[facts.Severity, ...]
    rules: tuple[str, ...]
    portfolios: tuple[UUID, ...]
    symbols: tuple[str, ...]
    cleared: bool
    high_passes: bool
    quiet: facts.Quiet | None
    digest: facts.Digest | None
    escalation: facts.Escalation | None
    notes: str | None
    is_there: bool
    created_at: datetime
    updated_at: datetime
    version: int


def channel(state: channels.Channel) -> Channel:
    """A channel's answer."""
    told = state.told
    return Channel(
        name=told.channel,
        service=told.service,
        enabled=told.enabled,
        severities=told.severities,
        rules=told.rules,
        portfolios=told.portfolios,
        symbols=told.symbols,
        cleared=told.cleared,
        high_passes=told.high_passes,
        quiet=told.quiet,
        digest=told.digest,
        escalation=told.escalation,
        notes=state.notes,
        is_there=state.is_there,
        created_at=state.since,
        updated_at=state.changed_at,
        version=state.version,
    )


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel was told, or is to be told, of one thing that happened to an alert.

    `id` is also that of the message. A waiting one is sent at `due`; `failed` is one that was given
    up. `perhaps_repeated` says that of an attempt nobody knows whether the channel took it.
    """

    id: UUID
    channel: str
    alert_id: UUID
    alert_position: int
    alert: Literal["raised", "cleared", "escalated"]
    severity: facts.Severity
    symbol: str
    rule: str
    portfolio_id: UUID | None
    wheel_id: UUID | None
    message: str
    status: notifications.Status
    attempts: int
    perhaps_repeated: bool
    error: str | None
    due: datetime | None
    digest_id: UUID | None
    planned_at: datetime
    ended_at: datetime | None
    failing_since: datetime | None
    version: int


def delivery(stream_id: UUID, state: notifications.Notification) -> Delivery:
    """A notification's answer; it has been planned."""
    plan = state.plan
    assert plan is not None
    assert state.planned_at is not None
    return Delivery(
        id=stream_id,
        channel=plan.channel,
        alert_id=plan.alert_id,
        alert_position=plan.alert_position,
        alert=plan.alert,
        severity=plan.severity,
        symbol=plan.symbol,
        rule=plan.rule,
        portfolio_id=plan.portfolio_id,
        wheel_id=plan.wheel_id,
        message=plan.message,
        status=state.status,
        attempts=state.attempts,
        perhaps_repeated=state.unsure,
        error=state.error,
        due=state.due,
        digest_id=state.digest_id,
        planned_at=state.planned_at,
        ended_at=state.ended_at,
        failing_since=state.failing_since,
        version=state.version,
    )


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """A registered plugin: what it is, and what somebody decided about it.

    `fault` says why it cannot be loaded. `config` is what it was told, `config_schema` what it can
    be told; `wants` are the commands that it asks for, `grants` those that it was granted. `since`
    is the instant from which its schedule counts. A run's limits are real seconds and megabytes.
    """

    name: str
    plugin_version: str
    description: str
    origin: str
    digest: str
    fault: str | None
    enabled: bool
    schedule: facts.Schedule | None
    market_hours: facts.MarketHours
    default_schedule: facts.Schedule | None
    default_market_hours: facts.MarketHours
    config: dict[str, Any]
    config_schema: dict[str, Any]
    wants: tuple[str, ...]
    grants: tuple[str, ...]
    timeout_seconds: int
    memory_mb: int
    since: datetime
    registered_at: datetime
    updated_at: datetime
    version: int


_EXACT = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def plugin(state: plugins.Plugin) -> Plugin:
    """A registered plugin's answer."""
    found, decided = state.found, state.decided
    assert found is not None
    assert decided is not None
    assert state.since is not None
    assert state.registered_at is not None
    assert state.recorded_at is not None
    return Plugin(
        name=found.plugin,
        plugin_version=found.plugin_version,
        description=found.description,
        origin=found.origin,
        digest=found.digest,
        fault=found.fault,
        enabled=decided.enabled,
        schedule=decided.schedule,
        market_hours=decided.market_hours,
        default_schedule=found.default_schedule,
        default_market_hours=found.default_market_hours,
        config=_EXACT.decode(decided.config),
        config_schema=_EXACT.decode(found.config_schema),
        wants=found.wants,
        grants=decided.grants,
        timeout_seconds=decided.timeout_seconds,
        memory_mb=decided.memory_mb,
        since=state.since,
        registered_at=state.registered_at,
        updated_at=state.recorded_at,
        version=state.version,
    )


class PluginRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a plugin, and how it ended; `output` is the end of what it printed.

    `due_at` is the instant for which it ran, `alerts` counts what it had to tell.
    """

    run_id: UUID
    plugin: str
    plugin_version: str
    due_at: datetime
    trigger: facts.Trigger
    started_at: datetime
    finished_at: datetime
    outcome: facts.PluginOutcome
    error: str | None
    output: str
    alerts: int


def plugin_run(ran: facts.PluginRan) -> PluginRun:
    """A run's answer."""
    return PluginRun(**msgspec.structs.asdict(ran))


VIEWED = (
    Portfolio,
    Wheel,
    Trade,
    Lot,
    Cycle,
    Alert,
    Watched,
    Opportunity,
    JobSetup,
    subjects.JobRun,
    Channel,
    Delivery,
    Plugin,
    PluginRun,
)
"""The answers that are kept in the views."""
