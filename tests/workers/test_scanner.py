"""From a question on the bus to opportunities in the log, whatever happens on the way."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from adapters import bus, clock, event_store, scan_file
from adapters.event_store import EventStore
from adapters.settings import Settings
from domain import facts, market, ports, refusals, subjects, watchlist
from tests.conftest import Join, NatsServer, soon
from tests.domain.finds import FOUND, NOON, found
from workers import running, scanner, search

SCAN = UUID(int=70)
TIME = clock.standing_at(NOON)


class Market:
    """Finds one contract in every symbol, unless it is told otherwise; notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, facts.Profile]] = []
        self.finds: dict[str, Sequence[facts.OpportunityFound] | Exception] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.busy = self.busiest = 0

    async def find(self, symbol: str, profile: facts.Profile) -> Sequence[facts.OpportunityFound]:
        self.asked.append((symbol, profile))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(0)
            await self.open.wait()
        finally:
            self.busy -= 1
        answer = self.finds.get(symbol, [found(symbol=symbol)])
        if isinstance(answer, Exception):
            raise answer
        return answer


class Room:
    """A scanner with a log, a market, and ears that hear what it tells and keeps."""

    def __init__(self, log: EventStore, last: subjects.Scan | None = None) -> None:
        self.market = Market()
        self.told: list[subjects.JobNotice] = []
        self.kept: list[subjects.Scan] = []
        self.nudges: list[int] = []
        self.log = log
        self.scanner = search.Scanner(
            search.Ledger(log, self._nudge, TIME),
            self.market.find,
            self._tell,
            self.kept.append,
            TIME,
            last,
            search.Pace(10, math.inf),
        )

    async def _nudge(self, position: int) -> None:
        self.nudges.append(position)

    async def _tell(self, notice: subjects.JobNotice) -> None:
        self.told.append(notice)

    async def order(self, *symbols: str, id: UUID = SCAN) -> subjects.ScanReply:  # noqa: A002
        """Ask for a scan of some symbols, or of all that are watched."""
        order = subjects.ScanOrder(id, symbols or None)
        return await self.scanner.reply(subjects.ScanQuestion(order))

    async def ended(self) -> subjects.Scan:
        """The scan, once it has ended."""
        assert self.scanner._running is not None
        await soon(asyncio.wait([self.scanner._running]))
        assert self.scanner.scan is not None
        return self.scanner.scan

    async def scanned(self, *symbols: str, id: UUID = SCAN) -> subjects.Scan:  # noqa: A002
        await self.order(*symbols, id=id)
        return await self.ended()

    @property
    def recorded(self) -> list[facts.OpportunityFound]:
        facts_of = (each.fact for each in self.log.after(0, 10_000))
        return [each for each in facts_of if isinstance(each, facts.OpportunityFound)]

    @property
    def outcomes(self) -> list[tuple[str, int]]:
        return [(each.outcome, each.done) for each in self.told]


