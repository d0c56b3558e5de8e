"""What was said last until some instant, by a real server's own time."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters import bus, bygone, clock
from domain import market, subjects
from tests.conftest import Join, NatsServer

SUBJECTS = [subjects.market_quote(symbol) for symbol in ("AAA", "BBB", "CCC")]


async def say(speaker: bus.Bus, subject: str, number: int) -> datetime:
    """Say it; an instant by which it has been said, and nothing more."""
    await speaker.publish(
        subject, subjects.Nudge(number), id=str(number), type="test", time=clock.SYSTEM.now()
    )
    return clock.SYSTEM.now()


def told(heard: list[bus.Heard]) -> dict[str, int]:
    return {each.subject: each.read(subjects.Nudge).data.position for each in heard}


@pytest.mark.parametrize("at_once", [1, 500])
async def test_of_each_subject_the_last_until_then_is_told(
    server: NatsServer, join: Join, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(bygone, "AT_ONCE", at_once)
    prices, api = await join("prices"), await join("api")
    await say(prices, SUBJECTS[0], 1)
    await say(prices, SUBJECTS[1], 2)
    then = await say(prices, SUBJECTS[0], 3)
    now = await say(prices, SUBJECTS[0], 4)
    assert told(await api.last_until("MARKET", SUBJECTS, then)) == {SUBJECTS[0]: 3, SUBJECTS[1]: 2}
    assert told(await api.last_until("MARKET", SUBJECTS, now)) == {SUBJECTS[0]: 4, SUBJECTS[1]: 2}


async def test_before_all_there_is_nothing(server: NatsServer, join: Join) -> None:
    prices, api = await join("prices"), await join("api")
    now = await say(prices, SUBJECTS[0], 1)
    assert await api.last_until("MARKET", SUBJECTS, now - timedelta(hours=1)) == []
    assert await api.last_until("MARKET", [SUBJECTS[2]], now) == []
    assert await api.last_until("MARKET", [], now) == []


async def test_without_a_server_the_bus_is_down(server: NatsServer, join: Join) -> None:
    api = await join("api")
    server.stop()
    with pytest.raises(bus.BusDown):
        await api.last_until("MARKET", SUBJECTS, datetime(2026, 1, 1, tzinfo=UTC))


def quote(symbol: str) -> market.Quote:
    return market.Quote(symbol, Decimal(1), None, None, clock.SYSTEM.now(), "test", "live")


@pytest.mark.parametrize("at_once", [1, 2, 500])
async def test_all_that_a_bucket_holds_is_told(
    server: NatsServer, join: Join, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(bygone, "AT_ONCE", at_once)
    prices, api = await join("prices"), await join("api")
    assert await api.quotes() == {}
    symbols = [f"S{number}" for number in range(5)]
    await prices.put_quotes([quote(each) for each in symbols])
    await prices.put_quotes([quote("S1"), quote("S5")])
    assert sorted(await api.quotes()) == [*symbols, "S5"]


async def test_what_was_taken_out_of_a_bucket_is_not_told(server: NatsServer, join: Join) -> None:
    prices = await join("prices")
    await prices.put_quotes([quote("AAA"), quote("BBB")])
    async with server.visit("prices") as visitor:
        bucket = await visitor.jetstream().key_value(subjects.QUOTES_BUCKET)
        [key] = [each for each in await bucket.keys() if each.endswith("AAA")]
        await bucket.delete(key)
    assert sorted(await prices.quotes()) == ["BBB"]


async def test_hundreds_who_ask_at_once_are_all_told_all(server: NatsServer, join: Join) -> None:
    prices = await join("prices")
    await prices.put_quote(quote("AAA"))
    told = await asyncio.gather(*(prices.quotes() for _ in range(300)))
    assert [list(each) for each in told] == [["AAA"]] * 300
