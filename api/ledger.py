"""The ledger itself: its events in their one order, and whether they are what was recorded."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from adapters import chain
from api.envelope import Reply
from api.office import Office
from api.shapes.envelope import Answer
from api.shapes.ledger import Event, Events, Verified
from domain import facts, refusals

Limit = Annotated[int, QueryParameter(ge=1, le=500)]


class LedgerController(Controller):
    """The ledger."""

    path = "/"
    tags = ("Ledger",)

    @get("/ledger/events")
    async def events(
        self,
        office: NamedDependency[Office],
        after: Annotated[int, QueryParameter(ge=0, le=2**62)] = 0,
        limit: Limit = 50,
        stream: FromQuery[UUID | None] = None,
        type: FromQuery[str | None] = None,  # noqa: A002  the query's own word
    ) -> Reply[Events]:
        """Page through the ledger in its one order."""
        if type is not None and type not in facts.NAMES:
            raise refusals.Invalid("type", type, f"must be among {', '.join(facts.NAMES)}")
        found = await asyncio.to_thread(_events, office, after, limit + 1, stream, type)
        more = len(found) > limit
        shown = found[:limit]
        head = await asyncio.to_thread(office.log.head)
        return Reply(Events(shown, shown[-1].position if more else None, head, office.clock.now()))

    @get("/wheels/{wheel_id:uuid}/events")
    async def wheel_events(
        self,
        office: NamedDependency[Office],
        wheel_id: FromPath[UUID],
        after: Annotated[int, QueryParameter(ge=0, le=2**62)] = 0,
        limit: Limit = 50,
    ) -> Reply[Events]:
        """Page through a wheel's events; `after` is a version of the wheel."""
        found = [_event(each) for each in await office.stream(wheel_id)]
        if not found:
            raise refusals.Unknown("wheel", wheel_id)
        later = [each for each in found if each.version > after]
        shown = later[:limit]
        more = len(later) > limit
        return Reply(
            Events(
                shown,
                shown[-1].version if more else None,
                found[-1].version,
                office.clock.now(),
            )
        )

    @get("/ledger/verify")
    async def verify(self, office: NamedDependency[Office]) -> Reply[Answer[Verified]]:
        """Recompute the hash chain and name the first position that differs, if any does."""
        verdict = await asyncio.to_thread(_verdict, office)
        broken = verdict.broken
        shown = Verified(
            ok=broken is None,
            checked=verdict.checked,
            head=verdict.head,
            head_hash=verdict.head_hash,
            first_bad_position=None if broken is None else broken.position,
            why=None if broken is None else broken.why,
        )
        return Reply(Answer(shown, office.clock.now()))


def _event(each: facts.Recorded) -> Event:
    return Event(
        position=each.position,
        stream_id=each.stream_id,
        kind=each.kind,
        version=each.version,
        type=each.name,
        recorded_at=each.recorded_at,
        effective_at=each.effective_at,
        source=each.source,
        command_id=each.command_id,
        external_id=each.external_id,
        notes=each.notes,
        data=each.fact,
    )


def _events(
    office: Office, after: int, limit: int, stream: UUID | None, name: str | None
) -> list[Event]:
    if stream is not None:
        found = [each for each in office.log.stream(stream) if each.position > after]
        return [_event(each) for each in found if name in (None, each.name)][:limit]
    return [_event(each) for each in office.log.named(after, limit, name)]


def _verdict(office: Office) -> chain.Verdict:
    verdict = chain.Verdict(0, 0, chain.GENESIS.hex())
    for each in office.log.verify():
        verdict = each
    return verdict
