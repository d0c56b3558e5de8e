"""`python -m benchmarks`: measures, prints one table, and keeps it when asked."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import (
    baseline,
    commands,
    figures,
    large,
    live,
    market,
    over_http,
    replay,
    risk,
    scan,
    start,
    streams,
    table,
)
from benchmarks.figures import Line, Sizes
from benchmarks.instance import Trouble

PARTS: Final[Mapping[str, Callable[[Path, Sizes], Iterator[Line]]]] = {
    "commands": commands.measure,
    "over_http": over_http.measure,
    "live": live.measure,
    "streams": streams.measure,
    "scan": scan.measure,
    "start": start.measure,
    "risk": risk.measure,
    "market": market.measure,
    "replay": replay.measure,
    "large": large.measure,
}
WIDE: Final = 150
INTERRUPTED: Final = 130


def main(arguments: list[str]) -> int:
    """Measure the parts that are asked for; all of them when none is named."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    size: baseline.Size = "quick" if given.quick else "full"
    sizes = figures.QUICK if given.quick else figures.FULL
    found: dict[str, list[Line]] = {}
    status = _measured(given.parts or list(PARTS), given.dir, sizes, found)
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(table.of(found.values(), baseline.read(size)))
    if given.save and not status:
        lines = [line for part in found.values() for line in part]
        print(f"kept in {baseline.write(given.save, lines, size)}")
    return status


def _measured(names: list[str], root: Path, sizes: Sizes, found: dict[str, list[Line]]) -> int:
    """Measure part after part into `found`; what was found before an interruption stays."""
    errors = Console(stderr=True)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with errors.status("measuring") as status:
            for name in names:
                found[name] = []
                with tempfile.TemporaryDirectory(prefix="bench-", dir=root) as place:
                    for line in PARTS[name](Path(place), sizes):
                        found[name].append(line)
                        status.update(f"measuring {name}; last: {line.name}")
    except KeyboardInterrupt:
        errors.print("interrupted")
        return INTERRUPTED
    except Trouble as reason:
        errors.print(str(reason), markup=False)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    parser.add_argument(
        "--save",
        nargs="?",
        const="latest",
        metavar="NAME",
        help="keep the figures in benchmarks/NAME.json (latest); "
        "`baseline` is what is compared with",
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("var"), help="on the disk to be measured (var)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
