"""Performance of a wheel and of a portfolio, under any policy."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from api import figures
from api.envelope import Reply
from api.office import Office, When
from api.shapes.envelope import Answer
from api.shapes.performance import Performance
from domain import policies
from projections import questions

PolicyQuery = Annotated[str, QueryParameter(description="cash, close or us_tax.")]
From = Annotated[date | None, QueryParameter(name="from", description="First New York date.")]
To = Annotated[date | None, QueryParameter(name="to", description="Last New York date.")]
Period = Annotated[str | None, QueryParameter(description="30d, 90d, 365d, ytd or all.")]


class PerformanceController(Controller):
    """Performance."""

    path = "/"
    tags = ("Performance",)

    @get("/wheels/{wheel_id:uuid}/performance")
    async def of_wheel(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
        policy: PolicyQuery = "cash",
        first: From = None,
        last: To = None,
        period: Period = None,
    ) -> Reply[Answer[Performance]]:
        """What a wheel has earned."""
        over = figures.span(figures.today(office, clocks), period, first, last)
        named = policies.named(policy)
        async with office.views(clocks, [wheel_id]) as views:
            await questions.wheel(views, wheel_id)
            shown = await figures.performance(office, views, named, over, clocks, wheel_id=wheel_id)
        return Reply(Answer(shown, office.clock.now()))

    @get("/portfolios/{portfolio_id:uuid}/performance")
    async def of_portfolio(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        portfolio_id: FromPath[UUID],
        policy: PolicyQuery = "cash",
        first: From = None,
        last: To = None,
        period: Period = None,
    ) -> Reply[Answer[Performance]]:
        """What a portfolio has earned."""
        over = figures.span(figures.today(office, clocks), period, first, last)
        named = policies.named(policy)
        streams = None if clocks.is_now else await office.streams_of(portfolio_id)
        async with office.views(clocks, streams) as views:
            await questions.portfolio(views, portfolio_id)
            shown = await figures.performance(
                office, views, named, over, clocks, portfolio_id=portfolio_id
            )
        return Reply(Answer(shown, office.clock.now()))
