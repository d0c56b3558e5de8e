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
from tests.adapters.logs import TWO, fact, some

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
