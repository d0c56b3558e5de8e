"""Trades: recorded, ended, rolled, noted, corrected, voided."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec.structs import replace

from api import biography, desk, requests, tasks
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.trades import Moment
from domain import commands, facts, refusals
from domain import trade as states
from projections import answers, questions

Day = FromQuery[date | None]
_ASSIGN = commands.Assign()


async def wanted(
    part: NamedDependency[questions.Slice],  # noqa: ARG001  see api.dependencies
    outcome: FromQuery[states.Outcome | None] = None,
    direction: FromQuery[facts.Direction | None] = None,
    opened_from: Day = None,
    opened_to: Day = None,
    closed_from: Day = None,
    closed_to: Day = None,
    expiring_from: Day = None,
    expiring_to: Day = None,
) -> questions.TradeFilter:
    """Which trades are asked for, whosever they are."""
    return questions.TradeFilter(
        outcome=outcome,
        direction=direction,
        opened_from=opened_from,
        opened_to=opened_to,
        closed_from=closed_from,
        closed_to=closed_to,
        expiring_from=expiring_from,
        expiring_to=expiring_to,
    )


class TradeController(Controller):
    """Trades."""

    path = "/"
    tags = ("Trades",)
    dependencies = {"wanted": Provide(wanted)}  # noqa: RUF012  as Litestar declares it

    @get("/trades")
    async def list_trades(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        wanted: NamedDependency[questions.TradeFilter],
        portfolio_id: FromQuery[UUID | None] = None,
        symbol: FromQuery[str | None] = None,
    ) -> Reply[Page[answers.Trade]]:
        """List trades, the newest first; dates are New York dates, both ends included."""
        wanted = replace(wanted, portfolio_id=portfolio_id, symbol=symbol)
        streams = None
        if portfolio_id is not None and not clocks.is_now:
            streams = await office.streams_of(portfolio_id)
        return await _listed(office, clocks, part, wanted, streams)

    @get("/wheels/{wheel_id:uuid}/trades")
    async def trades_of_wheel(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        wanted: NamedDependency[questions.TradeFilter],
        wheel_id: FromPath[UUID],
    ) -> Reply[Page[answers.Trade]]:
        """List a wheel's trades, the newest first."""
        wanted = replace(wanted, wheel_id=wheel_id)
        return await _listed(office, clocks, part, wanted, [wheel_id])

    @post("/wheels/{wheel_id:uuid}/trades", status_code=201, opt={"creates": True})
    async def sell_option(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        data: JSONBody[commands.SellOption],
    ) -> Reply[Answer[answers.Trade]]:
        """Record an option sold: a put secured by cash, or a call covered by shares."""
        return await tasks.carried_out(office, asked, wheel_id, data, tasks.the_newest_trade)

    @get("/trades/{trade_id:uuid}")
    async def trade(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        trade_id: FromPath[UUID],
    ) -> Reply[Answer[answers.Trade]]:
        """One trade."""
        now = office.clock.now()
        streams = None if clocks.is_now else [await office.wheel_of(trade_id)]
        async with office.views(clocks, streams) as views:
            shown = await questions.trade(views, trade_id, clocks.told_at(now))
        whole = (
            questions.decoded(bytes(shown), answers.Trade)
            if isinstance(shown, msgspec.Raw)
            else shown
        )
        return Reply(Answer(shown, now), headers={"ETag": f'"{whole.version}"'})

    @put("/trades/{trade_id:uuid}")
    async def correct_trade(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        trade_id: FromPath[UUID],
        data: JSONBody[commands.CorrectTrade],
    ) -> Reply[Answer[answers.Trade]]:
        """Write a note, or correct what was recorded, which needs a reason."""
        return await _ended(office, asked, trade_id, data)

    @delete("/trades/{trade_id:uuid}", status_code=200)
    async def void_trade(
        self,
        request: requests.Exact,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        trade_id: FromPath[UUID],
        reason: Annotated[str | None, QueryParameter(description="Or in the body.")] = None,
    ) -> Reply[Answer[answers.Trade]]:
        """Void a trade: its sale and all that ended it never happened; needs a reason."""
        body = await request.body()
        if reason is not None and not body:
            body = msgspec.json.encode({"reason": reason})
        if not body:
            raise refusals.Invalid("reason", None, "must be given to void a trade")
        command = requests.decoded(body, commands.VoidTrade)
        return await _ended(office, asked, trade_id, command)

    @post("/trades/{trade_id:uuid}/expire", status_code=200)
    async def expire(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        trade_id: FromPath[UUID],
        data: JSONBody[commands.Expire],
    ) -> Reply[Answer[answers.Trade]]:
        """Let what is open expire, worthless or assigned, by the stock's closing price."""
        return await _ended(office, asked, trade_id, data)

    @post("/trades/{trade_id:uuid}/close", status_code=200)
    async def close(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        trade_id: FromPath[UUID],
        data: JSONBody[commands.Close],
    ) -> Reply[Answer[answers.Trade]]:
        """Buy back what is open, or some of it."""
        return await _ended(office, asked, trade_id, data)

    @post("/trades/{trade_id:uuid}/assign", status_code=200)
    async def assign(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        trade_id: FromPath[UUID],
        data: JSONBody[commands.Assign] = _ASSIGN,
    ) -> Reply[Answer[answers.Trade]]:
        """Record an assignment, early or at expiration, of what is open or some of it."""
        return await _ended(office, asked, trade_id, data)

    @post("/trades/{trade_id:uuid}/roll", status_code=200)
    async def roll(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        trade_id: FromPath[UUID],
        data: JSONBody[commands.Roll],
    ) -> Reply[Answer[answers.Trade]]:
        """Buy back and sell anew as one order; answers with the new trade."""
        wheel_id = await office.wheel_of(trade_id)
        return await tasks.carried_out(
            office, asked, wheel_id, data, tasks.the_newest_trade, trade_id=trade_id
        )

    @get("/trades/{trade_id:uuid}/history")
    async def history(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        trade_id: FromPath[UUID],
    ) -> Reply[Answer[list[Moment]]]:
        """All that was ever recorded of a trade, in that order, and what it then was taken for.

        Of what is not known yet at `known_at`, or is believed to have happened after `as_of`,
        nothing is told.
        """
        now = office.clock.now()
        wheel_id = await office.wheel_of(trade_id)
        known = [
            each
            for each in await office.stream(wheel_id)
            if clocks.known_at is None or each.recorded_at <= clocks.known_at
        ]
        found = await asyncio.to_thread(
            biography.of,
            wheel_id,
            known,
            trade_id,
            as_of=clocks.as_of,
            judged_at=clocks.told_at(now),
        )
        return Reply(Answer(found, now))


async def _listed(
    office: Office,
    clocks: When,
    part: questions.Slice,
    wanted: questions.TradeFilter,
    streams: list[UUID] | None,
) -> Reply[Page[answers.Trade]]:
    now = office.clock.now()
    async with office.views(clocks, streams) as views:
        if wanted.wheel_id is not None:
            await questions.wheel(views, wanted.wheel_id)
        found = await questions.all_trades(views, wanted, part, clocks.told_at(now))
    return page_of(found.items, found.total, part.page, part.page_size, now)


async def _ended(
    office: Office, asked: desk.Asked, trade_id: UUID, command: commands.TradeCommand
) -> Reply[Any]:
    wheel_id = await office.wheel_of(trade_id)
    return await tasks.carried_out(
        office, asked, wheel_id, command, tasks.the_trade(trade_id), trade_id=trade_id
    )
