"""The hash chain that makes the log verifiable: each row's hash covers the row before it.

What protects from what: a row that is changed, put in or taken out breaks the chain behind it.
Whoever can write the file can also compute the chain anew from there; then it passes through
other hashes than before, and every checkpoint noted earlier (a position and its hash) tells.
Checkpoints kept beside the rows can be forged with them; those that others keep cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

GENESIS = bytes(32)
_TOLD_EVERY = 1_000
_REPLACED = (
    "the chain had another hash here at an earlier check:"
    " this fact or one before it was replaced, and the chain computed anew"
)


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
    """What verification found: rows checked, the head's hash, and the first fault if any.

    `since` is the position from whose checkpoint on it was checked, 0 for the first fact.
    """

    checked: int
    head: int
    head_hash: str
    broken: Broken | None = None
    since: int = 0


class Checkpoint(msgspec.Struct, frozen=True):
    """The chain's hash at a position, noted when a verification found all whole up to there.

    The rows behind `since` were read then: 0 when it was every one.
    """

    position: int
    hash: str
    at: datetime
    since: int


class Torn(Exception):
    """The chain does not go on."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(why)
        self.broken = Broken(position, why)


def hash_of(text: str) -> str:
    """A hash as somebody wrote it down, in either case; raises ValueError when it is none."""
    told = bytes.fromhex(text)
    if len(told) != len(GENESIS):
        raise ValueError(f"must be {2 * len(GENESIS)} hexadecimal digits")
    return told.hex()


def link(previous: bytes, row: Row) -> bytes:
    """SHA-256 over the previous hash, the row's place and its stored bytes."""
    place = f"{row.position}\n{row.stream}\n{row.version}\n{row.name}\n"
    written = place.encode(errors="surrogateescape")
    return hashlib.sha256(previous + written + row.state).digest()


def walk(
    rows: Iterable[Row], links: Iterable[tuple[int, bytes]], previous: bytes
) -> Iterator[tuple[Row, bytes]]:
    """Each row with its hash, computed anew behind `previous`; raises Torn where it is another."""
    stored = iter(links)
    for row in rows:
        position, expected = next(stored, (0, b""))
        previous = link(previous, row)
        _agree(row.position, position, matches=previous == expected)
        yield row, previous
    left = next(stored, None)
    if left is not None:
        raise Torn(left[0], "the row is missing")


def _agree(row: int, linked: int, *, matches: bool) -> None:
    if row == linked:
        if not matches:
            raise Torn(row, "the row is not what was recorded")
    elif not linked or row < linked:
        raise Torn(row, "the row was never recorded")
    else:
        raise Torn(linked, "the row is missing")


def passing(
    walked: Iterable[tuple[Row, bytes]], noted: Mapping[int, str]
) -> Iterator[tuple[Row, bytes]]:
    """The same walk, which must pass through hashes noted earlier; raises Torn if it does not."""
    waiting = sorted(noted, reverse=True)
    for row, hash_ in walked:
        if waiting and row.position > waiting[-1]:
            break
        if waiting and row.position == waiting[-1] and noted[waiting.pop()] != hash_.hex():
            raise Torn(row.position, _REPLACED)
        yield row, hash_
    if waiting:
        raise Torn(waiting[-1], "the row is missing")


def verify(walked: Iterable[tuple[Row, bytes]], start: Verdict) -> Iterator[Verdict]:
    """Follow a walk behind `start`, telling now and then how far it is; the last verdict counts."""
    checked, head, reached, broken = 0, start.head, start.head_hash, None
    try:
        for row, hash_ in walked:
            checked, head, reached = checked + 1, row.position, hash_.hex()
            if checked % _TOLD_EVERY == 0:
                yield Verdict(checked, head, reached, since=start.since)
    except Torn as torn:
        broken = torn.broken
    yield Verdict(checked, head, reached, broken, start.since)
