"""An instance stays up, whatever dies in it, and goes down whole."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import msgspec
import psutil
import pytest

from supervisor.backoff import Backoff
from supervisor.processes import Process, Stop
from supervisor.supervise import Voice

WAITS = "import os, signal; print('up', os.getpid(), flush=True); signal.pause()"
SAYS_BYE = f"""
import signal, sys
def bye(*_):
    print('bye', flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, bye)
{WAITS}
"""
STUBBORN = f"""
import signal
signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))
{WAITS}
while True: signal.pause()
"""
HAS_A_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])
print('child', child.pid, flush=True)
{WAITS}
"""


def acting(name: str, script: str = WAITS, stop: Stop = Stop.THEN) -> Process:
    return Process(name, [sys.executable, "-c", script], stop)


class Instance:
    """A running supervisor, as a person at its terminal sees it."""

    def __init__(self, *processes: Process) -> None:
        self.lines: list[str] = []
        self.up: dict[str, int] = {}
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.supervisor.stage"],
            env=os.environ | {"STAGE": msgspec.json.encode(processes).decode()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.keeper.stdout is not None
        self.output = self.keeper.stdout

    def _read(self) -> str:
        line = next(self.output, "")
        if not line:
            pytest.fail(f"nothing more is said:\n{''.join(self.lines)}")
        self.lines.append(line)
        if found := re.match(r"(\S+) +\| up (\d+)", line):
            self.up[found.group(1)] = int(found.group(2))
        return line

    def hears(self, name: str, what: str) -> str:
        """Read on until that process says that; answers what the brackets hold."""
        while not (found := re.match(rf"{name} +\| .*{what}", self._read())):
            pass
        return "".join(found.groups())

    def are_up(self, *names: str, after: Mapping[str, int] | None = None) -> dict[str, int]:
        """Read on until all are up, with other process ids than before."""
        before = after or {}
        while any(self.up.get(name, before.get(name)) == before.get(name) for name in names):
            self._read()
        return {name: self.up[name] for name in names}

    def rest(self) -> list[str]:
        """Everything that is still said, until everyone who could say something has ended."""
        self.lines.extend(self.output)
        return self.lines

    def close(self) -> None:
        self.keeper.terminate()
        self.output.read()
        self.output.close()
        self.keeper.wait()


Start = Callable[..., Instance]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as running:

        def started(*processes: Process) -> Instance:
            instance = Instance(*processes)
            running.callback(instance.close)
            return instance

        yield started


def are_gone(*pids: int) -> bool:
    """Wait for processes to end, ours or not."""
    there = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(there, timeout=20)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_a_process_that_dies_is_started_again_while_the_others_go_on(start: Start) -> None:
    instance = start(acting("api"), acting("risk"))
    before = instance.are_up("api", "risk")
    os.kill(before["risk"], signal.SIGKILL)
    instance.are_up("risk", after=before)
    assert psutil.pid_exists(before["api"])
    assert sum(line.startswith("api") for line in instance.lines) == 1


def test_what_a_dead_process_started_does_not_outlive_it(start: Start) -> None:
    instance = start(acting("api", HAS_A_CHILD))
    child = int(instance.hears("api", r"child (\d+)"))
    before = instance.are_up("api")
    os.kill(before["api"], signal.SIGKILL)
    instance.are_up("api", after=before)
    assert are_gone(child)


def test_a_program_that_is_not_there_leaves_the_others_alone(start: Start) -> None:
    instance = start(Process("ghost", ["/nowhere/ghost"]), acting("api"))
    instance.are_up("api")
    assert "No such file" in instance.hears("supervisor", "ghost did not start (.*);")


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(start: Start, asked: signal.Signals) -> None:
    instance = start(
        acting("bus", SAYS_BYE, Stop.LAST),
        acting("worker", SAYS_BYE, Stop.THEN),
        acting("api", SAYS_BYE, Stop.FIRST),
    )
    up = instance.are_up("api", "worker", "bus")
    instance.keeper.send_signal(asked)
    said_bye = [line.split()[0] for line in instance.rest() if "bye" in line]
    assert (said_bye, instance.keeper.wait()) == (["api", "worker", "bus"], 0)
    assert are_gone(*up.values())


def test_a_process_that_will_not_stop_is_killed(start: Start) -> None:
    instance = start(acting("api", STUBBORN, Stop.FIRST))
    up = instance.are_up("api")
    instance.keeper.terminate()
    instance.rest()
    assert instance.keeper.wait() == 0
    assert are_gone(*up.values())


def test_a_second_interrupt_kills_at_once(start: Start) -> None:
    instance = start(acting("api", STUBBORN, Stop.FIRST), acting("bus", SAYS_BYE, Stop.LAST))
    up = instance.are_up("api", "bus")
    instance.keeper.send_signal(signal.SIGINT)
    instance.hears("api", "asked")
    instance.keeper.send_signal(signal.SIGINT)
    instance.rest()
    assert instance.keeper.wait() == 130
    assert are_gone(*up.values())


def test_a_supervisor_that_is_killed_comes_back_and_leaves_no_orphan(start: Start) -> None:
    instance = start(acting("api", HAS_A_CHILD), acting("risk", SAYS_BYE))
    child = int(instance.hears("api", r"child (\d+)"))
    before = instance.are_up("supervisor", "api", "risk")
    os.kill(before["supervisor"], signal.SIGKILL)
    after = instance.are_up("supervisor", "api", "risk", after=before)
    assert are_gone(child, *before.values())
    assert after.keys() == before.keys()


def test_when_the_keeper_is_killed_everything_stops(start: Start) -> None:
    instance = start(acting("api", SAYS_BYE))
    up = instance.are_up("supervisor", "api")
    instance.keeper.kill()
    assert any("bye" in line for line in instance.rest())
    assert are_gone(*up.values())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own tie is there on Linux only")
def test_when_keeper_and_supervisor_are_killed_together_their_processes_end(start: Start) -> None:
    instance = start(acting("api"))
    up = instance.are_up("supervisor", "api")
    instance.keeper.send_signal(signal.SIGSTOP)
    os.kill(up["supervisor"], signal.SIGKILL)
    instance.keeper.kill()
    assert are_gone(*up.values())


@pytest.mark.parametrize(
    ("lives", "waits"),
    [
        ([1, 1, 1, 1, 1, 1, 1], [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        ([1, 1, 60, 1], [0.2, 0.4, 0.2, 0.4]),
    ],
)
def test_restarts_wait_longer_each_time_until_one_lived_well(
    lives: list[float], waits: list[float]
) -> None:
    backoff = Backoff()
    assert [backoff.after(lived) for lived in lives] == waits


def test_what_is_said_in_pieces_is_heard_in_lines() -> None:
    heard: list[bytes] = []
    voice = Voice(heard.append)
    for piece in (b"one\ntw", b"o\r\nthr", b"ee"):
        voice.data_received(piece)
    voice.connection_lost(None)
    assert heard == [b"one", b"two", b"three"]
