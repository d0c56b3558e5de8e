"""Whatever was done to the log by another hand, the first bad position is named."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from adapters import chain, verify
from tests.adapters import logs
from tests.adapters.logs import AT, TWO, fact, some

COUNT = 12
ROOT = Path(__file__).parents[2]
COLUMNS = ("originator_id", "originator_version", "topic", "state")
MANY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole ledger of twelve facts, in one file."""
    file = tmp_path_factory.mktemp("whole") / "ledger.db"
    with closing(logs.opened(str(file))) as log:
        log.append(some(8))
        log.append([*some(3, TWO), fact(9)])
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "copy.db"))


def harmed(file: Path, *statements: str) -> chain.Broken | None:
    """What verification says when the statements have been at work on the file."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for each in statements:
            assert connection.execute(each).rowcount > 0
    return found(file)


def found(file: Path) -> chain.Broken | None:
    with closing(logs.opened(str(file))) as log:
        *_, verdict = log.verify()
    return verdict.broken


@MANY
@given(
    position=st.integers(1, COUNT),
    column=st.sampled_from(COLUMNS),
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_anywhere_in_a_row_is_found(
    whole: Path, tmp_path: Path, position: int, column: str, place: int, bit: int
) -> None:
    file = Path(shutil.copy(whole, tmp_path / "copy.db"))
    flip(file, "stored_events", "rowid", position, column, place, bit)
    assert found(file) == chain.Broken(position, "the row is not what was recorded")


def flip(
    file: Path, table: str, key: str, position: int, column: str, place: int, bit: int
) -> None:
    """Flip one bit of a value, which stays of its own kind where it can."""
    with closing(sqlite3.connect(file)) as connection, connection:
        kind, written = connection.execute(
            f"SELECT typeof({column}), CAST({column} AS BLOB) FROM {table} WHERE {key}=?",  # noqa: S608
            (position,),
        ).fetchone()
        flipped = bytearray(written)
        flipped[place % len(flipped)] ^= 1 << bit
        put = "?" if kind == "blob" else "CAST(? AS TEXT)"
        try:
            connection.execute(
                f"UPDATE {table} SET {column}={put} WHERE {key}=?",  # noqa: S608
                (bytes(flipped), position),
            )
        except sqlite3.IntegrityError:
            assume(False)  # SQLite itself keeps two rows from having one version


@MANY
@given(position=st.integers(1, COUNT), place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_chain_is_found(
    whole: Path, tmp_path: Path, position: int, place: int, bit: int
) -> None:
    file = Path(shutil.copy(whole, tmp_path / "copy.db"))
    flip(file, "chain", "position", position, "hash", place, bit)
    assert found(file) == chain.Broken(position, "the row is not what was recorded")


@pytest.mark.parametrize("position", [1, 6, COUNT])
def test_a_deleted_row_is_missed(copy: Path, position: int) -> None:
    broken = harmed(copy, f"DELETE FROM stored_events WHERE rowid={position}")  # noqa: S608
    assert broken == chain.Broken(position, "the row is missing")


@pytest.mark.parametrize("position", [1, 6, COUNT])
def test_a_deleted_link_is_missed(copy: Path, position: int) -> None:
    broken = harmed(copy, f"DELETE FROM chain WHERE position={position}")  # noqa: S608
    assert broken == chain.Broken(position, "the row was never recorded")


def test_when_all_is_deleted_but_the_chain_the_first_row_is_missing(copy: Path) -> None:
    assert harmed(copy, "DELETE FROM stored_events") == chain.Broken(1, "the row is missing")


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 9), (11, 12)])
def test_two_swapped_rows_are_found_at_the_first(copy: Path, one: int, other: int) -> None:
    broken = harmed(
        copy,
        f"UPDATE stored_events SET rowid=999 WHERE rowid={one}",  # noqa: S608
        f"UPDATE stored_events SET rowid={one} WHERE rowid={other}",  # noqa: S608
        f"UPDATE stored_events SET rowid={other} WHERE rowid=999",  # noqa: S608
    )
    assert broken == chain.Broken(one, "the row is not what was recorded")


@pytest.mark.parametrize("position", [-5, 0, COUNT + 1])
def test_an_inserted_row_was_never_recorded(copy: Path, position: int) -> None:
    broken = harmed(
        copy,
        "INSERT INTO stored_events "  # noqa: S608
        f"SELECT {position}, originator_id, 99, topic, state FROM stored_events WHERE rowid=1",
    )
    assert broken == chain.Broken(position, "the row was never recorded")


def test_a_row_moved_to_the_end_is_missed_where_it_was(copy: Path) -> None:
    broken = harmed(copy, "UPDATE stored_events SET rowid=99 WHERE rowid=4")
    assert broken == chain.Broken(4, "the row is missing")


def test_a_letter_in_the_other_case_is_another_letter(copy: Path) -> None:
    statement = "UPDATE stored_events SET originator_id=upper(originator_id) || 'A' WHERE rowid=5"
    broken = harmed(copy, statement)
    assert broken is not None
    assert broken.position == 5


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE stored_events SET state=CAST(state AS TEXT) WHERE rowid=7",
        "UPDATE stored_events SET topic=CAST(topic AS BLOB) WHERE rowid=7",
        "UPDATE stored_events SET originator_id=CAST(originator_id AS BLOB) WHERE rowid=7",
        "UPDATE chain SET hash=CAST(hash AS TEXT) WHERE position=7",
    ],
)
def test_the_same_bytes_of_another_type_are_another_row(copy: Path, harm: str) -> None:
    harmed(copy, harm)
    assert checked(copy).broken == chain.Broken(7, "the row is not what was recorded")


def test_the_hash_is_of_the_rows_themselves(whole: Path) -> None:
    previous = chain.GENESIS
    with closing(sqlite3.connect(whole)) as connection:
        for row in connection.execute("SELECT rowid, * FROM stored_events ORDER BY 1").fetchall():
            previous = chain.link(previous, chain.Row(row[0], row[2], str(row[3]), row[4], row[5]))
    with closing(logs.opened(str(whole))) as log:
        *_, verdict = log.verify()
    assert verdict == chain.Verdict(COUNT, COUNT, previous.hex())


# --- the command ----------------------------------------------------------------------------


def said(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adapters.verify", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_says_that_a_clean_copy_is_whole(copy: Path) -> None:
    done = said(str(copy))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("whole: 12 facts, head at 12, sha256 ")


def test_a_backup_made_by_sqlite_itself_is_verified_too(copy: Path) -> None:
    backup = copy.with_name("backup.db")
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    written = backup.read_bytes()
    assert said(str(backup)).stdout.startswith("whole: 12 facts, head at 12, sha256 ")
    assert backup.read_bytes() == written


def test_the_command_takes_a_checkpoint_only_if_it_is_one(copy: Path) -> None:
    kept = noted(copy, 8)
    assert said(str(copy), f"--passing=8:{kept.hash.upper()}").returncode == 0
    for text in ("8", "x:y", "8:zz", f"8:{kept.hash[:-1]}"):
        refused = said(str(copy), f"--passing={text}")
        assert (refused.returncode, "argument --passing" in refused.stderr) == (2, True)


def test_the_command_names_the_first_bad_position(copy: Path) -> None:
    harmed(copy, "DELETE FROM stored_events WHERE rowid IN (7, 9)")
    done = said(str(copy))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "NOT WHOLE: first bad position 7: the row is missing (6 facts before it are whole)\n"
    )


def test_a_corrupted_page_ends_the_check_without_a_traceback(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = bytearray(copy.read_bytes())
    for start in range(4096, len(pages), 4096):
        pages[start : start + 8] = b"\xff" * 8
    copy.write_bytes(pages)
    assert verify.main([str(copy)]) == 1
    shown = capsys.readouterr()
    assert "cannot be" in shown.out
    assert shown.err == ""


def test_a_page_that_breaks_in_the_middle_ends_the_check_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "long.db"
    with closing(logs.opened(str(file))) as log:
        log.append(some(100))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        leaves = "SELECT pageno FROM dbstat WHERE name='stored_events' AND pagetype='leaf'"
        try:
            page = connection.execute(leaves + " ORDER BY path LIMIT 1 OFFSET 3").fetchone()[0]
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no dbstat")
    pages = bytearray(file.read_bytes())
    pages[(page - 1) * 4096 : (page - 1) * 4096 + 8] = b"\xff" * 8
    file.write_bytes(pages)
    assert verify.main([str(file)]) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_a_file_that_is_not_there_or_no_database_cannot_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "diary").write_bytes(b"dear diary " * 500)
    for name in ("nowhere.db", "diary"):
        assert verify.main([str(tmp_path / name)]) == 1
        assert capsys.readouterr().out.startswith("the ledger cannot be opened: ")


# --- checkpoints ----------------------------------------------------------------------------


def checked(
    file: Path, *, full: bool = True, passing: dict[int, str] | None = None
) -> chain.Verdict:
    with closing(logs.opened(str(file))) as log:
        *_, verdict = log.verify(full=full, passing=passing or {})
    return verdict


def noted(file: Path, until: int = COUNT) -> chain.Checkpoint:
    """A checkpoint at a position, as somebody would have kept it."""
    with closing(logs.opened(str(file))) as log:
        hash_ = log.hash_at(until).hex()
        log.note(chain.Verdict(until, until, hash_), AT)
        return log.checkpoints(1)[0]


def forged(file: Path, position: int) -> None:
    """Change a row, and compute the chain anew from there."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "UPDATE stored_events SET state=CAST(replace(CAST(state AS TEXT), '1.10', '1.11') "
            "AS BLOB) WHERE rowid=?",
            (position,),
        )
        previous = chain.GENESIS
        for row in connection.execute("SELECT * FROM stored_events ORDER BY 1").fetchall():
            previous = chain.link(previous, chain.Row(row[0], row[1], str(row[2]), *row[3:]))
            connection.execute("UPDATE chain SET hash=? WHERE position=?", (previous, row[0]))


