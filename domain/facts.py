"""Everything that can have happened, as it is kept for ever.

A fact carries what a reader needs who never saw the stream it stands in. Its tag is
its stored name: a class may move or be renamed, a tag may not. Reading refuses unknown
fields, so that a rename cannot lose data in silence; a changed shape gets a new `schema`
number and a row in `UPCASTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args
from uuid import UUID, uuid5

import msgspec

Direction = Literal["put", "call"]
Profile = Literal["aggressive", "moderate", "conservative", "defensive"]
Collateral = Literal["cash_secured", "margin"]
Severity = Literal["LOW", "MEDIUM", "HIGH"]
PriceState = Literal["live", "delayed", "stale"]
Scalar = str | int | bool | None
MarketHours = Literal["any", "market_hours", "sessions"]
Trigger = Literal["schedule", "catch_up", "manual"]
RunOutcome = Literal["succeeded", "failed", "timed_out", "missed", "skipped"]
PluginOutcome = Literal["succeeded", "failed", "timed_out", "out_of_memory", "refused", "broken"]

SETTINGS_STREAM = UUID("6f1a3a0e-9b0e-5a3c-8f57-5b7d5c0f5e11")
ABOUT_NO_TRADE = UUID("b2c9d7f4-31e6-5d08-9a4b-7c0e6f8a1d35")
"""The namespace of alerts that no trade is the subject of."""
WATCHLIST_STREAM = UUID("a4ac1550-7561-50a0-a37d-73aa4479083f")
_JOBS = UUID("c31f3b1c-5f0a-5c57-9f0e-2d8a7be4a6d2")
_OPPORTUNITIES = UUID("0774a51f-3108-5341-97d4-3d3cab577091")
CHANNELS_STREAM = UUID("3f6c1d52-8a0b-5e47-b1de-52c9a1f7d604")
_NOTIFICATIONS = UUID("c81b7a5e-40d3-5f29-8e16-9d5a2b0f6c73")
_PLUGINS = UUID("5c1de0b4-7a2f-5b1e-9d36-2f0c8e47a6b1")


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened."""


class PortfolioCreated(Fact, frozen=True, kw_only=True, tag="PortfolioCreated"):
    """A portfolio was opened."""

    portfolio_id: UUID
    portfolio_name: str
    description: str | None = None
    default_capital: Decimal = Decimal(0)


class PortfolioChanged(Fact, frozen=True, kw_only=True, tag="PortfolioChanged"):
    """A portfolio's own data changed; all fields as they now stand."""

    portfolio_id: UUID
    portfolio_name: str
    description: str | None = None
    default_capital: Decimal = Decimal(0)


class PortfolioArchived(Fact, frozen=True, kw_only=True, tag="PortfolioArchived"):
    """A portfolio was put away; nothing in it is lost."""

    portfolio_id: UUID


class PortfolioRestored(Fact, frozen=True, kw_only=True, tag="PortfolioRestored"):
    """An archived portfolio came back."""

    portfolio_id: UUID


class DefaultPortfolioChosen(Fact, frozen=True, kw_only=True, tag="DefaultPortfolioChosen"):
    """The portfolio that is meant when none is named."""

    portfolio_id: UUID


class ConfigurationChanged(Fact, frozen=True, kw_only=True, tag="ConfigurationChanged"):
    """Keys of the configuration were given values, as text; None takes the ledger's word back.

    `before` is what counted until then, wherever it came from.
    """

    changes: dict[str, str | None]
    before: dict[str, str | None]
    reason: str | None = None


class OfWheel(Fact, frozen=True, kw_only=True):
    """A fact of one wheel, which it names."""

    portfolio_id: UUID
    symbol: str


class WheelStarted(OfWheel, frozen=True, kw_only=True, tag="WheelStarted"):
    """A wheel was set up, with capital, with shares already held, or both.

    `cost_basis` is USD per share.
    """

    capital: Decimal = Decimal(0)
    shares: int = 0
    cost_basis: Decimal = Decimal(0)
    profile: Profile = "conservative"
    collateral: Collateral = "cash_secured"
    starting_direction: Direction = "put"


