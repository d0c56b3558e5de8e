"""The ledger as a file: what comes back is what went out, to the byte, or nothing does."""

import io
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from adapters import backup, chain, event_store, ledger_file, restore
from adapters.settings import Settings
from domain import refusals
from tests.adapters import logs
from tests.adapters.logs import TWO, answer, fact, some

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "there")


@pytest.fixture
def lines(here: Settings) -> list[bytes]:
    """An export of seven facts in two streams."""
    with closing(event_store.open_store(here)) as log:
        log.append(some(4))
        log.append([*some(2, TWO), fact(5)])
        return list(ledger_file.written(log))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def stored(config: Settings) -> list[tuple[chain.Row, bytes]]:
    with closing(event_store.open_store(config)) as log:
        return list(log.rows(0, log.head()))


def verdict(config: Settings) -> chain.Verdict:
    with closing(event_store.open_store(config)) as log:
        *_, last = log.verify()
    return last


def test_an_imported_ledger_is_the_exported_one_to_the_byte(
    here: Settings, there: Settings, lines: list[bytes], file: Path
) -> None:
    file.write_bytes(b"".join(lines))
    end = ledger_file.begin_anew(file, there)
    assert stored(there) == stored(here)
    assert verdict(there) == verdict(here) == chain.Verdict(7, 7, end.hash)


def test_the_file_is_read_by_people(lines: list[bytes]) -> None:
    begin, first, *_, end = (msgspec.json.decode(line) for line in lines)
    assert begin == {"line": "begin", "format": 1, "after": 0, "hash": "00" * 32}
    assert first["state"]["data"]["symbol"] == "XYZ"
    assert (end["line"], end["facts"], end["head"]) == ("end", 7, 7)


def test_an_empty_ledger_is_a_ledger(here: Settings, there: Settings, file: Path) -> None:
    with closing(event_store.open_store(here)) as log:
        file.write_bytes(b"".join(ledger_file.written(log)))
    ledger_file.begin_anew(file, there)
    assert verdict(there) == chain.Verdict(0, 0, chain.GENESIS.hex())


def test_positions_that_are_missing_stay_missing(
    here: Settings, there: Settings, lines: list[bytes], file: Path
) -> None:
    with closing(sqlite3.connect(here.event_store_path)) as connection, connection:
        connection.execute("UPDATE sqlite_sequence SET seq=40 WHERE name='stored_events'")
    with closing(event_store.open_store(here)) as log:
        log.append([fact(6)])
        file.write_bytes(b"".join(ledger_file.written(log)))
    assert ledger_file.begin_anew(file, there).head == 41
    with closing(event_store.open_store(there)) as log:
        assert log.append([fact(7)]) == [42]


def test_answers_to_commands_are_not_part_of_it(
    here: Settings, there: Settings, file: Path
) -> None:
    with closing(event_store.open_store(here)) as log:
        log.append([fact(1)], answer("key"))
        file.write_bytes(b"".join(ledger_file.written(log)))
    ledger_file.begin_anew(file, there)
    with closing(event_store.open_store(there)) as log:
        assert log.answered("key") is None


@examples(max_examples=200, deadline=None, derandomize=True, database=None)
@given(state=st.binary() | st.text().map(str.encode) | st.from_regex(rb'\s*\{"a":\s*"\w"\}\s*'))
def test_whatever_bytes_are_stored_come_back(state: bytes) -> None:
    row = chain.Row(1, "00" * 16, "1", "Odd", state)
    line = ledger_file._decoder.decode(
        ledger_file._encode(ledger_file._line(row, chain.link(chain.GENESIS, row)))
    )
    assert isinstance(line, ledger_file.Fact | ledger_file.Bytes)
    back = line.base64 if isinstance(line, ledger_file.Bytes) else bytes(line.state)
    assert back == state


