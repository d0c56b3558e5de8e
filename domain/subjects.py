"""What is said on the bus, on which subject, and how long it is kept.

    ledger.appended                                       nudge: the log's new head
    views.advanced                                        nudge: the projector's position
    ledger.event.<kind>.<stream id>.<Name>                LEDGER   every fact, once, in order
    market.quote.<SYMBOL>, market.chain.<SYMBOL>          MARKET   prices as they come in
    market.ask, scan.ask, jobs.ask, plugins.ask           a question, answered to who asks
    risk.position.<portfolio>.<wheel>                     RISK     a position's risk changed
    risk.alert.<severity>.<SYMBOL>.<rule>                 RISK     raised, cleared, seen, muted
    opportunity.<SYMBOL>                                  RISK     what a scan found
    ops.heartbeat.<worker>, ops.job.<job>.<outcome>       OPS      who is alive, what ran

Every subject is built here and nowhere else; whatever could be taken for a wildcard or a
second token is refused with a ValueError.
"""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import facts, market

LEDGER_APPENDED: Final = "ledger.appended"
VIEWS_ADVANCED: Final = "views.advanced"

EVERY_LEDGER_EVENT: Final = "ledger.event.>"
EVERY_QUOTE: Final = "market.quote.>"
EVERY_CHAIN: Final = "market.chain.>"
EVERY_OPPORTUNITY: Final = "opportunity.>"
EVERY_JOB: Final = "ops.job.>"
EVERY_POSITION_RISK: Final = "risk.position.>"
EVERY_ALERT: Final = "risk.alert.>"
EVERY_HEARTBEAT: Final = "ops.heartbeat.>"

MARKET_ASK: Final = "market.ask"
SCAN_ASK: Final = "scan.ask"
JOBS_ASK: Final = "jobs.ask"
PLUGINS_ASK: Final = "plugins.ask"

QUOTES_BUCKET: Final = "quotes"
MARKET_BUCKET: Final = "market"
"""All else that the market said last: chains, histories, dates, marks, and how the provider is."""
PROVIDER_KEY: Final = "provider"
LEASES_BUCKET: Final = "leases"
"""Who of several schedulers has the word: kept while it is renewed."""
BUCKETS: Final = (QUOTES_BUCKET, MARKET_BUCKET, LEASES_BUCKET)

MarketKind = Literal["chain", "history", "dividends", "earnings", "volatilities"]
OPPORTUNITY_SCANNING: Final = "opportunity_scanning"
"""The job that a scan is."""

OpportunityStatus = Literal["found", "read"]
ScanStatus = Literal["running", "succeeded", "failed"]
AlertStatus = Literal["raised", "cleared", "acknowledged", "muted"]
Outcome = Literal["started", "progress", "succeeded", "failed", "missed"]
RunStatus = Literal["running"] | facts.RunOutcome
WorkerState = Literal["starting", "running", "waiting", "stopping"]

AnyFact = (
    facts.PortfolioFact
    | facts.WheelFact
    | facts.Amendment
    | facts.AlertFact
    | facts.ValuationFact
    | facts.SettingsFact
    | facts.WatchlistFact
    | facts.OpportunityFact
    | facts.JobFact
    | facts.NotificationFact
    | facts.PluginFact
    | facts.PluginRunFact
)

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")


# --- subjects --------------------------------------------------------------------------------


def ledger_event(kind: str, stream_id: UUID, name: str) -> str:
    return f"ledger.event.{_token(kind)}.{stream_id}.{_token(name)}"


def market_quote(symbol: str) -> str:
    return f"market.quote.{market.subject_token(symbol)}"


def market_chain(symbol: str) -> str:
    return f"market.chain.{market.subject_token(symbol)}"


def risk_position(portfolio_id: UUID, wheel_id: UUID) -> str:
    return f"risk.position.{portfolio_id}.{wheel_id}"


def risk_alert(severity: facts.Severity, symbol: str, rule: str) -> str:
    return f"risk.alert.{_token(severity)}.{market.subject_token(symbol)}.{_token(rule)}"


def opportunity(symbol: str) -> str:
    return f"opportunity.{market.subject_token(symbol)}"


def heartbeat(worker: str) -> str:
    return f"ops.heartbeat.{_token(worker)}"


def job(name: str, outcome: Outcome) -> str:
    return f"ops.job.{_token(name)}.{_token(outcome)}"


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} cannot be a token of a subject")
    return text


# --- streams ---------------------------------------------------------------------------------


class Stream(msgspec.Struct, frozen=True):
    """Messages that are kept: `keep` is how long, None for ever.

    A repeated message id is dropped inside the `duplicates` window; behind it, publishers
    that must not repeat compare with what the stream has last.
    """

    name: str
    subjects: tuple[str, ...]
    keep: timedelta | None
    duplicates: timedelta = timedelta(minutes=2)


LEDGER: Final = Stream("LEDGER", ("ledger.event.>",), keep=None)
MARKET: Final = Stream("MARKET", ("market.quote.*", "market.chain.*"), keep=timedelta(days=7))
RISK: Final = Stream(
    "RISK", ("risk.position.*.*", "risk.alert.*.*.*", "opportunity.*"), keep=timedelta(days=90)
)
OPS: Final = Stream("OPS", ("ops.heartbeat.*", "ops.job.*.*"), keep=timedelta(days=7))

