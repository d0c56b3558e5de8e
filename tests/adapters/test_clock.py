"""One time for all processes, and it never goes back."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters import clock
from adapters.clock import Anchor, Clock
from adapters.settings import Settings

OPENING = datetime.fromisoformat("2021-01-04T09:30:00-05:00")
REAL = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class RealTime:
    """Real time, turned by hand."""

    def __init__(self) -> None:
        self.now = REAL

    def __call__(self) -> datetime:
        return self.now


def market(data_dir: Path, speed: float = 60.0, start: datetime = OPENING) -> Settings:
    return Settings(data_dir=data_dir, clock=start.isoformat(), clock_speed=speed)


def test_by_default_it_is_the_systems_clock(tmp_path: Path) -> None:
    opened = clock.open(Settings(data_dir=tmp_path))
    assert opened.now().tzinfo is UTC
    assert opened.real_seconds(5) == 5
    assert not list(tmp_path.iterdir())


def test_market_time_runs_faster_than_real_time() -> None:
    real = RealTime()
    running = Clock(Anchor(real=REAL, market=OPENING.astimezone(UTC), speed=60), real)
    real.now += timedelta(minutes=1)
    assert running.now() == OPENING + timedelta(hours=1)
    assert running.real_seconds(3600) == 60


def test_market_time_never_begins_before_its_start() -> None:
    real = RealTime()
    running = Clock(Anchor(real=REAL, market=OPENING.astimezone(UTC), speed=60), real)
    real.now -= timedelta(hours=1)
    assert running.now() == OPENING


def test_a_clock_that_stands_still_lets_nobody_wait_for_a_later_time() -> None:
    still = clock.standing_at(OPENING)
    assert still.now() == OPENING
    assert still.real_seconds(1) == math.inf
    assert still.real_seconds(0) == 0


async def test_sleeping_takes_market_time() -> None:
    running = Clock(Anchor(real=REAL, market=OPENING.astimezone(UTC), speed=1e6))
    await asyncio.wait_for(running.sleep(1000), timeout=60)


async def test_sleeping_on_a_clock_that_stands_still_lasts_until_it_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(clock.standing_at(OPENING).sleep(1), timeout=0.01)


def test_the_market_time_is_reckoned_back_to_the_real_one() -> None:
    real = datetime(2026, 1, 1, tzinfo=UTC)
    fast = clock.Clock(Anchor(real=real, market=OPENING, speed=60))
    assert fast.real_time(OPENING + timedelta(hours=1)) == real + timedelta(minutes=1)
    assert fast.real_time(OPENING - timedelta(hours=1)) is None
    assert clock.standing_at(OPENING).real_time(OPENING) is None
    assert clock.SYSTEM.real_time(OPENING) == OPENING


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    def anchor(_: int) -> Anchor | None:
        return clock.open(market(tmp_path))._anchor

    with ThreadPoolExecutor(8) as processes:
        assert len(set(processes.map(anchor, range(32)))) == 1


def test_a_restart_goes_on_where_the_clock_is(tmp_path: Path) -> None:
    first = clock.open(market(tmp_path))
    then = first.now()
    again = clock.open(market(tmp_path))
    assert again._anchor == first._anchor
    assert again.now() >= then


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    first = clock.open(market(tmp_path))
    faster = clock.open(market(tmp_path, speed=120))
    later = clock.open(market(tmp_path, speed=120, start=OPENING + timedelta(days=1)))
    assert len({first._anchor, faster._anchor, later._anchor}) == 3


def test_a_torn_file_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text('{"real": "20')
    assert clock.open(market(tmp_path, speed=0)).now() == OPENING
