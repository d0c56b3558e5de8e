"""What ties processes together, so that none outlives the instance.

Two ties, each enough where the other fails:

- The keeper and the supervisor hold the ends of one socket. Its end-of-file tells either that the
  other has died, however it died, on any POSIX system. Over it the supervisor also tells the
  keeper which processes it started, so the keeper can end those that a killed supervisor leaves.
- On Linux the kernel sends SIGTERM to a child whose parent has died. That covers even a keeper
  and a supervisor killed at the same moment.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

_SET_PARENT_DEATH_SIGNAL: Final = 1
_SET_CHILD_SUBREAPER: Final = 36
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None]:
    """Make what runs in a child, between fork and exec: one system call, nothing that locks."""
    parent = os.getpid()

    def tie() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)

    return tie


def follow(line: socket.socket) -> set[int]:
    """Read what a supervisor says, until it has died; answers the processes it leaves."""
    running: set[int] = set()
    with line.makefile("r", encoding="ascii") as said:
        for word in said:
            (running.add if word.startswith("+") else running.discard)(int(word[1:]))
    return running


def adopt_orphans() -> bool:
    """Become the parent of what others leave behind, to see it end; answers if we can (Linux)."""
    if _LIBC is None:
        return False
    return bool(_LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def end_groups(leaders: Iterable[int], patience: float) -> None:
    """End whole process groups: SIGTERM, and SIGKILL for what is left when patience is."""
    groups = {leader for leader in leaders if signal_group(leader, signal.SIGTERM)}
    deadline = time.monotonic() + patience
    while groups and time.monotonic() < deadline:
        reap()
        groups = {leader for leader in groups if signal_group(leader, 0)}
        time.sleep(0.02)
    for leader in groups:
        signal_group(leader, signal.SIGKILL)
    reap()


def signal_group(leader: int, number: int) -> bool:
    """Signal a process group; False when nothing of it is left."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def bury_orphans(child: int) -> None:
    """Bury what we adopted and has ended, and leave our own child to whoever waits for it."""
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if dead.si_pid in (0, child):
                return
            os.waitpid(dead.si_pid, 0)


def reap() -> None:
    """Bury all that has ended: a dead process still counts as one of its group."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
