"""Views of the past: in memory and in files, and always what the log says of it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.event_store import EventStore
from domain import facts, opportunity, refusals, watchlist
from projections import past, rebuild, tables, views
from projections.past import When
from projections.projector import Projector
from tests.domain.desk import MONDAY, Desk, usd
from tests.projections import ledger

NOW = When()


def told(connection: sqlite3.Connection) -> set[str]:
    """The rows of all tables but the projector's own."""
    return {each for each in tables.dump(connection) if not each.startswith("tracking")}


def replayed(log: EventStore, when: When) -> set[str]:
    with closing(past.replayed(log, when, None)) as connection:
        return told(connection)


def kept(path: Path) -> set[str]:
    with closing(past.opened(path)) as connection:
        return told(connection)


def held(link: Path, log: EventStore, when: When) -> set[str]:
    """What a checkpoint says, when it has been made or brought up to the log's head."""
    past.bring(log, link, when)
    path = past.place(link, when)
    assert past.reached(path) == log.head()
    return kept(path)


def left(folder: Path) -> list[str]:
    return [each.name for each in (folder / "past").iterdir() if each.name != "lock"]


class Lived(NamedTuple):
    """A desk, and the dumps of the live views at some instants."""

    desk: Desk
    looks: dict[datetime, set[str]]


def lived(log: EventStore, written: sqlite3.Connection) -> Lived:
    """A minute between any two of these, and what was answered in it."""
    ledger.found_portfolio(log)
    desk = Desk("60000", log=log)
    puts = desk.put("100", "1.50", 3)
    ledger.raise_alert(log, desk, puts)
    live, looks = Projector(log, written), dict[datetime, set[str]]()

    def look() -> None:
        live.advance()
        desk.now = max(desk.now, *(each.recorded_at for each in log.after(0, 1_000)))
        looks[desk.now] = told(written)

    look()
    steps: list[Callable[[], object]] = [
        lambda: ledger.list_symbol(log, watchlist.Watch(symbol="AAPL"), desk.now),
        lambda: ledger.come_upon(log, now=desk.now),
        lambda: desk.assigned(puts, 1, effective_at="2026-01-05T15:02:30Z"),
        lambda: desk.voids(desk.put("90", "0.70")),
        lambda: Desk("30000", symbol="ABC", log=log, now=desk.now).put("50", "2.00", 2),
        lambda: desk.corrects(puts, premium_per_share=usd("1.55")),
        lambda: ledger.list_symbol(log, watchlist.Unwatch(symbol="AAPL"), desk.now),
        lambda: ledger.come_upon(log, opportunity.Read(), desk.now),
        lambda: ledger.plug(log, ledger.IDLE, desk.now),
        lambda: desk.splits(2, 1),
        lambda: ledger.run_plugin(log, "idle", desk.now),
        lambda: ledger.plug(log, facts.PluginRemoved(plugin="idle"), desk.now),
        lambda: desk.closes(puts, "0.10", 3),
    ]
    for step in steps:
        desk.now += timedelta(minutes=1)
        step()
        look()
    return Lived(desk, looks)


def test_views_of_the_past_answer_as_the_live_ones_did(
    log: EventStore, written: sqlite3.Connection
) -> None:
    for at, then in lived(log, written).looks.items():
        assert replayed(log, When(at, at)) == then


@pytest.mark.parametrize("few", [0, 1], ids=["from the log", "from the live views"])
def test_a_checkpoint_says_what_a_replay_says(
    log: EventStore,
    written: sqlite3.Connection,
    link: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    few: float,
) -> None:
    monkeypatch.setattr(past, "FEW", few)
    for at, then in lived(log, written).looks.items():
        both = When(at, at)
        assert held(link, log, both) == then
        for when in (When(at, None), When(None, at)):
            assert held(link, log, when) == replayed(log, when)


def test_a_checkpoint_hears_of_what_was_recorded_since(
    log: EventStore, written: sqlite3.Connection, link: Path, tmp_path: Path
) -> None:
    desk, looks = lived(log, written)
    pairs = [(When(at, None), When(at, at)) for at in looks]
    before = {when: held(link, log, when) for both in pairs for when in both}
    desk.now += timedelta(minutes=1)
    sold = desk.put("80", "1.00", effective_at="2026-01-05T15:00:30Z")
    desk.corrects(sold, premium_per_share=usd("1.10"))
    for happened, known in pairs:
        after = held(link, log, happened)
        assert after == replayed(log, happened) != before[happened]
        assert held(link, log, known) == before[known]


def test_a_fact_counts_that_was_stored_after_the_fact_but_known_before(
    log: EventStore, written: sqlite3.Connection, link: Path, tmp_path: Path
) -> None:
    """A clock that was set back, or an order that took its time."""
    lived(log, written)
    when = When(None, MONDAY + timedelta(minutes=2))
    before = held(link, log, when)
    Desk("10000", symbol="OLD", log=log)
    after = held(link, log, when)
    assert after == replayed(log, when) != before


