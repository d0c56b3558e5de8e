"""Performance under any policy: in all, over time, side by side, and taken apart."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from api import comparing, explaining, figures
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.performance import (
    Aggregate,
    Compared,
    Explanation,
    Performance,
    RecordOfSymbol,
    Timeline,
    WinLoss,
)
from domain import facts
from projections import endings, explained, outcomes, questions, sums, timelines

Top = Annotated[int, QueryParameter(ge=0, le=500, description="How many of each are told.")]


class PerformanceController(Controller):
    """Performance."""

    path = "/"
    tags = ("Performance",)

    @get("/wheels/{wheel_id:uuid}/performance")
    async def of_wheel(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[Performance]]:
        """What a wheel has earned."""
        scope = sums.Scope(wheel_id=wheel_id)
        async with figures.views(office, clocks, scope) as views:
            shown = await figures.performance(office, views, over, clocks, scope)
        return Reply(Answer(shown, office.clock.now()))

    @get("/portfolios/{portfolio_id:uuid}/performance")
    async def of_portfolio(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        portfolio_id: FromPath[UUID],
    ) -> Reply[Answer[Performance]]:
        """What a portfolio has earned."""
        scope = sums.Scope(portfolio_id=portfolio_id)
        async with figures.views(office, clocks, scope) as views:
            shown = await figures.performance(office, views, over, clocks, scope)
        return Reply(Answer(shown, office.clock.now()))

    @get("/performance/aggregate")
    async def aggregate(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        top: Top = 5,
    ) -> Reply[Answer[Aggregate]]:
        """What everything together has earned, with the symbols and portfolios at both ends."""
        async with figures.views(office, clocks, sums.Scope()) as views:
            earned = await figures.earned(office, views, over, clocks, sums.Scope())
            ranked = await comparing.ranked(views, over, top)
        shown = Aggregate(**figures.told(over, earned), **ranked)
        return Reply(Answer(shown, office.clock.now()))

    @get("/performance/win-loss")
    async def win_loss(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        whose: NamedDependency[sums.Scope],
        direction: FromQuery[facts.Direction | None] = None,
        top: Top = 5,
    ) -> Reply[Answer[WinLoss]]:
        """How the trades ended that ended in the span: rates, averages, extremes and streaks.

        Under every policy the same. The symbols with most trades are told by themselves.
        """
        async with figures.views(office, clocks, whose) as views:
            counted = await endings.counted(views, whose, direction, over.span)
            streaks = await endings.streaks(views, whose, direction, over.span)
        shown = _win_loss(over, direction, counted, streaks, top)
        return Reply(Answer(shown, office.clock.now()))

    @get("/performance/timeline")
    async def timeline(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        whose: NamedDependency[sums.Scope],
        interval: Annotated[
            str,
            QueryParameter(
                description="How long a bucket is.",
                schema_extra={"enum": list(timelines.INTERVALS)},
            ),
        ] = "day",
    ) -> Reply[Answer[Timeline]]:
        """Equity, realized P&L and drawdown by day, week or month.

        Every one of the span is told, also the quiet ones, and they sum to the whole.
        `cumulative_pnl` begins at 0 with the span; equity and drawdown are those of the whole
        book, whatever span is asked for.
        """
        named = timelines.named(interval)
        async with figures.views(office, clocks, whose) as views:
            days = figures.drawn(over, await sums.beginning(views, whose))
            line = timelines.Line(
                await sums.income_days(views, whose, over.policy, sums.Span(last=days.last)),
                await sums.activity_days(views, whose, days),
                await sums.capital_days(views, whose, days.last),
            )
            unrealized = await figures.unrealized(office, views, over, clocks, whose)
        shown = await asyncio.to_thread(_timeline, over, named, line, days, unrealized)
        return Reply(Answer(shown, office.clock.now()))

    @get("/performance/compare")
    async def compare(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        part: NamedDependency[questions.Slice],
        portfolio_id: Annotated[
            list[str] | None,
            QueryParameter(description="Repeated, or comma-separated; without: all active ones."),
        ] = None,
    ) -> Reply[Page[Compared]]:
        """Portfolios side by side, by name or by any of their figures."""
        wanted = comparing.portfolio_ids(portfolio_id)
        async with figures.views(office, clocks, sums.Scope()) as views:
            found = await comparing.compared(office, views, over, clocks, wanted)
        shown = comparing.arranged(found, part)
        return page_of(shown, len(found), part.page, part.page_size, office.clock.now())

    @get("/performance/explain")
    async def explain(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        whose: NamedDependency[sums.Scope],
        figure: Annotated[
            str,
            QueryParameter(
                description="Which figure.", schema_extra={"enum": list(explained.FIGURES)}
            ),
        ] = "realized_pnl",
        after: Annotated[
            str | None, QueryParameter(description="The next_after of the page before.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=5_000)] = 1_000,
    ) -> Reply[Answer[Explanation]]:
        """The events and the rules that add up to a figure.

        All pages' amounts sum to the figure exactly. A page may be short of its limit and not
        the last: the last one has no `next_after`.
        """
        asked = explaining.Asked(explained.named(figure), over, clocks, whose, limit)
        shown = await explaining.explanation(office, asked, after)
        return Reply(Answer(shown, office.clock.now()))


def _win_loss(
    over: figures.Over,
    direction: facts.Direction | None,
    counted: dict[outcomes.Key, outcomes.Counted],
    streaks: outcomes.Streaks,
    top: int,
) -> WinLoss:
    by_symbol = outcomes.by_symbol(counted)
    return WinLoss(
        first=over.span.first,
        last=over.span.last,
        direction=direction,
        overall=outcomes.record(outcomes.together(counted.values())),
        streaks=streaks,
        puts=outcomes.record(outcomes.of(counted, "put")),
        calls=outcomes.record(outcomes.of(counted, "call")),
        symbols=len(by_symbol),
        by_symbol=[
            RecordOfSymbol(symbol=symbol, **outcomes.fields(each))
            for symbol, each in by_symbol[:top]
        ],
    )


def _timeline(
    over: figures.Over,
    interval: timelines.Interval,
    line: timelines.Line,
    days: sums.Span,
    unrealized: Decimal | None,
) -> Timeline:
    buckets, deepest = list[timelines.Bucket](), timelines.Deepest()
    if days.first is not None and days.last is not None:
        buckets = line.buckets(interval, days.first, days.last)
        deepest = line.deepest(days.first, days.last)
    if buckets:
        buckets[-1] = msgspec.structs.replace(buckets[-1], unrealized_pnl=unrealized)
    return Timeline(
        policy=over.policy,
        interval=interval,
        first=over.span.first,
        last=over.span.last,
        realized_pnl=sum((each.realized_pnl for each in buckets), Decimal("0.00")),
        unrealized_pnl=unrealized,
        max_drawdown=deepest.drawdown.amount,
        max_drawdown_pct=deepest.drawdown.percent,
        max_drawdown_on=deepest.on,
        buckets=buckets,
    )
