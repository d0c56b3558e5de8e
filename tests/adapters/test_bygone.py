"""What was said last until some instant, by a real server's own time."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters import bus, bygone, clock
from domain import subjects
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
