"""A sweep behind the live watch: every open option judged once, from nothing but what is kept.

A watch of its own (workers/watch.py) is told the positions, the prices, the marks and how the
provider is, judges, records and is forgotten. What the live watch has raised stands in the ledger
already, so only what it missed is raised, and what it should have cleared is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec

from adapters import bus, event_store, kept
from domain import job_settings, market, refusals, risk, subjects
from projections import alerts, open_options
from workers import chore, pieces, running
from workers import risk as live
from workers.watch import UNSEEN, Alerts, Outbox, Watch

T = TypeVar("T")


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Judge all open options: an alert is nobody's alone. Those of the portfolio are counted.

    An option without a price to be judged by is told as failed. Raises refusals.Unavailable where
    the views or the log are away, and a BusFault where the bus is.
    """
    job_settings.meant(due.settings, job_settings.JobSettings)
    config, nudge = context.settings, partial(context.bus.nudge, subjects.LEDGER_APPENDED)
    with (
        closing(event_store.open_store(config)) as ledger,
        ThreadPoolExecutor(1, thread_name_prefix="sweep") as thread,
    ):
        known = Alerts(ledger, nudge, thread, "scheduler")
        desk = Watch(known, Outbox(), context.clock, live.limits(config))
        views = live.Views(
            partial(open_options.changed, config.views_path),
            partial(alerts.active, config.views_path),
            thread,
            ledger.head(),
        )
        await pieces.tried(partial(_settled, views, desk))
        quotes = await _told(context.bus, desk)
        desk.judge_all()
        await pieces.tried(partial(_recorded, desk))
    return _done(desk, quotes, due, context.clock.now(), known)


async def _settled(views: live.Views, desk: Watch) -> None:
    await views.settle(desk)
    if desk.position == UNSEEN:
        raise refusals.Unavailable("the views are behind the ledger", part="views")


async def _recorded(desk: Watch) -> None:
    """What could not be recorded does not stand, and is judged again."""
    if not await desk.record():
        desk.judge_all()
        raise refusals.Unavailable("the alerts cannot be recorded", part="event_store")


async def _told(connected: bus.Bus, desk: Watch) -> dict[str, market.Quote]:
    """Let the watch know what was said last of what is held."""
    quotes = await connected.quotes()
    for symbol in desk.held:
        if (quote := quotes.get(symbol)) is not None:
            desk.priced(quote)
        marks = await _kept(connected, kept.marks_key(symbol), market.HeldMarks)
        if marks is not None:
            desk.marked(marks)
    provider = await _kept(connected, subjects.PROVIDER_KEY, market.Provider)
    if provider is not None:
        desk.provided(provider)
    return quotes


async def _kept(connected: bus.Bus, key: str, kind: type[T]) -> T | None:
    body = await connected.get(subjects.MARKET_BUCKET, key)
    try:
        return None if body is None else msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:  # another version wrote it
        return None


def _done(
    desk: Watch,
    quotes: dict[str, market.Quote],
    due: chore.Due,
    now: datetime,
    known: Alerts,
) -> chore.Done:
    done, failed = 0, list[chore.Missed]()
    for symbol, held in sorted(desk.held.items()):
        ours = [each for each in held if due.portfolio_id in (None, each.portfolio_id)]
        quote = quotes.get(symbol)
        if quote is not None and risk.trusted(quote, now):
            done += len(ours)
        elif ours:
            failed.append(chore.Missed(symbol, "there is no price to judge its options by"))
    message = f"{known.raised} alerts raised, {known.cleared} cleared"
    return chore.Done(done=done, failed=tuple(failed), message=message)
