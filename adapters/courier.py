"""Brings messages to people, through Apprise: e-mail, ntfy, Telegram, Discord, webhooks.

Whoever is at the other end may answer slowly, for ever, or without end. So Apprise works in a few
processes of its own (adapters/apprised.py), each with one message at a time; one that takes too
long over it is killed, and another one takes its place. They have messages and URLs over stdin:
arguments and environments of processes can be read by others.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, Self

import msgspec

from domain import refusals

DELIVERY: Final = "X-Wheelwright-Delivery"
WITHIN: Final = 20.0
"""Seconds that a message may take."""
EACH_SIGN: Final = 1 / 1_000
"""And seconds more for each sign of it: what is long is sent in parts, one after the other."""
AT_ONCE: Final = 4
"""How many processes there are at most; each takes about 60 MB."""
IDLE: Final = 60.0
"""Seconds after which a process ends that nobody needs."""
THERE_WITHIN: Final = 60.0
"""Seconds that one may take to begin, on a machine that has much else to do."""
LATE: Final = "it did not answer in time"
GONE: Final = "what was to send it ended"
NOT_BEGUN: Final = "what was to send it did not begin"
_MODULE: Final = "adapters.apprised"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent; a webhook gets `fields` beside the text, and `id` tells repeats apart."""

    id: str
    title: str
    body: str
    severity: str = "LOW"
    fields: Mapping[str, Any] = {}


class Task(msgspec.Struct, frozen=True):
    """What a process is to do: send a message, or without one look at the URL."""

    url: str
    message: Message | None = None


class Told(msgspec.Struct, frozen=True):
    """What it says of a task: what is wrong, and whether it is better not given another."""

    error: str | None = None
    last: bool = False


class Courier(Protocol):
    """Who brings messages."""

    async def bring(self, url: str, message: Message) -> str | None:
        """Send it; None when the channel took it, else why it did not, without secrets."""
        ...


def kind(url: str) -> str:
    """The kind of a URL: mailtos, ntfy."""
    return url.partition("://")[0].lower()


class Apprise:
    """The one courier that there is; it has processes for as long as its block lasts."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._idle: list[_Bearer] = []
        self._busy: set[_Bearer] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def check(self, url: str) -> None:
        """Raise refusals.Invalid, which never tells the URL, for one that leads to nobody.

        Raises refusals.Unavailable where that cannot be known now.
        """
        error = await self._asked(Task(url), WITHIN)
        if error in (LATE, GONE, NOT_BEGUN):
            raise refusals.Unavailable("URLs cannot be looked at now", part="notifications")
        if error is not None:
            raise refusals.Invalid("url", None, error)

    async def bring(self, url: str, message: Message) -> str | None:
        """Send it; None when the channel took it, else why it did not, without secrets."""
        within = WITHIN + len(message.body) * EACH_SIGN
        return await self._asked(Task(url, message), within)

    async def close(self) -> None:
        """End all processes, also those that are at work."""
        for each in self._idle:
            each.leaving.cancel()
        bearers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(each.end() for each in bearers))

    async def _asked(self, task: Task, within: float) -> str | None:
        async with self._places:
            try:
                bearer = self._rested() or await _Bearer.begun()
            except (OSError, TimeoutError):
                return NOT_BEGUN
            self._busy.add(bearer)
            try:
                return await bearer.ask(task, within)
            finally:
                self._busy.discard(bearer)
                if bearer.fit:
                    self._rest(bearer)
                else:
                    await bearer.end()

    def _rested(self) -> _Bearer | None:
        while self._idle:
            bearer = self._idle.pop()
            bearer.leaving.cancel()
            if bearer.lives:
                return bearer
        return None

    def _rest(self, bearer: _Bearer) -> None:
        def leave() -> None:
            self._idle.remove(bearer)
            bearer.let_go()

        bearer.leaving = asyncio.get_running_loop().call_later(IDLE, leave)
        self._idle.append(bearer)


class _Bearer:
    """A process that does one task at a time; `fit` once it has, and can be given another."""

    leaving: asyncio.TimerHandle

    def __init__(self, process: subprocess.Process, said: asyncio.StreamWriter) -> None:
        self.fit = False
        self._process = process
        self._to = said

    @classmethod
    async def begun(cls) -> Self:
        """One that is there; raises OSError or TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _MODULE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        assert process.stdin is not None
        bearer = cls(process, process.stdin)
        try:
            async with asyncio.timeout(THERE_WITHIN):
                await bearer._line()
        except BaseException:
            await bearer.end()
            raise
        return bearer

    @property
    def lives(self) -> bool:
        """Whether it has not ended, as far as we know."""
        return self._process.returncode is None

    async def ask(self, task: Task, within: float) -> str | None:
        """Have a task done; what is wrong, if something is."""
        self.fit = False
        try:
            async with asyncio.timeout(within):
                self._to.write(msgspec.json.encode(task) + b"\n")
                await self._to.drain()
                told = msgspec.json.decode(await self._line(), type=Told)
        except TimeoutError:
            return LATE
        except (OSError, ValueError):  # also what is no answer
            return GONE
        self.fit = not told.last
        return told.error

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise ConnectionResetError("it has ended")
        return line

    def let_go(self) -> None:
        """Have it end by itself."""
        self._to.close()

    async def end(self) -> None:
        """End it at once, and leave nothing of it open."""
        self.fit = False
        with suppress(ProcessLookupError):
            self._process.kill()
        self.let_go()
        assert self._process.stdout is not None
        with suppress(RuntimeError):  # somebody reads it, and will read its end
            await self._process.stdout.read()
        await self._process.wait()
