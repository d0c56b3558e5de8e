"""The watch over the open options: from a price to an alert.

    quotes, marks ─▶ ┌──────────────────┐ ──▶ alert facts ──▶ the log ──▶ relay ──▶ risk.alert.>
    positions ─────▶ │ every option of  │
    time ──────────▶ │ a symbol at once │ ──▶ risk.position.<portfolio>.<wheel>
    the provider ──▶ └──────────────────┘

Everything that is heard goes through one queue and is judged in order; what is judged together
is recorded together, in one append.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, assert_never

import msgspec

from adapters import bus, event_store
from adapters.clock import Clock
from adapters.settings import Settings
from domain import look, market, refusals, subjects
from projections import alerts, open_options
from workers import running
from workers.watch import UNSEEN, Alerts, Key, Outbox, Watch, in_thread

log = logging.getLogger(__name__)

POLL: Final = 1.0
BREATH: Final = 0.1
QUICKEST_TICK: Final = 0.05
SLOWEST_TICK: Final = 1.0
MINUTE: Final = 60.0
ROUNDS_MISSED: Final = 3
"""A price that is asked for less often than the rules expect is not missed before that."""

Heard = market.Quote | market.HeldMarks | market.Provider | Literal["positions", "time", "stop"]
"""A price, marks, how the provider is, or what else has changed."""
Positions = Callable[[int], open_options.Changes]
"""The wheels that have changed since a position of the log."""
Raised = Callable[[], Iterable[Key]]
"""The alerts that the views show as raised."""


class Views(msgspec.Struct, frozen=True):
    """What is asked of the read models; both block, so they are asked in `thread`.

    Views that have not come to position `least` of the log show a past in which trades were
    open that have long ended: they are as good as none.
    """

    positions: Positions
    raised: Raised
    thread: Executor | None = None
    least: int = 0

    async def catch_up(self, desk: Watch) -> None:
        """Let the watch know what has become of the positions since it last asked."""
        found = await in_thread(self.thread, lambda: self.positions(desk.position))
        if found.position >= max(self.least, desk.position):
            await desk.moved(found.position, found.wheels, found.alerts)

    async def settle(self, desk: Watch) -> None:
        """The same, and make up for what was done to alerts while nobody watched.

        The raised alerts are read before the positions: if the newer positions do not know
        the trade of an alert, it has ended.
        """
        raised = list(await in_thread(self.thread, self.raised))
        await self.catch_up(desk)
        if desk.position != UNSEEN:
            await desk.settle(raised)


async def follow(
    desk: Watch, views: Views, heard: asyncio.Queue[Heard], beat: dict[str, Any]
) -> None:
    """Judge all that is heard, in order, until that is "stop".

    What has come in meanwhile is taken together: under load there are more judgements to
    an append, not more appends.
    """
    while True:
        batch = [await heard.get()]
        while not heard.empty():
            batch.append(heard.get_nowait())
        if "time" in batch:
            await _unless_away(views.settle(desk))
        elif "positions" in batch:
            await _unless_away(views.catch_up(desk))
        for each in batch:
            _let_know(desk, each)
        if "time" in batch:
            desk.judge_all()
        await desk.record()
        state = "waiting" if desk.position == UNSEEN else "running"
        beat |= {"state": state, **desk.report}
        for _ in batch:
            heard.task_done()
        if "stop" in batch:
            return


def _let_know(desk: Watch, heard: Heard) -> None:
    """Judge by what was said of the market; what else has changed is looked at by itself."""
    match heard:
        case market.Quote():
            desk.priced(heard)
        case market.HeldMarks():
            desk.marked(heard)
        case market.Provider():
            desk.provided(heard)
        case "positions" | "time" | "stop":
            pass
        case _:
            assert_never(heard)


async def _unless_away(reading: Awaitable[None]) -> None:
    """Views that are not there yet, or just being replaced, are read at the next occasion."""
    try:
        await reading
    except (refusals.Unavailable, sqlite3.OperationalError) as reason:
        log.warning("the positions cannot be read yet: %s", reason)


# --- the process -----------------------------------------------------------------------------


async def run(context: running.Context) -> None:
    """Watch until stopped."""
    heard: asyncio.Queue[Heard] = asyncio.Queue()
    moved = asyncio.Event()
    outbox = Outbox()
    config = context.settings
    nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
    with (
        closing(event_store.open_store(config)) as ledger,
        ThreadPoolExecutor(1, thread_name_prefix="risk") as thread,
    ):
        desk = Watch(Alerts(ledger, nudge, thread), outbox, context.clock, limits(config))
        views = Views(
            partial(open_options.changed, config.views_path),
            partial(alerts.active, config.views_path),
            thread,
            ledger.head(),
        )
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(outbox.send(context.bus.publish_all)),
                group.create_task(_look(moved, heard)),
                group.create_task(_tick(context.clock, heard)),
                group.create_task(_stop(context.stop, heard)),
            ]
            await _listen(context.bus, heard, moved)
            await follow(desk, views, heard, context.beat)
            for each in beside:
                each.cancel()


def limits(config: Settings) -> look.Limits:
    """What the settings say to the rules."""
    missed = timedelta(seconds=ROUNDS_MISSED * config.price_interval)
    return look.Limits(
        profit_target=config.profit_target,
        risk_free_rate=config.risk_free_rate,
        price_age=max(look.PATIENCE, missed),
    )


async def _listen(connected: bus.Bus, heard: asyncio.Queue[Heard], moved: asyncio.Event) -> None:
    """Hear prices as they are published, and, at first and after a gap, as they were kept.

    Marks and the provider are heard as they are kept only: they say less often something new.
    """

    async def quoted(message: bus.Heard) -> None:
        try:
            heard.put_nowait(message.read(market.Quote).data)
        except bus.Unreadable as reason:
            log.warning("no quote: %s", reason)

    async def advanced(_: bus.Heard) -> None:
        moved.set()

    await connected.subscribe(subjects.VIEWS_ADVANCED, advanced)
    await connected.subscribe(subjects.EVERY_QUOTE, quoted)
    await connected.watch_quotes(heard.put)
    await connected.watch(subjects.MARKET_BUCKET, "marks.>", market.HeldMarks, heard.put)
    await connected.watch(subjects.MARKET_BUCKET, "provider", market.Provider, heard.put)


async def _look(moved: asyncio.Event, heard: asyncio.Queue[Heard]) -> None:
    """Have the positions looked at when the views have moved, but not at every order of many.

    Now and then also untold: nudges may be lost, or there is no bus.
    """
    while True:
        moved.clear()
        heard.put_nowait("positions")
        await asyncio.sleep(BREATH)
        await running.nap(POLL, moved)


async def _tick(clock: Clock, heard: asyncio.Queue[Heard]) -> None:
    """Say when another minute of market time has begun."""
    minute: datetime | None = None
    while True:
        now = clock.now().replace(second=0, microsecond=0)
        if now != minute:
            heard.put_nowait("time")
            minute = now
        await asyncio.sleep(min(max(clock.real_seconds(MINUTE), QUICKEST_TICK), SLOWEST_TICK))


async def _stop(stop: asyncio.Event, heard: asyncio.Queue[Heard]) -> None:
    await stop.wait()
    heard.put_nowait("stop")
