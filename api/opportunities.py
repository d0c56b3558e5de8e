"""Opportunities: contracts worth selling, as scans found them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api import desk
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from domain import facts, refusals
from domain import opportunity as opportunities
from projections import answers, questions

_READ = opportunities.Read()
From = Annotated[date | None, QueryParameter(name="from", description="First New York date.")]
To = Annotated[date | None, QueryParameter(name="to", description="Last New York date.")]


class OpportunityController(Controller):
    """Opportunities."""

    path = "/opportunities"
    tags = ("Opportunities",)

    @get()
    async def list_opportunities(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        symbol: FromQuery[str | None] = None,
        direction: FromQuery[facts.Direction | None] = None,
        profile: FromQuery[facts.Profile | None] = None,
        unread: FromQuery[bool | None] = None,
        first: From = None,
        last: To = None,
    ) -> Reply[Page[answers.Opportunity]]:
        """List opportunities, the newest day first, and of a day the best first."""
        wanted = questions.OpportunityFilter(symbol, direction, profile, unread, first, last)
        streams = None if clocks.is_now else await office.opportunities()
        async with office.views(clocks, streams) as views:
            found = await questions.all_opportunities(views, wanted, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @post("/{opportunity_id:uuid}/read", status_code=200)
    async def read(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        opportunity_id: FromPath[UUID],
        data: JSONBody[opportunities.Read] = _READ,
    ) -> Reply[Answer[answers.Opportunity]]:
        """Say that an opportunity has been looked at."""
        return await office.desk.carry_out(_task(opportunity_id, data), asked)


def _task(
    opportunity_id: UUID, command: opportunities.Read
) -> desk.Task[opportunities.Opportunity]:
    def decide(
        state: opportunities.Opportunity, now: datetime, command_id: UUID
    ) -> list[facts.Recorded]:
        if state.found is None:
            raise refusals.Unknown("opportunity", opportunity_id)
        return [
            _recorded(opportunity_id, state, fact, now, command_id, command)
            for fact in opportunities.decide(state, command)
        ]

    def show(state: opportunities.Opportunity, _: datetime) -> desk.Shown:
        return desk.Shown(answers.opportunity(opportunity_id, state), state.version)

    return desk.Task(
        opportunity_id, desk.OPPORTUNITY, command, decide, show, lambda state: state.version
    )


def _recorded(
    opportunity_id: UUID,
    state: opportunities.Opportunity,
    fact: facts.Fact,
    now: datetime,
    command_id: UUID,
    command: opportunities.Read,
) -> facts.Recorded:
    learned = now if state.recorded_at is None else max(now, state.recorded_at)
    return facts.Recorded(
        0,
        opportunity_id,
        state.version + 1,
        learned,
        learned,
        command.source,
        command_id,
        command.external_id,
        fact,
        command.notes,
    )
