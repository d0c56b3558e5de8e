"""What every worker has around it: settings, logs, the clock, the bus, a heartbeat, an end."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final

from adapters import bus, clock, configured, logs, nats_server, settings
from domain import subjects

log = logging.getLogger(__name__)

HEARTBEAT_EVERY: Final = 5.0
EAGER: Final = (0.25,) * 20
"""Pauses between the first beats: who listens may be starting at the same moment."""
END_WITHIN: Final = 2.0
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Run = Callable[["Context"], Awaitable[None]]


@dataclass(frozen=True)
class Context:
    """What a worker's `run` gets.

    It may write into `beat` whatever its heartbeat should tell: `state` (a WorkerState),
    `position`, and counts of anything.
    """

    name: str
    settings: settings.Settings
    clock: clock.Clock
    bus: bus.Bus
    stop: asyncio.Event
    beat: dict[str, Any]


async def process(name: str, run: Run, environ: Mapping[str, str]) -> None:
    """Run a worker until it is asked to stop, or fails."""
    config = configured.load(environ)
    logs.configure(config, name)
    stop = asyncio.Event()
    with _stopped_by_signals(stop):
        async with _context(name, config, stop) as context:
            log.info("%s begins, process %d", name, os.getpid())
            await _until_stopped(run(context), stop)
            log.info("%s ends", name)


@asynccontextmanager
async def _context(
    name: str, config: settings.Settings, stop: asyncio.Event
) -> AsyncIterator[Context]:
    password = nats_server.password(config.data_dir, name)
    time = clock.open(config)
    async with bus.connect(config.bus_url, name, password, time, shelf=config.market) as connected:
        context = Context(name, config, time, connected, stop, {"state": "starting"})
        heart = asyncio.create_task(_live(context), name="heartbeat")
        try:
            yield context
        finally:
            heart.cancel()
            await asyncio.wait([heart])
            context.beat["state"] = "stopping"
            await beat(context)


async def _until_stopped(work: Awaitable[None], stop: asyncio.Event) -> None:
    """Wait for the work; once it is asked to stop it has a little time, then it is cancelled."""
    task = asyncio.ensure_future(work)
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([task], timeout=END_WITHIN)
    finally:
        asked.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=END_WITHIN)
    if task.done() and not task.cancelled():
        task.result()


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


# --- the heartbeat ---------------------------------------------------------------------------


async def _live(context: Context) -> None:
    """Beat at once, often at first, then steadily, and as soon as the bus is back."""
    for pause in chain(EAGER, repeat(HEARTBEAT_EVERY)):
        await beat(context)
        await asyncio.sleep(pause)
        await context.bus.wait_up(HEARTBEAT_EVERY)


async def beat(context: Context) -> None:
    """Tell that the worker lives, and what it has done."""
    now = context.clock.now()
    await context.bus.say(
        subjects.heartbeat(context.name),
        heartbeat(context),
        id=f"{context.name}-{os.getpid()}-{now.isoformat()}",
        type="ops.heartbeat",
    )


def heartbeat(context: Context) -> subjects.Heartbeat:
    report = context.beat
    return subjects.Heartbeat(
        worker=context.name,
        pid=os.getpid(),
        state=report.get("state", "running"),
        position=report.get("position"),
        counts={key: n for key, n in report.items() if key != "position" and _is_count(n)},
        as_of=context.clock.now(),
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# --- waiting ---------------------------------------------------------------------------------


async def nap(seconds: float, *woken_by: asyncio.Event) -> None:
    """Sleep, at most that long, until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in woken_by]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def wake_on(connected: bus.Bus, subject: str) -> asyncio.Event:
    """An event that every nudge on the subject sets; whoever waits for it clears it."""
    woken = asyncio.Event()

    async def wake(_heard: bus.Heard) -> None:
        woken.set()

    await connected.subscribe(subject, wake)
    return woken


async def tell_of_job(connected: bus.Bus, notice: subjects.JobNotice, id: str) -> None:  # noqa: A002
    """Tell how a run of a job stands; while the bus is away nobody hears it, and may ask later."""
    try:
        await connected.publish(
            subjects.job(notice.job, notice.outcome),
            notice,
            id=id,
            type="ops.job",
            time=notice.at,
        )
    except bus.BusFault as reason:
        log.debug("not told: %s", reason)
