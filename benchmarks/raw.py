"""The yardsticks: what SQLite, Python and the loopback do when nothing of ours is in the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import fmean
from typing import Final
from uuid import uuid4

import psutil

from benchmarks import figures

ROW: Final = bytes(400)
"""About as large as a stored fact."""
_COMMITS: Final = "raw commits/s"


def commits(place: Path, seconds: float) -> float:
    """Single-row commits a second, each on the disk when it returns."""
    path = place / f"raw-{uuid4().hex}.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE facts (position INTEGER PRIMARY KEY, state BLOB NOT NULL)")

        def commit() -> int:
            connection.execute("INSERT INTO facts (state) VALUES (?)", (ROW,))
            return 1

        return figures.rate(commit, seconds)


def beside_commits(
    place: Path, seconds: float, measure: Callable[[], float]
) -> tuple[float, figures.Yardstick]:
    """A figure, and the rate of raw commits right before and right after it."""
    before = commits(place, seconds / 4)
    figure = measure()
    after = commits(place, seconds / 4)
    return figure, figures.Yardstick(_COMMITS, fmean((before, after)))


def reading(ledger: Path) -> float:
    """Seconds to read every row of a ledger, as it is stored."""

    def read() -> None:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            cursor = connection.execute("SELECT rowid, * FROM stored_events ORDER BY rowid")
            while cursor.fetchmany(5_000):
                pass

    return figures.timed(read, repeats=2)


def python_start() -> float:
    """Seconds that a Python process takes to do nothing."""
    return figures.timed(_nothing, repeats=5)


def _nothing() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def python_memory() -> float:
    """Megabytes resident of a Python process that does nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as idle:
        assert idle.stdout is not None
        idle.stdout.readline()
        resident: int = psutil.Process(idle.pid).memory_info().rss
        idle.kill()
    return resident / 1e6
