"""What is booked by the New York day: income, activity and capital, each a table of amounts.

A book's own table has a row for each wheel and day with something in it, whole cents and
counts. Beside it stands the same added up, for everything, for each portfolio and for each
symbol, with the number of wheels that it is made of: triggers keep these sums, and a bulk load
fills them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

EVERYTHING: Final = "all"
PORTFOLIO: Final = "portfolio:"
SYMBOL: Final = "symbol:"
"""The sums' scopes: the one of everything, and what precedes a portfolio's id or a symbol."""


class Book(msgspec.Struct, frozen=True):
    """A table of amounts: `key` finds a row of a wheel, `amounts` are integers that add up."""

    name: str
    key: tuple[str, ...]
    amounts: tuple[str, ...]

    @property
    def sums(self) -> str:
        """The table with the sums."""
        return f"{self.name}_of"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a wheel's row, in order."""
        return ("wheel_id", *self.key, "portfolio_id", "symbol", *self.amounts)

    def upsert(self) -> str:
        """Write a wheel's row; whose it is never changes, so only amounts are set."""
        marks = ",".join("?" * len(self.columns))
        return (
            f"INSERT INTO {self.name} ({','.join(self.columns)}) VALUES ({marks}) "  # noqa: S608
            f"ON CONFLICT (wheel_id,{','.join(self.key)}) DO UPDATE SET "
            + ",".join(f"{each}=excluded.{each}" for each in self.amounts)
        )

    def delete(self) -> str:
        """Remove a wheel's row."""
        return f"DELETE FROM {self.name} WHERE {_all_equal(('wheel_id', *self.key))}"  # noqa: S608


INCOME: Final = Book("income", ("policy", "date"), ("option", "stock", "dividend"))
ACTIVITY: Final = Book(
    "activity",
    ("date", "direction"),
    ("trades", "gross", "net", "fees", "ended", "wins", "losses", "assigned", "called_away"),
)
CAPITAL: Final = Book("capital", ("date",), ("contributed", "tied"))
BOOKS: Final = (INCOME, ACTIVITY, CAPITAL)


def schema() -> str:
    """The tables of all books, their sums, and the triggers that keep these."""
    return "".join(_tables(book) + _triggers(book) for book in BOOKS)


def filling() -> Iterator[str]:
    """Statements that fill the empty sums from the books."""
    for book in BOOKS:
        yield from _filling(book)


def _tables(book: Book) -> str:
    keys = "".join(f"{each} TEXT NOT NULL, " for each in book.key)
    amounts = "".join(f"{each} INTEGER NOT NULL, " for each in book.amounts)
    key = ", ".join(book.key)
    return f"""
CREATE TABLE IF NOT EXISTS {book.name} (
  wheel_id TEXT NOT NULL, {keys}portfolio_id TEXT NOT NULL, symbol TEXT NOT NULL,
  {amounts}
  PRIMARY KEY (wheel_id, {key})
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {book.sums} (
  scope TEXT NOT NULL, {keys}wheels INTEGER NOT NULL,
  {amounts}
  PRIMARY KEY (scope, {key})
) WITHOUT ROWID;
"""


def _triggers(book: Book) -> str:
    """A row that comes, changes or goes, in the sums of everything, its portfolio and symbol."""
    columns = ",".join((*book.key, *book.amounts))
    new = ",".join(f"NEW.{each}" for each in (*book.key, *book.amounts))
    more = ",".join(f"{each}={each}+excluded.{each}" for each in ("wheels", *book.amounts))
    moved = ",".join(f"{each}={each}+NEW.{each}-OLD.{each}" for each in book.amounts)
    less = ",".join(f"{each}={each}-OLD.{each}" for each in book.amounts)
    same = " AND ".join(f"{each}=OLD.{each}" for each in book.key)
    same += f" AND scope IN ('{EVERYTHING}','{PORTFOLIO}'||OLD.portfolio_id,'{SYMBOL}'||OLD.symbol)"
    return f"""
CREATE TRIGGER IF NOT EXISTS {book.name}_came AFTER INSERT ON {book.name} BEGIN
  INSERT INTO {book.sums} (scope,wheels,{columns}) VALUES
    ('{EVERYTHING}',1,{new}),
    ('{PORTFOLIO}'||NEW.portfolio_id,1,{new}),
    ('{SYMBOL}'||NEW.symbol,1,{new})
  ON CONFLICT (scope,{",".join(book.key)}) DO UPDATE SET {more};
END;
CREATE TRIGGER IF NOT EXISTS {book.name}_changed AFTER UPDATE ON {book.name} BEGIN
  UPDATE {book.sums} SET {moved} WHERE {same};
END;
CREATE TRIGGER IF NOT EXISTS {book.name}_went AFTER DELETE ON {book.name} BEGIN
  UPDATE {book.sums} SET wheels=wheels-1,{less} WHERE {same};
  DELETE FROM {book.sums} WHERE {same} AND wheels=0;
END;
"""  # noqa: S608  the names are this module's own


def _filling(book: Book) -> Iterator[str]:
    """Portfolios and symbols from the wheels, everything from the portfolios."""
    key = ",".join(book.key)
    added = ",".join(f"SUM({each})" for each in book.amounts)
    for scope, of in ((PORTFOLIO, "portfolio_id"), (SYMBOL, "symbol")):
        yield (
            f"INSERT INTO {book.sums} SELECT '{scope}'||{of},{key},COUNT(*),{added} "  # noqa: S608
            f"FROM {book.name} GROUP BY {of},{key}"
        )
    yield (
        f"INSERT INTO {book.sums} SELECT '{EVERYTHING}',{key},SUM(wheels),{added} "  # noqa: S608
        f"FROM {book.sums} WHERE scope>='{PORTFOLIO}' AND scope<'{SYMBOL}' GROUP BY {key}"
    )


def _all_equal(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"{each}=?" for each in columns)
