"""What the tests have in common: an instance in a directory of its own, and a real bus."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Protocol, TypeVar

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from adapters import bus, clock, nats_server
from adapters.settings import Settings

SOON = 10.0

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
"""No test keeps a key in the keyring of whoever runs it."""

T = TypeVar("T")


class Join(Protocol):
    """Joins the bus in a role, with a shelf in its buckets."""

    async def __call__(self, role: str, shelf: str | None = None) -> bus.Bus: ...


class NatsServer:
    """A real nats-server with the project's nats.conf, to be stopped and started at will."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.settings.bus_url

    def password(self, role: str) -> str:
        return nats_server.password(self.settings.data_dir, role)

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        process = subprocess.Popen(
            nats_server.argv(),
            env={**os.environ, **nats_server.environment(self.settings)},
            stderr=subprocess.PIPE,
        )
        self._process = process
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if b"Server is ready" in line:
                threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
                return
        process.wait()
        raise RuntimeError(b"".join(said).decode())

    def freeze(self) -> None:
        """Stop it from running, its connections left open, and wait until it stands still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it, without a word to anyone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @asynccontextmanager
    async def visit(self, role: str) -> AsyncIterator[Client]:
        """A stranger's plain client in some role; what it is refused is in `refusals`."""

        async def refused(reason: Exception) -> None:
            self.refusals.append(str(reason))

        self.refusals: list[str] = []
        client = await nats.connect(
            self.url, user=role, password=self.password(role), error_cb=refused
        )
        try:
            yield client
        finally:
            await client.close()

    async def stored(self, stream: str) -> list[Msg]:
        """All that a stream holds, as a stranger reads it."""
        async with self.visit("subscriber") as client:
            js = client.jetstream()
            count = (await js.stream_info(stream)).state.messages
            if not count:
                return []
            reader = await js.subscribe(">", stream=stream, ordered_consumer=True)
            return [await reader.next_msg(SOON) for _ in range(count)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An instance of its own, on a port that was free just now."""
    return Settings(data_dir=tmp_path / "data", nats_port=free_port())


@pytest.fixture
def server(settings: Settings) -> Iterator[NatsServer]:
    """A running bus, this test's alone."""
    running = NatsServer(settings)
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def join(settings: Settings) -> AsyncIterator[Join]:
    """Join the bus in a role; the end of the test leaves it."""
    nats_server.prepare(settings.data_dir)
    async with AsyncExitStack() as stack:

        async def joined(role: str, shelf: str | None = None) -> bus.Bus:
            secret = nats_server.password(settings.data_dir, role)
            connected = await stack.enter_async_context(
                bus.connect(settings.bus_url, role, secret, clock.SYSTEM, shelf=shelf)
            )
            if _is_open(settings.nats_port):  # a busy machine can be slower than a bus waits
                assert await connected.wait_up(SOON)
            return connected

        yield joined


async def dealt_with(client: Client) -> None:
    """Wait until the server has dealt with all that the client wrote.

    nats-py writes a ping past what still waits to be written; a second one is behind it.
    """
    await client.flush()
    await client.flush()


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait for it, but not for ever."""
    return await asyncio.wait_for(awaitable, SOON)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _drain(stream: IO[bytes]) -> None:
    for _ in stream:
        pass
    stream.close()
