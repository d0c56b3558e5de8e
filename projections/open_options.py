"""The open options, for whoever watches them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from domain import facts, risk
from projections import tables


def changed(link: Path, after: int) -> tuple[int, dict[UUID, list[risk.OpenOption]]]:
    """The views' position, and the wheels changed behind position `after` with what is open.

    A wheel with nothing open has an empty list. Without views: nothing, at `after`.
    """
    if not link.exists():
        return after, {}
    with tables.reading(link) as connection:
        found: dict[UUID, list[risk.OpenOption]] = {
            UUID(wheel_id): []
            for (wheel_id,) in connection.execute(
                "SELECT id FROM wheels WHERE position>?", (after,)
            )
        }
        for row in connection.execute(
            "SELECT o.wheel_id, o.trade_id, o.portfolio_id, o.symbol, o.direction, o.strike, "
            "o.expiration_date, o.contracts FROM wheels w JOIN open_options o ON o.wheel_id=w.id "
            "WHERE w.position>? ORDER BY o.trade_id",
            (after,),
        ):
            option = _option(row)
            found[option.wheel_id].append(option)
        return tables.position(connection), found


def _option(row: tuple[str, str, str, str, facts.Direction, str, str, int]) -> risk.OpenOption:
    wheel_id, trade_id, portfolio_id, symbol, direction, strike, expiration, contracts = row
    return risk.OpenOption(
        UUID(wheel_id),
        UUID(trade_id),
        UUID(portfolio_id),
        symbol,
        direction,
        Decimal(strike),
        date.fromisoformat(expiration),
        contracts,
    )
