"""Health tells of what lives and does nothing."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters import clock
from adapters.settings import Settings
from api import system
from api.office import Office
from domain import market, refusals, subjects
from tests.api.client import Client, Desk
from tests.api.house import MONDAY, House
from tests.api.waiting import until


def beat(pid: int = 1, position: int | None = 5, state: str = "running") -> subjects.Heartbeat:
    return subjects.Heartbeat(
        worker="relay",
        pid=pid,
        state=cast("subjects.WorkerState", state),
        position=position,
        counts={},
        as_of=MONDAY,
    )


@pytest.fixture
def office() -> Office:
    nothing: Any = SimpleNamespace(now=lambda: MONDAY, reached=None, position=0)
    office = Office(Settings(), nothing, nothing, nothing, nothing)
    office.desk.head = 9
    return office


def test_a_worker_that_goes_on_is_well(office: Office) -> None:
    office.keep_heartbeat(beat())
    assert system.worker(office, "relay", 5).status == "healthy"


def test_a_worker_that_stands_still_behind_the_head_is_not(office: Office) -> None:
    office.keep_heartbeat(beat(), timedelta(seconds=20))
    office.keep_heartbeat(beat())
    assert "stands at 5 of 9" in str(system.worker(office, "relay", 9).reason)


def test_a_worker_that_had_nothing_to_follow_has_not_stood_still(office: Office) -> None:
    office.keep_heartbeat(beat(position=9), timedelta(seconds=20))
    office.keep_heartbeat(beat(position=9))
    assert system.worker(office, "relay", 10).status == "healthy"


def test_a_worker_that_waits_is_not(office: Office) -> None:
    office.keep_heartbeat(beat(state="waiting"))
    assert system.worker(office, "relay", 5).reason == "waiting"


def test_a_worker_that_begins_again_and_again_is_not(office: Office) -> None:
    for pid in range(5):
        office.keep_heartbeat(beat(pid))
    assert "began 5 times" in str(system.worker(office, "relay", 5).reason)


class Parts:
    """An office whose log and views are where we say, or do not answer."""

    def __init__(self, head: int = 7, views: int = 7) -> None:
        self.trouble: refusals.Unavailable | None = None
        self._head, self._views = head, views
        self.log, self.live = self, self
        self.desk = SimpleNamespace(failing=None)
        self.bus = SimpleNamespace(connected=True)
        self.quotes: dict[str, Any] = {}
        self.provider: market.Provider | None = None
        self.heard: dict[str, Any] = {}
        self.beats: dict[str, Any] = {}
        self.clock = clock.standing_at(MONDAY)

    def head(self) -> int:
        if self.trouble is not None:
            raise self.trouble
        return self._head

    async def rows(self, _: str, __: Any = ()) -> list[Any]:
        if self.trouble is not None:
            raise self.trouble
        return []

    async def refresh(self) -> int:
        return self._views

    async def told(self) -> dict[str, Any]:
        return dict(await system.Pulse(cast("Any", self)).parts())


async def test_what_answers_is_well_and_tells_where_it_is() -> None:
    parts = await Parts(7, 5).told()
    assert (parts["event_store"].status, parts["event_store"].position) == ("healthy", 7)
    assert (parts["views"].status, parts["views"].lag) == ("healthy", 2)
    assert parts["bus"].status == "healthy"


async def test_a_part_that_does_not_answer_says_why() -> None:
    office = Parts()
    office.trouble = refusals.Unavailable("the disk is gone", part="x")
    parts = await office.told()
    for name in ("event_store", "views"):
        assert (parts[name].status, parts[name].reason) == ("degraded", "the disk is gone")


async def test_orders_that_could_not_be_stored_are_told_of() -> None:
    office = Parts()
    office.desk.failing = "the disk is full"
    assert (await office.told())["event_store"].reason == "the disk is full"


async def test_views_far_behind_are_not_well() -> None:
    assert (await Parts(5_000, 3).told())["views"].reason == "4997 facts behind"


async def test_a_bus_that_is_away_is_no_harm_to_commands() -> None:
    office = Parts()
    office.bus.connected = False
    parts = await office.told()
    assert "go on without it" in str(parts["bus"].reason)
    assert parts["event_store"].status == "healthy"


@pytest.mark.parametrize("state", ["throttled", "stale", "unauthenticated", "down"])
async def test_a_provider_that_says_nothing_of_worth_is_told_of(
    state: market.ProviderState,
) -> None:
    office = Parts()
    office.provider = provider(state, reason="because")
    told = (await office.told())["market"]
    assert (told.status, told.state) == ("degraded", state)
    assert told.reason == f"schwab is {state}: because"


@pytest.mark.parametrize("state", ["live", "delayed"])
async def test_a_provider_that_serves_prices_is_well(state: market.ProviderState) -> None:
    office = Parts()
    office.provider = provider(state)
    told = (await office.told())["market"]
    assert (told.status, told.state) == ("healthy", state)


def provider(state: market.ProviderState, reason: str | None = None) -> market.Provider:
    return market.Provider(source="schwab", state=state, since=MONDAY, as_of=MONDAY, reason=reason)


def test_a_house_tells_how_its_parts_are(client: Client, desk: Desk) -> None:
    desk.wheel()
    told = until(lambda: _caught_up(client))
    assert set(told["parts"]) == {
        *("event_store", "views", "bus", "market"),
        *("projector", "relay", "prices", "risk", "scanner", "scheduler", "notifier", "plugins"),
    }
    assert told["parts"]["relay"]["reason"] == "no heartbeat yet"
    assert told["status"] == "degraded"


def _caught_up(client: Client) -> Any:
    told = client.get("/health").data
    return told if told["parts"]["views"]["position"] == client.head() else None


def test_a_house_tells_what_it_is_made_of(client: Client, desk: Desk) -> None:
    desk.sell(desk.wheel())
    told = client.get("/info").data
    assert told["ledger_head"] == client.head()
    assert told["head_hash"] == client.get("/ledger/verify").data["head_hash"]
    assert told["counts"]["trades"] >= told["counts"]["open_positions"] >= 1
    assert told["sizes"]["ledger"] > 0
    assert told["uptime_seconds"] >= 0


def test_the_size_of_a_database_counts_what_is_not_in_its_file_yet(
    house: House, client: Client, desk: Desk
) -> None:
    assert desk.wheel()
    parts = [house.settings.data_dir / name for name in ("ledger.db", "ledger.db-wal")]
    told = client.get("/info").data["sizes"]["ledger"]
    assert told == sum(part.stat().st_size for part in parts)
