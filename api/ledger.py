"""The ledger itself: its events in their one order, and whether they are what was recorded."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from adapters import beside, chain
from api.envelope import Reply
from api.office import Office
from api.shapes.envelope import Answer
from api.shapes.ledger import Checkpoint, Checkpoints, Event, Events, Verified
from domain import facts, refusals

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
After = Annotated[int, QueryParameter(ge=0, le=2**62, description="Only what is behind this.")]
Before = Annotated[
    int | None, QueryParameter(ge=0, le=2**62, description="Only what is before this.")
]
Order = Annotated[
    Literal["asc", "desc"], QueryParameter(description="As recorded, or the newest first.")
]
JSON_LINES = "application/x-ndjson"
_logger = logging.getLogger(__name__)


class LedgerController(Controller):
    """The ledger."""

    path = "/"
    tags = ("Ledger",)

    @get("/ledger/events")
    async def events(
        self,
        office: NamedDependency[Office],
        after: After = 0,
        before: Before = None,
        order: Order = "asc",
        limit: Limit = 50,
        stream: FromQuery[UUID | None] = None,
        type: FromQuery[str | None] = None,  # noqa: A002  the query's own word
    ) -> Reply[Events]:
        """Page through the ledger in its one order, or back from its newest event."""
        if type is not None and type not in facts.NAMES:
            raise refusals.Invalid("type", type, f"must be among {', '.join(facts.NAMES)}")
        wanted = beside.Part(
            limit=limit + 1,
            after=after,
            before=before,
            newest_first=order == "desc",
            stream=stream,
            name=type,
        )
        found = await asyncio.to_thread(office.log.part, wanted)
        head = await asyncio.to_thread(office.log.head)
        return _paged(office, wanted, found, head)

    @get("/wheels/{wheel_id:uuid}/events")
    async def wheel_events(
        self,
        office: NamedDependency[Office],
        wheel_id: FromPath[UUID],
        after: After = 0,
        before: Before = None,
        order: Order = "asc",
        limit: Limit = 50,
    ) -> Reply[Events]:
        """Page through a wheel's events; `after`, `before` and `head` are versions of the wheel."""
        wanted = beside.Part(
            limit=limit + 1,
            after=after,
            before=before,
            newest_first=order == "desc",
            stream=wheel_id,
            versions=True,
        )
        newest = beside.Part(limit=1, newest_first=True, stream=wheel_id)
        last = await asyncio.to_thread(office.log.part, newest)
        if not last or last[0].kind != "wheel":
            raise refusals.Unknown("wheel", wheel_id)
        found = await asyncio.to_thread(office.log.part, wanted)
        return _paged(office, wanted, found, last[0].version)

    @get("/ledger/verify")
    async def verify(
        self,
        office: NamedDependency[Office],
        full: Annotated[
            bool, QueryParameter(description="From the first event, not the last checkpoint.")
        ] = False,
        position: Annotated[
            int | None,
            QueryParameter(ge=1, le=2**62, description="Of a checkpoint kept elsewhere."),
        ] = None,
        hash: Annotated[  # noqa: A002  the query's own word
            str | None, QueryParameter(description="The hash at that position.")
        ] = None,
    ) -> Reply[Answer[Verified]]:
        """Recompute the hash chain, and name the first position that differs, if any does.

        With `position` and `hash`, a checkpoint that was published once, from the first event
        on: whether the ledger still holds what it held then. A ledger found whole is noted as a
        checkpoint.
        """
        arguments = [] if full or position is not None else ["--incremental"]
        if (position is None) != (hash is None):
            missing = "hash" if hash is None else "position"
            raise refusals.Invalid(missing, None, "must be given with the other")
        if hash is not None:
            arguments += ["--passing", f"{position}:{_hash(hash)}"]
        async with office.aside.running("adapters.verify", "--json", *arguments) as child:
            verdict = msgspec.json.decode(await child.whole(), type=chain.Verdict)
        now = office.clock.now()
        try:
            await asyncio.to_thread(office.log.note, verdict, now)
        except refusals.Unavailable as error:
            _logger.warning("no checkpoint could be kept: %s", error.message)
        return Reply(Answer(_verified(verdict), now))

    @get("/ledger/checkpoints")
    async def checkpoints(
        self, office: NamedDependency[Office], before: Before = None, limit: Limit = 50
    ) -> Reply[Checkpoints]:
        """List the checkpoints, the newest first: keep some elsewhere, to verify against."""
        found = await asyncio.to_thread(office.log.checkpoints, limit + 1, before=before)
        shown = [
            Checkpoint(each.position, each.hash, each.at, each.since) for each in found[:limit]
        ]
        more = shown[-1].position if len(found) > limit else None
        return Reply(Checkpoints(shown, more, office.clock.now()))

    @get("/ledger/export", media_type=JSON_LINES)
    async def export(self, office: NamedDependency[Office], after: After = 0) -> Stream:
        """Export the ledger as JSON lines; the last one carries the head's position and hash.

        An export without a last line was cut off. `make import` begins anew from a whole one.
        """
        head = await asyncio.to_thread(office.log.head)
        if after > head:
            raise refusals.Invalid("after", after, f"must be at most the head, {head}")
        lines = await office.aside.streamed("adapters.ledger_file", "export", "--after", str(after))
        name = f'attachment; filename="ledger-{head}.jsonl"'
        return Stream(lines, media_type=JSON_LINES, headers={"Content-Disposition": name})


def _paged(
    office: Office, wanted: beside.Part, found: list[facts.Recorded], head: int
) -> Reply[Events]:
    """A page's reply; one more event than it holds was asked for, to know whether there are any."""
    shown = found[: wanted.limit - 1]
    last = shown[-1] if len(found) == wanted.limit else None
    place = None if last is None else last.version if wanted.versions else last.position
    told = Events(
        data=[Event.of(each) for each in shown],
        next_after=None if wanted.newest_first else place,
        next_before=place if wanted.newest_first else None,
        head=head,
        timestamp=office.clock.now(),
    )
    return Reply(told)


def _hash(text: str) -> str:
    try:
        return chain.hash_of(text)
    except ValueError:
        raise refusals.Invalid("hash", text, "must be 64 hexadecimal digits") from None


def _verified(verdict: chain.Verdict) -> Verified:
    broken = verdict.broken
    if broken is None:
        _logger.info("the ledger is whole up to %s: sha256 %s", verdict.head, verdict.head_hash)
    else:
        _logger.error("the ledger is not whole: position %s: %s", broken.position, broken.why)
    return Verified(
        ok=broken is None,
        since=verdict.since,
        checked=verdict.checked,
        head=verdict.head,
        head_hash=verdict.head_hash,
        first_bad_position=None if broken is None else broken.position,
        why=None if broken is None else broken.why,
    )
