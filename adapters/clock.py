"""The one clock: all that is ever known of the time of day comes from here.

By default it is the system's. With `clock` set it is market time: it begins at that instant and
runs `clock_speed` times as fast as real time, so a year of quotes can be lived in two minutes.
Every process of an instance must see the same time, and a restart must not turn it back: the
first process writes down the real instant at which market time began (the anchor, in
<data dir>/clock.json), and whoever comes later reckons from it, while the settings stay the same.
"""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from adapters.alone import alone
from adapters.settings import Settings


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At `real`, market time was `market`, and ran `speed` times as fast."""

    real: datetime
    market: datetime
    speed: float


def _system_time() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Tells the time, and how long market time takes in reality."""

    def __init__(
        self, anchor: Anchor | None = None, real: Callable[[], datetime] = _system_time
    ) -> None:
        self._anchor = anchor
        self._real = real

    @property
    def speed(self) -> float:
        """Market seconds per real second; 0 when time stands still."""
        return self._anchor.speed if self._anchor else 1.0

    def now(self) -> datetime:
        """The time, in UTC."""
        if self._anchor is None:
            return self._real()
        passed = (self._real() - self._anchor.real) * self._anchor.speed
        return self._anchor.market + max(passed, timedelta(0))

    def real_time(self, instant: datetime) -> datetime | None:
        """When it really was that time; None before this clock began, and while it stands still."""
        anchor = self._anchor
        if anchor is None:
            return instant
        if not anchor.speed or instant < anchor.market:
            return None
        return anchor.real + (instant - anchor.market) / anchor.speed

    def real_seconds(self, market_seconds: float) -> float:
        """How long that takes in reality: forever, on a clock that stands still."""
        if market_seconds <= 0:
            return 0.0
        return market_seconds / self.speed if self.speed else math.inf

    async def sleep(self, market_seconds: float) -> None:
        """Let market time pass."""
        await asyncio.sleep(self.real_seconds(market_seconds))


SYSTEM: Final = Clock()


def standing_at(instant: datetime) -> Clock:
    """A clock that stands still: for tests, and for questions about one instant."""
    return Clock(Anchor(real=instant, market=instant.astimezone(UTC), speed=0.0))


def open(settings: Settings) -> Clock:  # noqa: A001 - always read as clock.open
    """The clock of this instance, the same in each of its processes."""
    start = settings.market_start
    if start is None:
        return SYSTEM
    wanted = Anchor(real=_system_time(), market=start.astimezone(UTC), speed=settings.clock_speed)
    return Clock(_agreed(settings.data_dir, wanted))


def _agreed(data_dir: Path, wanted: Anchor) -> Anchor:
    """The anchor on disk if it was meant for these settings, else ours, written for the others."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "clock.json"
    with alone(data_dir / "clock.lock"):
        found = _read(path)
        if found and (found.market, found.speed) == (wanted.market, wanted.speed):
            return found
        _write(path, wanted)
        return wanted


def _read(path: Path) -> Anchor | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write(path: Path, anchor: Anchor) -> None:
    """All or nothing: a crash leaves the old anchor or the new one."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(anchor))
    draft.replace(path)
