"""Figures of a wheel, a portfolio, a symbol or everything, by day or added up: SQL over sums.

A wheel's come from its own rows; those of more than one from the sums that triggers keep, so
that everything costs no more than a wheel. All are exact, whole cents.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from domain import facts, money, policies
from projections import daily
from projections.views import Row, Views

By = Literal["symbol", "portfolio", "wheel"]
_KEYS: dict[By, tuple[str, str | None]] = {
    "symbol": ("symbol", daily.SYMBOL),
    "portfolio": ("portfolio_id", daily.PORTFOLIO),
    "wheel": ("id", None),
}
"""The column of the wheels that tells them apart, and what a scope of its sums begins with."""


class Span(msgspec.Struct, frozen=True):
    """A span of New York dates, both ends included; None is open."""

    first: date | None = None
    last: date | None = None


class Scope(msgspec.Struct, frozen=True):
    """Whose figures are asked for; nothing set is everything, all that is set must hold."""

    wheel_id: UUID | None = None
    portfolio_id: UUID | None = None
    symbol: str | None = None

    @property
    def where(self) -> dict[str, str]:
        """The columns of a wheel's rows, and what they must be."""
        wheel_id = self.wheel_id
        if wheel_id is None and self.portfolio_id is not None and self.symbol is not None:
            wheel_id = facts.wheel_stream(self.portfolio_id, self.symbol.upper())
        named: dict[str, str] = {}
        if wheel_id is not None:
            named["wheel_id"] = wheel_id.hex
        if self.portfolio_id is not None:
            named["portfolio_id"] = self.portfolio_id.hex
        if self.symbol is not None:
            named["symbol"] = self.symbol.upper()
        return named

    @property
    def of_wheels(self) -> dict[str, str]:
        """The same, as the table of wheels has it."""
        return {"id" if column == "wheel_id" else column: of for column, of in self.where.items()}


class Income(msgspec.Struct, frozen=True):
    """What a policy books on a day, or on all days of a span (`date` None), in USD."""

    date: date | None
    option: Decimal
    stock: Decimal
    dividend: Decimal

    @property
    def total(self) -> Decimal:
        """All kinds together."""
        return self.option + self.stock + self.dividend


class Activity(msgspec.Struct, frozen=True):
    """Options of one direction sold on a day and ended on it, or in a span (`date` None).

    A sale counts, with its premiums, on the day it was opened: `trades`, `gross`, `net` of fees
    and buy-backs, `fees` of all its orders. Its end counts on the day of its last contract.
    """

    date: date | None
    direction: facts.Direction
    trades: int
    gross: Decimal
    net: Decimal
    fees: Decimal
    ended: int
    wins: int
    losses: int
    assigned: int
    called_away: int


class Capital(msgspec.Struct, frozen=True):
    """Capital that came in on a day, and by how much the capital tied up grew until its end."""

    date: date
    contributed: Decimal
    tied: Decimal


async def income_days(
    views: Views, scope: Scope, policy: policies.Policy, span: Span
) -> list[Income]:
    """The days of a span on which a policy books something, in order."""
    table, where = _narrowed(daily.INCOME, scope, span, {"policy=?": policy})
    found = await _asked(views, f"date, {_plain(daily.INCOME)} FROM {table}", where, "date")
    return [_income(_day(row[0]), row[1:]) for row in found]


async def income_sum(views: Views, scope: Scope, policy: policies.Policy, span: Span) -> Income:
    """What a policy books in a span."""
    table, where = _narrowed(daily.INCOME, scope, span, {"policy=?": policy})
    found = await _asked(views, f"{_added(daily.INCOME)} FROM {table}", where)
    return _income(None, found[0])


async def income_by(
    views: Views, by: By, scope: Scope, policy: policies.Policy, span: Span
) -> list[tuple[str, Income]]:
    """What a policy books in a span for each symbol, or portfolio or wheel (its id's hex)."""
    if by != "wheel" and scope == Scope():
        return await _income_by_scope(views, by, policy, span)
    source, where = _each(daily.INCOME, by, scope, span, {"policy=?": policy})
    found = await _asked(
        views, f"whose, {_added(daily.INCOME)} FROM {source}", where, group="whose"
    )
    return [(row[0], _income(None, row[1:])) for row in found]


