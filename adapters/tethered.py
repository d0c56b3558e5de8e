"""`python -m adapters.tethered MODULE ...`: a module run aside, that gives way and never stays.

It runs with low priority, and as long as somebody holds the other end of its stdin: a parent that
dies, however it dies, takes it along.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading

GIVES_WAY = 10
LET_GO = 3


def main(arguments: list[str]) -> None:
    """Run the module as `python -m` would; its exit is ours."""
    threading.Thread(target=_hold_on, name="tether", daemon=True).start()
    os.nice(GIVES_WAY)
    sys.argv = arguments  # run_module puts the module's own path first
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def _hold_on() -> None:
    """Wait until nobody holds the other end: then there is nobody to work for."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(LET_GO)


if __name__ == "__main__":
    main(sys.argv[1:])
