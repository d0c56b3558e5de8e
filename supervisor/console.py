"""One terminal for many processes: every line says whose it is."""

import json
import os
import select
from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Final

COLOURS: Final = (36, 32, 33, 35, 34, 96, 92, 93)
SUPERVISOR: Final = "supervisor"
_AT_ONCE: Final = select.PIPE_BUF
"""What a pipe takes without blocking, when it says that it takes anything."""


class Console:
    """Writes lines, and never waits for whoever should read them.

    Output that nobody takes (a full pipe) must not stop the supervisor from restarting what
    dies: such lines are dropped, and counted.
    """

    def __init__(self, names: Iterable[str], *, descriptor: int = 1, as_json: bool = False) -> None:
        everyone = (SUPERVISOR, *names)
        width = max(map(len, everyone))
        colours: Mapping[str, int] = dict(zip(everyone, cycle(COLOURS), strict=False))
        coloured = os.isatty(descriptor)
        self._descriptor = descriptor
        self._as_json = as_json
        self._dropped = 0
        self._prefixes = {
            name: f"\x1b[{colours[name]}m{name:<{width}} |\x1b[0m "
            if coloured
            else f"{name:<{width}} | "
            for name in everyone
        }

    def say(self, text: str) -> None:
        """Write a line of the supervisor's own."""
        self.line(SUPERVISOR, text.encode())

    def line(self, name: str, line: bytes) -> None:
        """Write a line of a process, without its end."""
        if not self._write(self._dressed(name, line)):
            self._dropped += 1
        elif self._dropped:
            note = f"{self._dropped} lines dropped: nobody read them in time".encode()
            if self._write(self._dressed(SUPERVISOR, note)):
                self._dropped = 0

    def _dressed(self, name: str, line: bytes) -> bytes:
        if not self._as_json:
            return self._prefixes[name].encode() + line + b"\n"
        if line.startswith(b"{"):
            return line + b"\n"
        message = {"process": name, "message": line.decode(errors="replace")}
        return json.dumps(message).encode() + b"\n"

    def _write(self, line: bytes) -> bool:
        try:
            for start in range(0, len(line), _AT_ONCE):
                if not select.select([], [self._descriptor], [], 0)[1]:
                    return False
                os.write(self._descriptor, line[start : start + _AT_ONCE])
        except OSError:  # the reader has gone
            return False
        return True
