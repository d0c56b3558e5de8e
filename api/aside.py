"""Heavy readings in processes of their own, so that the API's own loop and memory stay free.

A child runs a module of ours as `python -m` would, with low priority, on the same data, and writes
its answer to stdout. It is read no faster than the answer is taken; it ends when the block does
that it runs in, when the API stops, and when the API is killed. What it says on stderr is logged.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
import weakref
from asyncio import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Self

from adapters import settings
from domain import refusals

AT_ONCE = 4
PATIENCE = 10.0
CHUNK = 64 * 1024
LONGEST_LINE = 1024 * 1024
_logger = logging.getLogger(__name__)


class Child:
    """A module that runs aside for as long as an `async with` block lasts.

    Entering it raises refusals.Unavailable when too many run already.
    """

    # A class, and not a generator: at its end the loop closes generators in no order.

    def __init__(self, aside: Aside, module: str, *arguments: str) -> None:
        self._aside = aside
        self._module = module
        self._arguments = arguments
        self._last = ""

    async def __aenter__(self) -> Self:
        await self._take_place()
        try:
            self._process = await self._start()
        except BaseException:
            self._aside.places.release()
            raise
        self._listening = asyncio.create_task(self._listen(), name=f"stderr of {self._module}")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._end()
        finally:
            self._aside.places.release()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What it writes, until it has ended well; raises refusals.Unavailable when it has not."""
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(CHUNK):
            yield chunk
        if code := await self._process.wait():
            await self._listening
            raise refusals.Unavailable(f"{self._module} failed: {self._why(code)}", part="aside")

    async def whole(self) -> bytes:
        """All that it writes; for answers that are known to be small."""
        return b"".join([chunk async for chunk in self.chunks()])

    def _why(self, code: int) -> str:
        if code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        return self._last or f"it ended with {code}"

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(self._aside.patience):
                await self._aside.places.acquire()
        except TimeoutError:
            raise refusals.Unavailable(
                "too much is being read already; try again in a while",
                part="aside",
                retry_after=math.ceil(self._aside.patience),
            ) from None

    async def _start(self) -> subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "adapters.tethered",
                self._module,
                *self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                limit=LONGEST_LINE,
                env=self._aside.environment,
                start_new_session=True,
            )
        except OSError as error:
            raise refusals.Unavailable(
                f"{self._module} did not start: {error}", part="aside"
            ) from error

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        with suppress(ValueError):  # a line beyond all bounds
            async for line in self._process.stderr:
                said = line.decode(errors="replace").rstrip()
                self._last = said or self._last
                _logger.warning("%s: %s", self._module, said)

    async def _end(self) -> None:
        """End it at once: it holds nothing that must be put in order. Leave nothing of it open."""
        with suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        while await self._process.stdout.read(CHUNK):  # a pipe is closed when it is empty
            pass
        await self._listening
        await self._process.wait()


class Aside:
    """Starts children, a few at a time; whoever would wait too long is told to come again."""

    def __init__(
        self, config: settings.Settings, *, at_once: int = AT_ONCE, patience: float = PATIENCE
    ) -> None:
        self.environment = _environment(config)
        self.places = asyncio.Semaphore(at_once)
        self.patience = patience
        self._streams: weakref.WeakSet[AsyncGenerator[bytes]] = weakref.WeakSet()

    def running(self, module: str, *arguments: str) -> Child:
        """`python -m MODULE ARGUMENTS`, to be entered with `async with`.

        The settings of the API reach it through its environment: `settings.load(os.environ)`.
        """
        return Child(self, module, *arguments)

    async def streamed(self, module: str, *arguments: str) -> AsyncGenerator[bytes]:
        """What a child writes, for an answer's body; it has begun to write when this returns.

        So a child that fails at once is an error, and not an answer that breaks off. The child
        ends with the iterator, also with one that is dropped.
        """
        stream = _streamed(self.running(module, *arguments))
        await anext(stream)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """Break off the answers that are being streamed."""
        for stream in list(self._streams):
            with suppress(RuntimeError):  # somebody waits for its next chunk, and will end it
                await stream.aclose()


async def _streamed(child: Child) -> AsyncGenerator[bytes]:
    """First an empty chunk, when there is something to say; then what is said."""
    async with child:
        chunks = child.chunks()
        first = await anext(chunks, b"")
        yield b""
        if first:
            yield first
        async for chunk in chunks:
            yield chunk


def _environment(config: settings.Settings) -> dict[str, str]:
    """Ours, with what matters of our settings as they are, and our modules where we found them."""
    told = {
        "data_dir": config.data_dir.resolve(),
        "event_store": config.event_store,
        "log_format": config.log_format,
        "log_level": config.log_level,
    }
    chosen = {settings.variable(key): str(value) for key, value in told.items()}
    return os.environ | chosen | {"PYTHONPATH": os.pathsep.join(sys.path)}
