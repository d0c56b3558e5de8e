"""An instance of our own: free ports, a directory that goes away, and a clock that runs fast."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import httpx

ROOT: Final = Path(__file__).resolve().parent.parent
HEALTHY_WITHIN: Final = 60.0
ENDED_WITHIN: Final = 10.0
LOOK_EVERY: Final = 0.1
LAST_WORDS: Final = 2_000


class NotStarted(Exception):
    """The instance did not become healthy; the message is the end of what it said."""


class Instance(NamedTuple):
    """Where a running instance is reached."""

    url: str
    bus_url: str
    subscriber_password: str


@asynccontextmanager
async def running(recording: Path, clock: datetime, speed: float) -> AsyncIterator[Instance]:
    """An instance that replays a recording, healthy, for as long as the block lasts.

    `speed` is in seconds of market time per real second.
    """
    with tempfile.TemporaryDirectory(
        prefix="wheelwright-demo-", ignore_cleanup_errors=True
    ) as directory:
        base = Path(directory)
        api_port, nats_port = _free_ports()
        environment = _environment(base) | {
            "WHEEL_API_PORT": str(api_port),
            "WHEEL_NATS_PORT": str(nats_port),
            "WHEEL_MARKET": "replay",
            "WHEEL_REPLAY_FILE": str(recording),
            "WHEEL_CLOCK": clock.isoformat(),
            "WHEEL_CLOCK_SPEED": repr(speed),
            "WHEEL_PRICE_INTERVAL": "3600",
        }
        async with _process(environment, base / "log") as process:
            url = f"http://127.0.0.1:{api_port}/api/v1"
            await _healthy(url, process, base / "log")
            password = (base / "data/nats/subscriber.password").read_text("ascii").strip()
            yield Instance(url, f"nats://127.0.0.1:{nats_port}", password)


def _environment(base: Path) -> dict[str, str]:
    """Ours, but without anybody's settings: the demonstration is the same everywhere."""
    config = base / "server.yaml"
    config.touch()
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("WHEEL_")}
    return theirs | {"WHEEL_CONFIG": str(config), "WHEEL_DATA_DIR": str(base / "data")}


def _free_ports() -> tuple[int, int]:
    """Two different ports that were free just now."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


@asynccontextmanager
async def _process(
    environment: dict[str, str], log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The supervisor, in a session of its own: a Ctrl-C is for us, and we stop it in order."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "supervisor",
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), ENDED_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _healthy(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(HEALTHY_WITHIN), httpx.AsyncClient() as client:
            while not await _is_healthy(client, url):
                if process.returncode is not None:
                    raise NotStarted(_end_of(log))
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError as reason:
        raise NotStarted(_end_of(log)) from reason


async def _is_healthy(client: httpx.AsyncClient, url: str) -> bool:
    try:
        answer = await client.get(f"{url}/health")
        return bool(answer.json()["data"]["status"] == "healthy")
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _end_of(log: Path) -> str:
    return f"the instance did not start:\n{log.read_text(errors='replace')[-LAST_WORDS:]}"
