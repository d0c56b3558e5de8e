"""A process that is confined does not outlive who confined it, however that one ends."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from adapters import confined, errand
from tests.api.waiting import until

ROOT = Path(__file__).parents[2]
KEEPER = """
import asyncio, sys, uuid
from datetime import UTC, datetime
from adapters import confined, errand

async def silent(said):
    return None

at = datetime(2026, 3, 2, tzinfo=UTC)
given = errand.Errand(
    task="run", plugin=sys.argv[3], origin=f"file:{sys.argv[1]}", memory_mb=256,
    run_id=uuid.UUID(sys.argv[2]), now=at, due_at=at,
)
asyncio.run(confined.run(
    ["plugin"], 10_000, given.run_id, errand.line(given), silent,
    longest=1_000_000, memory_mb=128, leash=confined.Leash(),
))
"""
SLEEPER = """
import time
from plugin import Plugin

class Sleeper(Plugin):
    name = "sleeper"
    def execute(self, context):
        time.sleep(10_000)
"""


def marked(mark: bytes) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in confined._marked(mark)]


def test_who_is_killed_without_a_word_leaves_no_plugin_behind(tmp_path: Path) -> None:
    path, run_id = tmp_path / "sleeper.py", uuid4()
    path.write_text(SLEEPER)
    mark = f"{confined.MARK}={run_id.hex}".encode()
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(path), str(run_id), "sleeper"], cwd=ROOT
    )
    try:
        until(lambda: [each for each in marked(mark) if each.nice() == 5])
    finally:
        keeper.kill()
        keeper.wait()
    until(lambda: not marked(mark))


HEAD = r"""
import os, signal, subprocess, sys, time
from plugin import Plugin

def note(pid):
    with open({pids!r}, "a") as file:
        file.write(f"{{pid}}\n")

class Leaver(Plugin):
    name = "leaver"
    def execute(self, context):
"""
LEAVERS = {
    "in a session of its own, without our mark": """
        note(subprocess.Popen(["sleep", "10000"], start_new_session=True, env={}).pid)
    """,
    "in flight": """
        if os.fork() == 0:
            while True:
                if os.fork():
                    os._exit(0)
                os.setsid()
        note(os.getpid())
        time.sleep(0.1)
    """,
    "a family": r"""
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                os.environ.clear()
                for _ in range(3):
                    note(subprocess.Popen(["sleep", "10000"], env={}).pid)
                time.sleep(10_000)
        while open(__file__ + ".pids").read().count("\n") < 15:
            time.sleep(0.01)
    """,
}


class Left:
    """Whoever a run leaves: they were noted, or bear its mark, and live."""

    def __init__(self, directory: Path) -> None:
        self.source = directory / "leaver.py"
        self.run_id = uuid4()
        self._pids = directory / "leaver.py.pids"
        self._pids.touch()
        self.heard: errand.Word | None = None

    def write(self, body: str) -> None:
        code = textwrap.indent(textwrap.dedent(body), " " * 8)
        self.source.write_text(HEAD.format(pids=str(self._pids)) + code)

    async def hear(self, said: bytes) -> None:
        self.heard = errand.word(said)

    def alive(self) -> set[int]:
        mark = f"{confined.MARK}={self.run_id.hex}".encode()
        bearers = {pid for _ in range(20) for pid in confined._marked(mark)}  # some are in flight
        noted = map(int, self._pids.read_text().split())
        return bearers | {pid for pid in noted if lives(pid)}


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    made = Left(tmp_path)
    yield made
    for pid in made.alive():
        os.kill(pid, signal.SIGKILL)


async def ended(left: Left, leash: confined.Leash | None = None) -> confined.Ended:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    given = errand.Errand(
        task="run",
        plugin="leaver",
        origin=f"file:{left.source}",
        memory_mb=256,
        run_id=left.run_id,
        now=at,
        due_at=at,
    )
    said = errand.line(given)
    return await confined.run(
        ["plugin"],
        60,
        left.run_id,
        said,
        left.hear,
        longest=1_000_000,
        memory_mb=128,
        leash=leash or confined.Leash(),
    )


@pytest.mark.parametrize("how", LEAVERS)
async def test_whoever_a_run_leaves_behind_ends_with_it(left: Left, how: str) -> None:
    left.write(LEAVERS[how])
    done = await ended(left)
    assert left.heard == errand.Finished("succeeded")
    assert (done.status, done.late, left.alive()) == (0, False, set())


async def test_a_plugin_that_kills_its_parent_kills_only_itself(left: Left) -> None:
    left.write("os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(10_000)\n")
    done = await ended(left)
    assert (done.status, done.unkept, left.alive()) == (-signal.SIGKILL, True, set())


def test_who_is_killed_without_a_word_leaves_nobody_that_a_plugin_started(left: Left) -> None:
    left.write("""
        note(subprocess.Popen(["sleep", "10000"], start_new_session=True, env={}).pid)
        time.sleep(10_000)
    """)
    arguments = [sys.executable, "-c", KEEPER, str(left.source), str(left.run_id), "leaver"]
    keeper = subprocess.Popen(arguments, cwd=ROOT)
    try:
        until(lambda: len(left.alive()) == 3)  # with its warden
    finally:
        keeper.kill()
        keeper.wait()
    until(lambda: not left.alive())


async def test_a_run_can_be_ended_before_its_time_and_before_it_begins(left: Left) -> None:
    left.write("time.sleep(10_000)")
    leash = confined.Leash()
    leash.pull("enough")
    done = await ended(left, leash)
    assert (done.late, left.alive()) == (True, set())


FAMILY = """
def grow():
    if os.fork() == 0:
        mine = bytearray(b"x" * {each})
        time.sleep(10_000)

shared = bytearray(b"x" * 30_000_000)
for _ in range(6):
    grow()
time.sleep({seconds})
"""


async def test_a_family_is_weighed_together(left: Left) -> None:
    left.write(FAMILY.format(each=30_000_000, seconds=10_000))
    done = await ended(left)
    assert (left.heard, done.heavy, done.late, left.alive()) == (None, True, False, set())


async def test_what_a_family_shares_is_weighed_once(left: Left) -> None:
    left.write(FAMILY.format(each=1, seconds=1.5))
    await ended(left)
    assert left.heard == errand.Finished("succeeded")
