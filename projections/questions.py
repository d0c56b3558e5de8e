"""The read side's questions: SQL over the views, and what is added up from their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from domain import calendar, facts, money, policies, refusals
from projections import answers
from projections.views import Row, Views

T = TypeVar("T")
_TALLY = msgspec.json.Decoder(answers.Tally)
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
    """An ORDER BY from `-a,b`; raises refusals.Invalid for an unknown field, listing the known."""
    parts = []
    for term in (sort or default).split(","):
        field = term.strip().removeprefix("-")
        if field not in known:
            raise refusals.Invalid("sort", term, f"must be among {', '.join(known)}")
        parts.append(f"{field} {'DESC' if term.strip().startswith('-') else 'ASC'}")
    return ", ".join([*parts, last])


async def _page(
    views: Views, table: str, where: Mapping[str, Any], part: Slice, order: str, columns: str
) -> tuple[list[Row], int]:
    """Rows of one page, and the count of all; `where` maps conditions to their parameters."""
    present = {condition: value for condition, value in where.items() if value is not None}
    clause = " AND ".join(present) or "1"
    values = list(present.values())
    total = await views.rows(f"SELECT COUNT(*) FROM {table} WHERE {clause}", values)  # noqa: S608
    found = await views.rows(
        f"SELECT {columns} FROM {table} WHERE {clause} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
        [*values, part.page_size, part.offset],
    )
    return found, int(total[0][0])


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
    order = ordered(part.sort, TRADES_BY, "-opened_at")
    columns = "body, outcome, expiration_date"
    found, total = await _page(views, "trades", where, part, order, columns)
    return Found([_told(row, now) for row in found], total)


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
        "SELECT body, outcome, expiration_date FROM trades WHERE wheel_id=? AND outcome='open' "
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
    premium: Decimal


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
        f"expiration_date, contracts, premium FROM open_options WHERE {clause} "
        "ORDER BY expiration_date, trade_id LIMIT ? OFFSET ?",
        [*values, limit, offset],
    )
    return [_open_option(row) for row in found]


async def count_open(views: Views, wanted: OpenFilter) -> int:
    """How many options are open."""
    clause, values = wanted.clause
    found = await views.rows(f"SELECT COUNT(*) FROM open_options WHERE {clause}", values)  # noqa: S608
    return int(found[0][0])


def _open_option(row: Row) -> OpenOption:
    trade_id, wheel_id, portfolio_id, symbol, state, direction, strike, day, contracts, net = row
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
        Decimal(net),
    )


class Holding(msgspec.Struct, frozen=True):
    """What a wheel owns and has counted, as its row says."""

    wheel_id: UUID
    symbol: str
    is_active: bool
    shares: int
    basis: Decimal
    tax_basis: Decimal
    open_trades: int
    tally: answers.Tally
    shown: answers.Wheel


async def holdings(
    views: Views, *, wheel_id: UUID | None = None, portfolio_id: UUID | None = None
) -> list[Holding]:
    """The holdings of one wheel, of a portfolio, or of all."""
    clause, values = "1", []
    if wheel_id is not None:
        clause, values = "id=?", [wheel_id.hex]
    elif portfolio_id is not None:
        clause, values = "portfolio_id=?", [portfolio_id.hex]
    found = await views.rows(
        "SELECT id, symbol, is_active, shares, basis, tax_basis, open_trades, tally, body "  # noqa: S608
        f"FROM wheels WHERE {clause}",
        values,
    )
    return [
        Holding(
            UUID(row[0]),
            row[1],
            bool(row[2]),
            row[3],
            Decimal(row[4]),
            Decimal(row[5]),
            row[6],
            _TALLY.decode(row[7]),
            decoded(row[8], answers.Wheel),
        )
        for row in found
    ]


class Span(msgspec.Struct, frozen=True):
    """A span of New York dates, both ends included; None is open."""

    first: date | None = None
    last: date | None = None


async def income(
    views: Views,
    policy: policies.Policy,
    span: Span,
    *,
    wheel_id: UUID | None = None,
    portfolio_id: UUID | None = None,
) -> dict[policies.Kind, Decimal]:
    """The exact sum of a policy's amounts by kind."""
    where = {
        "wheel_id=?": wheel_id and wheel_id.hex,
        "portfolio_id=?": portfolio_id and portfolio_id.hex,
        "date>=?": span.first and span.first.isoformat(),
        "date<=?": span.last and span.last.isoformat(),
    }
    present = {condition: value for condition, value in where.items() if value is not None}
    found = await views.rows(
        f"SELECT kind, amount FROM income WHERE {' AND '.join(['policy=?', *present])}",  # noqa: S608
        [policy, *present.values()],
    )
    sums: dict[policies.Kind, Decimal] = {
        "option": money.ZERO,
        "stock": money.ZERO,
        "dividend": money.ZERO,
    }
    for kind, amount in found:
        sums[kind] += Decimal(amount)
    return sums


async def tally(
    views: Views,
    span: Span,
    *,
    wheel_id: UUID | None = None,
    portfolio_id: UUID | None = None,
) -> answers.Tally:
    """The count of trades: opened in the span, ended in the span."""
    if span == Span():
        return added(
            each.tally
            for each in await holdings(views, wheel_id=wheel_id, portfolio_id=portfolio_id)
        )
    where = {
        "wheel_id=?": wheel_id and wheel_id.hex,
        "portfolio_id=?": portfolio_id and portfolio_id.hex,
    }
    present = {condition: value for condition, value in where.items() if value is not None}
    first, last = _from(span.first) or "", _to(span.last) or "9999"
    found = await views.rows(
        "SELECT tally, opened_at, closed_at FROM trades WHERE "  # noqa: S608
        f"{' AND '.join(['outcome<>?', *present])} "
        "AND ((opened_at>=? AND opened_at<=?) OR (closed_at>=? AND closed_at<=?))",
        ["voided", *present.values(), first, last, first, last],
    )
    return added(
        _within(
            _TALLY.decode(counted), first <= opened <= last, bool(ended) and first <= ended <= last
        )
        for counted, opened, ended in found
    )


def _within(whole: answers.Tally, opened: bool, ended: bool) -> answers.Tally:  # noqa: FBT001
    """What of a trade falls into a span: its sale, its end, or both."""
    if not opened:
        none = money.ZERO
        whole = msgspec.structs.replace(
            whole, trades=0, puts=0, calls=0, gross=none, net=none, fees=none
        )
    if not ended:
        whole = msgspec.structs.replace(whole, ended=0, wins=0, losses=0, assigned=0, called_away=0)
    return whole


def added(tallies: Iterable[answers.Tally]) -> answers.Tally:
    """All together."""
    total = answers.Tally()
    for each in tallies:
        total = total.plus(each)
    return total
