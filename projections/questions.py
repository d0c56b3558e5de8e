"""The read side's questions: SQL over the views, and what is added up from their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from domain import calendar, facts, mark, money, refusals, subjects
from projections import answers, sums
from projections.views import Row, Views

T = TypeVar("T")
_TRADE = msgspec.json.Decoder(answers.Trade)
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}

WHEELS_BY = (
    "symbol",
    "state",
    "profile",
    "shares",
    "cash",
    "capital_allocated",
    "collateral_in_use",
    "is_active",
    "created_at",
    "updated_at",
)
TRADES_BY = (
    "symbol",
    "direction",
    "outcome",
    "strike",
    "contracts",
    "premium_per_share",
    "total_premium",
    "net_premium",
    "expiration_date",
    "opened_at",
    "closed_at",
    "created_at",
)
PORTFOLIOS_BY = ("name", "default_capital", "is_active", "created_at", "updated_at")
WATCHED_BY = ("symbol", "profile", "watched_at")
PLUGINS_BY = ("name", "enabled", "registered_at")
PLUGIN_RUNS_BY = ("finished_at", "started_at", "due_at", "outcome")
OPPORTUNITIES_BY = (
    "day",
    "score",
    "rank",
    "symbol",
    "direction",
    "profile",
    "strike",
    "expiration_date",
    "dte",
    "net_premium",
    "probability_itm",
    "annualized_yield_pct",
    "found_at",
)
RUNS_BY = ("due_at", "started_at", "finished_at", "job", "trigger", "outcome")
CHANNELS_BY = ("name",)
DELIVERIES_BY = ("planned_at", "ended_at", "channel", "status", "severity", "symbol", "rule")
ALERTS_BY = ("raised_at", "severity", "symbol", "rule", "status")


class Slice(msgspec.Struct, frozen=True):
    """Which part of a list is asked for, and in what order."""

    page: int = 1
    page_size: int = 50
    sort: str | None = None

    @property
    def offset(self) -> int:
        """How many items come before."""
        return (self.page - 1) * self.page_size


class Found(msgspec.Struct, frozen=True):
    """One page of items, and how many there are in all."""

    items: list[Any]
    total: int


def decoded(body: bytes, kind: type[T]) -> T:
    """A view's body as its struct, figures exact."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    found: T = decoder.decode(body)
    return found


def ordered(sort: str | None, known: Sequence[str], default: str, last: str = "id") -> str:
    """An ORDER BY from `-a,b`; raises refusals.Invalid for an unknown field, listing the known.

    Equals follow in the direction of the last field, so that one index serves both directions.
    """
    parts, direction = [], "ASC"
    for term in (sort or default).split(","):
        field = term.strip().removeprefix("-")
        if field not in known:
            raise refusals.Invalid("sort", term, f"must be among {', '.join(known)}")
        direction = "DESC" if term.strip().startswith("-") else "ASC"
        parts.append(f"{field} {direction}")
    return ", ".join([*parts, f"{last} {direction}"])


class Indexes(msgspec.Struct, frozen=True):
    """The indexes to find a page and to count all by (`INDEXED BY ...`), or SQLite's choice."""

    page: str = ""
    count: str = ""


async def _page(
    views: Views,
    table: str,
    where: Mapping[str, Any],
    part: Slice,
    order: str,
    columns: str,
    by: Indexes = Indexes(),  # noqa: B008  frozen
    key: str = "id",
) -> tuple[list[Row], int]:
    """Rows of one page, and the count of all; `where` maps conditions to their parameters.

    The page is found by its ids, which takes indexes alone; only its own bodies are read.
    """
    present = {condition: value for condition, value in where.items() if value is not None}
    clause, values = " AND ".join(present) or "1", list(present.values())
    total = await views.rows(f"SELECT COUNT(*) FROM {table} {by.count} WHERE {clause}", values)  # noqa: S608
    page = await views.rows(
        f"SELECT {columns} FROM {table} WHERE {key} IN (SELECT {key} FROM {table} {by.page} "  # noqa: S608
        f"WHERE {clause} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}",
        [*values, part.page_size, part.offset],
    )
    return page, int(total[0][0])


