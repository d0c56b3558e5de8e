"""Start all processes, start again what dies, and stop everything in order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any, Final

from supervisor import lifeline
from supervisor.backoff import Backoff
from supervisor.console import Console
from supervisor.processes import Process, Stop

ASKED_BY: Final = {Stop.FIRST: 1.5, Stop.THEN: 3.0, Stop.LAST: 4.0}
"""Seconds after which we go on to the next group of processes, and after the last: SIGKILL."""
LONGEST_LINE: Final = 65536


class Voice(asyncio.Protocol):
    """What one process says, cut into lines."""

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self._say = say
        self._rest = b""
        self.silent = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line.rstrip(b"\r"))
        if len(self._rest) > LONGEST_LINE:
            self._flush()

    def connection_lost(self, _: Exception | None) -> None:
        self._flush()
        self.silent.set()

    def _flush(self) -> None:
        if self._rest:
            self._say(self._rest)
        self._rest = b""


class Supervisor:
    """The processes of one instance, from the first start to the last end."""

    def __init__(
        self,
        processes: Iterable[Process],
        console: Console,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._processes = tuple(processes)
        self._console = console
        self._tell = tell
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._killing = asyncio.Event()

    def stop(self) -> None:
        """Stop everything, in order."""
        self._stopping.set()

    def interrupt(self) -> None:
        """Stop everything; asked a second time, at once."""
        (self._killing if self._stopping.is_set() else self._stopping).set()

    @property
    def was_cut_short(self) -> bool:
        return self._killing.is_set()

    async def run(self) -> None:
        """Keep all processes up until asked to stop."""
        tasks = {each.name: asyncio.create_task(self._keep(each)) for each in self._processes}
        watch = asyncio.create_task(self._stopping.wait())
        either: set[asyncio.Task[Any]] = {watch, *tasks.values()}
        # A task ends early only by a bug of ours, and then all must end, not run on half watched.
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        await self._end(tasks)
        await asyncio.gather(*tasks.values(), watch)

    async def _keep(self, process: Process) -> None:
        """One process: up again each time it dies."""
        backoff, clock = Backoff(), asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = clock()
            how = await self._live(process)
            if self._stopping.is_set():
                return
            delay = backoff.after(clock() - began)
            self._console.say(f"{process.name} {how}; starting it again in {delay:.1f} s")
            await _nap(self._stopping, delay)

    async def _live(self, process: Process) -> str:
        """One life of a process; answers how it ended."""
        reading, writing = os.pipe()
        voice = Voice(lambda line: self._console.line(process.name, line))
        loop = asyncio.get_running_loop()
        hearing, _ = await loop.connect_read_pipe(lambda: voice, os.fdopen(reading, "rb"))
        try:
            child = await _start(process, writing)
        except OSError as reason:
            return f"did not start ({reason.strerror})"
        else:
            return await self._see_out(process, child, voice)
        finally:
            hearing.close()

    async def _see_out(
        self, process: Process, child: asyncio.subprocess.Process, voice: Voice
    ) -> str:
        self._tell(f"+{child.pid}")
        self._running[process.name] = child
        code = await child.wait()
        del self._running[process.name]
        # Whatever it started itself must not stay behind, holding its port.
        lifeline.signal_group(child.pid, signal.SIGKILL)
        self._tell(f"-{child.pid}")
        await _nap(voice.silent, 1.0)
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    async def _end(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Ask group after group to end, each with its share of the time; then stop asking."""
        began = asyncio.get_running_loop().time()
        for order, until in ASKED_BY.items():
            group = [process for process in self._processes if process.stop is order]
            self._signal(group, signal.SIGTERM)
            left = max(began + until - asyncio.get_running_loop().time(), 0.0)
            await self._all_ended([tasks[process.name] for process in group], left)
        self._signal(self._processes, signal.SIGKILL)

    async def _all_ended(self, tasks: list[asyncio.Task[None]], patience: float) -> None:
        """Wait for them, no longer than that, and not at all once a person will not."""
        if not tasks:
            return
        ended = asyncio.create_task(asyncio.wait(tasks))
        killed = asyncio.create_task(self._killing.wait())
        either: set[asyncio.Task[Any]] = {ended, killed}
        await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in either:
            task.cancel()

    def _signal(self, processes: Iterable[Process], number: signal.Signals) -> None:
        for process in processes:
            if child := self._running.get(process.name):
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(number)


async def _start(process: Process, output: int) -> asyncio.subprocess.Process:
    """Start it in a session of its own, where the terminal's Ctrl-C does not reach it."""
    try:
        return await asyncio.create_subprocess_exec(
            *process.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | process.environment,
            start_new_session=True,
            preexec_fn=lifeline.die_with_parent(),
        )
    finally:
        os.close(output)


async def _nap(event: asyncio.Event, longest: float) -> None:
    """Wait for the event, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), longest)
