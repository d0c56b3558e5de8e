"""Copies of the ledger, made while it is written, each read through before it counts as one.

Of a SQLite ledger a copy is a file of the same kind (`ledger-2026-01-05.db`), of one in PostgreSQL
the ledger as a file (`ledger-2026-01-05.jsonl`). `python -m adapters.restore` begins anew from
either.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from adapters import alone, chain, drafts, event_store, ledger_file
from adapters.settings import Settings
from domain import refusals

_NAME: Final = re.compile(r"ledger-\d{4}-\d\d-\d\d\.(db|jsonl)")


def make(settings: Settings, day: date) -> tuple[Path, chain.Verdict]:
    """Have a copy of that day, in place of one that is there, and what reading it through told.

    One at a time. Raises chain.Torn where the ledger is not whole, refusals.Unavailable where it
    cannot be copied: then what was there stays.
    """
    is_file = settings.event_store == "sqlite"
    path = settings.backups_dir / f"ledger-{day}.{'db' if is_file else 'jsonl'}"
    with _kept(), alone.alone(settings.data_dir / "backup.lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob("ledger-*.draft*"):  # by one that was killed
            left.unlink()
        found = copy(settings.event_store_path, path) if is_file else _export(settings, path)
    return path, found


def copy(ledger: Path, path: Path) -> chain.Verdict:
    """Copy a SQLite ledger, read the copy through, and only then let it be there.

    Raises chain.Torn when it is not whole, refusals.Unavailable when it is no ledger.
    """
    if not ledger.is_file():
        raise FileNotFoundError(ledger)
    with drafts.finished(path) as draft:
        source = sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(draft)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # the copy is this one file
        return _rows(draft)


def read_through(path: Path) -> chain.Verdict:
    """What a copy holds. Raises chain.Torn, or ledger_file.Unfit, where it is not whole."""
    return _lines(path) if path.suffix == ".jsonl" else _rows(path)


def _rows(path: Path) -> chain.Verdict:
    with closing(event_store.open_to_read(path)) as log:
        *_, verdict = log.verify()
    if verdict.broken is not None:
        raise chain.Torn(verdict.broken.position, f"{path.name}: {verdict.broken.why}")
    return verdict


def tidy(settings: Settings, keep: int, made: Path) -> list[Path]:
    """Remove all but the newest copies; what was removed.

    Newer than the one just made is what a clock made that was ahead: that goes first.
    """
    found = [each for each in settings.backups_dir.glob("ledger-*") if _is_copy(each)]
    gone = sorted(found, key=lambda each: (each.name <= made.name, each.name))[:-keep]
    for path in gone:
        path.unlink()
    return gone


def _is_copy(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None


def _export(settings: Settings, path: Path) -> chain.Verdict:
    with closing(event_store.open_there(settings)) as log, drafts.finished(path) as draft:
        with draft.open("wb") as target:
            ledger_file.write(ledger_file.written(log), target)
        return _lines(draft)


def _lines(path: Path) -> chain.Verdict:
    found = chain.Verdict(0, 0, chain.GENESIS.hex())
    with path.open("rb") as source:
        for count, (row, hash_) in enumerate(ledger_file.read(source), 1):
            found = chain.Verdict(count, row.position, hash_.hex())
    return found


@contextmanager
def _kept() -> Iterator[None]:
    """No foreign exception crosses this border."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise refusals.Unavailable(f"no backup can be kept: {error}", part="backup") from error
