"""The log keeps its contract, in SQLite and in PostgreSQL alike."""

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from adapters import beside, chain, sqlite_recorder
from adapters.event_store import EventStore
from adapters.sqlite_recorder import SQLiteRecorder
from domain import facts, ports, refusals
from tests.adapters import logs
from tests.adapters.logs import AT, ONE, TWO, answer, fact, some

Open = Callable[[], EventStore]


@pytest.fixture(scope="session")
def database() -> Iterator[Callable[[], str]]:
    """New databases in a real PostgreSQL."""
    pytest.importorskip("psycopg", reason="psycopg, an extra, is not installed")
    if not logs.programs():
        pytest.skip("no PostgreSQL is installed here")
    with logs.postgres() as created:
        yield created


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    created: Callable[[], str] = request.getfixturevalue("database")
    return created()


@pytest.fixture
def log(address: str) -> Iterator[EventStore]:
    with closing(logs.opened(address)) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def read(log: EventStore) -> list[tuple[UUID, int]]:
    """The whole log in its order, by stream and version."""
    return [(each.stream_id, each.version) for each in log.after(0, 10_000)]


def verdict(log: EventStore) -> chain.Verdict:
    *_, last = log.verify()
    return last


# --- reading and writing --------------------------------------------------------------------


def test_a_new_log_is_empty_and_whole(log: EventStore) -> None:
    assert (log.head(), log.after(0, 10), log.stream(ONE)) == (0, [], [])
    assert verdict(log) == chain.Verdict(0, 0, chain.GENESIS.hex())


def test_what_is_stored_is_what_was_recorded(log: EventStore) -> None:
    (position,) = log.append([fact(1)])
    (stored,) = log.after(0, 10)
    assert stored.position == position == log.head()
    assert (stored.fact, stored.recorded_at) == (fact(1).fact, fact(1).recorded_at)


def test_positions_are_the_one_order_of_the_log(log: EventStore) -> None:
    first = log.append(some(2))
    second = log.append(some(2, TWO))
    positions = [each.position for each in log.after(0, 10)]
    assert positions == [*first, *second] == sorted(positions)


def test_several_streams_may_go_in_together(log: EventStore) -> None:
    log.append([fact(1), fact(1, TWO), fact(2)])
    assert read(log) == [(ONE, 1), (TWO, 1), (ONE, 2)]


def test_reading_goes_on_behind_a_position(log: EventStore) -> None:
    positions = log.append(some(5))
    assert [each.version for each in log.after(positions[1], 2)] == [3, 4]
    assert log.after(positions[-1], 2) == []


def test_a_stream_is_read_by_itself_and_from_a_version_on(log: EventStore) -> None:
    log.append([fact(1), fact(1, TWO), fact(2), fact(3)])
    assert [each.version for each in log.stream(ONE)] == [1, 2, 3]
    assert [each.version for each in log.stream(ONE, after=1)] == [2, 3]
    assert log.stream(UUID(int=3)) == []


def test_all_is_read_a_stream_at_a_time_up_to_a_position(log: EventStore) -> None:
    positions = log.append([fact(1, TWO), fact(1), fact(2, TWO), fact(2)])
    found = [[(r.stream_id, r.version) for r in stream] for stream in log.by_stream(positions[2])]
    assert sorted(found) == [[(ONE, 1)], [(TWO, 1), (TWO, 2)]]


def test_facts_are_found_by_name(log: EventStore) -> None:
    chosen = facts.Recorded(
        0, TWO, 1, AT, AT, "api", ONE, None, facts.PortfolioArchived(portfolio_id=TWO)
    )
    log.append([fact(1), chosen, fact(2)])
    assert places(log, name="PortfolioArchived") == [2]
    assert places(log, name="SharesBought") == [1, 3]
    assert places(log, name="SharesBought", limit=1) == [1]


def places(log: EventStore, *, limit: int = 10, **part: Any) -> list[int]:
    """The positions of a part of the log."""
    return [each.position for each in log.part(beside.Part(limit=limit, **part))]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"after": 2}, [3, 4, 5]),
        ({"after": 1, "before": 4}, [2, 3]),
        ({"newest_first": True, "limit": 2}, [5, 4]),
        ({"newest_first": True, "before": 4}, [3, 2, 1]),
        ({"stream": ONE}, [1, 2, 5]),
        ({"stream": ONE, "after": 1, "limit": 1}, [2]),
        ({"stream": ONE, "newest_first": True}, [5, 2, 1]),
        ({"stream": ONE, "versions": True, "after": 2}, [5]),
        ({"stream": TWO, "versions": True, "before": 2}, [3]),
        ({"stream": TWO, "name": "SharesBought"}, [3, 4]),
        ({"stream": TWO, "name": "PortfolioArchived"}, []),
        ({"name": "SharesBought", "newest_first": True, "before": 3}, [2, 1]),
    ],
)
def test_a_part_is_between_its_bounds_of_its_stream_and_name(
    log: EventStore, part: dict[str, Any], found: list[int]
) -> None:
    log.append(some(2))
    log.append(some(2, TWO))
    log.append([fact(3)])
    assert places(log, **part) == found


