"""The notifier's process: hears of alerts over the bus, and tells people.

    risk.alert.> ──▶ ┌──────────┐ ──▶ mail, ntfy, Telegram, Discord, webhooks
    the clock ─────▶ │ notifier │
    the views ─────▶ └──────────┘ ──▶ what was planned, sent and refused, in the log

A message of the bus is acknowledged once the log has what follows from it; from then on the log is
what is worked off, also after a crash. There is one notifier at a time for a data directory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Final

from adapters import addresses, alone, bus, courier, durable, event_store
from domain import refusals, subjects
from projections import deliveries
from workers import running
from workers.book import Book
from workers.post import Post

log = logging.getLogger(__name__)

NAME: Final = "notifier"
POLL: Final = 0.2
QUICKEST: Final = 0.02
SLOWEST: Final = 0.5


async def run(context: running.Context, messenger: courier.Courier) -> None:
    """Tell people of alerts until stopped; while another notifier does, wait."""
    folder = context.settings.notifications_dir
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while not context.stop.is_set():
        with alone.tried(folder / "notifier.lock") as ours:
            if ours:
                await _serve(context, messenger)
                return
        context.beat["state"] = "waiting"
        await running.nap(SLOWEST, context.stop)


async def _serve(context: running.Context, messenger: courier.Courier) -> None:
    config = context.settings
    with (
        closing(event_store.open_store(config)) as ledger,
        ThreadPoolExecutor(1, thread_name_prefix="notifier") as thread,
    ):
        nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
        book = Book(ledger, nudge, context.clock, thread)
        urls = addresses.Addresses(config.notifications_dir)
        post = Post(book, urls, messenger, context.clock, config.links_url)
        if await _recalled(context, book, post):
            heard = asyncio.Event()
            await asyncio.gather(_hear(context, post, heard), _send(context, post, heard))
            await post.rest()


async def _recalled(context: running.Context, book: Book, post: Post) -> bool:
    """Take up what was left, once the views know of all of it; whether that came to be."""
    head = await book.head()
    while not context.stop.is_set():
        try:
            left = await book.aside(partial(deliveries.left, context.settings.views_path))
            if left.position >= head:
                await post.recall(left.waiting, left.escalating)
                return True
        except refusals.Unavailable as reason:
            log.debug("waiting: %s", reason)
        context.beat["state"] = "waiting"
        await running.nap(POLL, context.stop)
    return False


async def _hear(context: running.Context, post: Post, heard: asyncio.Event) -> None:
    """Plan what the bus says, whatever becomes of the bus."""
    while not context.stop.is_set():
        try:
            async with context.bus.durable("RISK", subjects.EVERY_ALERT, NAME) as reader:
                await _read(context, post, reader, heard)
        except (bus.BusFault, refusals.Unavailable) as reason:
            log.debug("waiting: %s", reason)
            await running.nap(POLL, context.stop)


async def _read(
    context: running.Context, post: Post, reader: durable.Durable, heard: asyncio.Event
) -> None:
    connection = context.bus.connections
    while not context.stop.is_set() and connection == context.bus.connections:
        taken = await reader.next(SLOWEST)
        await post.hear(_notices(taken))
        for each in taken:
            await each.done()
        if taken:
            heard.set()


def _notices(taken: Sequence[durable.Taken]) -> list[subjects.AlertNotice]:
    found = []
    for each in taken:
        try:
            found.append(each.heard.read(subjects.AlertNotice).data)
        except bus.Unreadable as reason:
            log.warning("no alert: %s", reason)
    return found


async def _send(context: running.Context, post: Post, heard: asyncio.Event) -> None:
    """Send what is due, and look again when the next thing will be."""
    while not context.stop.is_set():
        heard.clear()
        try:
            await post.send()
        except refusals.Unavailable as reason:
            log.warning("the log does not answer: %s", reason)
        context.beat.update(state="running", **post.report)
        due = post.next_hour()
        ahead = SLOWEST
        if due is not None:
            ahead = context.clock.real_seconds((due - context.clock.now()).total_seconds())
        await running.nap(min(max(ahead, QUICKEST), SLOWEST), context.stop, heard)
