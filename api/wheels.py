"""Wheels: set up, changed, put away; their shares and cash; what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec.structs import replace

from api import desk, portfolios, tasks
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.wheels import WheelState
from domain import commands, facts
from domain import wheel as states
from projections import answers, questions

InState = Annotated[
    states.State | None, QueryParameter(name="state", description="As in the answer.")
]


async def wanted(
    part: NamedDependency[questions.Slice],  # noqa: ARG001  see api.dependencies
    symbol: FromQuery[str | None] = None,
    in_state: InState = None,
    profile: FromQuery[facts.Profile | None] = None,
    is_active: FromQuery[bool | None] = None,
) -> questions.WheelFilter:
    """Which wheels are asked for, whosever they are."""
    return questions.WheelFilter(None, symbol, in_state, profile, is_active)


class WheelController(Controller):
    """Wheels."""

    path = "/"
    tags = ("Wheels",)
    dependencies = {"wanted": Provide(wanted)}  # noqa: RUF012  as Litestar declares it

    @get("/wheels")
    async def list_wheels(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        wanted: NamedDependency[questions.WheelFilter],
        portfolio_id: FromQuery[UUID | None] = None,
    ) -> Reply[Page[answers.Wheel]]:
        """List the wheels of all portfolios."""
        wanted = replace(wanted, portfolio_id=portfolio_id)
        streams = None
        if portfolio_id is not None and not clocks.is_now:
            streams = await office.streams_of(portfolio_id)
        async with office.views(clocks, streams) as views:
            found = await questions.all_wheels(views, wanted, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @get("/portfolios/{portfolio_id:uuid}/wheels")
    async def wheels_of_portfolio(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        wanted: NamedDependency[questions.WheelFilter],
        portfolio_id: FromPath[UUID],
    ) -> Reply[Page[answers.Wheel]]:
        """List a portfolio's wheels."""
        wanted = replace(wanted, portfolio_id=portfolio_id)
        streams = None if clocks.is_now else await office.streams_of(portfolio_id)
        async with office.views(clocks, streams) as views:
            await questions.portfolio(views, portfolio_id)
            found = await questions.all_wheels(views, wanted, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @post("/portfolios/{portfolio_id:uuid}/wheels", status_code=201, opt={"creates": True})
    async def start_wheel(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        portfolio_id: FromPath[UUID],
        data: JSONBody[commands.StartWheel],
    ) -> Reply[Answer[answers.Wheel]]:
        """Start a wheel, with capital, with shares already held, or both."""
        await portfolios.active_portfolio(office, portfolio_id)
        wheel_id = facts.wheel_stream(portfolio_id, commands.symbol_of(data.symbol))
        return await tasks.carried_out(
            office, asked, wheel_id, data, tasks.the_wheel, portfolio_id=portfolio_id
        )

    @get("/wheels/{wheel_id:uuid}")
    async def wheel(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[answers.Wheel]]:
        """One wheel."""
        async with office.views(clocks, [wheel_id]) as views:
            body = await questions.wheel(views, wheel_id)
        return wheel_reply(body, office.clock.now())

    @put("/wheels/{wheel_id:uuid}")
    async def configure_wheel(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        data: JSONBody[commands.ConfigureWheel],
    ) -> Reply[Answer[answers.Wheel]]:
        """Change a wheel's settings; another capital is a contribution, or a withdrawal."""
        return await tasks.carried_out(office, asked, wheel_id, data, tasks.the_wheel)

    @delete("/wheels/{wheel_id:uuid}", status_code=200)
    async def archive_wheel(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        force: Annotated[bool, QueryParameter(description="Even with options open.")] = False,
    ) -> Reply[Answer[answers.Wheel]]:
        """Put a wheel away; nothing in it is lost."""
        command = commands.ArchiveWheel(force=force)
        return await tasks.carried_out(office, asked, wheel_id, command, tasks.the_wheel)

    @post("/wheels/{wheel_id:uuid}/restore", status_code=200)
    async def restore_wheel(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[answers.Wheel]]:
        """Bring an archived wheel back."""
        command = commands.ReopenWheel()
        return await tasks.carried_out(office, asked, wheel_id, command, tasks.the_wheel)

    @get("/wheels/{wheel_id:uuid}/state")
    async def wheel_state(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[WheelState]]:
        """Where a wheel stands, what may be recorded next, and what is open."""
        now = office.clock.now()
        async with office.views(clocks, [wheel_id]) as views:
            shown = questions.decoded(await questions.wheel(views, wheel_id), answers.Wheel)
            still_open = await questions.open_trades(views, wheel_id, clocks.told_at(now))
        state = WheelState(
            **msgspec.structs.asdict(shown),
            next_moves=_next_moves(shown, bool(still_open)),
            open_trades=still_open,
        )
        return Reply(Answer(state, now), headers={"ETag": f'"{shown.version}"'})

    @get("/wheels/{wheel_id:uuid}/lots")
    async def lots(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[list[answers.Lot]]]:
        """The lots that a wheel's shares came in, the oldest first."""
        async with office.views(clocks, [wheel_id]) as views:
            found = await questions.lots(views, wheel_id)
        return Reply(Answer(found, office.clock.now()))

    @get("/wheels/{wheel_id:uuid}/cycles")
    async def cycles(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[list[answers.Cycle]]]:
        """A wheel's cycles, from flat to flat, the oldest first."""
        async with office.views(clocks, [wheel_id]) as views:
            found = await questions.cycles(views, wheel_id)
        return Reply(Answer(found, office.clock.now()))

    @post("/wheels/{wheel_id:uuid}/shares", status_code=201, opt={"creates": True})
    async def trade_shares(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        data: JSONBody[commands.TradeShares],
    ) -> Reply[Answer[answers.Wheel]]:
        """Record shares bought, sold, or transferred in at their basis."""
        return await tasks.carried_out(office, asked, wheel_id, data, tasks.the_wheel)

    @post("/wheels/{wheel_id:uuid}/dividends", status_code=201, opt={"creates": True})
    async def receive_dividend(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        data: JSONBody[commands.ReceiveDividend],
    ) -> Reply[Answer[answers.Wheel]]:
        """Record a cash dividend on the shares held into its ex-date."""
        return await tasks.carried_out(office, asked, wheel_id, data, tasks.the_wheel)

    @post("/wheels/{wheel_id:uuid}/splits", status_code=201, opt={"creates": True})
    async def apply_split(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        data: JSONBody[commands.ApplySplit],
    ) -> Reply[Answer[answers.Wheel]]:
        """Record a split; the same one twice is refused."""
        return await tasks.carried_out(office, asked, wheel_id, data, tasks.the_wheel)

    @post("/wheels/{wheel_id:uuid}/events/{version:int}/void", status_code=200)
    async def void_fact(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        version: FromPath[int],
        data: JSONBody[commands.VoidFact],
    ) -> Reply[Answer[answers.Wheel]]:
        """Void one recorded fact of a wheel: a dividend, a split, one closing; needs a reason."""
        return await tasks.carried_out(
            office, asked, wheel_id, data, tasks.the_wheel, fact_version=version
        )


def wheel_reply(body: bytes, now: datetime) -> Reply[Any]:
    """A wheel's reply, tagged with its version."""
    version = questions.decoded(body, answers.Wheel).version
    return Reply(Answer(msgspec.Raw(body), now), headers={"ETag": f'"{version}"'})


def _next_moves(wheel: answers.Wheel, has_open: bool) -> list[str]:
    """The commands that may be recorded next."""
    if not wheel.is_active:
        return ["restore", *(["close", "assign", "expire"] if has_open else [])]
    moves = ["sell_put", "buy_shares", "transfer_in"]
    if wheel.shares:
        moves += ["sell_call", "sell_shares", "dividend", "split"]
    if has_open:
        moves += ["close", "assign", "expire", "roll"]
    return [*moves, "archive"]