STREAMS: Final = (LEDGER, MARKET, RISK, OPS)


class Channel(msgspec.Struct, frozen=True):
    """A family of subjects with a name for each place, and the stream that keeps it."""

    address: str
    stream: str | None


CHANNELS: Final[dict[str, Channel]] = {
    "ledger.appended": Channel(LEDGER_APPENDED, None),
    "views.advanced": Channel(VIEWS_ADVANCED, None),
    "ledger.event": Channel("ledger.event.{kind}.{stream_id}.{name}", "LEDGER"),
    "market.quote": Channel("market.quote.{symbol}", "MARKET"),
    "market.chain": Channel("market.chain.{symbol}", "MARKET"),
    "market.ask": Channel(MARKET_ASK, None),
    "scan.ask": Channel(SCAN_ASK, None),
    "jobs.ask": Channel(JOBS_ASK, None),
    "plugins.ask": Channel(PLUGINS_ASK, None),
    "risk.position": Channel("risk.position.{portfolio_id}.{wheel_id}", "RISK"),
    "risk.alert": Channel("risk.alert.{severity}.{symbol}.{rule}", "RISK"),
    "opportunity": Channel("opportunity.{symbol}", "RISK"),
    "ops.heartbeat": Channel("ops.heartbeat.{worker}", "OPS"),
    "ops.job": Channel("ops.job.{job}.{outcome}", "OPS"),
}
"""What is said on the bus, by the `type` of its messages."""


# --- payloads --------------------------------------------------------------------------------


class Nudge(msgspec.Struct, frozen=True):
    """There is something new up to this position; lost nudges are made up for by looking."""

    position: int


class LedgerEvent(msgspec.Struct, frozen=True):
    """A fact with its place in the log; money as JSON numbers, exact as written."""

    position: int
    stream_id: UUID
    kind: str
    version: int
    name: str
    recorded_at: datetime
    effective_at: datetime
    source: str
    command_id: UUID
    external_id: str | None
    fact: AnyFact
    request_id: str | None = None


class AlertNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an alert; what only its raising knows is null afterwards.

    An alert that is about no trade has null in place of it, its wheel and its portfolio.
    """

    alert_id: UUID
    status: AlertStatus
    severity: facts.Severity
    symbol: str
    rule: str
    portfolio_id: UUID | None
    wheel_id: UUID | None
    trade_id: UUID | None
    message: str | None = None
    price: Decimal | None = None
    strike: Decimal | None = None
    direction: facts.Direction | None = None
    expiration_date: date | None = None
    position: int
    recorded_at: datetime


def alert_notice(recorded: facts.Recorded, fact: facts.AlertFact) -> AlertNotice:
    """What a stranger is told of an alert."""
    told = AlertNotice(
        alert_id=recorded.stream_id,
        status="raised",
        severity=fact.severity,
        symbol=fact.symbol,
        rule=fact.rule,
        portfolio_id=fact.portfolio_id,
        wheel_id=fact.wheel_id,
        trade_id=fact.trade_id,
        position=recorded.position,
        recorded_at=recorded.recorded_at,
    )
    match fact:
        case facts.AlertRaised():
            return replace(
                told,
                message=fact.message,
                price=fact.price,
                strike=fact.strike,
                direction=fact.direction,
                expiration_date=fact.expiration_date,
            )
        case facts.AlertCleared():
            return replace(told, status="cleared", message=fact.reason, price=fact.price)
        case facts.AlertAcknowledged():
            return replace(told, status="acknowledged", message="somebody has seen it")
        case facts.AlertMuted():
            until = f"{fact.until:%Y-%m-%dT%H:%M:%SZ}"
            return replace(told, status="muted", message=f"muted until {until}")
        case _:
            assert_never(fact)


class MarketQuestion(msgspec.Struct, frozen=True):
    """Please have this answer in the bucket `market`, for the dates from first to last.

    A patient question waits until nobody else does.
    """

    kind: MarketKind
    symbol: str
    first: date
    last: date
    patient: bool = False


class RoundQuestion(msgspec.Struct, frozen=True):
    """Please fetch the quotes of these symbols now, publish them, and then answer."""

    symbols: tuple[str, ...]
    kind: Literal["quotes"] = "quotes"


class Unquoted(msgspec.Struct, frozen=True):
    """A symbol of which no quote came: the name of the fault, and why."""

    symbol: str
    fault: str
    why: str


class MarketAnswer(msgspec.Struct, frozen=True):
    """It is there; or why not: the name of the fault, in words, and when to ask again.

    Of a round, `unquoted` has those symbols whose quotes did not come.
    """

    fault: str | None = None
    why: str = ""
    retry_after: float | None = None
    unquoted: tuple[Unquoted, ...] = ()


class OpportunityNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an opportunity; `found` has all that the scan said, null once it is read."""

    opportunity_id: UUID
    status: OpportunityStatus
    day: date
    symbol: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    found: facts.OpportunityFound | None
    position: int
    recorded_at: datetime


