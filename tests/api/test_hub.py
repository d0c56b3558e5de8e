"""The hub: a reader is a place in what is told, so being slow or away costs nobody anything."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from api import hub
from api.shapes import ledger
from api.shapes.stream import TOPICS, Topic
from domain import facts, market, refusals
from tests.conftest import soon
from tests.domain.finds import FOUND

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
EVERYTHING = frozenset(TOPICS)


class Log:
    """A log to which anything can be added, and that counts how often it is read."""

    def __init__(self) -> None:
        self.facts: list[facts.Recorded] = []
        self.read: list[int] = []

    def head(self) -> int:
        return len(self.facts)

    def after(self, position: int, limit: int) -> Sequence[facts.Recorded]:
        self.read.append(position)
        return self.facts[position : position + limit]

    def add(self, fact: facts.Fact) -> None:
        position = len(self.facts) + 1
        self.facts.append(
            facts.Recorded(position, uuid4(), 1, NOW, NOW, "api", uuid4(), None, fact)
        )

    def opened(self, count: int) -> None:
        """So many portfolios."""
        for number in range(count):
            self.add(facts.PortfolioCreated(portfolio_id=uuid4(), portfolio_name=str(number)))


def raised() -> facts.AlertRaised:
    return facts.AlertRaised(
        portfolio_id=uuid4(),
        wheel_id=uuid4(),
        trade_id=UUID(int=1),
        symbol="XYZ",
        rule="itm",
        severity="HIGH",
        message="in the money",
        direction="put",
        strike=Decimal(100),
        expiration_date=date(2026, 3, 20),
    )


def quote(symbol: str, last: int) -> market.Quote:
    return market.Quote(symbol, Decimal(last), None, None, NOW, "simulated", "live")


@pytest.fixture
def log() -> Log:
    return Log()


@asynccontextmanager
async def running(log: Log) -> AsyncIterator[hub.Hub]:
    it = hub.Hub(log)
    following = asyncio.create_task(it.run())
    try:
        yield it
    finally:
        following.cancel()
        await asyncio.wait([following])
        await it.close()


class Listener:
    """Hears a hub as a transport does."""

    def __init__(self, reader: hub.Reader) -> None:
        self.reader = reader
        self._batches = reader.batches()
        self._left: list[hub.Message] = []

    async def next(self, count: int) -> list[hub.Message]:
        while len(self._left) < count:
            self._left += await soon(anext(self._batches))
        heard, self._left = self._left[:count], self._left[count:]
        return heard

    async def positions(self, count: int) -> list[int | None]:
        return [message.id for message in await self.next(count)]


@asynccontextmanager
async def heard(
    it: hub.Hub, topics: frozenset[Topic] = EVERYTHING, after: int | None = None
) -> AsyncIterator[Listener]:
    reader = await it.reader(topics, after)
    with it.listening(reader):
        yield Listener(reader)


async def test_every_fact_is_told_once_and_in_order(log: Log) -> None:
    async with running(log) as it, heard(it) as listener:
        log.opened(3)
        it.wake()
        assert await listener.positions(3) == [1, 2, 3]
        log.opened(2)
        it.wake()
        assert await listener.positions(2) == [4, 5]


async def test_new_facts_are_found_though_nobody_nudges(log: Log) -> None:
    async with running(log) as it, heard(it) as listener:
        log.opened(1)
        assert await listener.positions(1) == [1]


async def test_a_fact_is_read_once_however_many_listen(log: Log) -> None:
    async with running(log) as it, heard(it) as one, heard(it) as other:
        log.opened(1)
        first, second = await one.next(1), await other.next(1)
        assert first[0] is second[0]


async def test_who_falls_out_of_the_window_reads_the_log_and_loses_nothing(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEPT", 5)
    monkeypatch.setattr(hub, "BATCH", 10)
    async with running(log) as it, heard(it) as quick, heard(it) as slow:
        log.opened(40)
        it.wake()
        await quick.positions(40)
        assert await slow.positions(40) == list(range(1, 41))
        assert log.read.count(0) > 1


async def test_the_window_is_bounded_by_bytes_too(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEPT_BYTES", 1)
    async with running(log) as it, heard(it) as listener:
        log.opened(3)
        assert await listener.positions(3) == [1, 2, 3]


async def test_who_was_away_goes_on_from_there(log: Log) -> None:
    log.opened(700)
    async with running(log) as it, heard(it, after=100) as listener:
        assert await listener.positions(600) == list(range(101, 701))


@pytest.mark.parametrize(
    ("topics", "told"),
    [(EVERYTHING, ["ledger", "alert"]), (frozenset({"ledger"}), ["ledger", "ledger"])],
)
async def test_a_fact_of_an_alert_is_told_in_the_form_that_was_asked_for(
    log: Log, topics: frozenset[Topic], told: list[str]
) -> None:
    log.opened(1)
    log.add(raised())
    async with running(log) as it, heard(it, topics, 0) as listener:
        assert [message.event for message in await listener.next(2)] == told


@pytest.mark.parametrize("fact", [FOUND, facts.SymbolWatched(symbol="AAPL")])
async def test_what_is_watched_and_found_is_told_with_the_ledger(
    log: Log, fact: facts.Fact
) -> None:
    log.add(fact)
    async with running(log) as it, heard(it, after=0) as listener:
        (message,) = await listener.next(1)
    assert message.event == "ledger"
    assert msgspec.json.decode(message.data, type=ledger.Event).data == fact


async def test_who_wants_alerts_alone_hears_nothing_else(log: Log) -> None:
    log.opened(300)
    log.add(raised())
    async with running(log) as it, heard(it, frozenset({"alerts"}), 0) as listener:
        (alert,) = await listener.next(1)
        assert (alert.id, msgspec.json.decode(alert.data)["status"]) == (301, "raised")


async def test_of_quotes_a_slow_reader_hears_the_newest(log: Log) -> None:
    async with running(log) as it, heard(it) as listener:
        for last in range(100):
            it.quoted(quote("SPY", last))
        it.quoted(quote("QQQ", 7))
        quotes = [msgspec.json.decode(message.data) for message in await listener.next(2)]
        assert [(each["symbol"], each["last"]) for each in quotes] == [("SPY", 99), ("QQQ", 7)]


async def test_the_last_quotes_come_first(log: Log) -> None:
    async with running(log) as it:
        it.quoted(quote("SPY", 500))
        async with heard(it) as listener:
            (first,) = await listener.next(1)
    assert first.sse == b"event: quote\ndata: " + first.data + b"\n\n"


async def test_a_board_forgets_what_is_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ON_A_BOARD", 2)
    board = hub.Board()
    for name in ("a", "b", "a", "c"):
        board.put(name, hub.Message(name, None, b""))
    assert [message.event for message in board.after(0)] == ["a", "c"]


async def test_a_silence_is_told_as_such(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SILENCE", 0.01)
    async with running(log) as it:
        assert await soon(anext((await it.reader(EVERYTHING, None)).batches())) == []


async def test_one_too_many_is_told_so(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_READERS", 1)
    async with running(log) as it, heard(it):
        with pytest.raises(refusals.Unavailable):
            await it.reader(EVERYTHING, None)


async def test_who_takes_nothing_is_given_up(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "STALLED", 0.01)
    async with running(log) as it:
        reader = await it.reader(EVERYTHING, None)
        with pytest.raises(TimeoutError):
            await soon(reader.patiently(asyncio.Event().wait))


async def test_at_the_end_who_takes_nothing_has_little_time(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "GRACE", 0.01)
    async with running(log) as it, heard(it) as listener:
        taking = asyncio.create_task(listener.reader.patiently(asyncio.Event().wait))
        await asyncio.sleep(0)
        await it.close()
        with pytest.raises(TimeoutError):
            await soon(taking)


async def test_the_end_may_come_while_somebody_is_given_up(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "STALLED", 0)
    monkeypatch.setattr(hub, "GRACE", 0.01)
    async with running(log) as it, heard(it) as listener:
        taking = asyncio.create_task(listener.reader.patiently(asyncio.Event().wait))
        for _ in range(5):
            await asyncio.sleep(0)
            listener.reader.hurry()
        with pytest.raises(TimeoutError):
            await soon(taking)


async def test_at_rest_the_log_is_left_alone(log: Log) -> None:
    async with running(log) as it:
        async with heard(it) as listener:
            log.opened(1)
            await listener.next(1)
        reads = len(log.read)
        log.opened(1)
        it.wake()
        await asyncio.sleep(0)
        assert len(log.read) <= reads + 1


async def test_who_is_behind_asks_a_log_again_that_does_not_answer(log: Log) -> None:
    answering = log.after
    failures = iter(range(2))

    def failing(position: int, limit: int) -> Any:
        if position == 0 and next(failures, None) is not None:
            raise refusals.Unavailable("the event store does not answer")
        return answering(position, limit)

    log.opened(2 * hub.BATCH)
    log.after = failing  # type: ignore[method-assign]
    async with running(log) as it, heard(it, after=0) as listener:
        assert await listener.positions(2 * hub.BATCH) == list(range(1, 2 * hub.BATCH + 1))


async def test_a_log_that_does_not_answer_is_asked_again(log: Log) -> None:
    answering = log.after

    def failing(position: int, limit: int) -> Any:
        log.after = answering  # type: ignore[method-assign]
        raise refusals.Unavailable("the event store does not answer")

    async with running(log) as it, heard(it) as listener:
        log.after = failing  # type: ignore[method-assign]
        log.opened(1)
        assert await listener.positions(1) == [1]
