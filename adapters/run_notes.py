"""Which runs of plugins have begun, a file for each: what their worker leaves where it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from adapters import private
from domain import facts


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has begun."""

    run_id: UUID
    plugin: str
    plugin_version: str
    due_at: datetime
    trigger: facts.Trigger
    started_at: datetime


class Notes:
    """A directory of notes. Blocking; raises OSError when the disk does not take one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, note: Note) -> None:
        """A run begins."""
        self._directory.mkdir(parents=True, exist_ok=True)
        private.write(self._path(note.run_id), msgspec.json.encode(note))

    def strike(self, run_id: UUID) -> None:
        """A run is recorded, or was never to be."""
        self._path(run_id).unlink(missing_ok=True)

    def left(self) -> Iterator[Note]:
        """The runs that began and were not struck."""
        for path in sorted(self._directory.glob("*.json")):
            with suppress(OSError, msgspec.MsgspecError):
                yield msgspec.json.decode(path.read_bytes(), type=Note)

    def _path(self, run_id: UUID) -> Path:
        return self._directory / f"{run_id}.json"
