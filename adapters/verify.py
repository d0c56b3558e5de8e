"""`python -m adapters.verify [FILE]` tells whether the ledger is what was recorded.

The configured ledger, or the SQLite file named. When the configured one is whole, that is noted
beside it as a checkpoint; in a file named nothing is changed. `--json` is for the API, which
runs this aside: the verdict as data, whatever it is, and nothing noted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from adapters import chain, clock, event_store, settings
from domain import refusals


def main(arguments: list[str]) -> int:
    """Verify, and say what was found; exit 1 when the ledger is not whole."""
    asked = _asked(arguments)
    console = Console(stderr=asked.json, highlight=False, soft_wrap=True)
    try:
        log = _log(asked)
    except settings.Misconfigured as error:
        console.print(str(error))
        return 2
    except (refusals.Unavailable, FileNotFoundError) as error:
        console.print(f"the ledger cannot be opened: {error}")
        return 1
    with closing(log):
        verdicts = log.verify(full=not asked.incremental, passing=dict(asked.passing))
        if asked.json:
            *_, verdict = verdicts
            sys.stdout.buffer.write(msgspec.json.encode(verdict))
            return 0
        verdict = _watched(verdicts, console)
    if asked.file is None:
        _note(verdict, console)
    return _told(verdict, console)


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.verify", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a SQLite ledger")
    parser.add_argument("--incremental", action="store_true", help="from the last checkpoint on")
    parser.add_argument(
        "--passing",
        action="append",
        default=[],
        type=_checkpoint,
        metavar="POSITION:HASH",
        help="a checkpoint kept elsewhere that the chain must pass through",
    )
    parser.add_argument("--json", action="store_true", help="the verdict as data")
    return parser.parse_args(arguments)


def _checkpoint(text: str) -> tuple[int, str]:
    position, _, hash_ = text.partition(":")
    try:
        return int(position), chain.hash_of(hash_)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _log(asked: argparse.Namespace) -> event_store.EventStore:
    if asked.file is not None:
        return event_store.open_to_read(asked.file)
    return event_store.open_there(settings.load(os.environ))


def _watched(verdicts: Iterator[chain.Verdict], console: Console) -> chain.Verdict:
    """The last verdict, with a bar for whoever waits at a terminal."""
    verdict = chain.Verdict(0, 0, chain.GENESIS.hex())
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("facts", total=None)
        for verdict in verdicts:
            bar.update(task, completed=verdict.checked)
    return verdict


def _note(verdict: chain.Verdict, console: Console) -> None:
    chosen = settings.load(os.environ)
    try:
        with closing(event_store.open_store(chosen)) as log:
            log.note(verdict, clock.open(chosen).now())
    except refusals.Unavailable as error:
        console.print(f"no checkpoint could be kept: {error.message}")


def _told(verdict: chain.Verdict, console: Console) -> int:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
