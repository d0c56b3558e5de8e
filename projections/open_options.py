"""The open options, for whoever watches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from domain import facts, risk
from projections import tables


class Changes(NamedTuple):
    """What has changed until the views' `position`.

    Of each changed wheel all that it has open, an empty list when it has nothing, and by trade and
    rule every alert that was ever raised on that.
    """

    position: int
    wheels: Mapping[UUID, Sequence[risk.OpenOption]]
    alerts: Sequence[tuple[UUID, str]] = ()


_ALERTS = (
    "SELECT a.trade_id, a.rule FROM wheels w JOIN open_options o ON o.wheel_id=w.id "
    "JOIN alerts a ON a.trade_id=o.trade_id WHERE w.position>?"
)
_OPTIONS = (
    "SELECT o.wheel_id, o.trade_id, o.portfolio_id, o.symbol, o.direction, o.strike, "
    "o.expiration_date, o.contracts, o.multiplier, o.premium, COALESCE(o.split_on, '') "
    "FROM wheels w JOIN open_options o ON o.wheel_id=w.id WHERE w.position>? ORDER BY o.trade_id"
)


def changed(link: Path, after: int) -> Changes:
    """The wheels changed behind position `after`. Without views: nothing, at `after`."""
    if not link.exists():
        return Changes(after, {})
    with tables.reading(link) as connection:
        wheels = connection.execute("SELECT id FROM wheels WHERE position>?", (after,))
        found: dict[UUID, list[risk.OpenOption]] = {UUID(each): [] for (each,) in wheels}
        for row in connection.execute(_OPTIONS, (after,)):
            option = _option(row)
            found[option.wheel_id].append(option)
        alerts = [(UUID(trade), rule) for trade, rule in connection.execute(_ALERTS, (after,))]
        return Changes(tables.position(connection), found, alerts)


def _option(
    row: tuple[str, str, str, str, facts.Direction, str, str, int, str, str, str],
) -> risk.OpenOption:
    wheel_id, trade_id, portfolio_id, symbol, direction, strike, day, contracts, *rest = row
    each, net, split_on = rest
    return risk.OpenOption(
        UUID(wheel_id),
        UUID(trade_id),
        UUID(portfolio_id),
        symbol,
        direction,
        Decimal(strike),
        date.fromisoformat(day),
        contracts,
        Decimal(each),
        Decimal(net),
        date.fromisoformat(split_on) if split_on else None,
    )
