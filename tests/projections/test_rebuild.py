"""The views anew from the log, row for row what the projector wrote."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from adapters.event_store import EventStore
from projections import rebuild, tables
from projections.projector import Projector
from tests.projections import ledger

ROOT = Path(__file__).parents[2]


@pytest.fixture
def log(log: EventStore) -> EventStore:
    ledger.lively(log)
    return log


def follow(log: EventStore, link: Path) -> None:
    with closing(tables.create(tables.current(link))) as connection:
        Projector(log, connection).advance()


def test_a_rebuilt_view_equals_the_live_one(log: EventStore, link: Path) -> None:
    follow(log, link)
    live = ledger.dump(link)
    done = rebuild.rebuild(log, link)
    assert done.before == done.after
    assert ledger.dump(link) == live


def test_without_views_there_is_nothing_to_compare_with(log: EventStore, link: Path) -> None:
    done = rebuild.rebuild(log, link)
    assert (done.before, done.position) == (None, log.head())
    assert link.resolve() == done.path


def test_views_that_lag_behind_are_not_compared(log: EventStore, link: Path) -> None:
    tables.current(link)
    with closing(tables.create(link.resolve())):
        assert rebuild.rebuild(log, link).before is None


def test_a_difference_is_told(log: EventStore, link: Path) -> None:
    follow(log, link)
    with closing(sqlite3.connect(link.resolve())) as views, views:
        views.execute("UPDATE trades SET outcome='assigned' WHERE outcome='open'")
    done = rebuild.rebuild(log, link)
    assert done.before != done.after


def test_the_old_file_is_gone_and_nothing_is_left_beside_the_new(
    log: EventStore, link: Path
) -> None:
    follow(log, link)
    for _ in range(2):
        rebuild.rebuild(log, link)
    left = {each.name for each in link.parent.iterdir() if each.name.startswith("views")}
    assert left == {"views.db", link.resolve().name}


def test_a_rebuild_that_fails_leaves_the_views_as_they_were(log: EventStore, link: Path) -> None:
    follow(log, link)
    before, files = ledger.dump(link), sorted(link.parent.iterdir())

    def stopped(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild.rebuild(log, link, stopped)
    assert ledger.dump(link) == before
    assert sorted(link.parent.iterdir()) == files


def test_progress_ends_at_the_head(log: EventStore, link: Path) -> None:
    told: list[tuple[int, int]] = []
    rebuild.rebuild(log, link, lambda done, of: told.append((done, of)))
    assert told[-1] == (log.head(), log.head())


def test_an_empty_log_gives_empty_views(tmp_path: Path) -> None:
    with closing(ledger.opened(tmp_path / "empty")) as log:
        assert rebuild.rebuild(log, tmp_path / "views.db").position == 0
    assert ledger.dump(tmp_path / "views.db") == ["tracking (1, 0)"]


def test_the_command_says_whether_the_live_views_were_right(log: EventStore, link: Path) -> None:
    folder = link.parent / "data"
    with closing(ledger.opened(folder)) as store:
        ledger.lively(store)
    environment = {**os.environ, "WHEEL_DATA_DIR": str(folder)}

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "projections", "rebuild"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    assert run()[0] == 0
    code, said = run()
    assert (code, "equal to the live views" in said) == (0, True)


def test_views_named_from_the_working_directory_are_made_like_others(
    log: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    link = Path("views.db")
    rebuild.ready(log, link)
    assert link.is_symlink()
    assert link.exists()


def test_a_file_in_the_place_of_the_link_gives_way_to_it(log: EventStore, link: Path) -> None:
    tables.create(link).close()
    path = rebuild.ready(log, link)
    assert link.is_symlink()
    assert tables.leads(link, path)
