"""A stranger on the bus hears of a position that needs attention."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from typing import Any

import pytest
from nats.aio.client import Client as Nats
from nats.js.api import ConsumerConfig

from tests.api.client import Desk
from tests.api.waiting import PATIENCE, until
from tests.conftest import dealt_with
from tests.system.instance import Instance

D = Decimal
SWINGS = 50


class Stranger:
    """A durable subscriber in the role that strangers have."""

    def __init__(self, client: Nats, name: str, subscription: Any) -> None:
        self._client = client
        self._name = name
        self._subscription = subscription

    async def hears(self) -> tuple[str, str]:
        """The next alert: its subject and what became of it."""
        message = await self._subscription.next_msg(PATIENCE)
        await message.ack()
        return message.subject, json.loads(message.data)["data"]["status"]

    async def has_heard_all(self) -> bool:
        """Whether nothing waits for it, and it owes no word of what it heard."""
        await dealt_with(self._client)
        mailbox = await self._client.jetstream().consumer_info("RISK", self._name)
        return not mailbox.num_pending and not mailbox.num_ack_pending


@asynccontextmanager
async def listening(instance: Instance, symbol: str) -> AsyncIterator[Stranger]:
    """Subscribe to a symbol's alerts under a name that is remembered."""
    name = f"me_{symbol}"
    async with instance.bus.visit("subscriber") as client:
        subscription = await client.jetstream().subscribe(
            f"risk.alert.*.{symbol}.itm",
            durable=name,
            config=ConsumerConfig(max_ack_pending=1),
        )
        yield Stranger(client, name, subscription)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One for all that stands here: each test watches shares of its own."""
    with closing(Instance(tmp_path_factory.mktemp("alerts") / "data")) as up:
        up.start()
        yield up


@pytest.fixture
def desk(instance: Instance) -> Iterator[Desk]:
    with instance.desk() as desk:
        yield desk


def put_on(instance: Instance, desk: Desk, symbol: str) -> str:
    """A put on a share that costs 120, with its strike at 100."""
    instance.price({symbol: 120})
    trade = desk.sell(desk.wheel(symbol), strike=100, expiration_date="2026-04-17")
    until(lambda: seen(desk) == 120)
    return trade


def costs(instance: Instance, desk: Desk, symbol: str, price: Any) -> None:
    """Let a share cost something, and wait until everybody knows."""
    instance.price({symbol: price})
    until(lambda: seen(desk) == price)


def seen(desk: Desk) -> Any:
    (position,) = desk.client.get(f"/portfolios/{desk.portfolio}/positions").data
    return position["current_price"]


def alert_on(desk: Desk, trade: str) -> Any:
    """A trade's alert, once the views have it."""
    (alert,) = until(lambda: desk.client.get("/alerts", rule="itm", trade_id=trade).data)
    return alert


def stands(desk: Desk, trade: str) -> bool:
    return bool(alert_on(desk, trade)["status"] == "active")


async def test_who_was_away_hears_what_it_missed_once_and_in_order(
    instance: Instance, desk: Desk
) -> None:
    trade = put_on(instance, desk, "BRK.B")
    told = "risk.alert.HIGH.BRK_B.itm"
    async with listening(instance, "BRK_B") as stranger:
        costs(instance, desk, "BRK.B", 99)
        assert await stranger.hears() == (told, "raised")
        assert await stranger.has_heard_all()
    for price in (120, 98, 121):
        costs(instance, desk, "BRK.B", price)
        until(lambda: stands(desk, trade) == (seen(desk) < 100))
    async with listening(instance, "BRK_B") as stranger:
        missed = [await stranger.hears() for _ in range(3)]
        assert missed == [(told, "cleared"), (told, "raised"), (told, "cleared")]
        assert await stranger.has_heard_all()


async def test_a_price_that_swings_around_the_strike_is_one_alert(
    instance: Instance, desk: Desk
) -> None:
    trade = put_on(instance, desk, "SPY")
    async with listening(instance, "SPY") as stranger:
        for swing in range(SWINGS):
            costs(instance, desk, "SPY", (D("99.80"), D("100.20"))[swing % 2])
        assert await stranger.hears() == ("risk.alert.HIGH.SPY.itm", "raised")
        assert await stranger.has_heard_all()
    alert = alert_on(desk, trade)
    assert (alert["status"], alert["severity"], alert["version"]) == ("active", "HIGH", 1)


async def test_what_somebody_says_of_an_alert_is_heard_too(instance: Instance, desk: Desk) -> None:
    trade = put_on(instance, desk, "QQQ")
    costs(instance, desk, "QQQ", 99)
    async with listening(instance, "QQQ") as stranger:
        assert await stranger.hears() == ("risk.alert.HIGH.QQQ.itm", "raised")
        seen = desk.client.post(f"/alerts/{alert_on(desk, trade)['id']}/acknowledge")
        assert (seen.status, seen.data["acknowledged"]) == (200, True)
        assert await stranger.hears() == ("risk.alert.HIGH.QQQ.itm", "acknowledged")


async def test_a_stranger_may_listen_and_not_speak(instance: Instance) -> None:
    bus, subjects = instance.bus, ("risk.alert.HIGH.SPY.itm", "ledger.event.wheel.x.OptionSold")
    async with bus.visit("subscriber") as client:
        for subject in subjects:
            await client.publish(subject, b"{}")
        await dealt_with(client)
        assert len(bus.refusals) == len(subjects)