class WheelConfigured(OfWheel, frozen=True, kw_only=True, tag="WheelConfigured"):
    """Settings changed (None: as before), or capital was added (or, negative, withdrawn)."""

    contribution: Decimal = Decimal(0)
    profile: Profile | None = None
    collateral: Collateral | None = None
    starting_direction: Direction | None = None


class OptionSold(OfWheel, frozen=True, kw_only=True, tag="OptionSold"):
    """Contracts were sold to open. Prices in USD per share, fees in USD for the whole trade."""

    trade_id: UUID
    direction: Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    premium_per_share: Decimal
    fees: Decimal = Decimal(0)
    multiplier: int = 100
    rolled_from: UUID | None = None


class OfTrade(OfWheel, frozen=True, kw_only=True):
    """A fact of one trade; direction, strike and expiration as they stood when it was recorded."""

    trade_id: UUID
    direction: Direction
    strike: Decimal
    expiration_date: date


class OptionBoughtBack(OfTrade, frozen=True, kw_only=True, tag="OptionBoughtBack"):
    """Open contracts were bought to close."""

    contracts: int
    price_per_share: Decimal
    fees: Decimal = Decimal(0)
    rolled_to: UUID | None = None


class OptionExpired(OfTrade, frozen=True, kw_only=True, tag="OptionExpired"):
    """Open contracts expired worthless; `stock_price` is the close on that day."""

    contracts: int
    stock_price: Decimal


class OptionAssigned(OfTrade, frozen=True, kw_only=True, tag="OptionAssigned"):
    """The holder exercised: a put delivers shares to us, a call takes them away.

    `at_expiry` tells an assignment at expiration from an early one.
    """

    contracts: int
    stock_price: Decimal | None = None
    fees: Decimal = Decimal(0)
    at_expiry: bool = False


class SharesBought(OfWheel, frozen=True, kw_only=True, tag="SharesBought"):
    """Shares were bought in the market."""

    shares: int
    price: Decimal
    fees: Decimal = Decimal(0)


class SharesSold(OfWheel, frozen=True, kw_only=True, tag="SharesSold"):
    """Shares were sold in the market."""

    shares: int
    price: Decimal
    fees: Decimal = Decimal(0)


class SharesTransferredIn(OfWheel, frozen=True, kw_only=True, tag="SharesTransferredIn"):
    """Shares came in from elsewhere, a contribution at their stated basis per share."""

    shares: int
    price: Decimal
    fees: Decimal = Decimal(0)


class DividendReceived(OfWheel, frozen=True, kw_only=True, tag="DividendReceived"):
    """A cash dividend was paid on the shares held into the ex-date."""

    amount_per_share: Decimal
    ex_date: date
    shares: int


class SplitApplied(OfWheel, frozen=True, kw_only=True, tag="SplitApplied"):
    """`numerator` new shares for `denominator` old ones; cash in lieu of a fraction, in USD."""

    numerator: int
    denominator: int
    cash_in_lieu: Decimal = Decimal(0)


class TradeNoted(OfWheel, frozen=True, kw_only=True, tag="TradeNoted"):
    """A trade's note was written anew."""

    trade_id: UUID
    notes: str | None


class WheelArchived(OfWheel, frozen=True, kw_only=True, tag="WheelArchived"):
    """A wheel was put away; nothing in it is lost."""


class WheelReopened(OfWheel, frozen=True, kw_only=True, tag="WheelReopened"):
    """An archived wheel came back."""


class FactCorrected(OfWheel, frozen=True, kw_only=True, tag="FactCorrected"):
    """A recorded fact was wrong in some fields; `effective_at` may be one of them."""

    fact_version: int
    changes: dict[str, Scalar]
    reason: str


