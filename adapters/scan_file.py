"""How the last scan stands, in a file: also for who asks after the scanner has started anew."""

from __future__ import annotations

from pathlib import Path

import msgspec

from domain import refusals, subjects


def read(path: Path) -> subjects.Scan | None:
    """The last scan; None where there was none, or it cannot be read any more."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=subjects.Scan)
    except (OSError, msgspec.DecodeError):
        return None


def write(path: Path, scan: subjects.Scan) -> None:
    """Keep a scan in place of the one before; a crash leaves the one or the other whole.

    Raises refusals.Unavailable when the disk does not take it.
    """
    draft = path.with_suffix(".draft")
    try:
        draft.write_bytes(msgspec.json.encode(scan))
        draft.replace(path)
    except OSError as error:
        raise refusals.Unavailable(f"the scan cannot be kept: {error}", part="scanner") from error