def opportunity_notice(recorded: facts.Recorded, fact: facts.OpportunityFact) -> OpportunityNotice:
    """What a stranger is told of an opportunity."""
    found = fact if isinstance(fact, facts.OpportunityFound) else None
    return OpportunityNotice(
        opportunity_id=recorded.stream_id,
        status="read" if found is None else "found",
        day=fact.day,
        symbol=fact.symbol,
        direction=fact.direction,
        strike=fact.strike,
        expiration_date=fact.expiration_date,
        found=found,
        position=recorded.position,
        recorded_at=recorded.recorded_at,
    )


class JobNotice(msgspec.Struct, frozen=True, kw_only=True):
    """How one run of a job stands at `at`: of `total` pieces `done`, `failed` of these in vain.

    The scheduler also tells for which instant the run was due, and what made it run.
    """

    job: str
    run_id: UUID
    outcome: Outcome
    started_at: datetime
    at: datetime
    done: int
    total: int
    failed: int
    found: int
    message: str | None = None
    portfolio_id: UUID | None = None
    due_at: datetime | None = None
    trigger: facts.Trigger | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A worker is alive; `position` is how far in the log it is, where it follows it."""

    worker: str
    pid: int
    state: WorkerState
    position: int | None
    counts: dict[str, int]
    as_of: datetime


# --- questions and answers about scans -------------------------------------------------------


class ScanFailure(msgspec.Struct, frozen=True):
    """A symbol that could not be searched, and why; `code` is one of the API's error codes."""

    symbol: str
    code: str
    message: str


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """A search for opportunities, symbol by symbol; `found` counts those that are new today.

    One that failed says why in `message`; what it had found until then is found.
    """

    id: UUID
    status: ScanStatus
    started_at: datetime
    finished_at: datetime | None
    symbols: tuple[str, ...]
    done: int
    failed: tuple[ScanFailure, ...]
    found: int
    message: str | None


class ScanOrder(msgspec.Struct, frozen=True):
    """Scan these symbols, or all that are watched; the same id asks for the same scan."""

    id: UUID
    symbols: tuple[str, ...] | None = None


class ScanQuestion(msgspec.Struct, frozen=True):
    """Begin a scan, and say how it stands; without an order, how the last one does."""

    order: ScanOrder | None = None


class ScanReply(msgspec.Struct, frozen=True):
    """The scan that was asked for or, where `conflict` says why it was not begun, another one.

    None where there has been none.
    """

    scan: Scan | None
    conflict: str | None = None


# --- questions and answers about jobs --------------------------------------------------------


class JobRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a job as it stands; one that was missed or skipped never started.

    `failed` counts the pieces of work that were in vain, `items` has the first of them, and
    `duration_seconds` is in market time.
    """

    run_id: UUID
    job: str
    portfolio_id: UUID | None
    due_at: datetime
    trigger: facts.Trigger
    outcome: RunStatus
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    attempts: int
    done: int
    failed: int
    items: tuple[facts.FailedItem, ...]
    error: str | None
    message: str | None


def job_run(ran: facts.JobRan) -> JobRun:
    """How a run ended."""
    took = None if ran.started_at is None else ran.finished_at - ran.started_at
    return JobRun(
        run_id=ran.run_id,
        job=ran.job,
        portfolio_id=ran.portfolio_id,
        due_at=ran.due_at,
        trigger=ran.trigger,
        outcome=ran.outcome,
        started_at=ran.started_at,
        finished_at=ran.finished_at,
        duration_seconds=None if took is None else took.total_seconds(),
        attempts=ran.attempts,
        done=ran.done,
        failed=ran.failed,
        items=ran.items,
        error=ran.error,
        message=ran.message,
    )


class JobOrder(msgspec.Struct, frozen=True):
    """Run this job now, for all portfolios or for one; the same id asks for the same run."""

    id: UUID
    job: str
    portfolio_id: UUID | None = None
    request_id: str | None = None


class JobQuestion(msgspec.Struct, frozen=True):
    """Run a job, and say how the run stands; without an order, what runs now."""

    order: JobOrder | None = None


class JobReply(msgspec.Struct, frozen=True):
    """The run that was asked for or, where `conflict` says why it was not begun, another one.

    Without an order, all that run.
    """

    runs: tuple[JobRun, ...]
    conflict: str | None = None


# --- questions and answers about plugins -----------------------------------------------------


class PluginOrder(msgspec.Struct, frozen=True):
    """Run this plugin now; the same id asks for the same run."""

    id: UUID
    plugin: str


class PluginQuestion(msgspec.Struct, frozen=True):
    """Which plugins are there? With an order: run one of them, and say so."""

    order: PluginOrder | None = None


class PluginRunning(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a plugin that has begun; how it ended will stand among its runs."""

    run_id: UUID
    plugin: str
    due_at: datetime
    started_at: datetime


class PluginReply(msgspec.Struct, frozen=True):
    """All that was found, as it would be registered; and the run, or why there is none."""

    found: tuple[facts.PluginRegistered, ...] = ()
    run: PluginRunning | None = None
    conflict: str | None = None
