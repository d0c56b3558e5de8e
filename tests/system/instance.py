"""A whole instance as a person starts it, on ports and in a directory of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil

from adapters import settings
from adapters.settings import Settings
from tests.api.client import Client, Desk
from tests.api.waiting import until
from tests.conftest import NatsServer, free_port

ROOT = Path(__file__).parents[2]
HEALTHY_WITHIN = 60.0
MARKED = {
    "nats-server": "nats-server",
    "api": "-m api",
    "projector": "workers projector",
    "relay": "workers relay",
    "prices": "workers prices",
    "risk": "workers risk",
    "scanner": "workers scanner",
    "scheduler": "workers scheduler",
    "notifier": "workers notifier",
    "plugins": "workers plugins",
    "supervisor": "supervisor.instance",
}
"""By what the command of each process is known."""
WORKERS = ("projector", "relay", "prices", "risk", "scanner", "scheduler", "notifier", "plugins")


class Instance:
    """One instance: its processes, its API, its bus and its market."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.data_dir = data_dir
        self.market = data_dir / "market.json"
        self.api_port, self.nats_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.api_port}"
        self.said: list[str] = []
        self.environment = {
            "WHEEL_DATA_DIR": str(data_dir),
            "WHEEL_API_PORT": str(self.api_port),
            "WHEEL_NATS_PORT": str(self.nats_port),
            "WHEEL_MARKET_SCRIPT": str(self.market),
            "WHEEL_PRICE_INTERVAL": "0.2",
            "WHEEL_CLOCK": "2026-03-02T10:00:00-05:00",
        } | variables
        self._keeper: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    @property
    def settings(self) -> Settings:
        return settings.load(self.environment)

    @property
    def bus(self) -> NatsServer:
        """Its bus, to be read."""
        return NatsServer(self.settings)

    # --- its life

    def start(self) -> None:
        """Start it and wait until it says that it is healthy."""
        self.begin()
        self.up()

    def up(self) -> None:
        """Wait until it says that it is healthy."""
        until(self.is_healthy, HEALTHY_WITHIN)

    def wait(self, within: float = 20.0) -> int:
        """Wait until it has ended and all is read that it said; its exit status."""
        assert self._keeper is not None
        assert self._listener is not None
        status = self._keeper.wait(within)
        self._listener.join(within)
        return status

    def begin(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if not self.market.exists():
            self.price({})
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "supervisor"],
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, args=(self._keeper,), daemon=True)
        self._listener.start()

    def _listen(self, keeper: subprocess.Popen[str]) -> None:
        assert keeper.stdout is not None
        with keeper.stdout:
            self.said.extend(keeper.stdout)

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = 20.0) -> int:
        """Ask it to stop; its exit status."""
        assert self._keeper is not None
        self._keeper.send_signal(number)
        return self.wait(within)

    def close(self) -> None:
        """Leave nothing of it behind; what it said stands beside a test that failed."""
        self._end_all()
        sys.stdout.writelines(self.said)

    def _end_all(self) -> None:
        if self._keeper is None or self._keeper.poll() is not None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.end()
            return
        for process in [*self._everything(), psutil.Process(self._keeper.pid)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._keeper.wait(10)

    # --- its processes

    def _everything(self) -> list[psutil.Process]:
        assert self._keeper is not None
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._keeper.pid).children(recursive=True)
        return []

    def process(self, name: str) -> psutil.Process | None:
        """A process of it, if there is one at this moment."""
        for process in self._everything():
            with suppress(psutil.NoSuchProcess):
                if MARKED[name] in " ".join(process.cmdline()):
                    return process
        return None

    def kill(self, name: str) -> None:
        """End a process without a word, and wait until there is another in its place."""
        old = self.process(name)
        assert old is not None, name
        old.kill()
        until(lambda: (new := self.process(name)) is not None and new.pid != old.pid)

    def all_pids(self) -> set[int]:
        return {process.pid for process in self._everything()}

    # --- its API

    @contextmanager
    def client(self) -> Iterator[Client]:
        client = Client(self.url)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        with self.client() as client:
            yield Desk(client)

    def health(self) -> dict[str, Any]:
        """What it says of itself, nothing when it says nothing."""
        with suppress(httpx.TransportError, json.JSONDecodeError):
            answered = httpx.get(f"{self.url}/health", timeout=5, trust_env=False)
            found: dict[str, Any] = answered.json()["data"]
            return found
        return {}

    def is_healthy(self) -> bool:
        return self.health().get("status") == "healthy"

    def is_well_since(self, instant: str, workers: Iterable[str]) -> bool:
        """Whether it is healthy and some workers were heard after an instant of its clock."""
        found = self.health()
        if found.get("status") != "healthy":
            return False
        return all(found["parts"][name]["last_heartbeat"] > instant for name in workers)

    # --- its market

    def price(self, prices: Mapping[str, Decimal | int]) -> None:
        """Force what shares cost from now on."""
        self.script(dict(prices))

    def script(self, says: Mapping[str, object]) -> None:
        """Have the market do what is written here, from now on."""
        draft = self.market.with_suffix(".draft")
        draft.write_text(json.dumps(says, default=float))
        draft.replace(self.market)
