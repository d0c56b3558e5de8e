"""`python -m projections.exports ORDER`: trades, performance or snapshots, as a file to stdout.

It reads one unchanging state of the views, as fast as it can, into a file that has no name, and
only then writes it out: a slow reader holds up no checkpoint, and what has begun is complete.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args, get_type_hints
from uuid import UUID

import msgspec

from domain import calendar, policies, refusals
from projections import answers, rows, sheets, snapshots, sums, tables

What = Literal["trades", "performance", "snapshots"]
WHATS: tuple[What, ...] = get_args(What)
"""Trades that stand, by when they were opened; what each wheel realized on each day; marks."""

_PRICES = frozenset(
    ("strike", "premium_per_share", "stock_price_at_expiry", "close_price", "price", "multiplier")
)
_NESTED = frozenset(("closings", "options"))
_KINDS: dict[type, sheets.Kind] = {
    int: "count",
    bool: "flag",
    Decimal: "amount",
    date: "date",
    datetime: "instant",
}
_DAY = timedelta(days=1)
_CENTS = -2


class Order(msgspec.Struct, frozen=True):
    """What is to be exported, of whom, and from which file of views."""

    views: str
    what: What
    form: sheets.Format
    now: datetime
    scope: sums.Scope = sums.Scope()
    policy: policies.Policy = "cash"
    span: sums.Span = sums.Span()
    header: Literal["ours", "old"] = "ours"


OLD: dict[str, str] = {
    "id": "id",
    "symbol": "symbol",
    "direction": "direction",
    "strike": "strike",
    "expiration_date": "expiration_date",
    "premium_per_share": "premium_per_share",
    "contracts": "contracts",
    "total_premium": "total_premium",
    "opened_at": "opened_at",
    "closed_at": "closed_at",
    "outcome": "outcome",
    "price_at_expiry": "stock_price_at_expiry",
    "net_premium": "net_premium",
}
"""The columns of the old tool's exports, in its order, and our names for them."""


def _columns(struct: type[msgspec.Struct]) -> sheets.Columns:
    """The plain fields of an answer, and what kind of column each is."""
    return {
        name: _kind(name, hint)
        for name, hint in get_type_hints(struct).items()
        if name not in _NESTED
    }


def _kind(name: str, hint: Any) -> sheets.Kind:
    plain = next((each for each in get_args(hint) if each in _KINDS), hint)
    kind = _KINDS.get(plain, "text")
    return "price" if kind == "amount" and name in _PRICES else kind


TRADES = _columns(answers.Trade)
SNAPSHOTS = _columns(snapshots.Snapshot)
PERFORMANCE: sheets.Columns = {
    "policy": "text",
    "date": "date",
    "portfolio_id": "text",
    "wheel_id": "text",
    "symbol": "text",
    "option_income": "amount",
    "stock_gain": "amount",
    "dividends": "amount",
    "realized_pnl": "amount",
}


def export(order: Order, out: BinaryIO) -> None:
    """Write what is ordered."""
    with tables.reading(Path(order.views)) as connection:
        columns, found = _sheet(order, connection)
        sheets.write(columns, found, order.form, out)


def _sheet(order: Order, connection: sqlite3.Connection) -> tuple[sheets.Columns, sheets.Rows]:
    match order.what:
        case "trades":
            fields = OLD if order.header == "old" else {name: name for name in TRADES}
            columns = {name: TRADES[field] for name, field in fields.items()}
            return columns, _trades(order, connection, tuple(fields.values()))
        case "performance":
            return PERFORMANCE, _performance(order, connection)
        case "snapshots":
            return SNAPSHOTS, _snapshots(order, connection)


def _trades(
    order: Order, connection: sqlite3.Connection, fields: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """The trades that stand, evidence judged by the order's now."""
    decoder = msgspec.json.Decoder(answers.Trade)
    clause, values = _where(order, "opened_at", ("outcome<>'voided'",))
    for (body,) in connection.execute(
        f"SELECT body FROM trades WHERE {clause} ORDER BY opened_at, id",  # noqa: S608
        values,
    ):
        trade = decoder.decode(body)
        if trade.outcome == "open" and order.now > calendar.close_at(trade.expiration_date):
            trade = msgspec.structs.replace(trade, evidence_missing=True)
        yield tuple(getattr(trade, field) for field in fields)


def _performance(order: Order, connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """What each wheel realized, day by day."""
    where: dict[str, Any] = {f"{column}=?": value for column, value in order.scope.where.items()}
    where |= {"policy=?": order.policy}
    bounds = {"date>=?": order.span.first, "date<=?": order.span.last}
    where |= {each: day.isoformat() for each, day in bounds.items() if day is not None}
    for day, portfolio_id, wheel_id, symbol, *cents in connection.execute(
        "SELECT date, portfolio_id, wheel_id, symbol, option, stock, dividend, "  # noqa: S608
        f"option+stock+dividend FROM income WHERE {' AND '.join(where)} ORDER BY wheel_id, date",
        list(where.values()),
    ):
        ids = (UUID(portfolio_id), UUID(wheel_id))
        amounts = (Decimal(each).scaleb(_CENTS) for each in cents)
        yield (order.policy, date.fromisoformat(day), *ids, symbol, *amounts)


def _snapshots(order: Order, connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """The marks, without their options."""
    decoder = msgspec.json.Decoder(snapshots.Snapshot)
    clause, values = _where(order, "at")
    for (body,) in connection.execute(
        f"SELECT body FROM marks WHERE {clause} ORDER BY wheel_id, at, version",  # noqa: S608
        values,
    ):
        shown = decoder.decode(body)
        yield tuple(getattr(shown, field) for field in SNAPSHOTS)


def _where(order: Order, at: str, always: tuple[str, ...] = ()) -> tuple[str, list[Any]]:
    """The condition of the scope, and of an instant within the span's New York days."""
    where: dict[str, Any] = {f"{column}=?": value for column, value in order.scope.where.items()}
    if order.span.first is not None and order.span.first > date.min:
        where[f"{at}>?"] = rows.text(calendar.day_end(order.span.first - _DAY))
    if order.span.last is not None and order.span.last < date.max:
        where[f"{at}<=?"] = rows.text(calendar.day_end(order.span.last))
    return " AND ".join((*always, *where)) or "1", list(where.values())


def main(arguments: list[str]) -> int:
    """Write the order that the one argument is, as JSON."""
    order = msgspec.json.decode(arguments[0], type=Order)
    try:
        with tempfile.TemporaryFile(dir=Path(order.views).parent) as spool:
            export(order, spool)
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except refusals.Unavailable as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
