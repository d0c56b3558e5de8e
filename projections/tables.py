"""The views' tables. `body` is an answer's JSON, whole; the other columns find, sort and add up.

Amounts are whole cents, so that SQLite adds them exactly; prices, of type REAL, serve sorting
only.
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
from projections import answers, daily, snapshots

SCHEMA = """
CREATE TABLE IF NOT EXISTS portfolios (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, is_active INTEGER NOT NULL,
  default_capital INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wheels (
  id TEXT PRIMARY KEY, portfolio_id TEXT NOT NULL, symbol TEXT NOT NULL, state TEXT NOT NULL,
  profile TEXT NOT NULL, is_active INTEGER NOT NULL, shares INTEGER NOT NULL, cash INTEGER NOT NULL,
  capital_allocated INTEGER NOT NULL, collateral_in_use INTEGER NOT NULL,
  basis INTEGER NOT NULL, tax_basis INTEGER NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version INTEGER NOT NULL,
  position INTEGER NOT NULL, open_trades INTEGER NOT NULL, split_on TEXT, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS wheels_by_symbol ON wheels (symbol, id);
CREATE INDEX IF NOT EXISTS wheels_of_portfolio ON wheels (portfolio_id, symbol);
CREATE INDEX IF NOT EXISTS wheels_by_position ON wheels (position);
CREATE TABLE IF NOT EXISTS trades (
  id TEXT PRIMARY KEY, wheel_id TEXT NOT NULL, portfolio_id TEXT NOT NULL, symbol TEXT NOT NULL,
  direction TEXT NOT NULL, outcome TEXT NOT NULL, strike REAL NOT NULL, contracts INTEGER NOT NULL,
  premium_per_share REAL NOT NULL, total_premium INTEGER NOT NULL, net_premium INTEGER NOT NULL,
  expiration_date TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT, created_at TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_of_wheel ON trades (wheel_id, opened_at, id);
CREATE INDEX IF NOT EXISTS trades_of_portfolio ON trades (portfolio_id, opened_at, id);
CREATE INDEX IF NOT EXISTS trades_of_symbol ON trades (symbol, opened_at, id);
CREATE INDEX IF NOT EXISTS trades_by_time ON trades (opened_at, id);
CREATE INDEX IF NOT EXISTS trades_whole ON trades (
  opened_at, id, direction, outcome, closed_at, expiration_date, symbol, strike, contracts,
  premium_per_share, total_premium, net_premium, created_at
);
CREATE INDEX IF NOT EXISTS trades_by_outcome ON trades (outcome, opened_at, id, direction);
CREATE INDEX IF NOT EXISTS trades_by_direction ON trades (direction, opened_at, id);
CREATE INDEX IF NOT EXISTS trades_by_expiration ON trades (
  expiration_date, id, direction, outcome
);
CREATE INDEX IF NOT EXISTS trades_by_end ON trades (
  closed_at, id, outcome, net_premium, direction, symbol
);
CREATE INDEX IF NOT EXISTS trades_by_entry ON trades (created_at, id);
CREATE INDEX IF NOT EXISTS trades_by_strike ON trades (strike, id);
CREATE INDEX IF NOT EXISTS trades_by_contracts ON trades (contracts, id);
CREATE INDEX IF NOT EXISTS trades_by_price ON trades (premium_per_share, id);
CREATE INDEX IF NOT EXISTS trades_by_premium ON trades (total_premium, id);
CREATE INDEX IF NOT EXISTS trades_by_result ON trades (net_premium, id);
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
  expiration_date TEXT NOT NULL, contracts INTEGER NOT NULL, multiplier TEXT NOT NULL,
  premium TEXT NOT NULL, split_on TEXT, position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_options_of_wheel ON open_options (wheel_id);
CREATE INDEX IF NOT EXISTS open_options_by_expiration ON open_options (expiration_date, trade_id);
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT PRIMARY KEY, portfolio_id TEXT, wheel_id TEXT, trade_id TEXT,
  symbol TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, status TEXT NOT NULL,
  raised_at TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_by_status ON alerts (status, raised_at);
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (raised_at, id);
CREATE INDEX IF NOT EXISTS alerts_by_trade ON alerts (trade_id, rule);
CREATE TABLE IF NOT EXISTS watchlist (
  symbol TEXT PRIMARY KEY, profile TEXT NOT NULL, watched_at TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS opportunities (
  id TEXT PRIMARY KEY, day TEXT NOT NULL, symbol TEXT NOT NULL, direction TEXT NOT NULL,
  profile TEXT NOT NULL, strike REAL NOT NULL, expiration_date TEXT NOT NULL,
  dte INTEGER NOT NULL, net_premium INTEGER NOT NULL, probability_itm REAL NOT NULL,
  annualized_yield_pct REAL NOT NULL, score REAL NOT NULL, rank INTEGER NOT NULL,
  found_at TEXT NOT NULL, is_read INTEGER NOT NULL, updated_at TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS opportunities_by_score ON opportunities (day, score, id);
CREATE INDEX IF NOT EXISTS opportunities_of_symbol ON opportunities (symbol, day, score);
CREATE INDEX IF NOT EXISTS opportunities_by_change ON opportunities (updated_at);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, job TEXT NOT NULL, portfolio_id TEXT, updated_at TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job_runs (
  id TEXT PRIMARY KEY, entry TEXT NOT NULL, job TEXT NOT NULL, portfolio_id TEXT,
  trigger TEXT NOT NULL, outcome TEXT NOT NULL, due_at TEXT NOT NULL, started_at TEXT,
  finished_at TEXT NOT NULL, recorded_at TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS job_runs_by_time ON job_runs (due_at, id);
CREATE INDEX IF NOT EXISTS job_runs_of_entry ON job_runs (entry, due_at, trigger, outcome);
CREATE INDEX IF NOT EXISTS job_runs_by_outcome ON job_runs (job, outcome, finished_at);
CREATE INDEX IF NOT EXISTS job_runs_by_end ON job_runs (finished_at, outcome, entry);
CREATE INDEX IF NOT EXISTS job_runs_by_record ON job_runs (recorded_at);
CREATE TABLE IF NOT EXISTS channels (
  name TEXT PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  id TEXT PRIMARY KEY, channel TEXT NOT NULL, alert_id TEXT NOT NULL,
  alert_position INTEGER NOT NULL, severity TEXT NOT NULL, symbol TEXT NOT NULL,
  rule TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL, error TEXT,
  due TEXT, escalate_at TEXT, planned_at TEXT NOT NULL, ended_at TEXT, failing_since TEXT,
  updated_at TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (planned_at, id);
CREATE INDEX IF NOT EXISTS deliveries_by_channel ON deliveries (channel, status, ended_at);
CREATE INDEX IF NOT EXISTS deliveries_by_status ON deliveries (status, planned_at);
CREATE INDEX IF NOT EXISTS deliveries_of_alert ON deliveries (alert_id, planned_at);
CREATE INDEX IF NOT EXISTS deliveries_by_change ON deliveries (updated_at);
CREATE TABLE IF NOT EXISTS marks (
  wheel_id TEXT NOT NULL, at TEXT NOT NULL, version INTEGER NOT NULL, day TEXT NOT NULL,
  portfolio_id TEXT NOT NULL, symbol TEXT NOT NULL, price REAL NOT NULL, recorded_at TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (wheel_id, at, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_by_symbol ON marks (symbol, at);
CREATE TABLE IF NOT EXISTS plugins (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, is_registered INTEGER NOT NULL, enabled INTEGER NOT NULL,
  registered_at TEXT NOT NULL, updated_at TEXT NOT NULL, version INTEGER NOT NULL,
  body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS plugins_by_name ON plugins (name);
CREATE TABLE IF NOT EXISTS plugin_runs (
  id TEXT PRIMARY KEY, plugin TEXT NOT NULL, due_at TEXT NOT NULL, trigger TEXT NOT NULL,
  outcome TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT NOT NULL,
  updated_at TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS plugin_runs_by_time ON plugin_runs (plugin, finished_at, id);
CREATE INDEX IF NOT EXISTS plugin_runs_by_due ON plugin_runs (plugin, due_at);
CREATE INDEX IF NOT EXISTS plugin_runs_by_change ON plugin_runs (updated_at);
CREATE TABLE IF NOT EXISTS tracking (
  one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL
);
INSERT OR IGNORE INTO tracking VALUES (1, 0);
""" + daily.schema()
_MANY = 1_000
TABLES = {
    "portfolios": "id",
    "settings": "key",
    "wheels": "id",
    "trades": "id",
    "lots": "wheel_id, id",
    "cycles": "wheel_id, number",
    "open_options": "trade_id",
    **{book.name: ", ".join(("wheel_id", *book.key)) for book in daily.BOOKS},
    **{book.sums: ", ".join(("scope", *book.key)) for book in daily.BOOKS},
    "alerts": "id",
    "watchlist": "symbol",
    "opportunities": "id",
    "jobs": "id",
    "job_runs": "id",
    "channels": "name",
    "deliveries": "id",
    "marks": "wheel_id, at, version",
    "plugins": "id",
    "plugin_runs": "id",
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


@contextmanager
def loading(connection: sqlite3.Connection) -> Iterator[None]:
    """Write much at once into empty views: indexes and sums are made over what is there then."""
    kept = "SELECT type, name FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql NOTNULL"
    for kind, name in connection.execute(kept).fetchall():
        connection.execute(f"DROP {kind} {name}")
    yield
    for statement in daily.filling():
        connection.execute(statement)
    connection.executescript(SCHEMA)


@cache
def shape() -> int:
    """A number for the shape of tables and answers: views of another shape are made anew."""
    viewed = (*answers.VIEWED, snapshots.Snapshot)
    answered = msgspec.json.encode(msgspec.json.schema_components(viewed))
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
        opened = sqlite3.connect(uri(link.resolve()), uri=True, check_same_thread=False)
        with closing(opened) as connection:
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
    """SHA-256 of every row of every table, in one order."""
    sums = hashlib.sha256()
    for table, key in TABLES.items():
        found = connection.execute(f"SELECT * FROM {table} ORDER BY {key}")  # noqa: S608
        while some := found.fetchmany(_MANY):
            sums.update(msgspec.msgpack.encode((table, some)))
    return sums.hexdigest()