async def portfolio(views: Views, portfolio_id: UUID) -> answers.Portfolio:
    """One portfolio; raises refusals.Unknown."""
    found = await views.rows("SELECT body FROM portfolios WHERE id=?", [portfolio_id.hex])
    if not found:
        raise refusals.Unknown("portfolio", portfolio_id)
    return _marked(found[0][0], await default_portfolio(views))


async def default_portfolio(views: Views) -> UUID | None:
    """The portfolio that is meant when none is named: the chosen one, else the oldest."""
    found = await views.rows(
        "SELECT value FROM settings WHERE key='default_portfolio' AND value IN "
        "(SELECT id FROM portfolios WHERE is_active)"
    ) or await views.rows(
        "SELECT id FROM portfolios WHERE is_active ORDER BY created_at, id LIMIT 1"
    )
    return UUID(found[0][0]) if found else None


def _marked(body: bytes, default: UUID | None) -> answers.Portfolio:
    shown = decoded(body, answers.Portfolio)
    return msgspec.structs.replace(shown, is_default=shown.id == default)


async def all_portfolios(views: Views, part: Slice, *, is_active: bool | None) -> Found:
    """Portfolios, by name."""
    order = ordered(part.sort, PORTFOLIOS_BY, "name")
    found, total = await _page(views, "portfolios", {"is_active=?": is_active}, part, order, "body")
    default = await default_portfolio(views)
    return Found([_marked(row[0], default) for row in found], total)


class WheelFilter(msgspec.Struct, frozen=True):
    """Which wheels are asked for."""

    portfolio_id: UUID | None = None
    symbol: str | None = None
    state: str | None = None
    profile: str | None = None
    is_active: bool | None = None


async def all_wheels(views: Views, wanted: WheelFilter, part: Slice) -> Found:
    """Wheels, by symbol."""
    where = {
        "portfolio_id=?": wanted.portfolio_id and wanted.portfolio_id.hex,
        "symbol=?": wanted.symbol and wanted.symbol.upper(),
        "state=?": wanted.state,
        "profile=?": wanted.profile,
        "is_active=?": wanted.is_active,
    }
    order = ordered(part.sort, WHEELS_BY, "symbol")
    found, total = await _page(views, "wheels", where, part, order, "body")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def wheel(views: Views, wheel_id: UUID) -> bytes:
    """One wheel's body; raises refusals.Unknown."""
    found = await views.rows("SELECT body FROM wheels WHERE id=?", [wheel_id.hex])
    if not found:
        raise refusals.Unknown("wheel", wheel_id)
    body: bytes = found[0][0]
    return body


async def wheel_of_trade(views: Views, trade_id: UUID) -> UUID | None:
    """Which wheel a trade belongs to."""
    found = await views.rows("SELECT wheel_id FROM trades WHERE id=?", [trade_id.hex])
    return UUID(found[0][0]) if found else None


async def wheels_of(views: Views, portfolio_id: UUID) -> list[UUID]:
    """The wheels of a portfolio, archived ones too."""
    found = await views.rows("SELECT id FROM wheels WHERE portfolio_id=?", [portfolio_id.hex])
    return [UUID(row[0]) for row in found]


class TradeFilter(msgspec.Struct, frozen=True):
    """Which trades are asked for; dates are New York dates, both ends included."""

    wheel_id: UUID | None = None
    portfolio_id: UUID | None = None
    symbol: str | None = None
    outcome: str | None = None
    direction: str | None = None
    opened_from: date | None = None
    opened_to: date | None = None
    closed_from: date | None = None
    closed_to: date | None = None
    expiring_from: date | None = None
    expiring_to: date | None = None


