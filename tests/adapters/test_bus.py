"""The bus, on a real server."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from adapters import bus, clock
from domain import market, subjects
from tests.conftest import Join, NatsServer, dealt_with, soon

NOON = datetime(2021, 1, 4, 17, 0, tzinfo=UTC)


class Listener:
    """Keeps what it hears, and lets the test wait for it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bus.Heard] = asyncio.Queue()

    async def __call__(self, heard: bus.Heard) -> None:
        self.heard.put_nowait(heard)

    async def next(self) -> bus.Heard:
        return await soon(self.heard.get())


def quote(symbol: str, last: str, as_of: datetime = NOON) -> market.Quote:
    return market.Quote(symbol, Decimal(last), None, None, as_of, "test", "live")


def message(number: int, subject: str = "ledger.event.wheel.1.Test") -> bus.Message:
    return bus.Message(subject, subjects.Nudge(number), str(number), "test", NOON)


async def back(connected: bus.Bus, *, after: int) -> None:
    """Wait until there has been another connection than the ones before."""
    async with asyncio.timeout(10):
        while connected.connections <= after or not connected.connected:  # noqa: ASYNC110 - as below
            await asyncio.sleep(0)


async def gone(connected: bus.Bus) -> None:
    """Wait until the bus has noticed that its server is no more."""
    async with asyncio.timeout(10):
        while connected.connected:  # noqa: ASYNC110 - a bus has no event for it
            await asyncio.sleep(0)


async def test_a_nudge_is_heard(server: NatsServer, join: Join) -> None:
    api, relay, listener = await join("api"), await join("relay"), Listener()
    await relay.subscribe(subjects.LEDGER_APPENDED, listener)
    await api.nudge(subjects.LEDGER_APPENDED, 42)
    assert (await listener.next()).read(subjects.Nudge).data.position == 42


async def test_a_message_has_the_attributes_of_a_cloud_event(
    server: NatsServer, join: Join
) -> None:
    api, listener = await join("api"), Listener()
    await api.subscribe(subjects.LEDGER_APPENDED, listener)
    await api.nudge(subjects.LEDGER_APPENDED, 7)
    sealed = (await listener.next()).read(subjects.Nudge)
    assert (sealed.specversion, sealed.id, sealed.source, sealed.type, sealed.dataschema) == (
        "1.0",
        "7",
        "/wheelwright/api",
        "ledger.appended",
        "urn:wheelwright:ledger.appended:1",
    )


async def test_what_is_published_twice_under_one_id_is_stored_once(
    server: NatsServer, join: Join
) -> None:
    relay = await join("relay")
    first = await relay.publish_all([message(1)])
    assert await relay.publish_all([message(1)]) == first
    assert len(await server.stored("LEDGER")) == 1


async def test_thousands_are_published_in_order(server: NatsServer, join: Join) -> None:
    relay = await join("relay")
    begun = time.monotonic()
    for start in range(0, 5000, 500):
        end = await relay.publish_all([message(start + n + 1) for n in range(500)], after=start)
        assert end == start + 500
    assert time.monotonic() - begun < 5
    ids = [int(m.headers["Nats-Msg-Id"]) for m in await server.stored("LEDGER") if m.headers]
    assert ids == list(range(1, 5001))


async def test_a_publisher_that_is_behind_is_told_so(server: NatsServer, join: Join) -> None:
    relay, other = await join("relay"), await join("relay")
    await other.publish_all([message(1)], after=0)
    with pytest.raises(bus.OutOfOrder):
        await relay.publish_all([message(2), message(3)], after=0)
    assert len(await server.stored("LEDGER")) == 1


async def test_order_can_be_kept_among_some_subjects_only(server: NatsServer, join: Join) -> None:
    relay, risk = await join("relay"), await join("risk")
    wheel = UUID(int=1)

    async def alert(number: int, after: int) -> int:
        return await relay.publish(
            "risk.alert.HIGH.SPY.itm",
            subjects.Nudge(number),
            id=str(number),
            type="test",
            time=NOON,
            after=after,
            among=subjects.EVERY_ALERT,
        )

    first = await alert(1, after=0)
    await risk.publish(
        subjects.risk_position(wheel, wheel), subjects.Nudge(2), id="p", type="test", time=NOON
    )
    second = await alert(3, after=first)
    assert second == first + 2
    with pytest.raises(bus.OutOfOrder):
        await alert(4, after=first)


async def test_what_a_stream_has_last_can_be_asked(server: NatsServer, join: Join) -> None:
    relay = await join("relay")
    assert await relay.last("LEDGER", subjects.EVERY_LEDGER_EVENT) == bus.Last("", 0, 0)
    await relay.publish_all([message(1), message(2, "ledger.event.alert.1.Test")])
    assert await relay.last_message_id("LEDGER", subjects.EVERY_LEDGER_EVENT) == "2"
    assert await relay.last("LEDGER", "ledger.event.wheel.>") == bus.Last("1", 1, 2)


