"""Which trades ended in a span, asked of the views: how many, how well, and in what order.

An index holds all that is asked of every trade that ever ended, so that no body is read.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from domain import calendar, facts
from projections import outcomes, rows, sums
from projections.views import Views

_DAY = timedelta(days=1)


async def counted(
    views: Views, scope: sums.Scope, direction: facts.Direction | None, span: sums.Span
) -> dict[outcomes.Key, outcomes.Counted]:
    """The trades that ended in a span, by symbol and direction."""
    clause, values = _ended(scope, direction, span)
    found = await views.rows(
        "SELECT symbol, direction, outcome, (net_premium>0)-(net_premium<0) AS sign, "  # noqa: S608
        "COUNT(*), SUM(net_premium), MAX(net_premium), MIN(net_premium) "
        f"FROM trades WHERE {clause} GROUP BY symbol, direction, outcome, sign",
        values,
    )
    counts: dict[outcomes.Key, outcomes.Counted] = {}
    for symbol, side, *group in found:
        key = (symbol, side)
        counts[key] = counts.get(key, outcomes.Counted()).plus(outcomes.group(*group))
    return counts


async def streaks(
    views: Views, scope: sums.Scope, direction: facts.Direction | None, span: sums.Span
) -> outcomes.Streaks:
    """The streaks among the trades that ended in a span; even ones break none."""
    clause, values = _ended(scope, direction, span)
    found = await views.rows(
        "SELECT GROUP_CONCAT(result, '') FROM (SELECT CASE "  # noqa: S608
        "WHEN outcome='expired_worthless' THEN 'w' "
        "WHEN outcome IN ('assigned', 'called_away') THEN 'l' "
        "WHEN net_premium>0 THEN 'w' WHEN net_premium<0 THEN 'l' END AS result "
        f"FROM trades WHERE {clause} ORDER BY closed_at, id)",
        values,
    )
    return outcomes.streaks_in(found[0][0] or "")


def _ended(
    scope: sums.Scope, direction: facts.Direction | None, span: sums.Span
) -> tuple[str, list[Any]]:
    """The condition of having ended in a span of New York days, and its parameters."""
    where: dict[str, Any] = {f"{column}=?": value for column, value in scope.where.items()}
    if direction is not None:
        where["+direction=?"] = direction  # not by its index: half of all trades
    if span.first is not None and span.first > date.min:
        where["closed_at>?"] = rows.text(calendar.day_end(span.first - _DAY))
    if span.last is not None and span.last < date.max:
        where["closed_at<=?"] = rows.text(calendar.day_end(span.last))
    return " AND ".join(("closed_at>''", *where)), list(where.values())
