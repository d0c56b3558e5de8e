"""What is held now: the shares and open options of wheels, as far as gains not yet realized go."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec

from domain import money
from projections import sums
from projections.views import Views


class Held(msgspec.Struct, frozen=True):
    """A wheel with shares or open options; both bases in USD for all its shares."""

    portfolio_id: UUID
    symbol: str
    shares: int
    basis: Decimal
    tax_basis: Decimal
    open_trades: int


async def held(views: Views, scope: sums.Scope) -> list[Held]:
    """Of a wheel, a portfolio or everything, the wheels that hold something."""
    named = scope.of_wheels
    clause = " AND ".join(("(shares OR open_trades)", *(f"{column}=?" for column in named)))
    found = await views.rows(
        "SELECT portfolio_id, symbol, shares, basis, tax_basis, open_trades FROM wheels "  # noqa: S608
        f"WHERE {clause}",
        list(named.values()),
    )
    return [
        Held(
            UUID(row[0]), row[1], row[2], money.from_cents(row[3]), money.from_cents(row[4]), row[5]
        )
        for row in found
    ]


async def any_open(views: Views, scope: sums.Scope) -> bool:
    """Whether a wheel, a portfolio or everything has an option open."""
    clause = " AND ".join(f"{column}=?" for column in scope.where) or "1"
    found = await views.rows(
        f"SELECT 1 FROM open_options WHERE {clause} LIMIT 1",  # noqa: S608
        list(scope.where.values()),
    )
    return bool(found)
