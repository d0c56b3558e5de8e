"""The views' tables. `body` is an answer's JSON, whole; the other columns find and sort it.

Figures in columns of type REAL serve sorting only; the exact ones are in the body, and in
`income` and `tallies` as text.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import msgspec

from domain import refusals
from projections import answers

SCHEMA = """
CREATE TABLE IF NOT EXISTS portfolios (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, is_active INTEGER NOT NULL,
  default_capital REAL NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wheels (
  id TEXT PRIMARY KEY, portfolio_id TEXT NOT NULL, symbol TEXT NOT NULL, state TEXT NOT NULL,
  profile TEXT NOT NULL, is_active INTEGER NOT NULL, shares INTEGER NOT NULL, cash REAL NOT NULL,
  capital_allocated REAL NOT NULL, collateral_in_use REAL NOT NULL,
  basis TEXT NOT NULL, tax_basis TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version INTEGER NOT NULL,
  position INTEGER NOT NULL, open_trades INTEGER NOT NULL, tally BLOB NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS wheels_of_portfolio ON wheels (portfolio_id, symbol);
CREATE INDEX IF NOT EXISTS wheels_by_position ON wheels (position);
CREATE TABLE IF NOT EXISTS trades (
  id TEXT PRIMARY KEY, wheel_id TEXT NOT NULL, portfolio_id TEXT NOT NULL, symbol TEXT NOT NULL,
  direction TEXT NOT NULL, outcome TEXT NOT NULL, strike REAL NOT NULL, contracts INTEGER NOT NULL,
  premium_per_share REAL NOT NULL, total_premium REAL NOT NULL, net_premium REAL NOT NULL,
  expiration_date TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT, created_at TEXT NOT NULL,
  version INTEGER NOT NULL, tally BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_of_wheel ON trades (wheel_id, opened_at);
CREATE INDEX IF NOT EXISTS trades_of_portfolio ON trades (portfolio_id, opened_at);
CREATE INDEX IF NOT EXISTS trades_by_time ON trades (opened_at);
CREATE TABLE IF NOT EXISTS lots (
  wheel_id TEXT NOT NULL, id INTEGER NOT NULL, acquired_at TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (wheel_id, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cycles (
  wheel_id TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (wheel_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS open_options (
  trade_id TEXT PRIMARY KEY, wheel_id TEXT NOT NULL, portfolio_id TEXT NOT NULL,
  symbol TEXT NOT NULL, state TEXT NOT NULL, direction TEXT NOT NULL, strike TEXT NOT NULL,
  expiration_date TEXT NOT NULL, contracts INTEGER NOT NULL, premium TEXT NOT NULL,
  position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_options_of_wheel ON open_options (wheel_id);
CREATE INDEX IF NOT EXISTS open_options_by_expiration ON open_options (expiration_date, trade_id);
CREATE TABLE IF NOT EXISTS income (
  wheel_id TEXT NOT NULL, policy TEXT NOT NULL, date TEXT NOT NULL, kind TEXT NOT NULL,
  portfolio_id TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (wheel_id, policy, date, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT PRIMARY KEY, portfolio_id TEXT NOT NULL, wheel_id TEXT NOT NULL, trade_id TEXT NOT NULL,
  symbol TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, status TEXT NOT NULL,
  raised_at TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_by_status ON alerts (status, raised_at);
CREATE TABLE IF NOT EXISTS tracking (
  one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL
);
INSERT OR IGNORE INTO tracking VALUES (1, 0);
"""
TABLES = {
    "portfolios": "id",
    "settings": "key",
    "wheels": "id",
    "trades": "id",
    "lots": "wheel_id, id",
    "cycles": "wheel_id, number",
    "open_options": "trade_id",
    "income": "wheel_id, policy, date, kind",
    "alerts": "id",
    "tracking": "one",
}


def create(path: Path | str) -> sqlite3.Connection:
    """Open a file of views for writing, making its tables when they are not there.

    Its commits need not be durable one by one: what a crash loses is projected again.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript(SCHEMA)
    connection.execute(f"PRAGMA user_version={shape()}")
    return connection


@cache
def shape() -> int:
    """A number for the shape of tables and answers: views of another shape are made anew."""
    answered = msgspec.json.encode(msgspec.json.schema_components(answers.VIEWED))
    return zlib.crc32(SCHEMA.encode() + answered) & 0x7FFFFFFF


def fit(path: Path) -> bool:
    """Whether there are views at a path, or behind a link, of the shape that we read."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(uri(path.resolve()), uri=True)) as connection:
            return bool(connection.execute("PRAGMA user_version").fetchone()[0] == shape())
    except sqlite3.Error:
        return False


def current(link: Path) -> Path:
    """The file that the views are in now: the link's target, made when there is none."""
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        path = fresh(link)
        create(path).close()
        swap(link, path)
    return link.resolve()


@contextmanager
def reading(link: Path) -> Iterator[sqlite3.Connection]:
    """One unchanging look at the views; raises refusals.Unavailable when there are none yet."""
    try:
        with closing(sqlite3.connect(uri(link.resolve()), uri=True)) as connection:
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise refusals.Unavailable(f"the views do not answer: {error}", part="views") from error


def uri(path: Path) -> str:
    """A file of views for reading only, whatever signs its name has."""
    return f"{path.as_uri()}?mode=ro"


def leads(link: Path, path: Path) -> bool:
    """Whether the link still leads to this file; asked at every turn, so it asks for little."""
    try:
        return os.readlink(link) == path.name  # noqa: PTH115  Path.readlink costs three times it
    except OSError:
        return False


def fresh(link: Path) -> Path:
    """A name for a new file of views beside the link."""
    return link.with_name(f"{link.stem}-{uuid4().hex[:12]}{link.suffix}")


def swap(link: Path, target: Path) -> None:
    """Point the link at another file, at once and whole.

    A link, and not a renamed file: SQLite keeps its write-ahead log under the file's own name,
    which a rename would leave to the wrong database.
    """
    draft = link.with_name(f".{target.name}.link")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target.name)
    draft.replace(link)


def discard(path: Path) -> None:
    """Remove a file of views and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def position(connection: sqlite3.Connection) -> int:
    """The log's position up to which the views are written."""
    return int(connection.execute("SELECT position FROM tracking").fetchone()[0])


def dump(connection: sqlite3.Connection) -> Iterator[str]:
    """Every row of every table, in one order: equal views give equal dumps."""
    for table, key in TABLES.items():
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}"):  # noqa: S608
            yield f"{table} {row!r}"


def digest(connection: sqlite3.Connection) -> str:
    """SHA-256 of the canonical dump."""
    sums = hashlib.sha256()
    for line in dump(connection):
        sums.update(line.encode())
        sums.update(b"\n")
    return sums.hexdigest()
