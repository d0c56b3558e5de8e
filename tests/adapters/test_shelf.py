"""What lies in the directory of plugins, and what of it is one."""

import os
from pathlib import Path

import pytest

from adapters import shelf
from adapters.shelf import Found, Shelf


def look(directory: Path) -> dict[str, Found]:
    return Shelf(directory).look()


def test_a_name_that_is_no_text_is_that_files_own_fault(tmp_path: Path) -> None:
    (tmp_path / "fine.py").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).touch()
    found = look(tmp_path)
    assert (found["fine"].fault, found["caf\\xe9"].origin) == (None, "file:caf\\xe9.py")
    assert "its name must be" in (found["caf\\xe9"].fault or "")


def test_a_name_that_is_no_text_within_a_folder_is_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "fine").mkdir()
    (tmp_path / "fine/__init__.py").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/fine/caf\xe9.py")).touch()
    assert look(tmp_path)["fine"].fault is None


def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "fine").mkdir()
    (tmp_path / "fine/__init__.py").touch()
    os.mkfifo(tmp_path / "fine/pipe.py")
    assert list(look(tmp_path)) == ["fine"]


def test_what_an_editor_keeps_in_a_folder_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "fine").mkdir()
    (tmp_path / "fine/__init__.py").touch()
    looking = Shelf(tmp_path)
    before = looking.look()
    (tmp_path / "fine/.#__init__.py").symlink_to("me@here.1234:5678")
    (tmp_path / "fine/dangling.py").symlink_to("nowhere")
    (tmp_path / "fine/.drafts").mkdir()
    (tmp_path / "fine/.drafts/__init__.py").touch()
    assert looking.look() == before != {}


def test_what_cannot_be_read_is_shown_with_why_and_the_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fine.py").touch()
    (tmp_path / "shut.py").touch()

    def closed(path: Path, parts: list[Path]) -> str:
        if path.name == "shut.py":  # a root may read all, so nothing is shut to him
            raise PermissionError(13, "Permission denied")
        return "1"

    monkeypatch.setattr(shelf, "_sum", closed)
    found = look(tmp_path)
    assert found["shut"].fault == "it cannot be read: Permission denied"
    assert found["fine"].fault is None
