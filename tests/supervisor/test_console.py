"""One terminal for many processes."""

import json
import os
import pty
from collections.abc import Iterator

import pytest

from supervisor.console import Console


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_line_says_whose_it_is(pipe: tuple[int, int]) -> None:
    Console(["api"], descriptor=pipe[1]).line("api", b"ready")
    assert os.read(pipe[0], 100) == b"api        | ready\n"


def test_a_terminal_gets_colours() -> None:
    ours, theirs = pty.openpty()
    Console(["api"], descriptor=theirs).line("api", b"ready")
    assert os.read(ours, 100).startswith(b"\x1b[32mapi")
    os.close(ours)
    os.close(theirs)


def test_json_lines_stay_json_lines(pipe: tuple[int, int]) -> None:
    console = Console(["api", "nats-server"], descriptor=pipe[1], as_json=True)
    console.line("api", b'{"level": "info"}')
    console.line("nats-server", b"Server is ready")
    first, second = map(json.loads, os.read(pipe[0], 1000).splitlines())
    assert first == {"level": "info"}
    assert second == {"process": "nats-server", "message": "Server is ready"}


def test_a_reader_that_sleeps_loses_lines_and_is_told_how_many(pipe: tuple[int, int]) -> None:
    console = Console(["api"], descriptor=pipe[1])
    for _ in range(100):
        console.line("api", b"x" * 4000)
    while len(os.read(pipe[0], 65536)) == 65536:
        pass
    console.line("api", b"awake")
    assert b"lines dropped" in os.read(pipe[0], 65536)


def test_a_reader_that_has_gone_is_no_reason_to_fall() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    Console(["api"], descriptor=writing).say("anyone?")
    os.close(writing)
