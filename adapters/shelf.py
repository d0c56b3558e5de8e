"""Which plugins there are: files in a directory, and entry points of installed packages.

A plugin is known by the name of its file (`<name>.py`, or a folder `<name>` with an `__init__.py`)
or of its entry point in the group `wheelwright.plugins`. What begins with an underscore or a dot
is none. A file goes before an entry point of the same name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

import msgspec

from domain import plugin

GROUP: Final = "wheelwright.plugins"
_LARGEST: Final = 10 * 1024 * 1024


class Found(msgspec.Struct, frozen=True):
    """A plugin's place, and a stamp that changes when what is there does.

    `fault` says why it cannot even be loaded.
    """

    name: str
    origin: str
    digest: str
    fault: str | None = None


class Shelf:
    """Looks again and again, and reads only what has changed. Blocking."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stamps: dict[Path, tuple[tuple[object, ...], str]] = {}
        self._installed: tuple[Found, ...] | None = None

    def look(self) -> dict[str, Found]:
        """Everything that is there now, by name."""
        if self._installed is None:  # what is installed is what was there when we began
            self._installed = tuple(map(_of_entry_point, entry_points(group=GROUP)))
        found = {each.name: each for each in self._installed}
        return found | {each.name: each for each in self._files()}

    def place(self, origin: str) -> str:
        """Where a plugin is that was found: a file by its whole path."""
        kind, _, name = origin.partition(":")
        return f"file:{(self._directory / name).resolve()}" if kind == "file" else origin

    def _files(self) -> Iterator[Found]:
        with suppress(OSError):
            for path in sorted(self._directory.iterdir()):
                if not path.name.startswith(("_", ".")):
                    yield from self._found(path)

    def _found(self, path: Path) -> Iterator[Found]:
        """What is at a path, if that is code; what cannot be read there is its own fault."""
        try:
            if _is_code(path):
                yield _of_file(path, self._digest(path))
        except FileNotFoundError:  # it has just gone
            return
        except OSError as error:
            yield _of_file(path, "", f"it cannot be read: {error.strerror}")

    def _digest(self, path: Path) -> str:
        parts = sorted(_parts(path)) if path.is_dir() else [path]
        seen: tuple[object, ...] = tuple(
            (str(each), each.stat().st_mtime_ns, each.stat().st_size) for each in parts
        )
        known = self._stamps.get(path)
        if known is None or known[0] != seen:
            known = self._stamps[path] = (seen, _sum(path, parts))
        return known[1]


def _is_code(path: Path) -> bool:
    """Whether it is a regular file: whoever opens a pipe waits."""
    return (path.suffix == ".py" and path.is_file()) or (path / "__init__.py").is_file()


def _parts(folder: Path) -> Iterator[Path]:
    """The files of a plugin's folder, without what an editor keeps there meanwhile."""
    for each in folder.rglob("*.py"):
        hidden = any(name.startswith(".") for name in each.relative_to(folder).parts)
        if not hidden and each.is_file():
            yield each


def _sum(path: Path, parts: list[Path]) -> str:
    """SHA-256 of the names and what stands in them."""
    total = hashlib.sha256()
    for each in parts:
        with each.open("rb") as file:
            told = hashlib.sha256(file.read(_LARGEST)).hexdigest()
        total.update(os.fsencode(each.relative_to(path.parent)) + f" {told}\n".encode())
    return total.hexdigest()


def _of_file(path: Path, digest: str, fault: str | None = None) -> Found:
    name = _legible(path.stem)
    return Found(name, f"file:{_legible(path.name)}", digest, _misnamed(name) or fault)


def _legible(name: str) -> str:
    """A file's name as text, whatever bytes it is."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _of_entry_point(entry: EntryPoint) -> Found:
    version = entry.dist.version if entry.dist else ""
    return Found(
        entry.name,
        f"entry_point:{entry.value}",
        hashlib.sha256(f"{entry.value} {version}".encode()).hexdigest(),
        _misnamed(entry.name),
    )


def _misnamed(name: str) -> str | None:
    if plugin.NAME.fullmatch(name):
        return None
    return "its name must be small letters, digits and underscores, at most 40, a letter first"