def test_a_tail_begins_where_the_chain_was(here: Settings, lines: list[bytes]) -> None:
    with closing(event_store.open_store(here)) as log:
        begin, *tail = ledger_file.written(log, after=4)
    assert tail[:-1] == lines[5:-1]
    assert msgspec.json.decode(begin)["hash"] == msgspec.json.decode(lines[4])["hash"]


@pytest.mark.parametrize("after", [-1, 8])
def test_a_tail_begins_within_the_ledger(after: int, here: Settings, lines: list[bytes]) -> None:
    with (
        closing(event_store.open_store(here)) as log,
        pytest.raises(refusals.Invalid, match="must be from 0 to the head, 7"),
    ):
        list(ledger_file.written(log, after))


def test_a_ledger_that_is_not_whole_is_not_exported_whole(
    here: Settings, lines: list[bytes]
) -> None:
    with closing(sqlite3.connect(here.event_store_path)) as connection, connection:
        connection.execute("UPDATE stored_events SET topic='SharesSold' WHERE rowid=3")
    with closing(event_store.open_store(here)) as log, pytest.raises(chain.Torn) as torn:
        list(ledger_file.written(log))
    assert torn.value.broken.position == 3


# --- files that are no ledger ---------------------------------------------------------------


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


HARM: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "nothing": (lambda _: [], "line 1: the file does not begin as a ledger does"),
    "no first line": (lambda x: x[1:], "line 1: the file does not begin as a ledger does"),
    "no last line": (lambda x: x[:-1], "line 9: the file was cut off: its last line is missing"),
    "cut off": (lambda x: [*x[:4], x[4][:40]], "line 5: the file was cut off here: "),
    "cut off in the last line": (lambda x: [*x[:8], x[8][:9]], "line 9: the file was cut off here"),
    "an edited line": (
        lambda x: [
            line.replace(b'"1.10"', b'"1.11"') if n == 3 else line for n, line in enumerate(x)
        ],
        "line 4: position 3 is not what was exported",
    ),
    "an edited hash": (
        lambda x: [*x[:3], x[3].replace(b'"hash":"', b'"hash":"0'), *x[4:]],
        "line 4: position 3 is not what was exported",
    ),
    "a missing line": (lambda x: [*x[:3], *x[4:]], "line 4: position 4 is not what was exported"),
    "a line twice": (lambda x: [*x[:4], *x[3:]], "line 5: position 3 comes behind 3"),
    "wrong order": (swapped, "line 3: position 3 is not what was exported"),
    "not JSON": (lambda x: [*x[:2], b"dear diary\n", *x[2:]], "line 3: is not JSON"),
    "an empty line": (lambda x: [*x[:2], b"\n", *x[2:]], "line 3: is not JSON"),
    "not a line of ours": (lambda x: [*x[:2], b"[1]\n", *x[2:]], "line 3: is no line of a ledger"),
    "another format": (
        lambda x: [x[0].replace(b'"format":1', b'"format":2'), *x[1:]],
        "line 1: is no line of a ledger",
    ),
    "odd bytes": (lambda x: [*x[:2], b'{"line":"\xff"}\n', *x[2:]], "line 3: is not JSON"),
    "a huge line": (
        lambda x: [*x[:2], b" " * (ledger_file.LONGEST_LINE + 1), *x[2:]],
        "line 3: is longer than",
    ),
    "two beginnings": (lambda x: [x[0], *x], "line 2: the file begins a second time"),
    "a wrong end": (
        lambda x: [*x[:-1], x[-1].replace(b'"facts":7', b'"facts":8')],
        "line 9: the last line tells of 8 facts up to 7 with hash ",
    ),
    "more behind the end": (lambda x: [*x, x[-1]], "line 10: something follows the last line"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_was_harmed_leaves_nothing_behind(
    harm: str, lines: list[bytes], there: Settings, file: Path
) -> None:
    done, said = HARM[harm]
    file.write_bytes(b"".join(done(lines)))
    with pytest.raises(ledger_file.Unfit) as refused:
        ledger_file.begin_anew(file, there)
    assert str(refused.value).startswith(said)
    assert not there.data_dir.exists()


def chained(rows: list[chain.Row]) -> bytes:
    """A file of rows, with a chain that somebody computed for them."""
    told: list[ledger_file.Line] = [ledger_file.Begin(1, 0, chain.GENESIS.hex())]
    hash_ = chain.GENESIS
    for row in rows:
        hash_ = chain.link(hash_, row)
        told.append(ledger_file._line(row, hash_))
    told.append(ledger_file.End(len(rows), rows[-1].position, hash_.hex()))
    return b"\n".join(map(msgspec.json.encode, told))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"position": 2**63}, "line 8: is no line of a ledger"),
        ({"version": str(2**63)}, "line 8: is no line of a ledger"),
        ({"version": "9"}, "line 8: version 9 comes where 5 belongs"),
        ({"version": "4"}, "line 8: version 4 comes where 5 belongs"),
        ({"stream": logs.ONE.hex.upper() + "A"}, "line 8: is no line of a ledger"),
        ({"stream": str(logs.ONE)}, "line 8: is no line of a ledger"),
    ],
)
def test_a_chain_that_somebody_computed_makes_no_ledger_of_what_is_none(
    change: dict[str, str],
    said: str,
    lines: list[bytes],
    here: Settings,
    there: Settings,
    file: Path,
) -> None:
    *rows, last = [row for row, _ in stored(here)]
    file.write_bytes(chained([*rows, msgspec.structs.replace(last, **change)]))
    with pytest.raises(ledger_file.Unfit) as refused:
        ledger_file.begin_anew(file, there)
    assert str(refused.value).startswith(said)


