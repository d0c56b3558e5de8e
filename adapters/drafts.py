"""Files that are written under another name until they are whole and on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """Where to write what is `path` once the block has ended well, in place of what is there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def left(path: Path) -> list[Path]:
    """The drafts that are being made, or never were finished, and their journals."""
    return list(path.parent.glob(f"{path.name}.*.draft*"))
