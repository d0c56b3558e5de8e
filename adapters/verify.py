"""`python -m adapters.verify [FILE]` tells whether the ledger is what was recorded."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from adapters import chain, event_store, settings
from domain import refusals


def main(arguments: list[str]) -> int:
    """Verify the configured ledger, or the SQLite file named; exit 1 when it is not whole."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        log = _log(arguments)
    except settings.Misconfigured as error:
        console.print(str(error))
        return 2
    except (refusals.Unavailable, FileNotFoundError) as error:
        console.print(f"the ledger cannot be opened: {error}")
        return 1
    with closing(log):
        verdict = _verdict(log, console)
    if verdict.broken is None:
        console.print(
            f"whole: {verdict.checked} facts, head at {verdict.head}, sha256 {verdict.head_hash}"
        )
        return 0
    console.print(
        f"NOT WHOLE: first bad position {verdict.broken.position}: {verdict.broken.why}"
        f" ({verdict.checked} facts before it are whole)"
    )
    return 1


def _log(arguments: list[str]) -> event_store.EventStore:
    if arguments:
        return _file(Path(arguments[0]))
    chosen = settings.load(os.environ)
    if chosen.event_store == "sqlite":
        return _file(chosen.event_store_path)
    return event_store.open_store(chosen)


def _file(path: Path) -> event_store.EventStore:
    if not path.is_file():
        raise FileNotFoundError(path)
    return event_store.open_to_read(path)


def _verdict(log: event_store.EventStore, console: Console) -> chain.Verdict:
    """The whole's verdict, with a bar for whoever waits at a terminal."""
    verdict = chain.Verdict(0, 0, chain.GENESIS.hex())
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("facts", total=None)
        for verdict in log.verify():
            if verdict.checked % 1_000 == 0:
                bar.update(task, completed=verdict.checked)
    return verdict


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
