"""A copy of the ledger each night, whole, the newest kept; and what begins anew from it."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters import backup as copies
from adapters import chain, event_store, restore, verify
from domain import refusals
from tests.workers.chores.yard import Yard
from workers import chore
from workers.chores import backup

TWO_AT_NIGHT = datetime(2026, 1, 6, 7, 0, tzinfo=UTC)


@pytest.fixture
async def traded(yard: Yard) -> Yard:
    yard.desk().put("100", "1.50")
    return yard


async def back_up(yard: Yard, **due: Any) -> chore.Done:
    return await backup.run(yard.context, yard.due("backup", **{"at": TWO_AT_NIGHT} | due))


def kept(yard: Yard) -> list[str]:
    return sorted(each.name for each in yard.settings.backups_dir.iterdir())


def head_of(path: Path) -> chain.Verdict:
    with closing(event_store.open_to_read(path)) as log:
        *_, verdict = log.verify()
    return verdict


def head(yard: Yard) -> str:
    return yard.log.hash_at(yard.log.head()).hex()


def misplace(path: Path) -> None:
    """Turn a bit of the index of streams: one reads short from then on."""
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name='sqlite_autoindex_stored_events_1'"
        ).fetchone()
        (stream,) = connection.execute(
            "SELECT originator_id FROM stored_events ORDER BY rowid DESC LIMIT 1"
        ).fetchone()
    content = bytearray(path.read_bytes())
    place = content.index(stream.encode(), (page - 1) * size, page * size)
    content[place] ^= 1
    path.write_bytes(content)


def damage(path: Path) -> None:
    """Change a fact, as somebody with an editor would."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE stored_events SET state=replace(state, 'XYZ', 'XYY') WHERE topic='OptionSold'"
        )
        connection.commit()


