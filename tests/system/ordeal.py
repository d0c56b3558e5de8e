"""What the notifier goes through: many alerts, receivers that refuse half, and killings.

Run as a program it tells figures: `python -m tests.system.ordeal 1000 10`.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from adapters import clock, event_store, nats_server, settings
from adapters.addresses import Addresses
from adapters.settings import Settings
from domain import channel, facts
from projections import tables
from tests import receivers
from tests.api.waiting import until
from tests.conftest import NatsServer, free_port

ROOT = Path(__file__).parents[2]
WITHIN = 300.0
ENDS_WITHIN = 30.0
SENT_AT_ONCE = 25


class Outcome(msgspec.Struct, frozen=True):
    """What one receiver got: how many alerts, how many repeats, how often out of order."""

    alerts: int
    repeats: int
    out_of_order: int
    attempts: int


def half(seed: int) -> Callable[[int], bool]:
    """Refuses half of the attempts, the same ones each time."""
    chance = random.Random(seed)
    return lambda _: chance.random() < 0.5


class Ordeal:
    """An instance without an API: a log, a bus, and three processes."""

    def __init__(self, place: Path) -> None:
        self._environment = {
            "WHEEL_DATA_DIR": str(place),
            "WHEEL_NATS_PORT": str(free_port()),
            "WHEEL_CLOCK": "2026-03-02T10:00:00-05:00",
            "WHEEL_CLOCK_SPEED": "600",
        }
        self.settings: Settings = settings.load(self._environment)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        nats_server.prepare(self.settings.data_dir)
        server = NatsServer(self.settings)
        server.start()
        try:
            for name in ("projector", "relay", "notifier"):
                self.begin(name)
            yield
        finally:
            for process in self._processes.values():
                process.terminate()
            for process in self._processes.values():
                process.wait()
            server.stop()

    def begin(self, name: str) -> None:
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", "workers", name],
            cwd=ROOT,
            env=os.environ | self._environment,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End the notifier without a word, and begin another one."""
        self._processes["notifier"].kill()
        self._processes["notifier"].wait()
        self.begin("notifier")

    def stop(self) -> None:
        """Ask the notifier to end, and wait until it has."""
        self._processes["notifier"].terminate()
        self._processes["notifier"].wait(ENDS_WITHIN)

    def open_channels(self, **urls: str) -> None:
        addresses = Addresses(self.settings.notifications_dir)
        with closing(event_store.open_store(self.settings)) as log:
            state = channel.NONE
            for name, url in urls.items():
                address = channel.Address(addresses.keep(url), url.partition(":")[0])
                order = channel.Order(name, channel.Setup(), address, is_new=True)
                now = clock.open(self.settings).now()
                recorded = channel.decide(state, order, now=now, command_id=uuid4())
                log.append(recorded)
                state = channel.fold(recorded, state)

    def raise_alerts(self, numbers: range, wheels: int) -> None:
        """Alerts, each of a trade of its own, in so many wheels."""
        with closing(event_store.open_store(self.settings)) as log:
            for number in numbers:
                log.append([self._raised(number, UUID(int=1 + number % wheels))])

    def _raised(self, number: int, wheel: UUID) -> facts.Recorded:
        fact = facts.AlertRaised(
            portfolio_id=UUID(int=9),
            wheel_id=wheel,
            trade_id=UUID(int=10_000 + number),
            symbol="XYZ",
            rule="itm",
            severity="MEDIUM",
            message=f"alert {number}",
            price=Decimal(99),
        )
        now = clock.open(self.settings).now()
        stream = facts.alert_stream(fact.trade_id, fact.rule)
        return facts.Recorded(0, stream, 1, now, now, "risk", uuid4(), None, fact)

    def ended(self) -> int:
        """How many notifications were delivered, as the views have it."""
        if not self.settings.views_path.exists():
            return 0
        with tables.reading(self.settings.views_path) as views:
            found = views.execute("SELECT COUNT(*) FROM deliveries WHERE status='delivered'")
            return int(found.fetchone()[0])


def outcome(receiver: receivers.Receiver, wheels: int) -> Outcome:
    """What a receiver got; of what came more than once the first time counts for the order."""
    counted = Counter(each.id for each in receiver.took)
    first = list({each.id: number_of(each) for each in receiver.took}.values())
    of_wheel = [[n for n in first if n % wheels == wheel] for wheel in range(wheels)]
    swapped = sum(b < a for each in of_wheel for a, b in pairwise(each))
    repeats = counted.total() - len(counted)
    return Outcome(len(set(first)), repeats, swapped, receiver.attempts)


def number_of(received: receivers.Received) -> int:
    said = received.said if isinstance(received.said, str) else received.said["message"]
    return int(said.split("alert ")[1].split()[0])


def gone_through(
    place: Path, alerts: int, kills: int, wheels: int, seed: int = 1
) -> dict[str, Outcome]:
    """Raise alerts while the notifier is killed again and again; what the receivers got."""
    ordeal = Ordeal(place)
    with ExitStack() as stack:
        hook = stack.enter_context(receivers.webhook(half(seed)))
        mail = stack.enter_context(receivers.mailbox(half(seed + 1)))
        ordeal.open_channels(hook=hook.url, mail=mail.url)
        stack.enter_context(ordeal.running())
        step = -(-alerts // (kills + 1))
        for kill in range(kills + 1):
            first = kill * step
            ordeal.raise_alerts(range(first, min(first + step, alerts)), wheels)
            if kill < kills:
                took = len(hook.took)
                until(lambda took=took: len(hook.took) >= took + step // 3, WITHIN)  # type: ignore[misc]
                ordeal.kill()
        until(lambda: ordeal.ended() == 2 * alerts, WITHIN)
        return {"hook": outcome(hook, wheels), "mail": outcome(mail, wheels)}


def main(alerts: int, kills: int) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        for name, told in gone_through(Path(place), alerts, kills, wheels=50).items():
            print(name, told)  # noqa: T201
    print(f"{time.monotonic() - began:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
