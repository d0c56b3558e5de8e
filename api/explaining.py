"""A figure taken apart page by page, a wheel at a time, as the ledger stood at the first page.

A page folds as many wheels as fill it, in a thread, and never more than fifty; the cursor
says where it stopped, and keeps the figure and the position of the ledger that it is told of.
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID
from zlib import crc32

import msgspec

from api import figures
from api.office import Office, When
from api.shapes.performance import Explanation, Part, Rule
from domain import facts, money, policies, refusals, story
from projections import explained, sums, views

MOST_WHEELS = 50
_START = UUID(int=0)
_COUNTS: dict[explained.Figure, str] = {
    "premium_collected": "gross",
    "net_premium": "net",
    "fees": "fees",
    "total_trades": "trades",
    "trades_ended": "ended",
    "winning_trades": "wins",
    "losing_trades": "losses",
    "assignments": "assigned",
    "called_away": "called_away",
}
_SUMS: dict[explained.Figure, str] = {
    "realized_pnl": "total",
    "option_income": "option",
    "stock_gain": "stock",
    "dividends": "dividend",
}


class Asked(msgspec.Struct, frozen=True):
    """Which figure is to be explained, of whom, and how many parts make a page."""

    figure: explained.Figure
    over: figures.Over
    clocks: When
    scope: sums.Scope
    limit: int

    @property
    def question(self) -> int:
        """A number for all but the page: pages of different questions do not sum to a figure."""
        asked = (self.figure, self.over.policy, self.over.span, self.clocks, self.scope)
        return crc32(msgspec.json.encode(asked))


class Cursor(msgspec.Struct, frozen=True):
    """Where a page begins: in which wheel, behind how many of its parts; and what is explained."""

    question: int
    position: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    amount: Decimal
    wheel: UUID = _START
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0

    def written(self) -> str:
        """As the query has it."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode()


def read(after: str) -> Cursor:
    """The cursor that an answer gave; raises refusals.Invalid for anything else."""
    try:
        cursor = msgspec.json.decode(urlsafe_b64decode(after), type=Cursor)
    except (ValueError, msgspec.DecodeError) as error:
        raise refusals.Invalid("after", after, "must be the next_after of an answer") from error
    if not cursor.amount.is_finite():
        raise refusals.Invalid("after", after, "must be the next_after of an answer")
    return cursor


async def explanation(office: Office, asked: Asked, after: str | None) -> Explanation:
    """One page of a figure's parts."""
    cursor = read(after) if after else await _begun(office, asked)
    if cursor.question != asked.question:
        raise refusals.Invalid("after", after, "must come with the question that it answered")
    parts, further = await _page(office, asked, cursor)
    return Explanation(
        figure=asked.figure,
        policy=asked.over.policy,
        first=asked.over.span.first,
        last=asked.over.span.last,
        amount=cursor.amount,
        page_amount=sum((each.amount for each in parts), money.ZERO),
        position=cursor.position,
        rules=_rules(parts),
        parts=parts,
        next_after=further.written() if further else None,
    )


async def _begun(office: Office, asked: Asked) -> Cursor:
    """The figure, with the position of the ledger that it is of."""
    async with figures.views(office, asked.clocks, asked.scope) as source:
        amount = await _amount(source, asked)
        position = int((await source.rows("SELECT position FROM tracking"))[0][0])
    return Cursor(asked.question, position, amount)


async def _amount(source: views.Views, asked: Asked) -> Decimal:
    """The figure itself."""
    over = asked.over
    if asked.figure in _SUMS:
        income = await sums.income_sum(source, asked.scope, over.policy, over.span)
        amount: Decimal = getattr(income, _SUMS[asked.figure])
        return amount
    activity = await sums.activity_sum(source, asked.scope, over.span)
    return sum((Decimal(getattr(each, _COUNTS[asked.figure])) for each in activity), money.ZERO)