async def test_last_nights_backup_restored_into_an_empty_directory_has_the_same_head_hash(
    traded: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await back_up(traded)
    copy, into = traded.settings.backups_dir / "ledger-2026-01-06.db", tmp_path / "again"
    assert restore.main([str(copy), str(into)]) == 0
    assert head_of(into / "ledger.db").head_hash == head(traded)
    monkeypatch.setenv("WHEEL_DATA_DIR", str(into))
    assert verify.main([]) == 0


async def test_what_a_restore_left_that_was_killed_is_removed(traded: Yard, tmp_path: Path) -> None:
    await back_up(traded)
    copy, into = traded.settings.backups_dir / "ledger-2026-01-06.db", tmp_path / "again"
    into.mkdir()
    for left in ("ledger.db.77.draft", "ledger.db.77.draft-journal"):
        (into / left).touch()
    assert restore.main([str(copy), str(into)]) == 0
    assert [each.name for each in into.iterdir()] == ["ledger.db"]


async def test_what_was_restored_goes_on_where_the_ledger_stood(
    traded: Yard, tmp_path: Path
) -> None:
    await back_up(traded)
    chosen = msgspec.structs.replace(traded.settings, data_dir=tmp_path / "again")
    restore.restore(traded.settings.backups_dir / "ledger-2026-01-06.db", chosen)
    with closing(event_store.open_store(chosen)) as log:
        assert log.after(0, 1_000) == traded.log.after(0, 1_000)
        assert log.head() == traded.log.head()


async def test_a_directory_that_holds_something_is_left_as_it_is(
    traded: Yard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await back_up(traded)
    into = tmp_path / "mine"
    into.mkdir()
    (into / "notes.txt").touch()
    assert restore.main([str(traded.settings.backups_dir / "ledger-2026-01-06.db"), str(into)]) == 1
    assert "is not empty, it holds notes.txt" in capsys.readouterr().err
    assert [each.name for each in into.iterdir()] == ["notes.txt"]


async def test_a_ledger_whose_index_lacks_a_row_is_no_backup(traded: Yard) -> None:
    traded.log.close()
    with closing(sqlite3.connect(traded.settings.event_store_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    misplace(traded.settings.event_store_path)
    with pytest.raises(chain.Torn, match="missing from index"):
        await back_up(traded)
    assert kept(traded) == []


async def test_a_second_copy_of_the_same_day_takes_the_place_of_the_first(traded: Yard) -> None:
    await back_up(traded)
    traded.desk("ABC")
    await back_up(traded)
    assert kept(traded) == ["ledger-2026-01-06.db"]
    assert head_of(traded.settings.backups_dir / "ledger-2026-01-06.db").head_hash == head(traded)


async def test_several_at_once_wait_for_each_other(traded: Yard) -> None:
    done = await asyncio.gather(*(back_up(traded) for _ in range(8)))
    assert len({each.message for each in done}) == 1
    assert kept(traded) == ["ledger-2026-01-06.db"]


async def test_copies_of_a_clock_that_was_ahead_go_before_any_other(traded: Yard) -> None:
    nights = [TWO_AT_NIGHT + timedelta(days=n) for n in (30, 31, 0, 1, 2)]
    for at in nights:
        await back_up(traded, at=at, settings={"keep": 2})
    assert kept(traded) == ["ledger-2026-01-07.db", "ledger-2026-01-08.db"]


async def test_only_the_newest_are_kept_and_nothing_else_is_touched(traded: Yard) -> None:
    traded.settings.backups_dir.mkdir(parents=True)
    (traded.settings.backups_dir / "ledger-mine.db").touch()
    nights = [TWO_AT_NIGHT + timedelta(days=n) for n in range(4)]
    told = [(await back_up(traded, at=at, settings={"keep": 2})).message or "" for at in nights]
    assert kept(traded) == ["ledger-2026-01-08.db", "ledger-2026-01-09.db", "ledger-mine.db"]
    assert ["older ones removed" in each for each in told] == [False, False, True, True]


async def test_a_ledger_that_is_not_whole_is_no_backup(traded: Yard) -> None:
    damage(traded.settings.event_store_path)
    with pytest.raises(chain.Torn, match="is not what was recorded"):
        await back_up(traded)
    assert kept(traded) == []


async def test_what_cannot_be_written_is_said(traded: Yard) -> None:
    traded.settings.backups_dir.touch()
    with pytest.raises(refusals.Unavailable, match="no backup can be kept"):
        await back_up(traded)


async def test_what_was_left_by_one_that_was_killed_is_removed(traded: Yard) -> None:
    traded.settings.backups_dir.mkdir(parents=True)
    for left in ("06.db.77.draft", "06.db.77.draft-journal", "05.db.66.draft"):
        (traded.settings.backups_dir / f"ledger-2026-01-{left}").touch()
    await back_up(traded)
    assert kept(traded) == ["ledger-2026-01-06.db"]


async def test_the_ledger_as_a_file_is_restored_too(traded: Yard, tmp_path: Path) -> None:
    file = tmp_path / "ledger-2026-01-06.jsonl"
    assert copies._export(traded.settings, file).head_hash == head(traded)
    assert copies.read_through(file).head_hash == head(traded)
    assert restore.main([str(file), str(tmp_path / "again")]) == 0
    assert head_of(tmp_path / "again" / "ledger.db").head_hash == head(traded)


@pytest.mark.parametrize("keep", [0, -1, "many", 1.5])
async def test_a_number_to_keep_that_makes_no_sense_is_refused(traded: Yard, keep: object) -> None:
    with pytest.raises(refusals.Invalid, match=r"settings\.keep cannot be meant"):
        await back_up(traded, settings={"keep": keep})


@pytest.mark.parametrize(
    ("harm", "why"),
    [(damage, "is not what was recorded"), (misplace, "missing from index")],
)
async def test_a_backup_that_was_harmed_is_not_restored(
    traded: Yard,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Path], None],
    why: str,
) -> None:
    await back_up(traded)
    copy, into = traded.settings.backups_dir / "ledger-2026-01-06.db", tmp_path / "again"
    harm(copy)
    assert restore.main([str(copy), str(into)]) == 1
    assert why in capsys.readouterr().err
    assert not into.exists()
    assert verify.main([str(copy)]) == 1
