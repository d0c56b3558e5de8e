"""What is held now: the shares and open options of wheels, as far as gains not yet realized go."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain import calendar, mark, money
from projections import rows, sums
from projections.views import Views


class Option(msgspec.Struct, frozen=True):
    """Contracts of one trade that are open; `premium` is the net one on them, in USD."""

    contract: mark.Contract
    contracts: int
    premium: Decimal


class Held(msgspec.Struct, frozen=True):
    """A wheel with shares or open options; both bases in USD for all its shares."""

    portfolio_id: UUID
    symbol: str
    shares: int
    basis: Decimal
    tax_basis: Decimal
    options: tuple[Option, ...] = ()
    split_on: date | None = None


async def held(views: Views, scope: sums.Scope) -> list[Held]:
    """Of a wheel, a portfolio or everything, the wheels that hold something."""
    named = scope.of_wheels
    clause = " AND ".join(("(shares OR open_trades)", *(f"{column}=?" for column in named)))
    found = await views.rows(
        "SELECT portfolio_id, symbol, shares, basis, tax_basis, id, split_on FROM wheels "  # noqa: S608
        f"WHERE {clause}",
        list(named.values()),
    )
    options = await _options(views, scope)
    return [
        Held(
            UUID(row[0]),
            row[1],
            row[2],
            money.from_cents(row[3]),
            money.from_cents(row[4]),
            tuple(options.get(row[5], ())),
            None if row[6] is None else date.fromisoformat(row[6]),
        )
        for row in found
    ]


class Wheel(NamedTuple):
    """Which wheel, and in what."""

    id: UUID
    symbol: str


async def perhaps(views: Views, at: datetime, portfolio_id: UUID | None) -> list[Wheel]:
    """All wheels that held something at an instant, and some that did not.

    Those that hold something now, and those of which anything was recorded since.
    """
    found = await views.rows(
        "SELECT id, symbol FROM wheels WHERE (shares OR open_trades OR updated_at>?1) "
        "AND (?2 IS NULL OR portfolio_id=?2) ORDER BY symbol, id",
        [rows.text(at), portfolio_id and portfolio_id.hex],
    )
    return [Wheel(UUID(wheel_id), symbol) for wheel_id, symbol in found]


async def expired(views: Views, session: date, portfolio_id: UUID | None) -> list[Wheel]:
    """The wheels with options open that expired by the close of a session.

    On a day without one an option expires with the session before it.
    """
    last = calendar.next_session(session) - timedelta(days=1)
    found = await views.rows(
        "SELECT DISTINCT wheel_id, symbol FROM open_options WHERE expiration_date<=?1 "
        "AND (?2 IS NULL OR portfolio_id=?2) ORDER BY symbol, wheel_id",
        [last.isoformat(), portfolio_id and portfolio_id.hex],
    )
    return [Wheel(UUID(wheel_id), symbol) for wheel_id, symbol in found]


async def _options(views: Views, scope: sums.Scope) -> dict[str, list[Option]]:
    """What is open, by its wheel (its id's hex)."""
    clause, values = _within(scope)
    found = await views.rows(
        "SELECT wheel_id, direction, strike, expiration_date, multiplier, contracts, premium "  # noqa: S608
        f"FROM open_options WHERE {clause}",
        values,
    )
    options: dict[str, list[Option]] = defaultdict(list)
    for wheel_id, direction, strike, day, multiplier, contracts, premium in found:
        contract = mark.Contract(
            direction, Decimal(strike), date.fromisoformat(day), Decimal(multiplier)
        )
        options[wheel_id].append(Option(contract, contracts, Decimal(premium)))
    return options


async def open_symbols(views: Views, scope: sums.Scope) -> set[str]:
    """The symbols in which a wheel, a portfolio or everything has an option open."""
    clause, values = _within(scope)
    found = await views.rows(
        f"SELECT DISTINCT symbol FROM open_options WHERE {clause}",  # noqa: S608
        values,
    )
    return {row[0] for row in found}


def _within(scope: sums.Scope) -> tuple[str, list[str]]:
    where = scope.where
    return " AND ".join(f"{column}=?" for column in where) or "1", list(where.values())