def test_after_an_import_that_was_killed_it_is_imported_again(
    lines: list[bytes], there: Settings, file: Path
) -> None:
    there.data_dir.mkdir()
    (there.data_dir / "ledger.db.1.draft").write_bytes(b"half of a led")
    file.write_bytes(b"".join(lines))
    ledger_file.begin_anew(file, there)
    assert [each.name for each in there.data_dir.iterdir()] == ["ledger.db"]


def test_a_fact_that_this_version_does_not_know_is_named(there: Settings, file: Path) -> None:
    row = chain.Row(1, "00" * 16, "1", "Teleported", b"{}")
    hash_ = chain.link(chain.GENESIS, row)
    told = [
        ledger_file.Begin(1, 0, chain.GENESIS.hex()),
        ledger_file._line(row, hash_),
        ledger_file.End(1, 1, hash_.hex()),
    ]
    with pytest.raises(ledger_file.Unfit, match="line 2: Teleported cannot be read"):
        list(ledger_file.read(io.BytesIO(b"\n".join(map(msgspec.json.encode, told)))))


def test_a_tail_is_not_a_ledger(
    here: Settings, there: Settings, lines: list[bytes], file: Path
) -> None:
    with closing(event_store.open_store(here)) as log:
        file.write_bytes(b"".join(ledger_file.written(log, after=2)))
    with pytest.raises(ledger_file.Unfit, match="after position 2 only"):
        ledger_file.begin_anew(file, there)


def test_what_is_there_is_not_written_over(here: Settings, lines: list[bytes], file: Path) -> None:
    file.write_bytes(b"".join(lines))
    with pytest.raises(refusals.Exists, match="is not empty"):
        ledger_file.begin_anew(file, here)
    assert verdict(here).checked == 7


def test_an_empty_directory_that_was_there_stays(there: Settings, file: Path) -> None:
    there.data_dir.mkdir()
    file.write_bytes(b"no ledger")
    with pytest.raises(ledger_file.Unfit):
        ledger_file.begin_anew(file, there)
    assert list(there.data_dir.iterdir()) == []


def test_what_begins_anew_is_its_owners_alone(
    there: Settings, lines: list[bytes], file: Path
) -> None:
    file.write_bytes(b"".join(lines))
    ledger_file.begin_anew(file, there)
    assert there.data_dir.stat().st_mode & 0o077 == 0