async def all_trades(views: Views, wanted: TradeFilter, part: Slice, now: datetime) -> Found:
    """Trades, the newest first."""
    where = {
        "wheel_id=?": wanted.wheel_id and wanted.wheel_id.hex,
        "portfolio_id=?": wanted.portfolio_id and wanted.portfolio_id.hex,
        "symbol=?": wanted.symbol and wanted.symbol.upper(),
        "outcome=?": wanted.outcome,
        "direction=?": wanted.direction,
        "opened_at>=?": _from(wanted.opened_from),
        "opened_at<=?": _to(wanted.opened_to),
        "closed_at>=?": _from(wanted.closed_from),
        "closed_at<=?": _to(wanted.closed_to),
        "expiration_date>=?": wanted.expiring_from and wanted.expiring_from.isoformat(),
        "expiration_date<=?": wanted.expiring_to and wanted.expiring_to.isoformat(),
    }
    sort = part.sort or "-opened_at"
    order = ordered(sort, TRADES_BY, sort)
    by = _indexes({each for each, value in where.items() if value is not None}, sort)
    columns = "body, outcome, expiration_date"
    found, total = await _page(views, "trades", where, part, order, columns, by)
    return Found([_told(row, now) for row in found], total)


def _indexes(conditions: set[str], sort: str) -> Indexes:
    """The indexes to find trades by, which SQLite without statistics would have to guess.

    That of a filter that leaves few trades; that of one that leaves many only where it leaves
    them in the order asked for, or where they are only counted; else the one that holds all
    columns but the body.
    """
    newest = sort.removeprefix("-") == "opened_at"
    if not conditions:
        return Indexes("INDEXED BY trades_by_time" if newest else "")
    for condition, index in _FEW.items():
        if condition in conditions:
            return Indexes(f"INDEXED BY {index}", f"INDEXED BY {index}")
    page = count = "INDEXED BY trades_whole"
    for covered, index in _MANY.items():
        if conditions <= covered:
            count = f"INDEXED BY {index}"
            page = count if newest and index not in _BY_THEIR_DATES else page
            break
    return Indexes(page, count)


_FEW = {
    "wheel_id=?": "trades_of_wheel",
    "portfolio_id=?": "trades_of_portfolio",
    "symbol=?": "trades_of_symbol",
}
_SIDES = frozenset({"direction=?", "outcome=?"})
_OPENED = frozenset({"opened_at>=?", "opened_at<=?"})
_ENDED = frozenset({"closed_at>=?", "closed_at<=?"})
_EXPIRING = frozenset({"expiration_date>=?", "expiration_date<=?"})
_MANY = {
    _OPENED: "trades_by_time",
    _OPENED | {"direction=?"}: "trades_by_direction",
    _OPENED | _SIDES: "trades_by_outcome",
    _ENDED | _SIDES: "trades_by_end",
    _EXPIRING | _SIDES: "trades_by_expiration",
}
"""What indexes hold of what may be asked; the first that holds it all is the smallest."""
_BY_THEIR_DATES = {"trades_by_end", "trades_by_expiration"}


def _from(day: date | None) -> str | None:
    """The first instant of a New York day, as columns keep it."""
    if day is None:
        return None
    start = datetime(day.year, day.month, day.day, tzinfo=calendar.NEW_YORK)
    return start.astimezone(UTC).isoformat(timespec="microseconds")


def _to(day: date | None) -> str | None:
    """The last instant of a New York day; the last day of all bounds nothing."""
    if day is None or day == date.max:
        return None
    return calendar.day_end(day).isoformat(timespec="microseconds")


def _told(row: Row, now: datetime) -> Any:
    """A trade's body; an open one past its expiration lacks evidence."""
    body, outcome, expiration = row
    if outcome != "open" or now <= calendar.close_at(date.fromisoformat(expiration)):
        return msgspec.Raw(body)
    return msgspec.structs.replace(_TRADE.decode(body), evidence_missing=True)


async def trade(views: Views, trade_id: UUID, now: datetime) -> Any:
    """One trade; raises refusals.Unknown."""
    found = await views.rows(
        "SELECT body, outcome, expiration_date FROM trades WHERE id=?", [trade_id.hex]
    )
    if not found:
        raise refusals.Unknown("trade", trade_id)
    return _told(found[0], now)


async def open_trades(views: Views, wheel_id: UUID, now: datetime) -> list[Any]:
    """A wheel's open trades, the next to expire first."""
    found = await views.rows(
        "SELECT body, outcome, expiration_date FROM trades INDEXED BY trades_of_wheel "
        "WHERE wheel_id=? AND outcome='open' "
        "ORDER BY expiration_date, id",
        [wheel_id.hex],
    )
    return [_told(row, now) for row in found]