async def _page(office: Office, asked: Asked, cursor: Cursor) -> tuple[list[Part], Cursor | None]:
    """The parts from a place on, and the place where the next page begins."""
    found: list[Part] = []
    looked_at = 0
    async for wheel_id in _wheels(office, asked, cursor):
        if looked_at == MOST_WHEELS:
            return found, msgspec.structs.replace(cursor, wheel=wheel_id, skip=0)
        looked_at += 1
        skip = cursor.skip if wheel_id == cursor.wheel else 0
        parts = await asyncio.to_thread(_parts, office, asked, wheel_id, cursor.position)
        room = asked.limit - len(found)
        found += parts[skip : skip + room]
        if len(parts) > skip + room:
            return found, msgspec.structs.replace(cursor, wheel=wheel_id, skip=skip + room)
    return found, None


async def _wheels(office: Office, asked: Asked, cursor: Cursor) -> AsyncIterator[UUID]:
    """The wheels that may have a part in the figure, in the order of their ids.

    Those with rows in the span, and those changed since the first page; of the past, all, which
    is read from the log, maybe ahead of the live views.
    """
    await office.live.reached(cursor.position)
    where = asked.scope.of_wheels
    conditions, values = [f"{column}=?" for column in where], list[Any](where.values())
    if asked.clocks.is_now:
        rows, more = _rows(asked)
        conditions.append(f"(position>? OR EXISTS ({rows}))")
        values += [cursor.position, *more]
    found = await office.live.rows(
        f"SELECT id FROM wheels WHERE {' AND '.join(('id>=?', *conditions))} "  # noqa: S608
        "ORDER BY id LIMIT ?",
        [cursor.wheel.hex, *values, MOST_WHEELS + 1],
    )
    for row in found:
        yield UUID(row[0])


def _rows(asked: Asked) -> tuple[str, list[Any]]:
    """A query for a wheel's rows in the span, in the book that the figure is a sum of."""
    span = asked.over.span
    of: dict[str, Any] = {"policy=?": asked.over.policy} if asked.figure in _SUMS else {}
    bounds = {"date>=?": span.first, "date<=?": span.last}
    of |= {each: day.isoformat() for each, day in bounds.items() if day is not None}
    table = "income" if asked.figure in _SUMS else "activity"
    clause = " AND ".join(("wheel_id=wheels.id", *of))
    return f"SELECT 1 FROM {table} WHERE {clause}", list(of.values())  # noqa: S608


def _parts(office: Office, asked: Asked, wheel_id: UUID, position: int) -> list[Part]:
    """All parts of one wheel, in the order in which they happened."""
    stream = [each for each in office.log.stream(wheel_id) if each.position <= position]
    heard = story.heard(wheel_id, stream, as_of=asked.clocks.as_of, known_at=asked.clocks.known_at)
    span = asked.over.span
    booked = explained.amounts(asked.figure, asked.over.policy, heard.line)
    positions = {each.version: each.position for each in stream}
    return [
        _part(heard, each, positions)
        for each in booked
        if (span.first is None or each.date >= span.first)
        and (span.last is None or each.date <= span.last)
    ]


def _part(heard: story.Story, booked: policies.Amount, positions: dict[int, int]) -> Part:
    entry = heard.entries[booked.version]
    return Part(
        position=positions[entry.version],
        wheel_id=heard.wheel_id,
        portfolio_id=entry.fact.portfolio_id,
        symbol=entry.fact.symbol,
        version=entry.version,
        type=facts.name_of(type(entry.fact)),
        date=booked.date,
        amount=booked.amount,
        kind=booked.kind,
        rule=booked.rule,
        trade_id=booked.trade,
        lot=booked.lot,
        effective_at=entry.effective_at,
        recorded_at=entry.recorded_at,
        source=entry.source,
        amended_by=[positions[each] for each in entry.amended_by],
    )


def _rules(parts: list[Part]) -> list[Rule]:
    """The rules under which the parts stand, each with their sum."""
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for each in parts:
        amounts[each.rule].append(each.amount)
    return [
        Rule(
            rule=rule,
            meaning=explained.RULES[rule],
            parts=len(some),
            amount=sum(some, money.ZERO),
        )
        for rule, some in sorted(amounts.items())
    ]
