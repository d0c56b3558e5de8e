"""Portfolios: what they are, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api import desk, figures
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.performance import Performance
from api.shapes.portfolios import Summary
from domain import commands, facts, refusals
from domain import portfolio as portfolios
from projections import answers, questions


class Chosen(msgspec.Struct, frozen=True):
    """The settings stream, as far as it matters here."""

    portfolio_id: UUID | None = None
    version: int = 0
    recorded_at: datetime | None = None


def _chosen(state: Chosen, recorded: facts.Recorded) -> Chosen:
    chosen = state.portfolio_id
    if isinstance(recorded.fact, facts.DefaultPortfolioChosen):
        chosen = recorded.fact.portfolio_id
    return Chosen(chosen, recorded.version, recorded.recorded_at)


_SETTINGS = desk.Model(lambda _: Chosen(), _chosen, lambda state: state.version)


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
        async with office.views(clocks) as views:
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
    async def default(self, office: NamedDependency[Office]) -> Reply[Answer[answers.Portfolio]]:
        """The portfolio that is meant when none is named."""
        chosen = await questions.default_portfolio(office.live)
        if chosen is None:
            raise refusals.Unknown("portfolio", "default")
        shown = await questions.portfolio(office.live, chosen)
        return _tagged(shown, office)

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
            return _tagged(await questions.portfolio(views, portfolio_id), office)

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
            total = await figures.performance(
                office, views, "cash", questions.Span(), clocks, portfolio_id=portfolio_id
            )
            held = await questions.holdings(views, portfolio_id=portfolio_id)
        return Reply(Answer(_summary(portfolio_id, held, total), office.clock.now()))


def _summary(portfolio_id: UUID, held: list[questions.Holding], total: Performance) -> Summary:
    def summed(of: Callable[[answers.Wheel], Decimal]) -> Decimal:
        return sum((of(each.shown) for each in held), Decimal("0.00"))

    return Summary(
        portfolio_id=portfolio_id,
        total_wheels=len(held),
        active_wheels=sum(each.is_active for each in held),
        open_positions=sum(each.open_trades for each in held),
        capital_allocated=summed(lambda wheel: wheel.capital_allocated),
        collateral_in_use=summed(lambda wheel: wheel.collateral_in_use),
        cash=summed(lambda wheel: wheel.cash),
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


def _tagged(shown: answers.Portfolio, office: Office) -> Reply[Answer[answers.Portfolio]]:
    return Reply(Answer(shown, office.clock.now()), headers={"ETag": f'"{shown.version}"'})


def _choice(chosen: portfolios.Portfolio, command: commands.ChooseDefault) -> desk.Task[Chosen]:
    def decide(state: Chosen, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        if state.portfolio_id == chosen.id:
            return []
        learned = now
        if state.recorded_at is not None:
            learned = max(now, state.recorded_at + timedelta(microseconds=1))
        fact = facts.DefaultPortfolioChosen(portfolio_id=chosen.id)
        return [
            facts.Recorded(
                0,
                facts.SETTINGS_STREAM,
                state.version + 1,
                learned,
                learned,
                command.source,
                command_id,
                command.external_id,
                fact,
                command.notes,
            )
        ]

    def show(_: Chosen, __: datetime) -> desk.Shown:
        return desk.Shown(answers.portfolio(chosen, is_default=True), chosen.version)

    return desk.Task(
        facts.SETTINGS_STREAM, _SETTINGS, command, decide, show, lambda state: state.version
    )
