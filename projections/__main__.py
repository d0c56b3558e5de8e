"""`python -m projections rebuild`: the views anew from the log."""

from __future__ import annotations

import os
import sys
from contextlib import closing

from rich.console import Console
from rich.progress import Progress

from adapters import event_store, settings
from domain import refusals
from projections import rebuild


def main(arguments: list[str]) -> int:
    """Rebuild, with a progress bar; exit 1 when the old views were not what the log says."""
    if arguments != ["rebuild"]:
        Console(stderr=True).print("usage: python -m projections rebuild")
        return 2
    console = Console(highlight=False, soft_wrap=True)
    try:
        chosen = settings.load(os.environ)
    except settings.Misconfigured as error:
        Console(stderr=True).print(str(error))
        return 2
    try:
        return _rebuilt(chosen, console)
    except refusals.Unavailable as error:
        Console(stderr=True).print(error.message)
        return 1


def _rebuilt(chosen: settings.Settings, console: Console) -> int:
    with closing(event_store.open_store(chosen)) as log, Progress(console=console) as bar:
        task = bar.add_task("facts")
        done = rebuild.rebuild(
            log,
            chosen.views_path,
            lambda count, of: bar.update(task, completed=count, total=of or 1),
        )
    console.print(f"rebuilt up to position {done.position}: sha256 {done.after}")
    if done.before is None:
        console.print("there were no views at that position to compare with")
        return 0
    equal = done.before == done.after
    console.print("equal to the live views" if equal else f"the live views were {done.before}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