class FactVoided(OfWheel, frozen=True, kw_only=True, tag="FactVoided"):
    """A recorded fact never happened."""

    fact_version: int
    reason: str


class OfAlert(Fact, frozen=True, kw_only=True):
    """A fact of one alert: one trade under one rule, or a rule about no trade, which names none."""

    portfolio_id: UUID | None = None
    wheel_id: UUID | None = None
    trade_id: UUID | None = None
    symbol: str
    rule: str
    severity: Severity


class AlertRaised(OfAlert, frozen=True, kw_only=True, tag="AlertRaised"):
    """A position, or the login at the provider of prices, began to need attention."""

    message: str
    direction: Direction | None = None
    strike: Decimal | None = None
    expiration_date: date | None = None
    price: Decimal | None = None
    price_as_of: datetime | None = None
    dte_trading: int | None = None


class AlertCleared(OfAlert, frozen=True, kw_only=True, tag="AlertCleared"):
    """The condition is gone, and stayed gone long or far enough."""

    reason: str
    price: Decimal | None = None


class AlertAcknowledged(OfAlert, frozen=True, kw_only=True, tag="AlertAcknowledged"):
    """Somebody has seen it."""


class AlertMuted(OfAlert, frozen=True, kw_only=True, tag="AlertMuted"):
    """Somebody wants to hear no more of it before `until`."""

    until: datetime


class MarkedOption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An open option at a mark. Prices in USD per share; `premium` in USD for what is open.

    `premium` is the net opening premium, `moneyness` (price - strike) / strike in percent, `mid`
    None where the option had no price, and with it `extrinsic`, which is `mid` less `intrinsic`.
    """

    trade_id: UUID
    direction: Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    multiplier: Decimal
    premium: Decimal
    moneyness: Decimal
    risk_level: Severity
    intrinsic: Decimal
    mid: Decimal | None = None
    extrinsic: Decimal | None = None


class PositionMarked(Fact, frozen=True, kw_only=True, tag="PositionMarked"):
    """A wheel was looked at, with the price of its share: what it held, and what that was worth.

    `basis` is what the shares had cost, as the wheel was known when this was recorded.
    """

    portfolio_id: UUID
    wheel_id: UUID
    symbol: str
    state: str
    shares: int
    basis: Decimal
    cash: Decimal
    collateral: Decimal
    price: Decimal
    price_as_of: datetime
    price_source: str
    price_state: PriceState
    options: tuple[MarkedOption, ...] = ()


class SymbolWatched(Fact, frozen=True, kw_only=True, tag="SymbolWatched"):
    """A symbol was put on the watchlist: what is worth selling in it is looked for."""

    symbol: str
    notes: str | None = None
    profile: Profile = "conservative"


class SymbolUnwatched(Fact, frozen=True, kw_only=True, tag="SymbolUnwatched"):
    """A symbol was taken off the watchlist."""

    symbol: str


class OfOpportunity(Fact, frozen=True, kw_only=True):
    """A fact of one contract as it was found on one New York day."""

    day: date
    symbol: str
    direction: Direction
    strike: Decimal
    expiration_date: date


class OpportunityFound(OfOpportunity, frozen=True, kw_only=True, tag="OpportunityFound"):
    """A scan found a contract worth selling. Amounts in USD, for one contract.

    Prices are USD per share; `premium_per_share` is the bid. Volatilities are decimals a year,
    probabilities from 0 to 1, what ends in `_pct` percent. `rank` counts from 1 in its symbol.
    """

    scan_id: UUID
    profile: Profile
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
    price_state: PriceState


class OpportunityRead(OfOpportunity, frozen=True, kw_only=True, tag="OpportunityRead"):
    """Somebody has looked at it."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a job or a plugin is due; one of the first three is said.

    Every so many seconds, at the times of a crontab's five fields on the clocks of `timezone`, or
    so many minutes after the close of every session.
    """

    interval_seconds: int | None = None
    cron: str | None = None
    after_close_minutes: int | None = None
    timezone: str = "America/New_York"


class OfJob(Fact, frozen=True, kw_only=True):
    """A fact of one job: for all portfolios, or for one."""

    job: str
    portfolio_id: UUID | None = None


class JobConfigured(OfJob, frozen=True, kw_only=True, tag="JobConfigured"):
    """How a job is run from now on; all of it as it now stands.

    An attempt may take `timeout_seconds` of real time. It is repeated up to `retries` times, first
    after `backoff_seconds` of market time, then after twice as many each time.
    """

    enabled: bool
    schedule: Schedule
    market_hours: MarketHours
    timeout_seconds: int
    retries: int
    backoff_seconds: int
    settings: dict[str, Scalar] = {}


class FailedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a run's work that failed, and why."""

    item: str
    why: str