# --- PostgreSQL -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> Iterator[Callable[[], str]]:
    pytest.importorskip("psycopg", reason="psycopg, an extra, is not installed")
    if not logs.programs():
        pytest.skip("no PostgreSQL is installed here")
    with logs.postgres() as created:
        yield created


def test_a_ledger_moves_to_postgres_and_back(
    database: Callable[[], str], here: Settings, there: Settings, lines: list[bytes], file: Path
) -> None:
    address = database()
    moved = msgspec.structs.replace(there, event_store=address)
    file.write_bytes(b"".join(lines))
    ledger_file.begin_anew(file, moved)
    with closing(event_store.open_postgres(address)) as log:
        back = list(ledger_file.written(log))
        assert log.append([fact(6)]) == [8]
    assert back == lines


def test_a_backup_of_postgres_is_the_ledger_as_a_file_and_begins_either_kind(
    database: Callable[[], str], here: Settings, tmp_path: Path
) -> None:
    kept = msgspec.structs.replace(here, event_store=database())
    here.data_dir.mkdir(parents=True, exist_ok=True)
    with closing(event_store.open_postgres(kept.event_store)) as log:
        log.append([fact(1)])
        path, found = backup.make(kept, date(2026, 1, 6))
        log.append([fact(2)])
    assert (path.name, found.checked) == ("ledger-2026-01-06.jsonl", 1)
    for store in ("sqlite", database()):
        chosen = Settings(data_dir=tmp_path / f"again-{store[:6]}", event_store=store)
        assert restore.restore(path, chosen) == found


def test_a_database_that_is_used_is_not_written_over_and_a_harmed_file_leaves_it_empty(
    database: Callable[[], str], there: Settings, lines: list[bytes], file: Path
) -> None:
    address = database()
    moved = msgspec.structs.replace(there, event_store=address)
    file.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ledger_file.Unfit):
        ledger_file.begin_anew(file, moved)
    with closing(event_store.open_postgres(address)) as log:
        assert log.head() == 0
        log.append(some(1))
    file.write_bytes(b"".join(lines))
    with pytest.raises(refusals.Exists, match="holds a ledger already"):
        ledger_file.begin_anew(file, moved)


# --- the command ----------------------------------------------------------------------------


def run(config: Settings, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "adapters.ledger_file", *arguments],
        cwd=ROOT,
        env={"WHEEL_DATA_DIR": str(config.data_dir)},
        capture_output=True,
        check=False,
    )


def test_the_command_exports_and_imports(
    here: Settings, there: Settings, lines: list[bytes], file: Path
) -> None:
    assert run(here, "export").stdout == b"".join(lines)
    assert run(here, "export", str(file)).returncode == 0
    done = run(there, "import", str(file))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"imported 7 facts, head at 7, sha256 ")
    with closing(event_store.open_there(there)) as log:  # as it is, before anything wrote to it
        *_, verdict = log.verify()
        assert verdict.checked == 7
    assert stored(there) == stored(here)


def test_the_command_says_in_a_line_what_is_wrong(
    here: Settings, there: Settings, file: Path
) -> None:
    file.write_bytes(b"dear diary")
    for config, arguments in ((there, ["import", str(file)]), (there, ["export"])):
        done = run(config, *arguments)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)


def test_an_export_that_fails_leaves_the_file_as_it_was(
    here: Settings, lines: list[bytes], file: Path
) -> None:
    file.write_bytes(b"yesterday's")
    with closing(sqlite3.connect(here.event_store_path)) as connection, connection:
        connection.execute("DELETE FROM stored_events WHERE rowid=3")
    done = run(here, "export", str(file))
    assert done.stderr == b"the ledger is not whole: position 3: the row is missing\n"
    assert (done.returncode, file.read_bytes()) == (1, b"yesterday's")
    assert [each.name for each in file.parent.glob("ledger.jsonl*")] == ["ledger.jsonl"]
