"""A real instance on free ports, started as a person starts it, and gone when the block ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters import nats_server
from benchmarks.figures import Now
from supervisor import lifeline

HEALTHY_WITHIN: Final = 60.0
_LOOK_EVERY: Final = 0.02
_END_WITHIN: Final = 8.0
SUPERVISOR: Final = (sys.executable, "-m", "supervisor")


class Trouble(Exception):
    """The instance did not do what was asked; its last words are in the message."""


class Instance(msgspec.Struct, frozen=True):
    """Where it listens, and how long it took to be healthy."""

    pid: int
    data_dir: Path
    api_port: int
    nats_port: int
    healthy_after: float

    @property
    def bus_url(self) -> str:
        """Its NATS server."""
        return f"nats://127.0.0.1:{self.nats_port}"

    def password(self, role: str) -> str:
        """With which a role enters the bus."""
        return nats_server.password(self.data_dir, role)


@contextlib.contextmanager
def running(data_dir: Path, argv: Sequence[str] = SUPERVISOR) -> Iterator[Instance]:
    """Start it and wait until it says that it is healthy; stop it whatever happens."""
    data_dir.mkdir(parents=True, exist_ok=True)
    api_port, nats_port = _free_ports()
    words = data_dir / "bench.log"
    began = Now()
    with words.open("wb") as said:
        keeper = subprocess.Popen(  # noqa: S603 - our own supervisor
            argv,
            env=_environment(data_dir, api_port, nats_port),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=lifeline.die_with_parent(),  # noqa: PLW1509 - no threads of ours run yet
        )
    try:
        _wait_until_healthy(keeper, api_port, words)
        yield Instance(keeper.pid, data_dir, api_port, nats_port, Now() - began)
    finally:
        _end(keeper)


def _environment(data_dir: Path, api_port: int, nats_port: int) -> dict[str, str]:
    """The defaults, whatever the file and the environment of whoever measures say."""
    config = data_dir / "empty.yaml"
    config.touch()
    ours = {name: text for name, text in os.environ.items() if not name.startswith("WHEEL_")}
    return ours | {
        "WHEEL_CONFIG": str(config),
        "WHEEL_DATA_DIR": str(data_dir),
        "WHEEL_API_PORT": str(api_port),
        "WHEEL_NATS_PORT": str(nats_port),
    }


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _wait_until_healthy(keeper: subprocess.Popen[bytes], port: int, words: Path) -> None:
    deadline = Now() + HEALTHY_WITHIN
    while (found := _health(port)) != "healthy":
        if keeper.poll() is not None or Now() > deadline:
            tail = b"\n".join(words.read_bytes().splitlines()[-20:]).decode(errors="replace")
            raise Trouble(f"the instance is not healthy ({found}):\n{tail}")
        time.sleep(_LOOK_EVERY)


def _health(port: int) -> str:
    try:
        return str(health(port)["status"])
    except (OSError, http.client.HTTPException, msgspec.DecodeError, KeyError):
        return "no answer"


def settle(port: int, quiet: float = 1.0, within: float = 30.0) -> None:
    """Wait until everything has caught up, and nothing new has been recorded for a moment."""
    head, since, end = -1, Now(), Now() + within
    while Now() < min(since + quiet, end):
        parts = health(port)["parts"]
        if parts["event_store"]["position"] != head or parts["views"]["lag"]:
            head, since = parts["event_store"]["position"], Now()
        time.sleep(_LOOK_EVERY * 5)


def health(port: int) -> dict[str, Any]:
    """What the instance says of itself."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.closing(line):
        line.request("GET", "/api/v1/health")
        answer: dict[str, Any] = msgspec.json.decode(line.getresponse().read())["data"]
    return answer


def _end(keeper: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and make sure: what it started dies with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(keeper.pid, signal.SIGTERM)
    try:
        keeper.wait(_END_WITHIN)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
