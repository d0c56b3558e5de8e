"""`python -m adapters.restore BACKUP DATA_DIR` begins a new data directory from a backup.

A copy of a SQLite ledger (.db), or the ledger as a file (.jsonl). The directory must be empty; it
has the whole ledger, with the same hash at its head, or nothing. The views are made anew when the
instance starts.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from adapters import backup, chain, ledger_file, settings
from domain import refusals

_REASONS: Final = (
    chain.Torn,
    ledger_file.Unfit,
    refusals.Refusal,
    OSError,
    sqlite3.Error,
    UnicodeDecodeError,
)
"""Why a backup cannot be restored; the last where a table's own description is damaged."""


def restore(file: Path, chosen: settings.Settings) -> chain.Verdict:
    """Make the ledger that the settings name from a backup, and say what it holds.

    Raises refusals.Exists when there is something already, refusals.Invalid where a copy of a
    SQLite ledger is to become another kind, chain.Torn or ledger_file.Unfit when the backup is not
    whole, FileNotFoundError.
    """
    if file.suffix == ".jsonl":
        end = ledger_file.begin_anew(file, chosen)
        return chain.Verdict(end.facts, end.head, end.hash)
    if chosen.event_store != "sqlite":
        raise refusals.Invalid(
            "event_store", "postgresql", "must be sqlite: import the ledger as a file instead"
        )
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}")
    with ledger_file.new(chosen):
        return backup.copy(file, chosen.event_store_path)


def main(arguments: list[str]) -> int:
    """Restore, and say what; exit 1 with a line that says why, when it could not be done."""
    asked = _asked(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        chosen = msgspec.structs.replace(settings.load(os.environ), data_dir=asked.data_dir)
        found = restore(asked.backup, chosen)
    except settings.Misconfigured as error:
        console.print(str(error), markup=False)
        return 2
    except _REASONS as error:
        console.print(f"nothing was restored: {error}", markup=False)
        return 1
    Console(highlight=False, soft_wrap=True).print(
        f"restored, whole: {found.checked} facts, head at {found.head}, sha256 {found.head_hash}"
    )
    return 0


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.restore", description=__doc__)
    parser.add_argument("backup", type=Path, help="a file from the folder backups")
    parser.add_argument("data_dir", type=Path, help="an empty directory, or one that is not there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
