"""The README tells the truth: everything in it that can be run is run, in its order.

    ```sh       a line is run; the `make run-all` of the tour is the instance of this test
    ```pycon    is typed into one Python session, and what it answers is compared
    ```python   is the subscriber, a process of its own
    ```text     is what the command before it printed, or what the subscriber hears

Ports, directories and the Python are this test's own; ids, hashes and counts may differ.
"""

import configparser
import contextlib
import doctest
import io
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.conftest import free_port

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text("utf-8")
PATIENCE: Final = 20.0
HEALTHY_WITHIN: Final = 60.0
AN_ACKNOWLEDGEMENT: Final = 0.5
"""A person who has read an alert is slower to press Ctrl-C than it is acknowledged."""
PIECE: Final = re.compile(r"^```(\w+)\n(.*?)^```$|^<!-- (.*?) -->$", re.MULTILINE | re.DOTALL)
ONLY_NAMED: Final = re.compile(r"make (run-all|test|demo|bench|check)")
VARIES: Final = re.compile(r"\b[0-9a-f]{64}\b|(?<=whole: )\d+|(?<=head at )\d+|(?<=position )\d+")

Piece = tuple[str, str]
"""The language of a block, or "note", and what stands in it."""


def pieces() -> list[Piece]:
    """All that is to be done, in order."""
    return [
        ("note", found[3]) if found[3] else (found[1], found[2]) for found in PIECE.finditer(README)
    ]


class Program:
    """A process in a group of its own, as in a terminal, and the lines that it prints."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def next_line(self) -> str:
        return self.lines.get(timeout=PATIENCE)

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait until it is over."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        self._process.wait(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self.lines.put(line.rstrip("\n"))


class Reader:
    """Somebody who does what the README says, in a directory and on ports of their own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._ports = {name: str(free_port()) for name in ("8000", "4222", "8001", "4223")}
        self._session: dict[str, Any] = {"__name__": "__main__"}
        self._printed: list[str] = []
        self._running: list[Program] = []
        self._subscriber: Program | None = None

    def follow(self, pieces: list[Piece]) -> None:
        follow: dict[str, Callable[[str], None]] = {
            "sh": self._shell,
            "pycon": self._type,
            "python": self._subscribe,
            "text": self._compare,
            "ini": _unit,
            "note": self._note,
        }
        for language, text in pieces:
            follow[language](self._own(text))

    def leave(self) -> None:
        for named in self._session.values():
            if isinstance(named, httpx.Client):
                named.close()
        for program in reversed(self._running):
            program.interrupt()

    def _own(self, text: str) -> str:
        for port, ours in self._ports.items():
            text = re.sub(rf"(?<=[:=]){port}\b", ours, text)
        text = re.sub(r"\bvar/(?=tour|second)", f"{self._place}/var/", text)
        return text.replace(".venv/bin/python ", f"{shlex.quote(sys.executable)} ")

    def _environment(self) -> dict[str, str]:
        theirs = {name: each for name, each in os.environ.items() if not name.startswith("WHEEL_")}
        ports = {"WHEEL_API_PORT": self._ports["8000"], "WHEEL_NATS_PORT": self._ports["4222"]}
        return theirs | ports | {"PYTHONUNBUFFERED": "1"}

    def _start(self, argv: list[str]) -> Program:
        program = Program(argv, self._environment())
        self._running.append(program)
        return program

    def _shell(self, text: str) -> None:
        """A command that only names a target is looked up; an instance is kept running."""
        for line in text.replace("\\\n", " ").splitlines():
            if ONLY_NAMED.fullmatch(line):
                self._run(line.replace("make", "make --dry-run"))
            elif line.endswith("make run-all"):
                self._start(["bash", "-c", f"exec env {line}"])
                port = re.search(r"WHEEL_API_PORT=(\d+)", line)
                _until_healthy(port[1] if port else self._ports["8000"])
            else:
                self._printed = self._run(line)

    def _run(self, line: str) -> list[str]:
        ended = subprocess.run(
            ["bash", "-c", line],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
        return ended.stdout.splitlines()

    def _type(self, text: str) -> None:
        for example in doctest.DocTestParser().get_examples(text):
            assert self._typed(example) == example.want, example.source

    def _typed(self, example: doctest.Example) -> str:
        """What is answered. A question is asked again until the workers have caught up."""
        deadline = time.monotonic() + PATIENCE
        answered = self._answered(example.source)
        asks = not re.search(r"\.post\(|\bmove\(", example.source)
        while asks and example.want != answered and time.monotonic() < deadline:
            time.sleep(0.1)
            answered = self._answered(example.source)
        return answered

    def _answered(self, source: str) -> str:
        """As the interactive interpreter answers, an error by its name."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(source, "<README>", "single"), self._session)  # noqa: S102 - our README
            except Exception as error:  # noqa: BLE001 - it is told, and compared
                return repr(error)
        return printed.getvalue()

    def _subscribe(self, text: str) -> None:
        (self._place / "listen.py").write_text(text)
        self._note("the subscriber starts")

    def _note(self, text: str) -> None:
        if text == "the subscriber starts":
            self._subscriber = self._start([sys.executable, str(self._place / "listen.py")])
        else:
            assert text == "the subscriber stops"
            assert self._subscriber is not None
            time.sleep(AN_ACKNOWLEDGEMENT)
            self._subscriber.interrupt()

    def _compare(self, text: str) -> None:
        shown = text.splitlines()
        if shown[0].startswith("risk.alert."):
            assert self._subscriber is not None
            heard = [self._subscriber.next_line() for _ in shown]
        else:
            heard = [line for line in self._printed if line and not line.startswith("facts ")]
        assert [VARIES.sub("*", line) for line in heard] == [
            VARIES.sub("*", each) for each in shown
        ]


def _until_healthy(port: str) -> None:
    deadline = time.monotonic() + HEALTHY_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/health")
            if answer.json()["data"]["status"] == "healthy":
                return
        time.sleep(0.1)
    raise TimeoutError(port)


def _unit(text: str) -> None:
    """The unit starts what `make run-all` starts."""
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[method-assign,assignment]  # keys keep their capitals
    unit.read_string(text)
    _, _, module = unit["Service"]["ExecStart"].rpartition(" -m ")
    assert f"-m {module}\n" in (ROOT / "Makefile").read_text()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.leave()


def test_everything_in_the_readme_does_what_it_says(reader: Reader) -> None:
    reader.follow(pieces())


BELOW_DATA = {"nats/", "schwab/", "backups/"}


def test_every_file_that_the_readme_names_is_there() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r"`([a-z_]+/)`", README)
    missing = [name for name in named if not (ROOT / name).exists() and name not in BELOW_DATA]
    assert missing == []


def test_every_setting_that_the_readme_names_exists() -> None:
    documented = set(
        re.findall(r"`(WHEEL_\w+)`", (ROOT / "docs/configuration.md").read_text("utf-8"))
    )
    assert set(re.findall(r"WHEEL_\w+", README)) <= documented


def test_the_subscriber_is_six_lines_long() -> None:
    (subscriber,) = (text for language, text in pieces() if language == "python")
    _, body, _ = subscriber.split("\n\n")
    assert len(body.splitlines()) == 6