# --- without a server ------------------------------------------------------------------------


async def test_a_bus_without_a_server_begins_and_says_that_it_is_down(join: Join) -> None:
    relay = await join("relay")
    assert not relay.connected
    await relay.nudge(subjects.LEDGER_APPENDED, 1)
    with pytest.raises(bus.BusDown):
        await relay.publish_all([message(1)])
    with pytest.raises(bus.BusDown):
        await relay.quotes()


async def test_it_connects_once_a_server_is_there(server: NatsServer, join: Join) -> None:
    server.stop()
    relay, listener = await join("relay"), Listener()
    await relay.subscribe(subjects.LEDGER_APPENDED, listener)
    server.start()
    assert await relay.wait_up(10)
    api = await join("api")
    await api.nudge(subjects.LEDGER_APPENDED, 3)
    assert (await listener.next()).read(subjects.Nudge).data.position == 3


async def test_subscriptions_and_streams_outlive_the_server(server: NatsServer, join: Join) -> None:
    relay, listener = await join("relay"), Listener()
    stop = await relay.subscribe("ledger.event.>", listener)
    await relay.publish_all([message(1)], after=0)
    assert (await listener.next()).id == "1"
    server.stop()
    await gone(relay)
    with pytest.raises(bus.BusDown):
        await relay.publish_all([message(2)], after=1)
    server.start()
    await back(relay, after=1)
    await relay.publish_all([message(2)], after=1)
    assert (await listener.next()).id == "2"
    await stop()
    await relay.publish_all([message(3)], after=2)
    assert listener.heard.empty()


async def test_a_publisher_whose_server_dies_does_not_wait(server: NatsServer, join: Join) -> None:
    relay = await join("relay")
    server.freeze()
    publishing = asyncio.create_task(relay.publish_all([message(1)]))
    await asyncio.sleep(0.05)
    server.stop()
    begun = time.monotonic()
    with pytest.raises(bus.BusDown):
        await publishing
    assert time.monotonic() - begun < 1


async def test_a_server_that_dies_while_much_waits_to_be_written_is_found_again(
    server: NatsServer, join: Join
) -> None:
    relay = await join("relay")
    server.freeze()
    much = {f"key{number}": bytes(500_000) for number in range(20)}
    writing = []
    for _ in ("more than the socket takes", "what waits behind it"):
        writing.append(asyncio.create_task(relay.put_all(subjects.QUOTES_BUCKET, much)))
        await asyncio.sleep(0.05)
    server.stop()
    server.start()
    await back(relay, after=1)
    for each in writing:
        with pytest.raises(bus.BusDown):
            await each