class JobRan(OfJob, frozen=True, kw_only=True, tag="JobRan"):
    """What became of the run of a job that was due at an instant.

    One that was missed or skipped never started. `failed` counts the pieces of work that were in
    vain; `items` has the first of them.
    """

    run_id: UUID
    due_at: datetime
    trigger: Trigger
    outcome: RunOutcome
    started_at: datetime | None
    finished_at: datetime
    done: int = 0
    failed: int = 0
    items: tuple[FailedItem, ...] = ()
    attempts: int = 0
    error: str | None = None
    message: str | None = None


class Quiet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of every day in which nothing is sent: wall times in a zone, past midnight or not."""

    start: str
    end: str
    zone: str = "America/New_York"


class Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When what has come together is sent in one message; `at` is a wall time, for daily ones."""

    every: Literal["hourly", "daily"]
    at: str | None = None
    zone: str = "America/New_York"


class Escalation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After how many minutes an alert that nobody has acknowledged goes to another channel."""

    after_minutes: int
    to: str


class ChannelConfigured(Fact, frozen=True, kw_only=True, tag="ChannelConfigured"):
    """A way to reach somebody was set up, or changed; all fields as they now stand.

    `address` is the name under which its URL, a secret, is kept apart from the ledger, `service`
    the kind of URL. Of severities, rules, portfolios and symbols none named means all.
    """

    channel: str
    service: str
    address: str
    enabled: bool = True
    severities: tuple[Severity, ...] = ()
    rules: tuple[str, ...] = ()
    portfolios: tuple[UUID, ...] = ()
    symbols: tuple[str, ...] = ()
    cleared: bool = True
    high_passes: bool = True
    quiet: Quiet | None = None
    digest: Digest | None = None
    escalation: Escalation | None = None


class ChannelRemoved(Fact, frozen=True, kw_only=True, tag="ChannelRemoved"):
    """Nothing is sent over this channel any more."""

    channel: str


class OfNotification(Fact, frozen=True, kw_only=True):
    """A fact of what one channel is told of one thing that happened to an alert.

    `alert_position` is that of the alert's fact in the log, `alert` what it was: `escalated`, where
    it is told because nobody on another channel has acknowledged it.
    """

    channel: str
    alert_id: UUID
    alert_position: int
    alert: Literal["raised", "cleared", "escalated"]
    severity: Severity
    symbol: str
    rule: str
    portfolio_id: UUID | None = None
    wheel_id: UUID | None = None


class NotificationPlanned(OfNotification, frozen=True, kw_only=True, tag="NotificationPlanned"):
    """It is to be sent, not before `due`: by itself, or gathered with others into a digest.

    Where it is not acknowledged by `escalate_at`, the channel `escalate_to` is told, too.
    """

    message: str
    due: datetime
    gathered: bool = False
    escalate_at: datetime | None = None
    escalate_to: str | None = None


class NotificationBegun(OfNotification, frozen=True, kw_only=True, tag="NotificationBegun"):
    """It is being sent, for the `attempt`th time; without a fact after it nobody knows the end."""

    attempt: int


class NotificationDelivered(OfNotification, frozen=True, kw_only=True, tag="NotificationDelivered"):
    """The channel took it; in a digest, where `digest_id` names one."""

    attempt: int
    digest_id: UUID | None = None


class NotificationFailed(OfNotification, frozen=True, kw_only=True, tag="NotificationFailed"):
    """The channel did not take it; it is tried again at `retry_at`, or, with none, given up."""

    attempt: int
    error: str
    retry_at: datetime | None = None


class NotificationWithdrawn(OfNotification, frozen=True, kw_only=True, tag="NotificationWithdrawn"):
    """Before it was sent there was no more reason to."""

    reason: str


class DigestSent(Fact, frozen=True, kw_only=True, tag="DigestSent"):
    """Several notifications went out over a channel in one message."""

    channel: str
    digest_id: UUID
    due: datetime
    deliveries: tuple[UUID, ...]


class OfPlugin(Fact, frozen=True, kw_only=True):
    """A fact of one plugin, which it names."""

    plugin: str


class AsInspected(OfPlugin, frozen=True, kw_only=True):
    """A plugin as it was found, and what it told of itself when a process of its own loaded it.

    `origin` is `file:` with its name or `entry_point:` with its place, `digest` what tells one
    state of it from another, `config_schema` the JSON schema of its configuration, `wants` the
    commands that it asks for. Where it could not be loaded, `fault` says why.
    """

    origin: str
    digest: str
    plugin_version: str
    description: str
    default_schedule: Schedule | None
    default_market_hours: MarketHours = "any"
    config_schema: str
    wants: tuple[str, ...] = ()
    fault: str | None = None


class PluginRegistered(AsInspected, frozen=True, kw_only=True, tag="PluginRegistered"):
    """Somebody wants a plugin that was found here; it is disabled, as it came."""


class PluginReloaded(AsInspected, frozen=True, kw_only=True, tag="PluginReloaded"):
    """A registered plugin is now another than it was: newer, broken, gone, or there again."""


class PluginConfigured(OfPlugin, frozen=True, kw_only=True, tag="PluginConfigured"):
    """What somebody decided about a plugin, all of it as it now stands.

    `config` is JSON, `grants` are the commands that it may give; the limits of one run are real
    seconds and megabytes.
    """

    enabled: bool
    schedule: Schedule | None
    market_hours: MarketHours = "any"
    config: str
    grants: tuple[str, ...]
    timeout_seconds: int
    memory_mb: int


class PluginRemoved(OfPlugin, frozen=True, kw_only=True, tag="PluginRemoved"):
    """Somebody does not want a plugin any more; its file and its runs stay."""


class PluginRan(OfPlugin, frozen=True, kw_only=True, tag="PluginRan"):
    """A plugin ran, and how that ended; `output` is the end of what it printed.

    `due_at` is the instant for which it ran, `alerts` counts what it had to tell.
    """

    run_id: UUID
    plugin_version: str
    due_at: datetime
    trigger: Trigger
    started_at: datetime
    finished_at: datetime
    outcome: PluginOutcome
    error: str | None = None
    output: str = ""
    alerts: int = 0


WheelFact = (
    WheelStarted
    | WheelConfigured
    | OptionSold
    | OptionBoughtBack
    | OptionExpired
    | OptionAssigned
    | SharesBought
    | SharesSold
    | SharesTransferredIn
    | DividendReceived
    | SplitApplied
    | TradeNoted
    | WheelArchived
    | WheelReopened
)
Amendment = FactCorrected | FactVoided
PortfolioFact = PortfolioCreated | PortfolioChanged | PortfolioArchived | PortfolioRestored
AlertFact = AlertRaised | AlertCleared | AlertAcknowledged | AlertMuted
ValuationFact = PositionMarked
SettingsFact = DefaultPortfolioChosen | ConfigurationChanged
WatchlistFact = SymbolWatched | SymbolUnwatched
OpportunityFact = OpportunityFound | OpportunityRead
JobFact = JobConfigured | JobRan
ChannelFact = ChannelConfigured | ChannelRemoved
DeliveryFact = (
    NotificationPlanned
    | NotificationBegun
    | NotificationDelivered
    | NotificationFailed
    | NotificationWithdrawn
)
NotificationFact = ChannelFact | DeliveryFact | DigestSent
PluginFact = PluginRegistered | PluginReloaded | PluginConfigured | PluginRemoved
PluginRunFact = PluginRan

STREAM_KINDS: dict[str, tuple[type[Fact], ...]] = {
    "portfolio": get_args(PortfolioFact),
    "wheel": get_args(WheelFact | Amendment),
    "alert": get_args(AlertFact),
    "valuation": (PositionMarked,),
    "settings": get_args(SettingsFact),
    "watchlist": get_args(WatchlistFact),
    "opportunity": get_args(OpportunityFact),
    "job": get_args(JobFact),
    "notification": get_args(NotificationFact),
    "plugin": get_args(PluginFact),
    "plugin_run": (PluginRan,),
}
_BY_NAME = {
    _type.__struct_config__.tag: _type for types in STREAM_KINDS.values() for _type in types
}
_KIND = {_type: kind for kind, types in STREAM_KINDS.items() for _type in types}
NAMES: tuple[str, ...] = tuple(str(name) for name in _BY_NAME)


class Recorded(msgspec.Struct, frozen=True):
    """A fact with its place in the log and its two clocks (aware UTC).

    `position` is its place in the one order of the whole log, `version` its place in its
    own stream, both from 1; position 0 means not stored yet. `request_id` is that of the HTTP
    request that led to it.
    """

    position: int
    stream_id: UUID
    version: int
    recorded_at: datetime
    effective_at: datetime
    source: str
    command_id: UUID
    external_id: str | None
    fact: Fact
    notes: str | None = None
    request_id: str | None = None

    @property
    def name(self) -> str:
        """The fact's stored name."""
        return name_of(type(self.fact))

    @property
    def kind(self) -> str:
        """The kind of stream it stands in."""
        return _KIND[type(self.fact)]


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stored row's JSON around a fact's own fields."""

    recorded_at: datetime
    effective_at: datetime
    source: str
    command_id: UUID
    data: msgspec.Raw
    external_id: str | None = None
    notes: str | None = None
    schema: int = 1
    request_id: str | None = None


class _Written(msgspec.Struct, frozen=True, omit_defaults=True):
    """The same on the way out, with the fact itself."""

    recorded_at: datetime
    effective_at: datetime
    source: str
    command_id: UUID
    data: Fact
    external_id: str | None = None
    notes: str | None = None
    schema: int = 1
    request_id: str | None = None


Upcast = Callable[[dict[str, Any]], dict[str, Any]]


def _option_sold_1(old: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 said `premium` and knew no multiplier: every contract was of 100 shares."""
    return {
        ("premium_per_share" if field == "premium" else field): value
        for field, value in old.items()
    } | {"multiplier": 100}


