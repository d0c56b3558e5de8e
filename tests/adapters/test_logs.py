"""Logs are for people or for machines, go into files that do not grow, and never hold a secret."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import logs, request_id
from adapters.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data"


def said(**chosen: Any) -> str:
    stream = io.StringIO()
    logs.configure(Settings(**{"log_files": False} | chosen), "risk", stream)
    try:
        raise ValueError("nats://risk:hush@bus")  # noqa: TRY301 - to be logged
    except ValueError:
        logging.getLogger("risk").exception("token %s", "hush", extra={"symbol": "SPY"})
    return stream.getvalue()


def one(message: str, **chosen: Any) -> str:
    """A single message, as it is written."""
    stream = io.StringIO()
    logs.configure(Settings(**{"log_files": False} | chosen), "risk", stream)
    logging.getLogger("risk").warning(message)
    return stream.getvalue()


def test_a_person_reads_text() -> None:
    assert said().startswith("ERROR   risk: token hush\n    Traceback")


def test_a_machine_reads_one_object_per_line() -> None:
    (line,) = said(log_format="json").splitlines()
    read = json.loads(line)
    assert (read["level"], read["process"], read["symbol"]) == ("error", "risk", "SPY")
    assert "ValueError" in read["exception"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_logged(log_format: str) -> None:
    assert "hush" not in said(api_token="hush", log_format=log_format)


def test_the_level_is_as_chosen() -> None:
    assert one("not this", log_level="error") == ""


def test_what_an_exception_says_cannot_look_like_a_line() -> None:
    stream = io.StringIO()
    logs.configure(Settings(log_files=False), "risk", stream)
    try:
        raise ValueError("no\nERROR   risk: all is lost\x1b[2J")  # noqa: TRY301 - to be logged
    except ValueError:
        logging.getLogger("risk").exception("hello")
    first, *rest = stream.getvalue().splitlines()
    assert first == "ERROR   risk: hello"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b[2J", "\x00", "\x7f", "\x9b", "\u2028"])
def test_a_message_cannot_look_like_two(control: str) -> None:
    written = one(f"hello{control}ERROR   risk: all is lost")
    assert written.count("\n") == 1
    assert control not in written[:-1]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_is_said_during_a_request_names_it(log_format: str) -> None:
    before = request_id.current.set("req-7")
    written = one("hello", log_format=log_format)
    request_id.current.reset(before)
    if log_format == "json":
        assert json.loads(written)["request_id"] == "req-7"
    else:
        assert written == "WARNING risk: hello [request req-7]\n"


def test_what_is_said_outside_of_a_request_names_none() -> None:
    assert "request" not in one("hello", log_format="json")


def test_a_process_also_logs_into_a_file_of_its_own(place: Path) -> None:
    settings = Settings(data_dir=place, log_level="info")
    for process in ("risk", "relay"):
        logs.configure(settings, process, io.StringIO())
        logging.getLogger(process).info("%s begins", process)
    lines = [(place / "logs" / f"{each}.log").read_text() for each in ("risk", "relay")]
    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    for process, text in zip(("risk", "relay"), lines, strict=True):
        assert re.fullmatch(rf"{when} INFO    {process}: {process} begins\n", text)
    assert (place / "logs").stat().st_mode & 0o077 == 0


def test_a_file_is_put_aside_when_it_is_full_and_few_are_kept(place: Path) -> None:
    settings = Settings(data_dir=place, log_file_size=1, log_files_kept=2)
    logs.configure(settings, "risk", io.StringIO())
    for _ in range(45):
        logging.getLogger("risk").warning("x" * 100_000)
    sizes = {each.name: each.stat().st_size for each in (place / "logs").iterdir()}
    assert set(sizes) == {"risk.log", "risk.log.1", "risk.log.2"}
    assert max(sizes.values()) <= 1_000_000


def test_a_secret_is_in_no_file(place: Path) -> None:
    said(data_dir=place, log_files=True, api_token="hush", log_format="json")
    assert "hush" not in (place / "logs" / "risk.log").read_text()


def test_a_process_that_cannot_write_its_file_goes_on_and_says_so(place: Path) -> None:
    place.mkdir()
    (place / "logs").write_text("in the way")
    assert "no log file" in one("hello", data_dir=place, log_files=True)


def test_several_processes_log_side_by_side(place: Path) -> None:
    program = (
        "import io, logging, sys; from pathlib import Path; from adapters import logs;"
        "from adapters.settings import Settings;"
        "logs.configure(Settings(data_dir=Path(sys.argv[1]), log_file_size=1), sys.argv[2]);"
        "[logging.getLogger().warning('%s %d', sys.argv[2], n) for n in range(2000)]"
    )
    names = ("prices", "risk", "relay")
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(place), name], stderr=subprocess.PIPE)
        for name in names
    ]
    for each in running:
        each.communicate()
    for name in names:
        lines = (place / "logs" / f"{name}.log").read_text().splitlines()
        assert [line.rpartition(": ")[2] for line in lines] == [f"{name} {n}" for n in range(2000)]