async def _income_by_scope(
    views: Views, by: By, policy: policies.Policy, span: Span
) -> list[tuple[str, Income]]:
    """The same of everything: each one's sums added up where they stand together.

    Grouping would sort them all before, which takes three times as long.
    """
    column, prefix = _KEYS[by]
    where: Where = {f"scope='{prefix}'||whose AND policy=?": policy} | _within(span)
    added = ", ".join(f"SUM({each})" for each in daily.INCOME.amounts)
    found = await views.rows(
        f"SELECT whose, (SELECT json_array({added}) FROM {daily.INCOME.sums} "  # noqa: S608
        f"WHERE {' AND '.join(where)}) FROM (SELECT DISTINCT {column} AS whose FROM wheels)",
        list(where.values()),
    )
    told = ((whose, msgspec.json.decode(amounts)) for whose, amounts in found)
    return [(whose, _income(None, amounts)) for whose, amounts in told if None not in amounts]


async def activity_days(views: Views, scope: Scope, span: Span) -> list[Activity]:
    """The days of a span on which options were sold or ended, in order, by direction."""
    table, where = _narrowed(daily.ACTIVITY, scope, span)
    columns = f"date, direction, {_plain(daily.ACTIVITY)}"
    found = await _asked(views, f"{columns} FROM {table}", where, "date, direction")
    return [_activity(_day(row[0]), row[1:]) for row in found]


async def activity_sum(views: Views, scope: Scope, span: Span) -> list[Activity]:
    """What was sold and ended in a span, by direction; none where nothing was."""
    table, where = _narrowed(daily.ACTIVITY, scope, span)
    columns = f"direction, {_added(daily.ACTIVITY)}"
    found = await _asked(views, f"{columns} FROM {table}", where, "direction", "direction")
    return [_activity(None, row) for row in found]


async def activity_by(views: Views, by: By, scope: Scope, span: Span) -> list[tuple[str, Activity]]:
    """What was sold and ended in a span, by direction, for each symbol, portfolio or wheel."""
    source, where = _each(daily.ACTIVITY, by, scope, span)
    columns = f"whose, direction, {_added(daily.ACTIVITY)}"
    found = await _asked(views, f"{columns} FROM {source}", where, group="whose, direction")
    return [(row[0], _activity(None, row[1:])) for row in found]


async def capital_days(views: Views, scope: Scope, until: date | None) -> list[Capital]:
    """Every day up to one on which capital came in or was tied up otherwise, in order."""
    table, where = _narrowed(daily.CAPITAL, scope, Span(last=until))
    found = await _asked(views, f"date, contributed, tied FROM {table}", where, "date")
    return [
        Capital(_day(row[0]), money.from_cents(row[1]), money.from_cents(row[2])) for row in found
    ]


async def capital_at(views: Views, scope: Scope, day: date) -> tuple[Decimal, Decimal]:
    """The capital that had come in by the end of a day, and what was tied up then."""
    table, where = _narrowed(daily.CAPITAL, scope, Span(last=day))
    found = await _asked(views, f"{_added(daily.CAPITAL)} FROM {table}", where)
    contributed, tied = found[0]
    return money.from_cents(contributed), money.from_cents(tied)


async def tied_days(views: Views, scope: Scope, span: Span) -> Decimal:
    """The capital tied up at the end of each day of a span, added up: dollar-days.

    The span must have a last day. Each change counts on its day and on all that follow.
    """
    assert span.last is not None
    table, where = _narrowed(daily.CAPITAL, scope, Span(last=span.last))
    first = (span.first or date.min).isoformat()
    found = await _asked(
        views, f"MAX(date, '{first}') AS day, SUM(tied) FROM {table}", where, group="day"
    )
    after = span.last + timedelta(days=1)
    return sum(
        (money.from_cents(tied) * (after - _day(day)).days for day, tied in found),
        money.from_cents(0),
    )


async def tied_by_portfolio(views: Views, span: Span) -> dict[str, Decimal]:
    """The dollar-days of a span for each portfolio (its id's hex); the span must have a last day.

    A change is worth its amount on each day from its own, or the span's first, to the last.
    """
    assert span.last is not None
    source, where = _each(daily.CAPITAL, "portfolio", Scope(), Span(last=span.last))
    first = (span.first or date.min).isoformat()
    days = f"julianday('{span.last}')+1-julianday(MAX(date, '{first}'))"
    columns = f"whose, SUM(tied*CAST({days} AS INTEGER)) FROM {source}"
    return {
        row[0]: money.from_cents(row[1])
        for row in await _asked(views, columns, where, group="whose")
    }


