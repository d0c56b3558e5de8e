"""`python -m projections rebuild`: the views anew from the log.

And what the API has done aside, in a process of its own: `python -m projections past ...`.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from rich.console import Console
from rich.progress import Progress

from adapters import event_store, settings
from domain import refusals
from projections import past, rebuild


def main(arguments: list[str]) -> int:
    """Carry out a command; 2 when there is none such, 1 when it failed."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        sys.stderr.write(f"usage: python -m projections {' | '.join(COMMANDS)}\n")
        return 2
    try:
        return command(settings.load(os.environ), arguments[1:])
    except settings.Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except refusals.Unavailable as error:
        sys.stderr.write(f"{error.message}\n")
        return 1


def _past(chosen: settings.Settings, arguments: list[str]) -> int:
    """Make a checkpoint of the past, or bring it up to the log's head; silent when it is done."""
    parser = ArgumentParser("python -m projections past")
    parser.add_argument("--as-of", type=datetime.fromisoformat)
    parser.add_argument("--known-at", type=datetime.fromisoformat)
    asked = parser.parse_args(arguments)
    with closing(event_store.open_there(chosen)) as log:
        past.bring(log, chosen.views_path, past.When(asked.as_of, asked.known_at))
    return 0


def _rebuilt(chosen: settings.Settings, _: list[str]) -> int:
    """Rebuild, with a progress bar; 1 when the old views were not what the log says.

    What was kept of the past goes with them, to be made anew when it is asked for.
    """
    console = Console(highlight=False, soft_wrap=True)
    with closing(event_store.open_store(chosen)) as log, Progress(console=console) as bar:
        task = bar.add_task("facts")
        done = rebuild.rebuild(
            log,
            chosen.views_path,
            lambda count, of: bar.update(task, completed=count, total=of or 1),
        )
    past.forget(chosen.views_path)
    console.print(f"rebuilt up to position {done.position}: sha256 {done.after}")
    if done.before is None:
        console.print("there were no views at that position to compare with")
        return 0
    equal = done.before == done.after
    console.print("equal to the live views" if equal else f"the live views were {done.before}")
    return 0 if equal else 1


COMMANDS: dict[str, Callable[[settings.Settings, list[str]], int]] = {
    "rebuild": _rebuilt,
    "past": _past,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