async def lots(views: Views, wheel_id: UUID) -> list[Any]:
    """A wheel's lots, the oldest first."""
    await wheel(views, wheel_id)
    return await _bodies(views, "lots", "acquired_at, id", wheel_id)


async def cycles(views: Views, wheel_id: UUID) -> list[Any]:
    """A wheel's cycles, the oldest first."""
    await wheel(views, wheel_id)
    return await _bodies(views, "cycles", "number", wheel_id)


async def _bodies(views: Views, table: str, order: str, wheel_id: UUID) -> list[Any]:
    found = await views.rows(
        f"SELECT body FROM {table} WHERE wheel_id=? ORDER BY {order}",  # noqa: S608
        [wheel_id.hex],
    )
    return [msgspec.Raw(row[0]) for row in found]


async def all_alerts(views: Views, where: Mapping[str, Any], part: Slice) -> Found:
    """Alerts, the newest first."""
    order = ordered(part.sort, ALERTS_BY, "-raised_at")
    conditions = {f"{field}=?": value for field, value in where.items()}
    found, total = await _page(views, "alerts", conditions, part, order, "body")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def all_channels(views: Views, part: Slice) -> Found:
    """The channels, by name."""
    order = ordered(part.sort, CHANNELS_BY, "name", last="name")
    found, total = await _page(views, "channels", {}, part, order, "body", key="name")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def channel(views: Views, name: str) -> bytes:
    """One channel's body; raises refusals.Unknown."""
    found = await views.rows("SELECT body FROM channels WHERE name=?", [name])
    if not found:
        raise refusals.Unknown("channel", name)
    body: bytes = found[0][0]
    return body


async def all_deliveries(views: Views, where: Mapping[str, Any], part: Slice) -> Found:
    """What was told to channels, the newest first."""
    order = ordered(part.sort, DELIVERIES_BY, "-planned_at")
    conditions = {f"{field}=?": value for field, value in where.items()}
    found, total = await _page(views, "deliveries", conditions, part, order, "body")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def watched(views: Views, part: Slice) -> Found:
    """The watched symbols, by name."""
    order = ordered(part.sort, WATCHED_BY, "symbol", last="symbol")
    found, total = await _page(views, "watchlist", {}, part, order, "body", key="symbol")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def watched_symbol(views: Views, symbol: str) -> bytes:
    """One watched symbol's body; raises refusals.Unknown."""
    found = await views.rows("SELECT body FROM watchlist WHERE symbol=?", [symbol.upper()])
    if not found:
        raise refusals.Unknown("watched symbol", symbol)
    body: bytes = found[0][0]
    return body


class PluginPage(msgspec.Struct, frozen=True):
    """Some of the plugins, each with its last run, and how many there are in all."""

    items: list[tuple[answers.Plugin, answers.PluginRun | None]]
    total: int


async def all_plugins(views: Views, part: Slice) -> PluginPage:
    """The registered plugins, by name, each with its last run."""
    order = ordered(part.sort, PLUGINS_BY, "name")
    found, total = await _page(views, "plugins", {"is_registered=?": True}, part, order, "body")
    shown = [decoded(row[0], answers.Plugin) for row in found]
    return PluginPage([(each, await last_run(views, each.name)) for each in shown], total)


async def plugin(views: Views, name: str) -> answers.Plugin:
    """One registered plugin; raises refusals.Unknown."""
    found = await views.rows("SELECT body FROM plugins WHERE name=? AND is_registered", [name])
    if not found:
        raise refusals.Unknown("plugin", name)
    return decoded(found[0][0], answers.Plugin)


async def last_run(views: Views, name: str) -> answers.PluginRun | None:
    """A plugin's last run, if it has run."""
    found = await views.rows(
        "SELECT body FROM plugin_runs WHERE plugin=? ORDER BY finished_at DESC, id DESC LIMIT 1",
        [name],
    )
    return decoded(found[0][0], answers.PluginRun) if found else None