def test_verification_goes_on_from_what_was_noted(log: EventStore) -> None:
    log.append(some(3))
    found = verdict(log)
    log.note(found, AT)
    log.append(some(2, TWO))
    *_, further = log.verify(full=False)
    assert (further.since, further.checked, further.head) == (3, 2, 5)
    log.note(further, AT)
    assert log.checkpoints(1, before=5) == [chain.Checkpoint(3, found.head_hash, AT, 0)]
    assert log.checkpoints(5)[0] == chain.Checkpoint(5, further.head_hash, AT, 3)
    assert verdict(log).head_hash == further.head_hash


def test_a_checkpoint_of_another_chain_is_found_out(log: EventStore) -> None:
    log.append(some(3))
    *_, found = log.verify(passing={2: "ab" * 32})
    assert found.broken is not None
    assert (found.broken.position, found.checked) == (2, 1)


def test_a_part_is_found_by_an_index_and_never_sorted(file: Path) -> None:
    recorder = sqlite_recorder.opened(file)
    with closing(sqlite3.connect(file)) as connection:
        for stream, name, versions in product((None, ONE), (None, "x"), (False, True)):
            part = beside.Part(limit=5, stream=stream, name=name, versions=versions)
            if versions and stream is None:
                continue
            statement, given = beside.part_of(part, "?", "rowid", stream and stream.hex)
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall())
            assert "SEARCH" in plan
            assert "B-TREE" not in plan
    recorder.close()


def test_what_is_stored_is_there_when_the_log_is_opened_again(address: str) -> None:
    with closing(logs.opened(address)) as before:
        before.append(some(3))
        head = verdict(before)
    with closing(logs.opened(address)) as after:
        assert read(after) == [(ONE, 1), (ONE, 2), (ONE, 3)]
        assert verdict(after) == head


# --- conflicts ------------------------------------------------------------------------------


def test_a_version_is_taken_once(log: EventStore) -> None:
    log.append([fact(1)])
    with pytest.raises(refusals.Stale):
        log.append([fact(1, shares=7)])
    assert [each.fact for each in log.stream(ONE)] == [fact(1).fact]


def test_all_goes_in_or_nothing(log: EventStore) -> None:
    log.append([fact(2)])
    with pytest.raises(refusals.Stale):
        log.append([fact(1, TWO), fact(1), fact(2)])
    assert read(log) == [(ONE, 2)]
    assert verdict(log).broken is None


def test_one_jobs_conflict_is_not_anothers(log: EventStore) -> None:
    log.append([fact(1)])
    outcomes = log.append_each(
        [
            ports.Append([fact(1, TWO)]),
            ports.Append([fact(2, TWO), fact(1)]),
            ports.Append([fact(2)]),
        ]
    )
    assert [isinstance(each, refusals.Stale) for each in outcomes] == [False, True, False]
    assert read(log) == [(ONE, 1), (TWO, 1), (ONE, 2)]
    assert verdict(log).checked == 3


def test_a_job_may_build_on_the_one_before(log: EventStore) -> None:
    outcomes = log.append_each([ports.Append([fact(1)]), ports.Append([fact(2)])])
    assert [log.head()] == list(outcomes[1])  # type: ignore[arg-type]


def test_nothing_to_store_is_stored_as_nothing(log: EventStore) -> None:
    assert log.append([]) == []
    assert log.append_each([]) == []
    assert log.head() == 0


# --- answers --------------------------------------------------------------------------------


def test_an_answer_is_remembered_with_the_position_of_its_facts(log: EventStore) -> None:
    log.append([fact(1)])
    positions = log.append([fact(2), fact(3)], answer("k"))
    remembered = log.answered("k")
    assert remembered is not None
    assert remembered.position == positions[-1]
    assert remembered.body == b'{"data":1}'
    assert (remembered.status, remembered.location, remembered.etag) == (201, "/here", 'W/"1"')
    assert remembered.answered_at == AT


def test_an_unknown_key_was_not_answered(log: EventStore) -> None:
    assert log.answered("k") is None


def test_a_key_is_used_once_and_nothing_is_stored_beside_it(log: EventStore) -> None:
    log.append([fact(1)], answer("k"))
    with pytest.raises(refusals.KeyReused):
        log.append([fact(2)], answer("k"))
    assert read(log) == [(ONE, 1)]
    assert verdict(log).checked == 1


def test_no_answer_is_remembered_of_what_was_not_stored(log: EventStore) -> None:
    log.append([fact(1)])
    with pytest.raises(refusals.Stale):
        log.append([fact(1)], answer("k"))
    assert log.answered("k") is None


def test_an_order_without_facts_is_remembered_too(log: EventStore) -> None:
    answered = msgspec.structs.replace(answer("k"), position=3)
    log.append([], answered)
    assert log.answered("k") == answered
    with pytest.raises(refusals.KeyReused):
        log.append([], answer("k"))


