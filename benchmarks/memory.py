"""The memory of every process of an instance, watched while it works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import psutil

from benchmarks import raw
from benchmarks.figures import Aim, Line, Yardstick

T = TypeVar("T")
MOST: Final = 600
"""Megabytes that everything together may hold."""
_LOOK_EVERY: Final = 0.5


class Scales:
    """Weighs what runs below a process, and keeps the heaviest weighing."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._heaviest: dict[str, float] = {}

    async def during(self, work: Awaitable[T]) -> T:
        """Weigh now and then while something else goes on."""
        weighing = asyncio.create_task(self._weigh())
        try:
            return await work
        finally:
            weighing.cancel()

    def heaviest(self, name: str) -> float:
        """Megabytes of one process in the heaviest weighing."""
        return self._heaviest.get(name, 0.0)

    async def _weigh(self) -> None:
        while True:
            found = self.weighed()
            if sum(found.values()) > sum(self._heaviest.values()):
                self._heaviest = found
            await asyncio.sleep(_LOOK_EVERY)

    def weighed(self) -> dict[str, float]:
        """Megabytes resident by process, at this moment."""
        found = {}
        for process in (self._root, *self._root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found[_name(process)] = process.memory_info().rss / 1e6
        return found

    def lines(self) -> Iterator[Line]:
        """The heaviest weighing, process by process, and its sum."""
        bare = Yardstick("a Python that does nothing", raw.python_memory())
        for name, megabytes in sorted(self._heaviest.items(), key=lambda each: -each[1]):
            yield _line(name, f"memory of {name}", megabytes, bare)
        total = sum(self._heaviest.values())
        yield _line("all", "memory of all", total, bare, Aim(f"under {MOST} MB", total < MOST))


def _name(process: psutil.Process) -> str:
    """A process as the supervisor's list calls it."""
    words = process.cmdline()
    match words[1:]:
        case ["-m", "workers", name]:
            return name
        case ["-m", "supervisor", *_]:
            return "keeper"
        case ["-m", "supervisor.instance", *_]:
            return "supervisor"
        case ["-m", name, *_]:
            return name
        case _:
            return Path(words[0]).name if words else process.name()


def _line(key: str, name: str, megabytes: float, bare: Yardstick, aim: Aim | None = None) -> Line:
    return Line(
        key=f"memory.{key}",
        name=name,
        value=megabytes,
        unit="MB",
        better="less",
        yardstick=bare,
        aim=aim,
    )