async def plugin_runs(views: Views, name: str, outcome: str | None, part: Slice) -> Found:
    """A plugin's runs, the newest first; also of one that was removed."""
    order = ordered(part.sort, PLUGIN_RUNS_BY, "-finished_at")
    where = {"plugin=?": name, "outcome=?": outcome}
    found, total = await _page(views, "plugin_runs", where, part, order, "body")
    return Found([msgspec.Raw(row[0]) for row in found], total)


class OpportunityFilter(msgspec.Struct, frozen=True):
    """Which opportunities are asked for; days are New York dates, both ends included."""

    symbol: str | None = None
    direction: str | None = None
    profile: str | None = None
    unread: bool | None = None
    first: date | None = None
    last: date | None = None


async def all_opportunities(views: Views, wanted: OpportunityFilter, part: Slice) -> Found:
    """Opportunities, the newest day first, and in it the best first."""
    where = {
        "symbol=?": wanted.symbol and wanted.symbol.upper(),
        "direction=?": wanted.direction,
        "profile=?": wanted.profile,
        "is_read<>?": wanted.unread,
        "day>=?": wanted.first and wanted.first.isoformat(),
        "day<=?": wanted.last and wanted.last.isoformat(),
    }
    order = ordered(part.sort, OPPORTUNITIES_BY, "-day,-score")
    found, total = await _page(views, "opportunities", where, part, order, "body")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def all_jobs(views: Views) -> list[answers.JobSetup]:
    """Every job that was set up."""
    found = await views.rows("SELECT body FROM jobs")
    return [decoded(row[0], answers.JobSetup) for row in found]


class RunFilter(msgspec.Struct, frozen=True):
    """Which runs are asked for, due on which New York dates, both ends included."""

    job: str | None = None
    outcome: str | None = None
    trigger: str | None = None
    portfolio_id: UUID | None = None
    first: date | None = None
    last: date | None = None


async def all_runs(views: Views, wanted: RunFilter, part: Slice) -> Found:
    """Runs of jobs, the newest first."""
    where = {
        "job=?": wanted.job,
        "outcome=?": wanted.outcome,
        "trigger=?": wanted.trigger,
        "portfolio_id=?": wanted.portfolio_id and wanted.portfolio_id.hex,
        "due_at>=?": _from(wanted.first),
        "due_at<=?": _to(wanted.last),
    }
    order = ordered(part.sort, RUNS_BY, "-due_at")
    found, total = await _page(views, "job_runs", where, part, order, "body")
    return Found([msgspec.Raw(row[0]) for row in found], total)


async def last_runs(views: Views) -> dict[UUID, subjects.JobRun]:
    """The last run of each job that was made, by the job's id."""
    found = await views.rows(
        "SELECT r.entry, r.body FROM (SELECT entry, MAX(due_at) AS due_at FROM job_runs "
        "WHERE outcome NOT IN ('missed', 'skipped') GROUP BY entry) AS last "
        "JOIN job_runs AS r ON r.entry=last.entry AND r.due_at=last.due_at"
    )
    return {UUID(entry): decoded(body, subjects.JobRun) for entry, body in found}


class RunCount(msgspec.Struct, frozen=True):
    """How many runs of a job came to an outcome, and when the last one did."""

    job: str
    outcome: str
    count: int
    last: datetime


async def count_runs(views: Views) -> list[RunCount]:
    """What became of all runs."""
    found = await views.rows(
        "SELECT job, outcome, COUNT(*), MAX(finished_at) FROM job_runs GROUP BY job, outcome"
    )
    return [
        RunCount(job, outcome, int(count), datetime.fromisoformat(ended))
        for job, outcome, count, ended in found
    ]


async def troubles(views: Views, since: datetime) -> dict[tuple[str, str], int]:
    """How many runs failed or were missed since then, by job and outcome.

    What has succeeded again since is no trouble any more.
    """
    found = await views.rows(
        "SELECT job, outcome, COUNT(*) FROM job_runs AS r INDEXED BY job_runs_by_end "
        "WHERE finished_at>? AND outcome IN ('failed', 'timed_out', 'missed') AND NOT EXISTS "
        "(SELECT 1 FROM job_runs AS s WHERE s.entry=r.entry AND s.due_at>=r.due_at "
        "AND s.outcome='succeeded') GROUP BY job, outcome",
        [since.astimezone(UTC).isoformat(timespec="microseconds")],
    )
    return {(job, outcome): int(count) for job, outcome, count in found}


