"""How long `make run-all` takes, already installed, until the instance is healthy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks import instance, raw
from benchmarks.figures import Aim, Line, Sizes, Yardstick

WITHIN: Final = 5.0
MAKE: Final = ("make", "--silent", "run-all")


def measure(place: Path, sizes: Sizes) -> Iterator[Line]:  # noqa: ARG001 - one shape for all parts
    """Twice in the same directory: what the first start makes, the second finds."""
    _must_be_installed()
    bare = Yardstick("a Python that does nothing", raw.python_start())
    for number, name in enumerate(("first start", "second start")):
        with instance.running(place / "start", MAKE) as running:
            after = running.healthy_after
        yield Line(
            key=f"start.{number + 1}",
            name=f"make run-all to healthy, {name}",
            value=after,
            unit="s",
            better="less",
            yardstick=bare,
            aim=Aim(f"under {WITHIN:.0f} s", after < WITHIN) if number else None,
        )


def _must_be_installed() -> None:
    """Else `make run-all` would install first, into the environment that we run from."""
    asked = subprocess.run(["make", "--question", "install"], check=False)  # noqa: S607
    if asked.returncode:
        raise instance.Trouble("something has changed: `make install` first")