UPCASTS: dict[str, tuple[Upcast, ...]] = {"OptionSold": (_option_sold_1,)}

_encoder = msgspec.json.Encoder()
_stored = msgspec.json.Decoder(_Stored)


@cache
def name_of(fact: type[Fact]) -> str:
    """The stored name of a kind of fact."""
    return str(fact.__struct_config__.tag)


def schema_of(name: str) -> int:
    """The number of a fact's present shape, from 1."""
    return 1 + len(UPCASTS.get(name, ()))


@cache
def _decoder(name: str) -> msgspec.json.Decoder[Fact]:
    return msgspec.json.Decoder(_BY_NAME[name])


def encode(recorded: Recorded) -> bytes:
    """The JSON that is stored: readable with any SQLite tool, exact (money as text)."""
    return _encoder.encode(
        _Written(
            recorded.recorded_at,
            recorded.effective_at,
            recorded.source,
            recorded.command_id,
            recorded.fact,
            recorded.external_id,
            recorded.notes,
            schema_of(recorded.name),
            recorded.request_id,
        )
    )


def decode(position: int, stream_id: UUID, version: int, name: str, state: bytes) -> Recorded:
    """Read a stored row of any age. Raises msgspec.ValidationError or KeyError when it is none."""
    row = _stored.decode(state)
    upcasts = UPCASTS.get(name, ())[row.schema - 1 :]
    if upcasts:
        data: dict[str, Any] = msgspec.json.decode(row.data)
        for upcast in upcasts:
            data = upcast(data)
        fact = msgspec.convert(data, _BY_NAME[name], strict=False)
    else:
        fact = _decoder(name).decode(row.data)
    return Recorded(
        position,
        stream_id,
        version,
        row.recorded_at,
        row.effective_at,
        row.source,
        row.command_id,
        row.external_id,
        fact,
        row.notes,
        row.request_id,
    )