def test_the_past_of_now_is_what_is_live(
    log: EventStore, written: sqlite3.Connection, link: Path
) -> None:
    ledger.lively(log)
    Projector(log, written).advance()
    assert replayed(log, NOW) == held(link, log, NOW) == told(written)


def test_the_past_before_all_is_empty(
    log: EventStore, written: sqlite3.Connection, link: Path, tmp_path: Path
) -> None:
    ledger.lively(log)
    Projector(log, written).advance()
    when = When(None, MONDAY - timedelta(days=1))
    assert replayed(log, when) == held(link, log, when) == set()


async def test_the_past_can_be_told_of_one_wheel_alone(log: EventStore) -> None:
    desk = ledger.lively(log)
    async with views.past(lambda: past.replayed(log, NOW, [desk.wheel_id])) as then:
        assert await then.rows("SELECT id FROM wheels") == [(desk.wheel_id.hex,)]


def test_streams_that_grow_while_they_are_read_are_told_of_one_moment(log: EventStore) -> None:
    desk = ledger.lively(log)
    head = log.head()
    desk.put("80", "1.00")

    class Earlier(EventStore):
        """Whose head was asked for before the last order came."""

        def head(self) -> int:
            return head

    earlier = Earlier(log._recorder)
    whole, parts = (past.replayed(earlier, NOW, each) for each in (None, [desk.wheel_id]))
    with closing(whole), closing(parts):
        wheel = f"SELECT body FROM wheels WHERE id='{desk.wheel_id.hex}'"  # noqa: S608
        assert whole.execute(wheel).fetchall() == parts.execute(wheel).fetchall()
        assert tables.position(whole) == tables.position(parts) == head


def test_a_look_at_a_checkpoint_does_not_change_when_it_is_brought_on(
    log: EventStore, link: Path
) -> None:
    desk = ledger.lively(log)
    past.bring(log, link, NOW)
    with closing(past.opened(past.place(link, NOW))) as look:
        before = told(look)
        desk.put("80", "1.00")
        past.bring(log, link, NOW)
        assert told(look) == before != kept(past.place(link, NOW))


def test_the_same_instant_is_the_same_checkpoint() -> None:
    at = datetime.fromisoformat("2026-03-02T10:00:00-05:00")
    names = {When(at, None).name, When(None, at).name, When(at, at).name}
    assert names == {
        "20260302T150000.000000Z_now.past",
        "now_20260302T150000.000000Z.past",
        "20260302T150000.000000Z_20260302T150000.000000Z.past",
    }


# --- what goes wrong --------------------------------------------------------------------------


def test_a_full_disk_leaves_nothing_behind(
    log: EventStore, link: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.lively(log)
    monkeypatch.setattr(rebuild, "project", full)
    with pytest.raises(refusals.Unavailable, match="disk is full"):
        past.bring(log, link, NOW)
    assert left(tmp_path) == []


def full(*_: object, **__: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_the_past_takes_no_room_that_the_log_needs(
    log: EventStore, link: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "SPARE", 2**63)
    with pytest.raises(refusals.Unavailable, match="no room"):
        past.bring(log, link, NOW)
    assert left(tmp_path) == []


def test_those_that_nobody_asks_for_make_room(
    log: EventStore, link: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MOST_FILES", 2)
    ledger.lively(log)
    asked = [When(MONDAY + timedelta(seconds=n), None) for n in range(3)]
    for age, when in zip((3, 2, 1), asked, strict=True):
        past.bring(log, link, when)
        aged(past.place(link, when), age)
    kept = sorted((tmp_path / "past").glob("*.past"))
    assert kept == [past.place(link, when) for when in asked[1:]]


def aged(path: Path, seconds: int) -> None:
    os.utime(path, (1_000 - seconds, 1_000 - seconds))


def test_drafts_and_files_of_another_shape_are_removed(
    log: EventStore, link: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "past"
    past.bring(log, link, NOW)
    with closing(sqlite3.connect(folder / NOW.name)) as connection:
        connection.execute("PRAGMA user_version=7")
    for name in ("half.part", "half.part-wal", "ledger.db"):
        (folder / name).touch()
    past.tidy(folder)
    assert left(tmp_path) == ["ledger.db"]


def test_all_that_is_kept_can_be_forgotten(log: EventStore, link: Path, tmp_path: Path) -> None:
    past.bring(log, link, NOW)
    past.forget(link)
    assert left(tmp_path) == []
    past.forget(tmp_path / "elsewhere" / "views.db")


def test_a_checkpoint_that_has_gone_is_not_an_empty_one(link: Path) -> None:
    with pytest.raises(refusals.Unavailable, match="the past does not answer") as told:
        past.opened(past.place(link, NOW))
    assert told.value.details["retry_after"] == 1


def test_a_checkpoint_that_was_damaged_is_made_anew(
    log: EventStore, link: Path, tmp_path: Path
) -> None:
    path = past.place(link, NOW)
    path.parent.mkdir()
    path.write_bytes(b"no database at all")
    ledger.lively(log)
    assert held(link, log, NOW) == replayed(log, NOW)
