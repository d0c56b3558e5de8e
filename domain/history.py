"""Two clocks: what happened by an instant, as far as it was known by another.

The history known at K is the facts recorded by K with the amendments recorded by K
applied; the position as of A is the fold of those effective by A, in the order of
(effective_at, version). The wheel's start sorts first whatever its dates.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec

from domain import facts, refusals

_Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class Entry(msgspec.Struct, frozen=True):
    """One fact as it is believed now: its own version and source, amendments applied.

    `amended_by` lists the versions of the amendments that touched it.
    """

    version: int
    effective_at: datetime
    recorded_at: datetime
    source: str
    fact: facts.WheelFact
    external_id: str | None = None
    notes: str | None = None
    voided: bool = False
    amended_by: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[bool, datetime, int]:
        """Where it stands in the fold."""
        return (not isinstance(self.fact, facts.WheelStarted), self.effective_at, self.version)

    def happened(self, by: datetime) -> bool:
        """Whether it had happened by an instant; the wheel's start always had."""
        return self.effective_at <= by or isinstance(self.fact, facts.WheelStarted)


def entry(recorded: facts.Recorded) -> Entry:
    """A recorded fact before any amendment."""
    assert not isinstance(recorded.fact, facts.Amendment)
    return Entry(
        recorded.version,
        recorded.effective_at,
        recorded.recorded_at,
        recorded.source,
        recorded.fact,  # type: ignore[arg-type]
        recorded.external_id,
        recorded.notes,
    )


def amended(by_version: dict[int, Entry], version: int, amendment: facts.Amendment) -> Entry | None:
    """The entry that an amendment leaves, or None when it amends nothing."""
    before = by_version.get(amendment.fact_version)
    if before is None:
        return None
    touched = (*before.amended_by, version)
    match amendment:
        case facts.FactVoided():
            return msgspec.structs.replace(before, voided=True, amended_by=touched)
        case facts.FactCorrected(changes=changes):
            try:
                after = corrected(before, changes)
            except refusals.Invalid:  # asked before it was recorded; what is recorded is readable
                after = before
            return msgspec.structs.replace(after, amended_by=touched)


def corrected(before: Entry, changes: dict[str, Any]) -> Entry:
    """Apply changed fields to an entry; `effective_at` is the entry's own, the rest the fact's.

    Raises refusals.Invalid when the changed fact has no such field or no such value.
    """
    fields = dict(changes)
    try:
        effective_at = _instant(fields.pop("effective_at", None), before.effective_at)
        if not fields:
            return msgspec.structs.replace(before, effective_at=effective_at)
        whole = msgspec.to_builtins(before.fact) | fields
        fact = msgspec.convert(whole, type(before.fact), strict=False)
    except msgspec.ValidationError as error:
        raise refusals.Invalid("changes", fields, str(error)) from error
    return msgspec.structs.replace(before, fact=fact, effective_at=effective_at)


def _instant(text: Any, default: datetime) -> datetime:
    return default if text is None else msgspec.convert(text, _Aware, strict=False)


def believed(
    stream: Iterable[facts.Recorded], known_at: datetime | None = None
) -> dict[int, Entry]:
    """Every fact recorded by `known_at`, amendments applied, voided ones marked; by version."""
    entries: dict[int, Entry] = {}
    for recorded in stream:
        if known_at is not None and recorded.recorded_at > known_at:
            continue
        if isinstance(recorded.fact, facts.Amendment):
            after = amended(entries, recorded.version, recorded.fact)
            if after is not None:
                entries[after.version] = after
        else:
            entries[recorded.version] = entry(recorded)
    return entries


def timeline(entries: Iterable[Entry], as_of: datetime | None = None) -> list[Entry]:
    """The entries that stand, in the order in which they happened, by `as_of`."""
    standing = [
        each for each in entries if not each.voided and (as_of is None or each.happened(as_of))
    ]
    standing.sort(key=lambda each: each.order)
    return standing