def wheel_stream(portfolio_id: UUID, symbol: str) -> UUID:
    """One wheel per symbol and portfolio, without a lock."""
    return uuid5(portfolio_id, symbol)


def alert_stream(trade_id: UUID | None, rule: str) -> UUID:
    """One alert per trade and rule, so that each open option is watched by itself.

    A rule about no trade has one alert in the whole instance.
    """
    return uuid5(ABOUT_NO_TRADE if trade_id is None else trade_id, f"alert:{rule}")


def valuation_stream(wheel_id: UUID) -> UUID:
    """The marks of one wheel, apart from its own facts."""
    return uuid5(wheel_id, "valuation")


def opportunity_stream(contract: OfOpportunity) -> UUID:
    """One per contract and day: whoever finds it twice that day means the same, without a lock."""
    strike = f"{contract.strike.normalize():f}"
    named = (contract.symbol, contract.direction, strike, contract.expiration_date, contract.day)
    return uuid5(_OPPORTUNITIES, "|".join(map(str, named)))


def job_stream(job: str, portfolio_id: UUID | None = None) -> UUID:
    """The configuration of one job, for all portfolios or for one."""
    return uuid5(_JOBS, f"{job}|{portfolio_id or ''}")


def run_stream(job: str, portfolio_id: UUID | None, due_at: datetime) -> UUID:
    """One per due time, which is also the run's id: who runs it twice means the same run."""
    return uuid5(job_stream(job, portfolio_id), due_at.astimezone(UTC).isoformat())