def test_a_key_that_is_reused_spoils_only_its_own_job(log: EventStore) -> None:
    outcomes = log.append_each(
        [
            ports.Append([fact(1)], answer("k")),
            ports.Append([fact(1, TWO)], answer("k")),
            ports.Append([fact(2)], answer("l")),
        ]
    )
    assert isinstance(outcomes[1], refusals.KeyReused)
    assert read(log) == [(ONE, 1), (ONE, 2)]


def test_answers_are_forgotten_after_a_week(log: EventStore) -> None:
    log.append([fact(1)], answer("old"))
    log.append([fact(2)], answer("a week on", AT + timedelta(days=7)))
    assert log.answered("old") is not None
    log.append([fact(3)], answer("later", AT + timedelta(days=7, seconds=1)))
    assert [log.answered(key) is not None for key in ("old", "a week on", "later")] == [
        False,
        True,
        True,
    ]


# --- many at once ---------------------------------------------------------------------------


def followed(log: EventStore, is_over: Callable[[], bool]) -> list[tuple[UUID, int]]:
    """Read behind the last position, again and again, until the writers are done."""
    seen: list[facts.Recorded] = []
    while True:
        last_look = is_over()
        batch = log.after(seen[-1].position if seen else 0, 7)
        seen += batch
        if last_look and not batch:
            return [(each.stream_id, each.version) for each in seen]


def test_a_reader_misses_nothing_of_what_two_threads_write(log: EventStore, address: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        writers = [threads.submit(logs.write, address, stream, 30) for stream in (ONE, TWO)]
        seen = followed(log, lambda: all(each.done() for each in writers))
    assert [each.result() for each in writers] == [None, None]
    assert seen == read(log)
    assert verdict(log).checked == 60


def test_a_reader_misses_nothing_of_what_two_processes_write(log: EventStore, address: str) -> None:
    spawned = multiprocessing.get_context("spawn")
    writers = [
        spawned.Process(target=logs.write, args=(address, stream, 30)) for stream in (ONE, TWO)
    ]
    for each in writers:
        each.start()
    seen = followed(log, lambda: not any(each.is_alive() for each in writers))
    assert [each.exitcode for each in writers] == [0, 0]
    assert seen == read(log)
    assert verdict(log).checked == 60


def test_of_two_that_write_the_same_version_one_is_told_that_it_is_stale(address: str) -> None:
    def tries(shares: int) -> int:
        with closing(logs.opened(address)) as log:
            done = 0
            for version in range(1, 11):
                try:
                    log.append([fact(version, shares=shares)])
                    done += 1
                except refusals.Stale:
                    continue
            return done

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(tries, (1, 2))) == 10
    with closing(logs.opened(address)) as log:
        assert [each.version for each in log.after(0, 100)] == list(range(1, 11))


def test_the_log_is_verified_while_it_is_written(log: EventStore, address: str) -> None:
    log.append(some(20, UUID(int=3)))
    with ThreadPoolExecutor(1) as threads:
        writer = threads.submit(logs.write, address, ONE, 30)
        broken = [verdict(log).broken for _ in range(10)]
        writer.result()
    assert broken == [None] * 10


# --- SQLite's own ---------------------------------------------------------------------------


def test_every_commit_is_on_the_disk_when_it_returns(file: Path) -> None:
    with closing(logs.opened(str(file))) as log:
        recorder = log._recorder
        assert isinstance(recorder, SQLiteRecorder)
        for commit in (True, False):
            with recorder.datastore.transaction(commit=commit) as cursor:
                cursor.execute("PRAGMA synchronous")
                assert cursor.fetchone()[0] == 2


def test_positions_outlive_a_vacuum(file: Path) -> None:
    with closing(logs.opened(str(file))) as log:
        before = log.append(some(3))
        with closing(sqlite3.connect(file)) as other:
            other.execute("VACUUM")
        after = log.append(some(2, first=4))
        assert [each.position for each in log.after(0, 10)] == [*before, *after]
        assert verdict(log).broken is None


def test_a_position_is_not_given_out_twice(file: Path) -> None:
    with closing(logs.opened(str(file))) as log:
        positions = log.append(some(3))
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("DELETE FROM stored_events WHERE rowid=?", (positions[-1],))
        assert log.append([fact(1, TWO)]) == [positions[-1] + 1]


@pytest.mark.parametrize(
    "damage",
    ["topic='SharesDreamt'", "state='{}'", "state='nonsense'", "originator_id='nobody'"],
)
def test_a_row_that_cannot_be_read_is_no_foreign_error(file: Path, damage: str) -> None:
    with closing(logs.opened(str(file))) as log:
        log.append(some(2))
        with closing(sqlite3.connect(file)) as other, other:
            other.execute(f"UPDATE stored_events SET {damage} WHERE rowid=2")  # noqa: S608
        with pytest.raises(refusals.Unavailable):
            log.after(0, 10)


def test_a_file_that_is_no_database_does_not_answer(file: Path) -> None:
    file.write_bytes(b"a diary, not a ledger" * 100)
    with pytest.raises(refusals.Unavailable, match="the event store does not answer"):
        logs.opened(str(file))