class Gone:
    """A log whose disk is not there."""

    def stream(self, _: UUID) -> Sequence[facts.Recorded]:
        raise refusals.Unavailable("the disk is gone")

    def append_each(
        self, appends: Sequence[ports.Append]
    ) -> Sequence[Sequence[int] | refusals.Refusal]:
        return [refusals.Unavailable("the disk is gone") for _ in appends]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventStore]:
    with closing(event_store.open_sqlite(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
async def room(log: EventStore) -> Room:
    return Room(log)


def watch(log: EventStore, symbol: str, profile: facts.Profile = "moderate") -> None:
    state = watchlist.fold(log.stream(facts.WATCHLIST_STREAM))
    order = watchlist.Watch(symbol=symbol, profile=profile)
    log.append(watchlist.decide(state, order, now=NOON, command_id=UUID(int=1)))


async def test_what_is_watched_is_searched_each_by_its_profile(room: Room) -> None:
    watch(room.log, "SPY", "aggressive")
    watch(room.log, "AAPL")
    scan = await room.scanned()
    assert room.market.asked == [("AAPL", "moderate"), ("SPY", "aggressive")]
    assert (scan.status, scan.symbols, scan.done, scan.found) == (
        "succeeded",
        ("AAPL", "SPY"),
        2,
        2,
    )
    assert (scan.started_at, scan.finished_at, scan.message) == (NOON, NOON, None)


async def test_symbols_that_are_named_are_searched_watched_or_not(room: Room) -> None:
    watch(room.log, "SPY", "aggressive")
    await room.scanned("SPY", "AAPL")
    assert room.market.asked == [("SPY", "aggressive"), ("AAPL", "conservative")]


async def test_where_nothing_is_watched_a_scan_is_over_at_once(room: Room) -> None:
    scan = await room.scanned()
    assert (scan.status, scan.symbols, room.recorded) == ("succeeded", (), [])


async def test_a_find_is_recorded_under_its_scan_and_the_log_is_said_to_have_grown(
    room: Room,
) -> None:
    await room.scanned("AAPL")
    assert room.recorded == [found(scan_id=SCAN)]
    [recorded] = room.log.stream(facts.opportunity_stream(FOUND))
    assert (recorded.source, recorded.command_id, recorded.recorded_at) == ("scanner", SCAN, NOON)
    assert room.nudges == [room.log.head()]


async def test_a_contract_is_found_once_a_day_however_often_it_is_scanned(room: Room) -> None:
    twice = found(rank=2, strike=Decimal("142.500"))
    room.market.finds["AAPL"] = [FOUND, twice]
    assert (await room.scanned("AAPL")).found == 1
    room.market.finds["AAPL"] = [
        found(bid=Decimal("0.70")),
        found(strike=Decimal(140)),
        found(day=FOUND.day + timedelta(days=1)),
    ]
    assert (await room.scanned("AAPL", id=UUID(int=71))).found == 2
    assert [(each.strike, each.day.day) for each in room.recorded] == [
        (Decimal("142.50"), 2),
        (Decimal(140), 2),
        (Decimal("142.50"), 3),
    ]


@pytest.mark.parametrize(
    ("reason", "code", "message"),
    [
        (market.ProviderDown("SPY", "no answer"), "EXTERNAL_API_ERROR", "no answer"),
        (market.UnknownSymbol("SPY"), "EXTERNAL_API_ERROR", "not a symbol that is served here"),
        (refusals.Unavailable("no views"), "SERVICE_UNAVAILABLE", "no views"),
        (refusals.OutOfTurn("not now"), "INVALID_STATE", "not now"),
        (ZeroDivisionError("oh"), "INTERNAL_ERROR", "the scanner's log has it"),
    ],
)
async def test_a_symbol_that_fails_is_kept_with_its_reason_and_stops_no_other(
    room: Room, reason: Exception, code: str, message: str
) -> None:
    room.market.finds["SPY"] = reason
    scan = await room.scanned("SPY", "AAPL", "MSFT")
    assert scan.failed == (subjects.ScanFailure("SPY", code, message),)
    assert (scan.status, scan.done, scan.found) == ("succeeded", 3, 2)
    assert scan.message == "1 of 3 symbols could not be searched"


async def test_a_find_that_makes_no_sense_is_a_failure_of_its_symbol(room: Room) -> None:
    room.market.finds["SPY"] = [found(symbol="SPY", score=math.nan)]
    scan = await room.scanned("SPY", "AAPL")
    assert [(each.symbol, each.code) for each in scan.failed] == [("SPY", "VALIDATION_ERROR")]


async def test_a_scan_in_which_every_symbol_fails_has_failed(room: Room) -> None:
    room.market.finds["SPY"] = market.Throttled("SPY")
    scan = await room.scanned("SPY")
    assert (scan.status, scan.message) == ("failed", "no symbol could be searched")
    assert room.outcomes[-1] == ("failed", 1)


async def test_a_few_symbols_are_searched_at_once_and_no_more(room: Room) -> None:
    scan = await room.scanned(*(f"X{n}" for n in range(200)))
    assert (scan.done, scan.found, room.market.busiest) == (200, 200, search.AT_ONCE)


async def test_progress_is_told_every_ten_symbols(room: Room) -> None:
    await room.scanned(*(f"X{n}" for n in range(30)))
    assert room.outcomes == [
        ("started", 0),
        ("progress", 10),
        ("progress", 20),
        ("succeeded", 30),
    ]
    assert {each.total for each in room.told} == {30}
    assert [each.done for each in room.kept] == [0, 10, 20, 30]


async def test_progress_of_slow_symbols_is_told_after_a_while() -> None:
    pace = search.Pace(10, 0.0)
    assert pace.is_due(1)


async def test_one_scan_runs_at_a_time(room: Room) -> None:
    room.market.open.clear()
    await room.order("SPY")
    second = await room.order("AAPL", id=UUID(int=71))
    assert second.conflict == search.RUNNING
    assert second.scan is not None
    assert (second.scan.id, second.scan.status) == (SCAN, "running")
    room.market.open.set()
    await room.ended()
    assert (await room.order("AAPL", id=UUID(int=71))).conflict is None
    await room.ended()


async def test_two_who_ask_at_the_same_moment_get_one_scan(room: Room) -> None:
    replies = await asyncio.gather(*(room.order("SPY", id=UUID(int=n)) for n in (1, 2)))
    assert [each.conflict for each in replies] == [None, search.RUNNING]
    await room.ended()


async def test_the_same_order_again_is_the_same_scan(room: Room) -> None:
    first = await room.scanned("SPY")
    again = await room.order("SPY")
    assert (again.scan, again.conflict) == (first, None)
    other = await room.order("AAPL")
    assert (other.scan, other.conflict) == (first, search.REUSED)
    assert room.market.asked == [("SPY", "conservative")]


async def test_before_the_first_scan_there_is_none(room: Room) -> None:
    assert await room.scanner.reply(subjects.ScanQuestion()) == subjects.ScanReply(None)


async def test_who_asks_hears_how_far_it_is(room: Room) -> None:
    room.market.open.clear()
    began = await room.order("SPY", "AAPL")
    assert await room.scanner.reply(subjects.ScanQuestion()) == began
    room.market.open.set()
    scan = await room.ended()
    assert await room.scanner.reply(subjects.ScanQuestion()) == subjects.ScanReply(scan)


async def test_a_log_that_cannot_be_read_is_a_scan_that_failed(room: Room) -> None:
    room.scanner._ledger._log = Gone()
    reply = await room.order()
    assert reply.scan is not None
    assert (reply.scan.status, room.outcomes) == ("failed", [("failed", 0)])


async def test_what_cannot_be_recorded_was_not_found(room: Room) -> None:
    await room.order("AAPL")
    room.scanner._ledger._log = Gone()
    scan = await room.ended()
    assert [(each.code, each.message) for each in scan.failed] == [
        ("SERVICE_UNAVAILABLE", "the disk is gone")
    ]
    assert (scan.found, room.nudges) == (0, [])


async def test_a_scan_goes_on_where_it_cannot_be_kept(
    room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    room.scanner._write = lambda scan: scan_file.write(tmp_path / "gone" / "scan.json", scan)
    assert (await room.scanned("SPY")).status == "succeeded"
    assert "the scan cannot be kept" in caplog.text


# --- ended in the middle ---------------------------------------------------------------------


async def test_a_scan_that_is_cancelled_from_within_does_not_stay_as_running(room: Room) -> None:
    async def cancelled(_: str, __: facts.Profile) -> Sequence[facts.OpportunityFound]:
        raise asyncio.CancelledError

    room.scanner._find = cancelled
    scan = await room.scanned("SPY")
    assert (scan.status, scan.message) == ("failed", search.INTERRUPTED)


async def half_done(room: Room) -> None:
    """Two symbols are searched, the third takes long."""
    hangs = asyncio.Event()
    find, done = room.market.find, asyncio.Event()

    async def slow(symbol: str, profile: facts.Profile) -> Sequence[facts.OpportunityFound]:
        if symbol == "SPY":
            await hangs.wait()
        return await find(symbol, profile)

    async def told(_: int) -> None:
        if len(room.recorded) == 2:
            done.set()

    room.scanner._find, room.scanner._ledger._nudge = slow, told
    await room.order("AAPL", "MSFT", "SPY")
    await soon(done.wait())


async def test_a_scan_that_is_stopped_keeps_what_it_found_and_says_that_it_failed(
    room: Room,
) -> None:
    await half_done(room)
    await room.scanner.stop()
    scan = room.scanner.scan
    assert scan is not None
    assert (scan.status, scan.message) == ("failed", search.INTERRUPTED)
    assert sorted(each.symbol for each in room.recorded) == ["AAPL", "MSFT"]
    assert room.kept[-1] == scan
    assert room.told[-1].outcome == "failed"


async def test_a_scan_that_was_killed_shows_as_failed_and_the_next_one_goes_on(
    room: Room,
) -> None:
    await half_done(room)
    killed = room.kept[-1]
    assert killed.status == "running"
    anew = Room(room.log, killed)
    await anew.scanner.recall()
    reply = await anew.scanner.reply(subjects.ScanQuestion())
    assert reply.scan is not None
    assert (reply.scan.status, reply.scan.message) == ("failed", search.INTERRUPTED)
    assert [each.outcome for each in anew.told] == ["failed"]
    assert (await anew.scanned("AAPL", "MSFT", "SPY", id=UUID(int=71))).found == 1
    await room.scanner.stop()


async def test_a_scan_that_had_ended_is_remembered_as_it_was(room: Room) -> None:
    ended = await room.scanned("AAPL")
    anew = Room(room.log, ended)
    await anew.scanner.recall()
    assert await anew.scanner.reply(subjects.ScanQuestion()) == subjects.ScanReply(ended)
    assert anew.told == []


async def test_what_is_no_scan_any_more_is_none(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    assert scan_file.read(path) is None
    path.write_text('{"id": 7')
    assert scan_file.read(path) is None


async def test_a_kept_scan_comes_back_as_it_was(room: Room, tmp_path: Path) -> None:
    room.market.finds["SPY"] = market.NoData("SPY")
    scan = await room.scanned("SPY", "AAPL")
    scan_file.write(tmp_path / "scan.json", scan)
    assert scan_file.read(tmp_path / "scan.json") == scan


# --- over the bus ----------------------------------------------------------------------------


@asynccontextmanager
async def process(
    settings: Settings, connected: bus.Bus, find: search.Find
) -> AsyncIterator[running.Context]:
    """The scanner as its process runs it, until the block ends."""
    stop = asyncio.Event()
    context = running.Context("scanner", settings, TIME, connected, stop, {})
    task = asyncio.create_task(scanner.run(context, find))
    try:
        yield context
    finally:
        stop.set()
        await soon(task)


async def asked(api: bus.Bus, order: subjects.ScanOrder | None = None) -> subjects.ScanReply:
    body = await api.ask(subjects.SCAN_ASK, subjects.ScanQuestion(order), 5.0)
    return msgspec.json.decode(body, type=subjects.ScanReply)


async def until(
    look: Callable[[], Awaitable[subjects.ScanReply]],
    right: Callable[[subjects.Scan], bool],
) -> subjects.Scan:
    async with asyncio.timeout(10):
        while True:
            reply = await look()
            if reply.scan is not None and right(reply.scan):
                return reply.scan


async def test_a_scan_is_asked_for_and_told_over_the_bus(
    server: NatsServer, settings: Settings, join: Join
) -> None:
    api = await join("api")
    async with process(settings, await join("scanner"), Market().find) as context:
        await until_answered(api)
        order = subjects.ScanOrder(uuid4(), ("AAPL", "BRK.B"))
        await asked(api, order)
        scan = await until(lambda: asked(api), lambda each: each.status != "running")
    assert (scan.id, scan.status, scan.found) == (order.id, "succeeded", 2)
    told = [each for each in await server.stored("OPS") if each.subject.startswith("ops.job.")]
    assert [each.subject for each in told] == [
        "ops.job.opportunity_scanning.started",
        "ops.job.opportunity_scanning.succeeded",
    ]
    notice = bus.Heard("", told[-1].data).read(subjects.JobNotice).data
    assert (notice.run_id, notice.done, notice.total, notice.found) == (order.id, 2, 2, 2)
    assert context.beat["state"] == "running"


async def until_answered(api: bus.Bus) -> None:
    """The scanner begins to answer at some moment after it was started."""
    async with asyncio.timeout(10):
        while True:
            try:
                await asked(api)
            except bus.BusDown:
                await asyncio.sleep(0)
            else:
                return


async def test_a_scan_ends_with_its_process_and_is_remembered_by_the_next(
    server: NatsServer, settings: Settings, join: Join
) -> None:
    api, connected, slow = await join("api"), await join("scanner"), Market()
    slow.open.clear()
    async with process(settings, connected, slow.find):
        await until_answered(api)
        began = await asked(api, subjects.ScanOrder(SCAN, ("AAPL",)))
        assert began.scan is not None
        assert began.scan.status == "running"
    async with process(settings, connected, slow.find):
        await until_answered(api)
        last = (await asked(api)).scan
    assert last is not None
    assert (last.id, last.status, last.message) == (SCAN, "failed", search.INTERRUPTED)


async def test_without_a_bus_a_scan_still_finds(
    settings: Settings, log: EventStore, join: Join
) -> None:
    away = await join("scanner")
    ledger = search.Ledger(log, lambda _: asyncio.sleep(0), TIME)
    alone = search.Scanner(
        ledger, Market().find, lambda n: scanner.tell(away, n), lambda _: None, TIME
    )
    await alone.reply(subjects.ScanQuestion(subjects.ScanOrder(SCAN, ("AAPL",))))
    assert alone._running is not None
    await soon(alone._running)
    assert alone.scan is not None
    assert (alone.scan.status, alone.scan.found) == ("succeeded", 1)