async def test_a_server_that_does_not_answer_does_not_hold_up_the_end(
    server: NatsServer,
) -> None:
    async with bus.connect(server.url, "api", server.password("api"), clock.SYSTEM) as api:
        server.freeze()
        await api.nudge(subjects.LEDGER_APPENDED, 1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1.5


async def test_a_wrong_password_is_no_reason_to_fail(server: NatsServer) -> None:
    async with bus.connect(server.url, "api", "wrong", clock.SYSTEM) as api:
        assert not api.connected


async def test_several_that_come_first_at_once_agree_on_the_streams(
    server: NatsServer, join: Join
) -> None:
    roles = ("api", "projector", "relay", "prices", "risk")
    joined = await asyncio.gather(*(join(role) for role in roles))
    assert all(each.connected for each in joined)
    async with server.visit("subscriber") as stranger:
        info = await stranger.jetstream().stream_info("RISK")
    assert info.config.max_age == 90 * 86_400


async def test_a_handler_that_fails_hears_the_next_message(
    server: NatsServer, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    api, listener = await join("api"), Listener()

    async def fails_once(heard: bus.Heard) -> None:
        if heard.read(subjects.Nudge).data.position == 1:
            raise ValueError("boom")
        await listener(heard)

    await api.subscribe(subjects.LEDGER_APPENDED, fails_once)
    await api.nudge(subjects.LEDGER_APPENDED, 1)
    await api.nudge(subjects.LEDGER_APPENDED, 2)
    assert (await listener.next()).read(subjects.Nudge).data.position == 2
    assert "was not handled" in caplog.text


def test_what_is_no_envelope_is_unreadable() -> None:
    with pytest.raises(bus.Unreadable):
        bus.Heard("ledger.appended", b'{"id": 1}').read(subjects.Nudge)


# --- quotes ----------------------------------------------------------------------------------


class Ticker:
    def __init__(self) -> None:
        self.quotes: asyncio.Queue[market.Quote] = asyncio.Queue()

    async def __call__(self, told: market.Quote) -> None:
        self.quotes.put_nowait(told)

    async def next(self) -> market.Quote:
        return await soon(self.quotes.get())


async def test_quotes_are_kept_by_symbol_to_the_last_digit(server: NatsServer, join: Join) -> None:
    prices, api = await join("prices"), await join("api")
    assert await api.quotes() == {}
    await prices.put_quotes([quote("SPY", "371.10"), quote("BRK.B", "230.05")])
    await prices.put_quote(quote("SPY", "372.123456789012345678"))
    kept = await api.quotes()
    assert kept == {
        "SPY": quote("SPY", "372.123456789012345678"),
        "BRK.B": quote("BRK.B", "230.05"),
    }


async def test_brk_b_travels_as_brk_b_with_an_underscore(server: NatsServer, join: Join) -> None:
    prices, risk, listener = await join("prices"), await join("risk"), Listener()
    await risk.subscribe(subjects.EVERY_QUOTE, listener)
    brk = quote("BRK.B", "230.05")
    await prices.publish(
        subjects.market_quote("BRK.B"), brk, id="1", type="market.quote", time=NOON
    )
    heard = await listener.next()
    assert heard.subject == "market.quote.BRK_B"
    assert heard.read(market.Quote).data == brk


async def test_a_watcher_hears_what_was_kept_and_what_comes(server: NatsServer, join: Join) -> None:
    prices, risk, ticker = await join("prices"), await join("risk"), Ticker()
    await prices.put_quote(quote("SPY", "371"))
    await risk.watch_quotes(ticker)
    assert await ticker.next() == quote("SPY", "371")
    later = NOON.replace(hour=18)
    await prices.put_quote(quote("SPY", "372", later))
    assert await ticker.next() == quote("SPY", "372", later)


async def test_a_watcher_hears_after_a_gap_what_is_kept(server: NatsServer, join: Join) -> None:
    prices, risk, ticker = await join("prices"), await join("risk"), Ticker()
    await risk.watch_quotes(ticker)
    await prices.put_quote(quote("SPY", "371"))
    await ticker.next()
    server.stop()
    await gone(risk)
    server.start()
    assert await ticker.next() == quote("SPY", "371")


async def test_what_another_market_said_is_neither_heard_nor_found(
    server: NatsServer, join: Join
) -> None:
    simulated, real = await join("prices", shelf="simulated"), await join("prices", shelf="schwab")
    ticker = Ticker()
    await simulated.put_quote(quote("SPY", "371"))
    await simulated.put_all(subjects.MARKET_BUCKET, {"chain.SPY": b"371"})
    assert await real.quotes() == {}
    assert await real.get(subjects.MARKET_BUCKET, "chain.SPY") is None
    await real.watch_quotes(ticker)
    await real.put_quote(quote("SPY", "642"))
    assert await ticker.next() == quote("SPY", "642")
    assert (await simulated.quotes())["SPY"] == quote("SPY", "371")


# --- a stranger ------------------------------------------------------------------------------


async def test_a_subscriber_that_was_away_hears_what_it_missed_once_and_in_order(
    server: NatsServer, join: Join
) -> None:
    relay = await join("relay")

    async def hear(count: int) -> list[str]:
        async with server.visit("subscriber") as stranger:
            mine = await stranger.jetstream().pull_subscribe(
                "ledger.event.>", durable="stranger", stream="LEDGER"
            )
            heard: list[str] = []
            while len(heard) < count:
                for each in await mine.fetch(count - len(heard), timeout=10):
                    heard.append((each.headers or {})["Nats-Msg-Id"])
                    await each.ack_sync()
            return heard

    await relay.publish_all([message(n) for n in (1, 2)], after=0)
    assert await hear(2) == ["1", "2"]
    await relay.publish_all([message(n) for n in (3, 4, 5)], after=2)
    assert await hear(3) == ["3", "4", "5"]


async def test_a_subscriber_cannot_publish(server: NatsServer, join: Join) -> None:
    relay, listener = await join("relay"), Listener()
    await relay.subscribe("ledger.>", listener)
    async with server.visit("subscriber") as stranger:
        for subject in (
            "ledger.event.wheel.1.Test",
            "ledger.event.alert.1.Test",
            "ledger.appended",
        ):
            await stranger.publish(subject, b"{}")
        await dealt_with(stranger)
        assert len(server.refusals) == 3
    await relay.publish_all([message(1)])
    assert (await listener.next()).id == "1"


async def test_a_subscriber_can_use_a_bus_too(server: NatsServer, join: Join) -> None:
    relay, stranger, listener = await join("relay"), await join("subscriber"), Listener()
    await stranger.subscribe("ledger.event.>", listener)
    await relay.publish_all([message(1)])
    assert (await listener.next()).id == "1"


async def test_a_server_that_has_frozen_is_given_up_and_found_again(
    server: NatsServer, join: Join
) -> None:
    relay = await join("relay")
    server.freeze()
    await gone(relay)
    server.thaw()
    await back(relay, after=1)
    assert await relay.publish_all([message(1)], after=0) == 1