def test_what_was_found_whole_is_noted_once(copy: Path) -> None:
    with closing(logs.opened(str(copy))) as log:
        *_, verdict = log.verify()
        log.note(verdict, AT)
        log.note(verdict, AT)
        assert log.checkpoints(5) == [chain.Checkpoint(COUNT, verdict.head_hash, AT, 0)]


def test_a_check_of_all_is_worth_more_than_a_part_of_it(copy: Path) -> None:
    with closing(logs.opened(str(copy))) as log:
        for since, shown in ((6, 6), (8, 6), (0, 0)):
            log.note(chain.Verdict(COUNT - since, COUNT, "ab" * 32, since=since), AT)
            assert log.checkpoints(1)[0].since == shown


def test_what_is_not_whole_is_not_noted(copy: Path) -> None:
    harmed(copy, "DELETE FROM stored_events WHERE rowid=4")
    with closing(logs.opened(str(copy))) as log:
        *_, verdict = log.verify()
        log.note(verdict, AT)
        assert log.checkpoints(5) == []


def test_a_check_goes_on_where_the_last_one_ended(copy: Path) -> None:
    noted(copy, 8)
    verdict = checked(copy, full=False)
    assert (verdict.since, verdict.checked, verdict.head) == (8, 4, COUNT)
    assert verdict.head_hash == checked(copy).head_hash


