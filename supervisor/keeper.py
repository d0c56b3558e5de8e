"""Keeps the supervisor itself alive: so small that there is nothing in it to die of.

It starts the supervisor in a session of its own, hands on the signals that people send, and waits
for it to end. A supervisor that was killed, or that fell over, is started again, once what it
left behind has ended; one that says it cannot start is not asked twice.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

from supervisor import lifeline
from supervisor.backoff import Backoff

STOPPED, CANNOT_START, MISCONFIGURED, CUT_SHORT = 0, 1, 2, 130
MEANT: Final = (STOPPED, CANNOT_START, MISCONFIGURED, CUT_SHORT)
"""How a supervisor ends when that is what it wanted; anything else is a crash."""
BEFORE_IT_LISTENED: Final = (-signal.SIGINT, -signal.SIGTERM)
"""How one ends that was asked to stop before it had started anything."""
PATIENCE: Final = 3.0
"""Seconds that the processes of a killed supervisor have to end."""
OVERDUE: Final = 4.7
"""Seconds that the supervisor has when it is asked to stop."""


class Keeper:
    """One supervisor after another, until one ends as it should."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Keep what `argv` starts; it is told its end of the lifeline, and if it comes `again`."""
        self._argv = argv
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Keep a supervisor running; answers the exit status of the last."""
        if lifeline.adopt_orphans():
            signal.signal(signal.SIGCHLD, self._bury)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hand_on)
        signal.signal(signal.SIGALRM, self._kill)
        backoff, began = Backoff(), time.monotonic()
        status = self._one_life()
        while status not in MEANT and not self._stopping:
            delay = backoff.after(time.monotonic() - began)
            print(f"supervisor {_how(status)}; starting it again", file=sys.stderr, flush=True)
            time.sleep(delay)
            began = time.monotonic()
            status = self._one_life("again")
        if status in MEANT:
            return status
        return STOPPED if status in BEFORE_IT_LISTENED else CUT_SHORT

    def _one_life(self, *words: str) -> int:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._child = subprocess.Popen(  # noqa: S603 - our own supervisor
                    [*self._argv, str(theirs.fileno()), *words],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=lifeline.die_with_parent(),  # noqa: PLW1509 - we have no threads
                )
            if self._stopping:  # asked between two lives
                self._child.terminate()
            left = lifeline.follow(ours)
        status = self._child.wait()
        lifeline.end_groups(left, patience=0.0 if self._stopping else PATIENCE)
        return status

    def _hand_on(self, number: int, _: FrameType | None) -> None:
        """Tell the supervisor, and see to it that it obeys in time."""
        self._stopping = True
        signal.setitimer(signal.ITIMER_REAL, OVERDUE)
        if self._child:
            asked = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
            self._child.send_signal(asked)

    def _bury(self, _: int, __: FrameType | None) -> None:
        if self._child:
            lifeline.bury_orphans(self._child.pid)

    def _kill(self, _: int, __: FrameType | None) -> None:
        if self._child:
            self._child.kill()


def _how(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
