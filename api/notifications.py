"""Channels over which somebody is told of alerts, and what they were told."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from adapters import addresses, courier
from api import desk
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.notifications import Tried
from domain import channel as channels
from domain import facts, login, refusals, rules
from projections import answers, questions

_STREAMS: Final = (facts.CHANNELS_STREAM,)
_REMOVE: Final = channels.Remove()


class NotificationController(Controller):
    """Notifications."""

    path = "/notifications"
    tags = ("Notifications",)

    @get("/channels")
    async def list_channels(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
    ) -> Reply[Page[answers.Channel]]:
        """List the channels, by name; their URLs are never told."""
        async with office.views(clocks, _STREAMS) as views:
            found = await questions.all_channels(views, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @post("/channels", status_code=201, opt={"creates": True})
    async def add(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        data: JSONBody[channels.Add],
    ) -> Reply[Answer[answers.Channel]]:
        """Set up a channel: alerts that are raised from now on are told over it."""
        return await _set_up(office, channels.named(data.name), data, asked, is_new=True)

    @get("/channels/{name:str}")
    async def channel(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        name: FromPath[str],
    ) -> Reply[Answer[answers.Channel]]:
        """One channel."""
        async with office.views(clocks, _STREAMS) as views:
            body = await questions.channel(views, name)
        shown = questions.decoded(body, answers.Channel)
        return Reply(Answer(shown, office.clock.now()), headers={"ETag": f'"{shown.version}"'})

    @put("/channels/{name:str}")
    async def change(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[channels.Change],
    ) -> Reply[Answer[answers.Channel]]:
        """Set a channel up anew, all of it; without a URL it keeps the one that it has."""
        return await _set_up(office, name, data, asked)

    @delete("/channels/{name:str}", status_code=200)
    async def remove(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
    ) -> Reply[Answer[answers.Channel]]:
        """Remove a channel and forget its URL; what waits for it is not sent any more."""
        async with office.addressing:
            return await _carried_out(office, channels.Order(name, _REMOVE), asked)

    @post("/test", status_code=200, opt={"records": False, "outside": True})
    async def test(
        self, office: NamedDependency[Office], data: JSONBody[channels.Test]
    ) -> Reply[Answer[Tried]]:
        """Send a test message over a channel, now; 502 where the channel does not take it."""
        state = await office.desk.latest(desk.CHANNELS, facts.CHANNELS_STREAM)
        way = state.find(data.channel)
        if way is None:
            raise refusals.Unknown("channel", data.channel)
        delivery = uuid4()
        if office.tests.locked():
            raise refusals.TooMany(math.ceil(courier.WITHIN))
        async with office.tests:
            await _bring(office, way.told, _test_message(way.told, delivery))
        tried = Tried(channel=data.channel, service=way.told.service, delivery_id=delivery)
        return Reply(Answer(tried, office.clock.now()))

    @get("/deliveries")
    async def list_deliveries(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        channel: FromQuery[str | None] = None,
        status: FromQuery[Literal["waiting", "delivered", "failed", "withdrawn"] | None] = None,
        alert_id: FromQuery[UUID | None] = None,
    ) -> Reply[Page[answers.Delivery]]:
        """List what was told, or is to be told, to channels, the newest first."""
        where = {"channel": channel, "status": status, "alert_id": alert_id and alert_id.hex}
        streams = None if clocks.is_now else await office.deliveries()
        async with office.views(clocks, streams) as views:
            found = await questions.all_deliveries(views, where, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())


async def _set_up(
    office: Office,
    name: str,
    data: channels.Add | channels.Change,
    asked: desk.Asked,
    *,
    is_new: bool = False,
) -> Reply[Any]:
    """Set a channel up; between its URL is kept and it is its URL, none is forgotten."""
    await _check(office, data)
    async with office.addressing:
        address = await _address(office, data.url, asked)
        return await _carried_out(
            office, channels.Order(name, _setup(data), address, is_new), asked
        )


def _setup(data: channels.Setup) -> channels.Setup:
    """The order without its URL: orders are remembered by what they say."""
    fields = channels.Setup.__struct_fields__
    return channels.Setup(**{each: getattr(data, each) for each in fields})


async def _check(office: Office, data: channels.Add | channels.Change) -> None:
    """Raise refusals.Invalid or refusals.Unknown for a channel that could never tell anything."""
    known = {login.RULE, *(each.name for each in rules.RULES)}
    for place, rule in enumerate(data.rules):
        if rule not in known and not rule.startswith(facts.plugin_rule("")):
            raise refusals.Invalid(f"rules[{place}]", rule, "must be a rule that there is")
    for portfolio_id in data.portfolios:
        await questions.portfolio(office.live, portfolio_id)
    if data.url is not None:
        await office.courier.check(channels.checked_url(data.url))


async def _address(office: Office, url: str | None, asked: desk.Asked) -> channels.Address | None:
    """Where a URL leads; it is kept, unless the order is only rehearsed."""
    if url is None:
        return None
    keep = office.addresses.key if asked.dry_run else office.addresses.keep
    return channels.Address(await asyncio.to_thread(keep, url), courier.kind(url))


async def _carried_out(office: Office, order: channels.Order, asked: desk.Asked) -> Reply[Any]:
    """Carry out an order; a URL that is then no channel's any more is forgotten."""
    before = await office.desk.latest(desk.CHANNELS, facts.CHANNELS_STREAM)
    known = before.known.get(order.channel)
    keys = [known.told.address] if known else []
    keys += [order.address.key] if order.address else []
    try:
        return await office.desk.carry_out(_task(order), asked)
    finally:
        after = await office.desk.latest(desk.CHANNELS, facts.CHANNELS_STREAM)
        for key in keys:
            if not after.uses(key):
                await asyncio.to_thread(office.addresses.forget, key)


def _task(order: channels.Order) -> desk.Task[channels.Channels]:
    """An order on one channel; its version is that of the channels' last fact about it."""

    def decide(state: channels.Channels, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        return channels.decide(state, order, now=now, command_id=command_id)

    def show(state: channels.Channels, _: datetime) -> desk.Shown:
        shown = answers.channel(state.known[order.channel])
        return desk.Shown(shown, shown.version, f"/api/v1/notifications/channels/{order.channel}")

    def version(state: channels.Channels) -> int:
        found = state.find(order.channel)
        return 0 if found is None else found.version

    return desk.Task(facts.CHANNELS_STREAM, desk.CHANNELS, order, decide, show, version)


async def _bring(office: Office, told: facts.ChannelConfigured, message: courier.Message) -> None:
    """Send a message; raises refusals.Unanswered where the channel does not take it."""
    try:
        url = await asyncio.to_thread(office.addresses.read, told.address)
    except addresses.Lost as reason:
        raise refusals.OutOfTurn(f"{told.channel}: {reason}", expected="a channel's URL") from None
    error = await office.courier.bring(url, message)
    if error is not None:
        raise refusals.Unanswered(f"{told.channel}: {error}", channel=told.channel, why=error)


def _test_message(told: facts.ChannelConfigured, delivery: UUID) -> courier.Message:
    return courier.Message(
        id=str(delivery),
        title="Wheelwright: a test",
        body=f"This is what alerts come as over the channel {told.channel}.",
        fields={"alert": "test", "channel": told.channel},
    )