async def beginning(views: Views, scope: Scope) -> date | None:
    """The first day on which anything is booked, None where nothing is."""
    some, values = [], list[Any]()
    for book, more in _BEGINNINGS.items():
        table, where = _narrowed(book, scope, Span(), dict(more))
        some.append(f"SELECT MIN(date) AS date FROM {table} WHERE {' AND '.join(where)}")  # noqa: S608
        values += where.values()
    found = await views.rows(f"SELECT MIN(date) FROM ({' UNION ALL '.join(some)})", values)  # noqa: S608
    return _day(found[0][0]) if found[0][0] else None


async def beginning_by_portfolio(views: Views) -> dict[str, date]:
    """The first day on which anything is booked in each portfolio (its id's hex)."""
    some, values = [], list[Any]()
    for book, more in _BEGINNINGS.items():
        where = (f"scope='{daily.PORTFOLIO}'||portfolios.id", *more)
        some.append(f"SELECT MIN(date) AS date FROM {book.sums} WHERE {' AND '.join(where)}")  # noqa: S608
        values += more.values()
    found = await views.rows(
        f"SELECT id, (SELECT MIN(date) FROM ({' UNION ALL '.join(some)})) FROM portfolios",  # noqa: S608
        values,
    )
    return {portfolio_id: _day(first) for portfolio_id, first in found if first}


_BEGINNINGS: dict[daily.Book, dict[str, str]] = {
    daily.CAPITAL: {},
    daily.ACTIVITY: {},
    daily.INCOME: {"policy=?": "cash"},
}
"""Where a first day is looked for: what is sold or held has its day under every policy."""


Where = dict[str, Any]
"""Conditions, and the parameter of each."""


def _narrowed(
    book: daily.Book, scope: Scope, span: Span, where: Where | None = None
) -> tuple[str, Where]:
    """The table in which a scope's rows stand, and what finds them."""
    named = scope.where
    if "wheel_id" in named:
        of: Where = {f"{column}=?": value for column, value in named.items()}
        return book.name, of | (where or {}) | _within(span)
    of = {"scope=?": _scope(named)}
    return book.sums, of | (where or {}) | _within(span)


def _scope(named: dict[str, str]) -> str:
    match named:
        case {"portfolio_id": portfolio_id}:
            return daily.PORTFOLIO + portfolio_id
        case {"symbol": symbol}:
            return daily.SYMBOL + symbol
        case _:
            return daily.EVERYTHING


def _each(
    book: daily.Book, by: By, scope: Scope, span: Span, where: Where | None = None
) -> tuple[str, Where]:
    """The rows to group by `whose`: sums where they do, else those of the wheels in the scope."""
    named = scope.where
    rest = (where or {}) | _within(span)
    column, prefix = _KEYS[by]
    if prefix and not named:
        keys = f"(SELECT DISTINCT {column} AS whose FROM wheels)"  # noqa: S608
        return f"{keys} CROSS JOIN {book.sums} ON scope='{prefix}'||whose", rest
    of: Where = {
        f"wheels.{'id' if name == 'wheel_id' else name}=?": value for name, value in named.items()
    }
    keys = f"(SELECT *, {column} AS whose FROM wheels) wheels"  # noqa: S608
    return f"{keys} CROSS JOIN {book.name} ON wheel_id=wheels.id", of | rest


def _within(span: Span) -> Where:
    bounds = {"date>=?": span.first, "date<=?": span.last}
    return {each: day.isoformat() for each, day in bounds.items() if day is not None}


def _plain(book: daily.Book) -> str:
    return ", ".join(book.amounts)


def _added(book: daily.Book) -> str:
    return ", ".join(f"COALESCE(SUM({each}), 0)" for each in book.amounts)


async def _asked(
    views: Views, what: str, where: Where, order: str | None = None, group: str | None = None
) -> list[Row]:
    statement = f"SELECT {what} WHERE {' AND '.join(where) or '1'}"
    if group:
        statement += f" GROUP BY {group}"
    if order:
        statement += f" ORDER BY {order}"
    return await views.rows(statement, list(where.values()))


def _income(day: date | None, amounts: Row) -> Income:
    option, stock, dividend = map(money.from_cents, amounts)
    return Income(day, option, stock, dividend)


def _activity(day: date | None, row: Row) -> Activity:
    direction, trades, gross, net, fees, *ends = row
    return Activity(
        day,
        direction,
        trades,
        money.from_cents(gross),
        money.from_cents(net),
        money.from_cents(fees),
        *ends,
    )


def _day(text: str) -> date:
    return date.fromisoformat(text)