class OpenOption(msgspec.Struct, frozen=True):
    """A row of the open options; `premium` is the net opening premium on what is open."""

    trade_id: UUID
    wheel_id: UUID
    portfolio_id: UUID
    symbol: str
    state: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    multiplier: Decimal
    premium: Decimal
    split_on: date | None = None

    @property
    def contract(self) -> mark.Contract:
        """By which the market knows it."""
        return mark.Contract(self.direction, self.strike, self.expiration_date, self.multiplier)


class OpenFilter(msgspec.Struct, frozen=True):
    """Which open options are asked for."""

    wheel_id: UUID | None = None
    portfolio_id: UUID | None = None
    symbol: str | None = None

    @property
    def clause(self) -> tuple[str, list[Any]]:
        """The condition and its parameters."""
        where = {
            "wheel_id=?": self.wheel_id and self.wheel_id.hex,
            "portfolio_id=?": self.portfolio_id and self.portfolio_id.hex,
            "symbol=?": self.symbol and self.symbol.upper(),
        }
        present = {condition: value for condition, value in where.items() if value is not None}
        return " AND ".join(present) or "1", list(present.values())


async def open_options(
    views: Views, wanted: OpenFilter, part: Slice | None = None
) -> list[OpenOption]:
    """Open options, the next to expire first: all, or a part of them."""
    clause, values = wanted.clause
    limit, offset = (part.page_size, part.offset) if part else (-1, 0)
    found = await views.rows(
        "SELECT trade_id, wheel_id, portfolio_id, symbol, state, direction, strike, "  # noqa: S608
        "expiration_date, contracts, multiplier, premium, split_on "
        f"FROM open_options WHERE {clause} ORDER BY expiration_date, trade_id LIMIT ? OFFSET ?",
        [*values, limit, offset],
    )
    return [_open_option(row) for row in found]


async def split_on(views: Views, wheel_id: UUID) -> date | None:
    """The day of a wheel's last split."""
    found = await views.rows("SELECT split_on FROM wheels WHERE id=?", [wheel_id.hex])
    return date.fromisoformat(found[0][0]) if found and found[0][0] is not None else None


async def count_open(views: Views, wanted: OpenFilter) -> int:
    """How many options are open."""
    clause, values = wanted.clause
    found = await views.rows(f"SELECT COUNT(*) FROM open_options WHERE {clause}", values)  # noqa: S608
    return int(found[0][0])


def _open_option(row: Row) -> OpenOption:
    trade_id, wheel_id, portfolio_id, symbol, state, direction, strike, day, *rest = row
    contracts, multiplier, net, split_on = rest
    return OpenOption(
        UUID(trade_id),
        UUID(wheel_id),
        UUID(portfolio_id),
        symbol,
        state,
        direction,
        Decimal(strike),
        date.fromisoformat(day),
        contracts,
        Decimal(multiplier),
        Decimal(net),
        None if split_on is None else date.fromisoformat(split_on),
    )


class Totals(msgspec.Struct, frozen=True):
    """What some wheels come to; amounts in USD, `basis` what the shares held have cost."""

    wheels: int
    active: int
    open_trades: int
    capital_allocated: Decimal
    collateral_in_use: Decimal
    cash: Decimal
    basis: Decimal


async def totals(views: Views, scope: sums.Scope) -> Totals:
    """What a wheel, a portfolio's wheels, a symbol's or all come to."""
    where = scope.of_wheels
    found = await views.rows(
        "SELECT COUNT(*), COALESCE(SUM(is_active), 0), COALESCE(SUM(open_trades), 0), "  # noqa: S608
        "COALESCE(SUM(capital_allocated), 0), COALESCE(SUM(collateral_in_use), 0), "
        "COALESCE(SUM(cash), 0), COALESCE(SUM(basis), 0) "
        f"FROM wheels WHERE {' AND '.join(f'{column}=?' for column in where) or '1'}",
        list(where.values()),
    )
    wheels, active, open_trades, *amounts = found[0]
    return Totals(wheels, active, open_trades, *map(money.from_cents, amounts))
