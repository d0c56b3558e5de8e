"""The relay, on a real bus: in order, exactly once, whatever dies and whenever."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

import msgspec
import pytest
from nats.aio.msg import Msg

from adapters import bus
from domain import facts, subjects
from tests.conftest import Join, NatsServer, soon
from tests.domain.finds import FOUND
from workers import relay

NOON = datetime(2021, 1, 4, 17, 0, tzinfo=UTC)
PORTFOLIO, WHEEL, TRADE = UUID(int=1), UUID(int=2), UUID(int=3)
ALERT = facts.alert_stream(TRADE, "itm")
ABOUT: dict[str, Any] = {
    "portfolio_id": PORTFOLIO,
    "wheel_id": WHEEL,
    "trade_id": TRADE,
    "symbol": "BRK.B",
    "rule": "itm",
    "severity": "HIGH",
}
RAISED = facts.AlertRaised(
    **ABOUT,
    message="BRK.B is in the money",
    direction="put",
    strike=Decimal("230.50"),
    expiration_date=date(2021, 1, 15),
    price=Decimal("229.10"),
)
CLEARED = facts.AlertCleared(**ABOUT, reason="moved away", price=Decimal(232))
READ = facts.OpportunityRead(
    **{field: getattr(FOUND, field) for field in facts.OfOpportunity.__struct_fields__}
)
NOTED = facts.TradeNoted(portfolio_id=PORTFOLIO, symbol="BRK.B", trade_id=TRADE, notes="x")


def stream_of(fact: facts.Fact) -> UUID:
    if isinstance(fact, facts.OfOpportunity):
        return facts.opportunity_stream(fact)
    return ALERT if isinstance(fact, facts.OfAlert) else WHEEL


class Feed(list[facts.Recorded]):
    """A log in a list: positions are places."""

    def head(self) -> int:
        return len(self)

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]:
        return self[position : position + limit]

    def add(self, *new: facts.Fact) -> "Feed":
        for fact in new:
            n, stream = len(self) + 1, stream_of(fact)
            self.append(facts.Recorded(n, stream, n, NOON, NOON, "test", UUID(int=n), None, fact))
        return self


def life(length: int) -> Feed:
    """Notes; of three facts one is an alert raised or cleared, of six one an opportunity."""
    fact = (NOTED, FOUND, RAISED, NOTED, NOTED, CLEARED)
    return Feed().add(*(fact[n % 6] for n in range(length)))


class Running:
    """A relay in the background, for as long as the block lasts."""

    def __init__(self, feed: Feed, connected: bus.Bus) -> None:
        self.stop, self.woken = asyncio.Event(), asyncio.Event()
        self.beat: dict[str, Any] = {}
        self._task = asyncio.ensure_future(
            relay.run(feed, connected, self.stop, self.woken, self.beat)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await soon(self._task)

    async def reach(self, position: int) -> None:
        async with asyncio.timeout(10):
            while self.beat.get("position") != position:
                await asyncio.sleep(0)
                assert not self._task.done()


async def relayed(server: NatsServer) -> list[int]:
    """The positions on ledger.event, as they are stored."""
    return [position(message) for message in await server.stored("LEDGER")]


async def alerted(server: NatsServer) -> list[int]:
    return await told_on(server, "risk.alert.")


async def offered(server: NatsServer) -> list[int]:
    return await told_on(server, "opportunity.")


async def told_on(server: NatsServer, beginning: str) -> list[int]:
    stored = await server.stored("RISK")
    return [position(each) for each in stored if each.subject.startswith(beginning)]


def position(message: Msg) -> int:
    return int(msgspec.json.decode(message.data)["data"]["position"])


def all_of(feed: Feed) -> list[int]:
    return list(range(1, len(feed) + 1))


def alerts_of(feed: Feed) -> list[int]:
    return [each.position for each in feed if isinstance(each.fact, facts.OfAlert)]


def opportunities_of(feed: Feed) -> list[int]:
    return [each.position for each in feed if isinstance(each.fact, facts.OfOpportunity)]


async def test_a_fact_is_told_with_all_that_is_known_of_it(server: NatsServer, join: Join) -> None:
    feed = Feed().add(RAISED)
    async with Running(feed, await join("relay")) as running:
        await running.reach(1)
    (message,) = await server.stored("LEDGER")
    assert message.subject == f"ledger.event.alert.{ALERT}.AlertRaised"
    assert (message.headers or {})["Nats-Msg-Id"] == "1"
    told = bus.Heard(message.subject, message.data).read(subjects.LedgerEvent)
    assert (told.data.fact, told.time, told.id) == (RAISED, NOON, "1")


async def test_an_alert_is_told_to_strangers_too(server: NatsServer, join: Join) -> None:
    feed = Feed().add(RAISED, CLEARED)
    async with Running(feed, await join("relay")) as running:
        await running.reach(2)
    raised, cleared = await server.stored("RISK")
    assert raised.subject == "risk.alert.HIGH.BRK_B.itm"
    told = bus.Heard("", raised.data).read(subjects.AlertNotice).data
    assert (told.status, told.alert_id, told.strike) == ("raised", ALERT, Decimal("230.50"))
    told = bus.Heard("", cleared.data).read(subjects.AlertNotice).data
    assert (told.status, told.message, told.strike) == ("cleared", "moved away", None)


async def test_what_people_do_with_an_alert_is_told(server: NatsServer, join: Join) -> None:
    until = NOON + timedelta(hours=1)
    feed = Feed().add(facts.AlertAcknowledged(**ABOUT), facts.AlertMuted(**ABOUT, until=until))
    async with Running(feed, await join("relay")) as running:
        await running.reach(2)
    told = [
        bus.Heard("", message.data).read(subjects.AlertNotice).data.status
        for message in await server.stored("RISK")
    ]
    assert told == ["acknowledged", "muted"]


async def test_an_opportunity_is_told_to_strangers_too(server: NatsServer, join: Join) -> None:
    feed = Feed().add(FOUND, READ)
    async with Running(feed, await join("relay")) as running:
        await running.reach(2)
    messages = await server.stored("RISK")
    assert [each.subject for each in messages] == ["opportunity.AAPL"] * 2
    assert (messages[0].headers or {})["Nats-Msg-Id"] == "opportunity-1"
    found, read = (
        bus.Heard("", each.data).read(subjects.OpportunityNotice).data for each in messages
    )
    assert (found.status, found.found, found.opportunity_id) == ("found", FOUND, stream_of(FOUND))
    assert (read.status, read.found, read.strike) == ("read", None, FOUND.strike)


async def test_of_what_comes_together_the_alerts_are_told_first(
    server: NatsServer, join: Join
) -> None:
    feed = Feed().add(FOUND, RAISED)
    async with Running(feed, await join("relay")) as running:
        await running.reach(2)
    assert [position(each) for each in await server.stored("RISK")] == [2, 1]


async def test_a_nudge_wakes_the_relay(server: NatsServer, join: Join) -> None:
    feed = Feed()
    async with Running(feed, await join("relay")) as running:
        await running.reach(0)
        feed.add(NOTED)
        running.woken.set()
        await running.reach(1)
    assert await relayed(server) == [1]


async def test_without_a_nudge_it_looks_by_itself(server: NatsServer, join: Join) -> None:
    feed = Feed()
    async with Running(feed, await join("relay")) as running:
        await running.reach(0)
        feed.add(NOTED)
        await running.reach(1)
    assert await relayed(server) == [1]


# --- crashes ---------------------------------------------------------------------------------


class Crash(BaseException):
    """The process dies here; nothing catches it."""


class Mortal(bus.Bus):
    """A bus whose process dies at a point of its life, chosen by the test."""

    def __init__(self, connected: bus.Bus, dies: str) -> None:
        self.__dict__ = connected.__dict__
        self._dies = dies

    async def publish(
        self,
        *given: Any,
        **named: Any,
    ) -> int:
        what = named["type"].rpartition(".")[2]
        return await self._die(what, lambda: super(Mortal, self).publish(*given, **named))

    async def publish_all(
        self, messages: Sequence[bus.Message], *, after: int | None = None
    ) -> int:
        if self._dies == "in the middle of the batch":
            await super().publish_all(messages[: len(messages) // 2], after=after)
            raise Crash
        return await self._die(
            "batch", lambda: super(Mortal, self).publish_all(messages, after=after)
        )

    async def _die(self, what: str, act: Callable[[], Awaitable[int]]) -> int:
        if self._dies == f"before the {what}":
            raise Crash
        sequence = await act()
        if self._dies == f"after the {what}":
            raise Crash
        return sequence


@pytest.mark.parametrize(
    "dies",
    [
        "before the alert",
        "after the alert",
        "before the opportunity",
        "after the opportunity",
        "before the batch",
        "in the middle of the batch",
        "after the batch",
    ],
)
async def test_a_crash_at_any_point_repeats_loses_and_reorders_nothing(
    server: NatsServer, join: Join, dies: str
) -> None:
    feed, connected = life(20), await join("relay")
    with pytest.raises(Crash):
        await relay.run(feed, Mortal(connected, dies), asyncio.Event(), asyncio.Event(), {})
    feed.add(FOUND, RAISED)
    async with Running(feed, connected) as running:
        await running.reach(22)
    assert await relayed(server) == all_of(feed)
    assert await alerted(server) == alerts_of(feed)
    assert await offered(server) == opportunities_of(feed)


async def test_a_crash_longer_ago_than_the_duplicate_window_repeats_nothing(
    server: NatsServer, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = timedelta(milliseconds=100)
    monkeypatch.setattr(
        subjects,
        "STREAMS",
        [msgspec.structs.replace(stream, duplicates=brief) for stream in subjects.STREAMS],
    )
    feed, connected = life(7), await join("relay")
    with pytest.raises(Crash):
        await relay.run(
            feed,
            Mortal(connected, "before the batch"),
            asyncio.Event(),
            asyncio.Event(),
            {},
        )
    await asyncio.sleep(0.3)  # the window itself has to pass
    async with Running(feed, connected) as running:
        await running.reach(7)
    assert await alerted(server) == alerts_of(feed)
    assert await offered(server) == opportunities_of(feed)
    assert await relayed(server) == all_of(feed)


async def test_two_relays_tell_everything_once(server: NatsServer, join: Join) -> None:
    feed = Feed()
    async with (
        Running(feed, await join("relay")) as one,
        Running(feed, await join("relay")) as other,
    ):
        for _ in range(20):
            feed.add(FOUND, RAISED, NOTED)
            one.woken.set()
            other.woken.set()
            await asyncio.gather(one.reach(len(feed)), other.reach(len(feed)))
    assert await relayed(server) == all_of(feed)
    assert await alerted(server) == alerts_of(feed)
    assert await offered(server) == opportunities_of(feed)


# --- the server comes and goes ---------------------------------------------------------------


async def test_a_server_that_was_away_gets_what_it_missed(server: NatsServer, join: Join) -> None:
    feed = life(10)
    async with Running(feed, await join("relay")) as running:
        await running.reach(10)
        server.stop()
        feed.add(NOTED, RAISED, NOTED)
        server.start()
        await running.reach(13)
    assert await relayed(server) == all_of(feed)
    assert await alerted(server) == alerts_of(feed)
    assert await offered(server) == opportunities_of(feed)


async def test_a_relay_that_begins_without_a_server_waits_for_it(
    server: NatsServer, join: Join
) -> None:
    server.stop()
    feed = life(10)
    async with Running(feed, await join("relay")) as running:
        await asyncio.sleep(0)
        server.start()
        await running.reach(10)
    assert await relayed(server) == all_of(feed)


async def test_a_server_that_dies_again_and_again_under_load_gets_all_in_order(
    server: NatsServer, join: Join
) -> None:
    feed = life(1000)
    async with Running(feed, await join("relay")) as running:
        for _ in range(5):
            feed.add(*([NOTED] * 500), FOUND, RAISED, CLEARED)
            await asyncio.sleep(0.05)
            server.stop()
            server.start()
        await running.reach(len(feed))
    assert await relayed(server) == all_of(feed)
    assert await alerted(server) == alerts_of(feed)
    assert await offered(server) == opportunities_of(feed)


async def test_a_wiped_server_gets_everything_again(server: NatsServer, join: Join) -> None:
    feed = life(10)
    async with Running(feed, await join("relay")) as running:
        await running.reach(10)
        server.stop()
        shutil.rmtree(server.settings.nats_dir / "store")
        running.beat["position"] = None
        server.start()
        await running.reach(10)
    assert await relayed(server) == all_of(feed)
    assert await alerted(server) == alerts_of(feed)
    assert await offered(server) == opportunities_of(feed)


async def test_streams_of_another_log_are_complained_about(
    server: NatsServer, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    connected = await join("relay")
    async with Running(life(10), connected) as running:
        await running.reach(10)
    await relay.resumed(connected, life(3))
    assert "another log" in caplog.text


def test_an_event_names_the_request_that_led_to_it() -> None:
    feed = life(1)
    recorded = msgspec.structs.replace(feed.after(0, 1)[0], request_id="desk-42")
    assert relay._event(recorded).data.request_id == "desk-42"


async def test_thousands_of_facts_a_second_are_relayed(server: NatsServer, join: Join) -> None:
    feed = Feed().add(*([NOTED] * 10_000))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with Running(feed, await join("relay")) as running:
        await running.reach(10_000)
    assert 10_000 / (loop.time() - begun) > 2_000
