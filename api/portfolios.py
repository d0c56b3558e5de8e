"""Portfolios: what they are, and what they come to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api import desk, figures
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.performance import Performance
from api.shapes.portfolios import Summary
from domain import commands, configuration, facts, refusals
from domain import portfolio as portfolios
from projections import answers, questions, sums


def _task(
    portfolio_id: UUID, command: portfolios.Order, *, is_default: bool = False
) -> desk.Task[portfolios.Portfolio]:
    def decide(
        state: portfolios.Portfolio, now: datetime, command_id: UUID
    ) -> list[facts.Recorded]:
        return portfolios.decide(state, command, now=now, command_id=command_id)

    def show(state: portfolios.Portfolio, _: datetime) -> desk.Shown:
        shown = answers.portfolio(state, is_default=is_default)
        return desk.Shown(shown, state.version, f"/api/v1/portfolios/{portfolio_id}")

    return desk.Task(
        portfolio_id, desk.PORTFOLIO, command, decide, show, lambda state: state.version
    )


class PortfolioController(Controller):
    """Portfolios."""

    path = "/portfolios"
    tags = ("Portfolios",)

    @get()
    async def list_portfolios(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        is_active: FromQuery[bool | None] = None,
    ) -> Reply[Page[answers.Portfolio]]:
        """List portfolios, by name."""
        streams = None if clocks.is_now else await office.portfolios()
        async with office.views(clocks, streams) as views:
            found = await questions.all_portfolios(views, part, is_active=is_active)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @post(status_code=201, opt={"creates": True})
    async def open_portfolio(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        data: JSONBody[commands.OpenPortfolio],
    ) -> Reply[Answer[answers.Portfolio]]:
        """Open a portfolio; the first one is the default."""
        portfolio_id = uuid5(facts.SETTINGS_STREAM, asked.key) if asked.key else uuid4()
        is_default = (
            office.live.position == 0 or await questions.default_portfolio(office.live) is None
        )
        task = _task(portfolio_id, data, is_default=is_default)
        return await office.desk.carry_out(task, asked)

    @get("/default")
    async def default(
        self, office: NamedDependency[Office], clocks: NamedDependency[When]
    ) -> Reply[Answer[answers.Portfolio]]:
        """The portfolio that is meant when none is named.

        `ETag` is the version of the choice, not that of the portfolio.
        """
        choice = await _choice_by(office, clocks)
        streams = None if clocks.is_now else await office.portfolios()
        async with office.views(clocks, streams) as views:
            chosen = await questions.default_portfolio(views)
            if chosen is None:
                raise refusals.Unknown("portfolio", "default")
            shown = await questions.portfolio(views, chosen)
        return _tagged(shown, office, choice)

    @put("/default")
    async def choose_default(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        data: JSONBody[commands.ChooseDefault],
    ) -> Reply[Answer[answers.Portfolio]]:
        """Choose the portfolio that is meant when none is named."""
        try:
            portfolio_id = UUID(data.portfolio_id)
        except ValueError as error:
            raise refusals.Invalid("portfolio_id", data.portfolio_id, "must be a UUID") from error
        chosen = await active_portfolio(office, portfolio_id)
        return await office.desk.carry_out(_choice(chosen, data), asked)

    @get("/{portfolio_id:uuid}")
    async def portfolio(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        portfolio_id: FromPath[UUID],
    ) -> Reply[Answer[answers.Portfolio]]:
        """One portfolio."""
        streams = None if clocks.is_now else await office.portfolios()
        async with office.views(clocks, streams) as views:
            shown = await questions.portfolio(views, portfolio_id)
        return _tagged(shown, office, shown.version)

    @put("/{portfolio_id:uuid}")
    async def change_portfolio(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        portfolio_id: FromPath[UUID],
        data: JSONBody[commands.ChangePortfolio],
    ) -> Reply[Answer[answers.Portfolio]]:
        """Change a portfolio's own data; what is left out stays."""
        return await _carried_out(office, asked, portfolio_id, data)

    @delete("/{portfolio_id:uuid}", status_code=200)
    async def archive_portfolio(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        portfolio_id: FromPath[UUID],
        force: Annotated[bool, QueryParameter(description="Even with options open.")] = False,
    ) -> Reply[Answer[answers.Portfolio]]:
        """Put a portfolio away; nothing in it is lost."""
        among = questions.OpenFilter(portfolio_id=portfolio_id)
        still_open = await questions.count_open(office.live, among)
        if still_open and not force:
            raise refusals.OutOfTurn("options are open; close them first, or force it")
        return await _carried_out(office, asked, portfolio_id, portfolios.Archive())

    @post("/{portfolio_id:uuid}/restore", status_code=200)
    async def restore_portfolio(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        portfolio_id: FromPath[UUID],
    ) -> Reply[Answer[answers.Portfolio]]:
        """Bring an archived portfolio back."""
        return await _carried_out(office, asked, portfolio_id, portfolios.Restore())

    @get("/{portfolio_id:uuid}/summary")
    async def summary(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        portfolio_id: FromPath[UUID],
    ) -> Reply[Answer[Summary]]:
        """What a portfolio comes to."""
        streams = None if clocks.is_now else await office.streams_of(portfolio_id)
        async with office.views(clocks, streams) as views:
            await questions.portfolio(views, portfolio_id)
            over = figures.Over("cash", sums.Span(), figures.today(office, clocks))
            scope = sums.Scope(portfolio_id=portfolio_id)
            total = await figures.performance(office, views, over, clocks, scope)
            held = await questions.totals(views, sums.Scope(portfolio_id=portfolio_id))
        return Reply(Answer(_summary(portfolio_id, held, total), office.clock.now()))


