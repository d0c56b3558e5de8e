"""The books in the views held against the facts they are made of.

Of a wheel its own rows are reckoned anew from its stream; of a portfolio the sums that triggers
keep are added up anew from the rows of its wheels. Each is one look, so that nothing moves between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any, NamedTuple
from uuid import UUID

from domain import ports
from projections import books, daily, rows, tables

Rows = Mapping[tuple[str, ...], tuple[int, ...]]


class Changed(NamedTuple):
    """A wheel that has changed, and whose it is."""

    wheel_id: UUID
    portfolio_id: UUID
    symbol: str


def changed(link: Path, since: datetime, portfolio_id: UUID | None) -> list[Changed]:
    """The wheels of a portfolio, or all, of which something was recorded since an instant."""
    with tables.reading(link) as views:
        found = views.execute(
            "SELECT id, portfolio_id, symbol FROM wheels "
            "WHERE updated_at>=? AND (?2 IS NULL OR portfolio_id=?2) ORDER BY symbol, id",
            (rows.text(since), portfolio_id and portfolio_id.hex),
        )
        return [Changed(UUID(wheel), UUID(whose), symbol) for wheel, whose, symbol in found]


def of_wheel(log: ports.Log, link: Path, wheel_id: UUID) -> str | None:
    """Where a wheel's books are not what its facts say, the first such place; else None."""
    with tables.reading(link) as views:
        until = tables.position(views)
        told = [_rows(views, book, wheel_id) for book in daily.BOOKS]
    stream = [each for each in log.stream(wheel_id) if each.position <= until]
    reckoned = books.opened(wheel_id, stream).days
    for book, shown, right in zip(daily.BOOKS, told, reckoned, strict=True):
        for difference in _differences(book, shown, right):
            return difference
    return None


def of_portfolio(link: Path, portfolio_id: UUID) -> str | None:
    """Where a portfolio's sums are not those of its wheels, the first such place; else None."""
    with tables.reading(link) as views:
        for book in daily.BOOKS:
            told, added = _sums(views, book, portfolio_id), _added(views, book, portfolio_id)
            for difference in _differences(book, told, added):
                return difference
    return None


def _differences(book: daily.Book, told: Rows, right: Rows) -> Iterator[str]:
    for key in sorted({*told, *right}):
        shown, reckoned = told.get(key), right.get(key)
        if shown != reckoned:
            amounts = "/".join(book.amounts)
            yield (
                f"{book.name} of {' '.join(key)} ({amounts}, in cents and counts): "
                f"{_words(shown)} in the views, {_words(reckoned)} by the facts"
            )


def _words(amounts: tuple[int, ...] | None) -> str:
    return "nothing" if amounts is None else "/".join(map(str, amounts))


def _rows(views: Connection, book: daily.Book, wheel_id: UUID) -> Rows:
    columns = ",".join((*book.key, *book.amounts))
    found = views.execute(
        f"SELECT {columns} FROM {book.name} WHERE wheel_id=?",  # noqa: S608  the names are ours
        (wheel_id.hex,),
    )
    return _by_key(book, found)


def _sums(views: Connection, book: daily.Book, portfolio_id: UUID) -> Rows:
    columns = ",".join((*book.key, *book.amounts))
    found = views.execute(
        f"SELECT {columns} FROM {book.sums} WHERE scope=?",  # noqa: S608  the names are ours
        (daily.PORTFOLIO + portfolio_id.hex,),
    )
    return _by_key(book, found)


def _added(views: Connection, book: daily.Book, portfolio_id: UUID) -> Rows:
    key = ",".join(book.key)
    amounts = ",".join(f"SUM({each})" for each in book.amounts)
    found = views.execute(
        f"SELECT {key},{amounts} FROM {book.name} "  # noqa: S608  the names are ours
        f"WHERE portfolio_id=? GROUP BY {key}",
        (portfolio_id.hex,),
    )
    return _by_key(book, found)


def _by_key(book: daily.Book, found: Iterable[tuple[Any, ...]]) -> Rows:
    places = len(book.key)
    return {row[:places]: row[places:] for row in found}
