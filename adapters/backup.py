"""Copies of the ledger, made while it is written, each read through before it counts as one.

Of a SQLite ledger a copy is a file of the same kind (`ledger-2026-01-05.db`), of one in PostgreSQL
the ledger as a file (`ledger-2026-01-05.jsonl`). `python -m adapters.restore` begins anew from
either.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from adapters import chain, event_store, ledger_file, sqlite_recorder
from adapters.settings import Settings
from domain import refusals

_NAME: Final = re.compile(r"ledger-\d{4}-\d\d-\d\d\.(db|jsonl)")


def make(settings: Settings, day: date, *, anew: bool = False) -> tuple[Path, chain.Verdict]:
    """Have a copy of that day, and what reading it through told.

    One that is there is kept, unless it is to be made `anew` or is no whole one. Raises
    chain.Torn where the ledger is not whole, refusals.Unavailable where it cannot be copied.
    """
    is_file = settings.event_store == "sqlite"
    path = settings.backups_dir / f"ledger-{day}.{'db' if is_file else 'jsonl'}"
    if not anew and (kept := _whole(path)) is not None:
        return path, kept
    with _kept():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = copy(settings.event_store_path, path) if is_file else _export(settings, path)
    return path, found


def copy(ledger: Path, path: Path) -> chain.Verdict:
    """Copy a SQLite ledger, read the copy through, and only then let it be there.

    Raises chain.Torn when it is not whole, refusals.Unavailable when it is no ledger.
    """
    if not ledger.is_file():
        raise FileNotFoundError(ledger)
    with _draft(path) as draft:
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


def tidy(settings: Settings, keep: int) -> list[Path]:
    """Remove all but the newest copies; what was removed."""
    found = sorted(each for each in settings.backups_dir.glob("ledger-*") if _is_copy(each))
    gone = found[:-keep]
    for path in gone:
        path.unlink()
    return gone


def _is_copy(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None


def _whole(path: Path) -> chain.Verdict | None:
    if not path.is_file():
        return None
    try:
        return read_through(path)
    except (chain.Torn, ledger_file.Unfit, refusals.Unavailable):
        return None


def _export(settings: Settings, path: Path) -> chain.Verdict:
    with closing(event_store.open_there(settings)) as log, _draft(path) as draft:
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
def _draft(path: Path) -> Iterator[Path]:
    """What is written under another name until it is whole and on the disk."""
    for left in sqlite_recorder.drafts(path):  # by one that was killed
        left.unlink()
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _kept() -> Iterator[None]:
    """No foreign exception crosses this border."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise refusals.Unavailable(f"no backup can be kept: {error}", part="backup") from error
