"""Sums are what their books add up to, however they came about."""

from contextlib import closing
from sqlite3 import Connection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections import daily, tables

WHEELS = {"w1": ("p1", "XYZ"), "w2": ("p1", "ABC"), "w3": ("p2", "XYZ")}
DAYS = ["2026-01-05", "2026-01-06"]

Change = tuple[str, tuple[str, ...], int | None]
"""A wheel, a key, and every amount of its row from now on; None: there is no row."""


def changes(book: daily.Book) -> st.SearchStrategy[list[Change]]:
    keys = st.tuples(
        *(st.sampled_from(DAYS) if each == "date" else st.just("x") for each in book.key)
    )
    amounts = st.none() | st.integers(-(10**15), 10**15)
    return st.lists(st.tuples(st.sampled_from(sorted(WHEELS)), keys, amounts), max_size=12)


def write(views: Connection, book: daily.Book, change: Change) -> None:
    wheel_id, key, amount = change
    if amount is None:
        views.execute(book.delete(), (wheel_id, *key))
    else:
        amounts = [amount] * len(book.amounts)
        views.execute(book.upsert(), (wheel_id, *key, *WHEELS[wheel_id], *amounts))


def summed(views: Connection, book: daily.Book) -> set[Any]:
    """The sums as they should be, from the book."""
    scopes = (("all", "'all'"), ("portfolio:", "portfolio_id"), ("symbol:", "symbol"))
    added = ",".join(f"SUM({each})" for each in book.amounts)
    return {
        (scope if scope == "all" else scope + row[0], *row[1:])
        for scope, of in scopes
        for row in views.execute(
            f"SELECT {of}, {','.join(book.key)}, COUNT(*), {added} FROM {book.name} "  # noqa: S608  names of ours
            f"GROUP BY {of}, {','.join(book.key)}"
        )
    }


def kept(views: Connection, book: daily.Book) -> set[Any]:
    return set(views.execute(f"SELECT * FROM {book.sums}").fetchall())  # noqa: S608  a name of ours


@pytest.mark.parametrize("book", daily.BOOKS, ids=lambda book: book.name)
@settings(max_examples=30)
@given(data=st.data())
def test_sums_follow_whatever_rows_come_change_and_go(
    book: daily.Book, data: st.DataObject
) -> None:
    with closing(tables.create(":memory:")) as views:
        for change in data.draw(changes(book)):
            write(views, book, change)
            assert kept(views, book) == summed(views, book)


@pytest.mark.parametrize("book", daily.BOOKS, ids=lambda book: book.name)
@settings(max_examples=30)
@given(data=st.data())
def test_sums_filled_at_once_are_those_kept_row_by_row(
    book: daily.Book, data: st.DataObject
) -> None:
    some = data.draw(changes(book))
    with closing(tables.create(":memory:")) as live, closing(tables.create(":memory:")) as anew:
        for change in some:
            write(live, book, change)
        with tables.loading(anew):
            for change in some:
                write(anew, book, change)
        assert tables.digest(live) == tables.digest(anew)


def test_after_loading_everything_is_kept_as_before() -> None:
    def things(views: Connection) -> set[Any]:
        return set(views.execute("SELECT type, name, sql FROM sqlite_master").fetchall())

    with closing(tables.create(":memory:")) as views:
        before = things(views)
        with tables.loading(views):
            assert not [each for each in things(views) if each[0] == "trigger"]
        assert things(views) == before
