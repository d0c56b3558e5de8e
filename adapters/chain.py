"""The hash chain that makes the log verifiable: each row's hash covers the row before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

GENESIS = bytes(32)


class Row(msgspec.Struct, frozen=True):
    """A stored row as it is hashed, its columns as they are written, if not as they should be."""

    position: int
    stream: str
    version: str
    name: str
    state: bytes


class Broken(msgspec.Struct, frozen=True):
    """The first position at which the log is not what was recorded, and in what way."""

    position: int
    why: str


class Verdict(msgspec.Struct, frozen=True):
    """What verification found: rows checked, the head's hash, and the first fault if any."""

    checked: int
    head: int
    head_hash: str
    broken: Broken | None = None


def link(previous: bytes, row: Row) -> bytes:
    """SHA-256 over the previous hash, the row's place and its stored bytes."""
    place = f"{row.position}\n{row.stream}\n{row.version}\n{row.name}\n"
    written = place.encode(errors="surrogateescape")
    return hashlib.sha256(previous + written + row.state).digest()


def verify(rows: Iterable[Row], links: Iterable[tuple[int, bytes]]) -> Iterator[Verdict]:
    """Recompute the chain row by row, yielding as it goes; the last verdict is the whole's."""
    stored = iter(links)
    previous, checked, head = GENESIS, 0, 0
    for row in rows:
        position, expected = next(stored, (0, b""))
        previous = link(previous, row)
        broken = _fault(row.position, position, matches=previous == expected)
        if broken is not None:
            yield Verdict(checked, head, expected.hex(), broken)
            return
        checked, head = checked + 1, row.position
        yield Verdict(checked, head, previous.hex())
    left = next(stored, None)
    if left is not None:
        missing = Broken(left[0], "the row is missing")
        yield Verdict(checked, head, previous.hex(), missing)
    elif not checked:
        yield Verdict(0, 0, GENESIS.hex())


def _fault(row: int, linked: int, *, matches: bool) -> Broken | None:
    if row == linked:
        return None if matches else Broken(row, "the row is not what was recorded")
    if not linked or row < linked:
        return Broken(row, "the row was never recorded")
    return Broken(linked, "the row is missing")