@pytest.mark.parametrize("position", [9, COUNT])
def test_a_change_behind_the_last_checkpoint_is_found_from_there(copy: Path, position: int) -> None:
    noted(copy, 8)
    harmed(copy, f"UPDATE stored_events SET topic='x' WHERE rowid={position}")  # noqa: S608
    assert checked(copy, full=False).broken == chain.Broken(
        position, "the row is not what was recorded"
    )


def test_a_chain_computed_anew_does_not_pass_through_the_checkpoint(copy: Path) -> None:
    noted(copy, 8)
    forged(copy, 5)
    for full in (True, False):
        broken = checked(copy, full=full).broken
        assert broken is not None
        assert (broken.position, "computed anew" in broken.why) == (8, True)


def test_a_forger_of_the_checkpoints_too_is_found_out_by_one_kept_elsewhere(copy: Path) -> None:
    kept = noted(copy)
    forged(copy, 5)
    harmed(copy, "DELETE FROM checkpoints")
    assert checked(copy).broken is None
    broken = checked(copy, passing={kept.position: kept.hash}).broken
    assert broken is not None
    assert (broken.position, "computed anew" in broken.why) == (COUNT, True)


def test_a_ledger_cut_off_before_a_checkpoint_is_not_whole(copy: Path) -> None:
    kept = noted(copy)
    harmed(
        copy,
        "DELETE FROM stored_events WHERE rowid>9",
        "DELETE FROM chain WHERE position>9",
        "UPDATE sqlite_sequence SET seq=9 WHERE name='stored_events'",
    )
    assert checked(copy).broken == chain.Broken(kept.position, "the row is missing")
    assert checked(copy, full=False).broken == chain.Broken(kept.position, "the row is missing")


def test_a_checkpoint_of_what_never_was_is_not_gone_on_from(copy: Path) -> None:
    noted(copy)
    harmed(copy, "UPDATE checkpoints SET position=1000")
    for full in (True, False):
        found = checked(copy, full=full)
        assert (found.since, found.checked, found.broken) == (
            0,
            COUNT,
            chain.Broken(1000, "the row is missing"),
        )


def test_a_checkpoint_of_another_type_is_another_checkpoint(copy: Path) -> None:
    noted(copy, 8)
    harmed(copy, "UPDATE checkpoints SET hash='8'")
    for full in (True, False):
        broken = checked(copy, full=full).broken
        assert broken is not None
        assert broken.position == 8


def test_the_command_notes_what_it_found_only_in_the_configured_ledger(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHEEL_DATA_DIR", str(tmp_path))
    ledger = copy.rename(tmp_path / "ledger.db")
    for arguments, count in (([str(ledger)], 0), (["--json"], 0), ([], 1)):
        assert verify.main(arguments) == 0
        with closing(logs.opened(str(ledger))) as log:
            assert len(log.checkpoints(5)) == count