def _summary(portfolio_id: UUID, held: questions.Totals, total: Performance) -> Summary:
    return Summary(
        portfolio_id=portfolio_id,
        total_wheels=held.wheels,
        active_wheels=held.active,
        open_positions=held.open_trades,
        capital_allocated=held.capital_allocated,
        collateral_in_use=held.collateral_in_use,
        cash=held.cash,
        premium_collected=total.premium_collected,
        wins=total.winning_trades,
        losses=total.losing_trades,
        win_rate=total.win_rate,
        realized_pnl=total.realized_pnl,
        unrealized_pnl=total.unrealized_pnl,
        total_pnl=total.total_pnl,
    )


async def active_portfolio(office: Office, portfolio_id: UUID) -> portfolios.Portfolio:
    """A portfolio that takes orders; raises refusals.Unknown, refusals.OutOfTurn."""
    state = await office.desk.state(desk.PORTFOLIO, portfolio_id)
    if not state.version:
        raise refusals.Unknown("portfolio", portfolio_id)
    if not state.is_active:
        raise refusals.OutOfTurn("the portfolio is archived", expected="an active portfolio")
    return state


async def _carried_out(
    office: Office, asked: desk.Asked, portfolio_id: UUID, command: portfolios.Order
) -> Reply[Any]:
    default = await questions.default_portfolio(office.live)
    task = _task(portfolio_id, command, is_default=default == portfolio_id)
    return await office.desk.carry_out(task, asked)


def _tagged(
    shown: answers.Portfolio, office: Office, version: int
) -> Reply[Answer[answers.Portfolio]]:
    return Reply(Answer(shown, office.clock.now()), headers={"ETag": f'"{version}"'})


async def _choice_by(office: Office, clocks: When) -> int:
    """The version of the choice of a default; what was chosen was recorded as it happened."""
    stream = await office.stream(facts.SETTINGS_STREAM)
    if not clocks.is_now:
        until = clocks.told_at(office.clock.now())
        stream = [each for each in stream if each.recorded_at <= until]
    return configuration.told(stream).chosen


def _choice(
    chosen: portfolios.Portfolio, command: commands.ChooseDefault
) -> desk.Task[configuration.Configuration]:
    def decide(
        state: configuration.Configuration, now: datetime, command_id: UUID
    ) -> list[facts.Recorded]:
        return configuration.choose_default(
            state, command, chosen.id, now=now, command_id=command_id
        )

    def show(state: configuration.Configuration, _: datetime) -> desk.Shown:
        return desk.Shown(answers.portfolio(chosen, is_default=True), state.chosen)

    return desk.Task(
        facts.SETTINGS_STREAM, desk.SETTINGS, command, decide, show, lambda state: state.chosen
    )