def notification_stream(channel: str, position: int, *, escalated: bool = False) -> UUID:
    """One per channel and fact of an alert: whoever plans it twice means the same, without a lock.

    What a channel is told because another one was in vain is a notification of its own. The id is
    also that of the message, by which a receiver knows a repeat.
    """
    return uuid5(_NOTIFICATIONS, f"{channel}|{position}{'|escalated' if escalated else ''}")


def digest_stream(channel: str, due: datetime) -> UUID:
    """One per channel and hour at which a digest is due; the id is also that of the message."""
    return uuid5(_NOTIFICATIONS, f"{channel}|digest|{due.isoformat()}")


def plugin_stream(name: str) -> UUID:
    """One plugin under one name, whatever becomes of its file."""
    return uuid5(_PLUGINS, name)


def plugin_run_stream(name: str, due_at: datetime) -> UUID:
    """One run for one instant: whoever runs it a second time cannot record it, without a lock."""
    return uuid5(plugin_stream(name), due_at.astimezone(UTC).isoformat())


def plugin_rule(name: str) -> str:
    """The rule under which a plugin's alerts stand."""
    return f"plugin_{name}"


def plugin_alert_stream(name: str, key: str) -> UUID:
    """One alert for each thing that a plugin tells apart by a key."""
    return alert_stream(None, f"{plugin_rule(name)}:{key}")
