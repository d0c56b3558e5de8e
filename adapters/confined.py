"""A strange program in a process of its own: little around it, a time limit, and no way to stay.

It has none of our environment, so none of our tokens, and its own end of one socket. What it prints
is heard to its end and only the last of it kept. Between it and us is a warden, so that we are not
its parent: when its time is over, when it has ended, or when we are, that one kills it with
whatever it started (adapters/warden.py). It is the user's own program under the user's own name:
this keeps its mistakes apart, not its malice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from adapters import warden

HOME: Final = Path(__file__).resolve().parent.parent
MARK: Final = "PLUGIN_RUN"
"""By this variable of its environment a process is known that got away from its warden."""
THERE_WITHIN: Final = 60.0
"""Seconds that a process may take until it is there, on a machine that has much else to do."""
OUTPUT_KEPT: Final = 4_000
_CHUNK: Final = 65_536
_LAST_WORDS: Final = 1.0
_ENDED_WITHIN: Final = 8.0
"""Seconds that a warden may take to kill all, before it is killed itself."""
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR")
_MODEST: Final = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)
"""Each thread of these would take its share of the memory that is allowed."""

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""What is answered to a line; None where nothing more is to be said or heard."""


class Ended(msgspec.Struct, frozen=True):
    """How it ended: its exit status, whether its time was over, and the last that it printed.

    On its leash its time is over when that is pulled. `heavy` is what took too much memory with
    all that it had started, `unkept` what its warden died of.
    """

    status: int
    late: bool
    output: str
    heavy: bool = False
    unkept: bool = False


class Leash:
    """By this a run can be ended before its time; `why` says what for, once it is."""

    def __init__(self) -> None:
        self.why: str | None = None
        self._limit: asyncio.Timeout | None = None

    def hold(self, limit: asyncio.Timeout) -> None:
        """The run has begun, within this limit."""
        self._limit = limit
        if self.why is not None:
            limit.reschedule(0)

    def pull(self, why: str) -> None:
        """End the run, now or as soon as it begins."""
        self.why = self.why or why
        if self._limit is not None:
            with suppress(RuntimeError):  # it has just ended by itself
                self._limit.reschedule(0)


async def run(
    arguments: Sequence[str],
    seconds: float,
    mark: UUID,
    first: bytes,
    answer: Answer,
    *,
    longest: int,
    memory_mb: int,
    leash: Leash,
) -> Ended:
    """Run a module of Python, say `first` to it, and answer it line by line until it is done.

    Its time begins when it has said a first line: that it is there, and listens. What it takes
    then, with all that it starts, may grow by so much memory.
    """
    ours, theirs = socket.socketpair()
    holding, held = socket.socketpair()
    with ours, holding:
        with theirs, held:
            process = await _begun(arguments, mark, [held.fileno(), theirs.fileno()])
        printed = _Printed()
        listening = asyncio.create_task(printed.hear(process.stdout))
        late, told = False, None
        try:
            async with asyncio.timeout(THERE_WITHIN) as limit:
                leash.hold(limit)
                begin = _Begin(first, seconds, limit, partial(_allow, holding, memory_mb))
                await _talk(ours, begin, answer, longest)
                await process.wait()
                told = _told(holding)
        except TimeoutError:
            late = True
        finally:
            ours.close()
            holding.close()
            await _gone(process)
            await asyncio.to_thread(end, process.pid, mark)
            await _gone(process)
            await asyncio.wait([listening], timeout=_LAST_WORDS)
            listening.cancel()
    heavy = told == warden.OVER
    status = process.returncode or 0 if told is None or heavy else int(told)
    return Ended(status, late, printed.text, heavy, unkept=told is None and not late)


async def _begun(
    arguments: Sequence[str], mark: UUID, fds: Sequence[int]
) -> asyncio.subprocess.Process:
    """A warden that holds these ends, the second for the module that it runs."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(warden.__file__), *map(str, fds)),
        *(sys.executable, "-P", "-m", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(os.environ, mark),
        pass_fds=fds,
        start_new_session=True,
    )


def _allow(holding: socket.socket, memory_mb: int) -> None:
    with suppress(OSError):  # a warden that is gone weighs nobody
        holding.send(str(memory_mb).encode())


def _told(holding: socket.socket) -> str | None:
    """How it ended, if its warden could still say it."""
    holding.settimeout(0)
    with suppress(OSError):
        return holding.recv(100).decode("ascii") or None
    return None


async def _gone(process: asyncio.subprocess.Process) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _ENDED_WITHIN)


class _Begin(msgspec.Struct, frozen=True):
    """What is said to a process that is there, and the limits that it has from then on."""

    first: bytes
    seconds: float
    limit: asyncio.Timeout
    weigh: Callable[[], None]


async def _talk(ours: socket.socket, begin: _Begin, answer: Answer, longest: int) -> None:
    reader, writer = await asyncio.open_connection(sock=ours, limit=longest)
    try:
        if not await reader.readline():
            return
        begin.limit.reschedule(asyncio.get_running_loop().time() + begin.seconds)
        begin.weigh()
        writer.write(begin.first)
        await writer.drain()
        while said := await reader.readline():
            replied = await answer(said)
            if replied is None:
                return
            writer.write(replied)
            await writer.drain()
    except (ConnectionError, ValueError):  # it is gone, or says more than can be meant
        return
    finally:
        writer.close()


def _environment(ours: Mapping[str, str], mark: UUID) -> dict[str, str]:
    passed_on = {name: ours[name] for name in _PASSED_ON if name in ours}
    # Compiled code is kept by the second and the length: a quick change would run as before.
    ours_too = {"PYTHONPATH": str(HOME), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return passed_on | _MODEST | ours_too | {MARK: mark.hex}


class _Printed:
    """The last of what a process prints, whatever bytes that is."""

    def __init__(self) -> None:
        self._kept = b""
        self._cut = False

    async def hear(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while chunk := await stream.read(_CHUNK):
            whole = self._kept + chunk
            self._cut = self._cut or len(whole) > OUTPUT_KEPT
            self._kept = whole[-OUTPUT_KEPT:]

    @property
    def text(self) -> str:
        said = "".join(map(_plain, self._kept.decode("utf-8", "backslashreplace")))
        kept = said[-OUTPUT_KEPT:]
        return f"...{kept}" if self._cut or kept != said else kept


def _plain(sign: str) -> str:
    """A sign as text; what would steer a terminal is written out."""
    return sign if sign.isprintable() or sign in "\n\t" else f"\\x{ord(sign):02x}"


def end(pid: int, mark: UUID) -> None:
    """Kill a warden that does not end by itself, and whoever got away from it with the mark."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    sweep(mark)


def sweep(mark: UUID) -> None:
    """Kill whoever bears a mark. Blocking."""
    for pid in _marked(f"{MARK}={mark.hex}".encode()):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _marked(mark: bytes) -> list[int]:
    """The processes whose environment has the mark, where that can be read (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found
