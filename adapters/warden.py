"""`python warden.py HELD LINE PROGRAM ...`: runs a program, and ends all that it has started.

    warden  ◀──(megabytes)── who started it             what all may take over what they have now
    warden  ──(exit status, or OVER)──▶ who started it  the program has ended, and all with it
    warden  ◀──(end of HELD)── who started it           that, or its death, ends the program

What the program starts, and lets go, comes back to the warden as its child (on Linux), in whatever
session, under whatever name; so it is found. What has to do with nothing of ours is not loaded.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

MISUSED: Final = 2
_SET_PARENT_DEATH_SIGNAL: Final = 1
_SET_CHILD_SUBREAPER: Final = 36
_DEAF_TO: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_END_WITHIN: Final = 5.0
_PAUSE: Final = 0.001
_WEIGH_EVERY: Final = 0.5
OVER: Final = "over"


def main(arguments: list[str]) -> int:
    """Run the program, with the number of its line behind its arguments, until it is to end."""
    held, line, *program = arguments
    warden = os.getpid()
    _control(_SET_CHILD_SUBREAPER, 1)
    for each in _DEAF_TO:
        signal.signal(each, signal.SIG_IGN)
    holder = socket.socket(fileno=int(held))
    leader = os.fork()
    if leader == 0:
        holder.close()
        _become([*program, line], warden)
    os.close(int(line))
    Warden(holder, leader).keep()
    return 0


def _become(program: list[str], warden: int) -> None:
    """The program, which dies with its warden, and in whose group is nobody else."""
    os.setsid()
    for each in _DEAF_TO:
        signal.signal(each, signal.SIG_DFL)
    _control(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != warden:
        os._exit(MISUSED)
    try:
        os.execv(program[0], program)  # noqa: S606  it is ours to become
    finally:
        os._exit(MISUSED)


def _control(what: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


class Warden:
    """One program, `leader`, that is kept for as long as somebody holds the other end of `held`."""

    def __init__(self, held: socket.socket, leader: int) -> None:
        self._held = held
        self._leader = leader
        self._status: int | None = None
        self._most: int | None = None
        self._weigh_at = 0.0

    def keep(self) -> None:
        """Wait for the end of either, end all the others, and say how the program ended."""
        woken, waking = socket.socketpair()
        waking.settimeout(0)
        signal.set_wakeup_fd(waking.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._bury()  # who died before we listened
        is_held, is_over = True, False
        while is_held and not is_over and self._status is None:
            ready, _, _ = select.select([self._held, woken], [], [], _WEIGH_EVERY)
            if woken in ready:
                woken.recv(4096)
                self._bury()
            if self._held in ready:
                is_held = self._hear()
            is_over = self._is_over()
        self._end_all()
        with suppress(OSError):
            self._held.send((OVER if is_over else str(self._status)).encode())

    def _hear(self) -> bool:
        """How much may be taken; whether anybody is there to say it."""
        with suppress(OSError):
            if said := self._held.recv(100):
                self._most = _weight() + int(said) * 1024
                return True
        return False

    def _is_over(self) -> bool:
        """Whether they take too much together; one alone has a limit of its own."""
        has_ended = self._status is not None
        if has_ended or self._most is None or time.monotonic() < self._weigh_at:
            return False
        self._weigh_at = time.monotonic() + _WEIGH_EVERY
        return len(set(_descendants(os.getpid()))) > 1 and _weight() > self._most

    def _bury(self) -> bool:
        """Take in whoever has died; whether there is anybody left."""
        try:
            while (dead := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if dead[0] == self._leader:
                    self._status = os.waitstatus_to_exitcode(dead[1])
        except ChildProcessError:
            return False
        return True

    def _end_all(self) -> None:
        """Kill until nobody is left: who is killed may just have started another."""
        until = time.monotonic() + _END_WITHIN
        _kill(-self._leader, signal.SIGKILL)
        while self._bury() and time.monotonic() < until:
            for each in _stopped(until):
                _kill(each, signal.SIGKILL)
            time.sleep(_PAUSE)


def _stopped(until: float) -> set[int]:
    """All that descend from us, stopped one by one, so that in the end none can start another."""
    stopped: set[int] = set()
    before = -1
    while len(stopped) > before and time.monotonic() < until:
        before = len(stopped)
        for each in _descendants(os.getpid()):
            if each not in stopped:
                _kill(each, signal.SIGSTOP)
                stopped.add(each)
    return stopped


def _descendants(of: int) -> Iterator[int]:
    """Children and children's children, where the system tells them (Linux)."""
    with suppress(OSError):
        for thread in Path(f"/proc/{of}/task").iterdir():
            for child in (thread / "children").read_text("ascii").split():
                yield int(child)
                yield from _descendants(int(child))


def _weight() -> int:
    """Kilobytes that all take together; what several share counts once (Linux)."""
    return sum(map(_share, set(_descendants(os.getpid()))))


def _share(pid: int) -> int:
    with suppress(OSError, ValueError):
        said = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
        rows = (line.split() for line in said.splitlines())
        return sum(int(row[1]) for row in rows if row[0] in {"Pss:", "SwapPss:"})
    return 0


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
