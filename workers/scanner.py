"""The scanner's process: asked over the bus, it looks for opportunities and records them.

scan.ask ──▶ ┌─────────┐ ──▶ opportunity facts ──▶ the log ──▶ relay ──▶ opportunity.<SYMBOL>
│ scanner │
answers ◀─── └─────────┘ ──▶ ops.job.opportunity_scanning.<outcome>
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Final

import msgspec

from adapters import bus, event_store, scan_file
from domain import subjects
from workers import running, search

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0


async def run(context: running.Context, find: search.Find) -> None:
    """Answer and scan until stopped."""
    path = context.settings.scan_path
    nudge = partial(context.bus.nudge, subjects.LEDGER_APPENDED)
    with (
        closing(event_store.open_store(context.settings)) as ledger,
        ThreadPoolExecutor(1, thread_name_prefix="scanner") as thread,
    ):
        scanner = search.Scanner(
            search.Ledger(ledger, nudge, context.clock, thread),
            find,
            partial(tell, context.bus),
            partial(scan_file.write, path),
            context.clock,
            scan_file.read(path),
        )
        await scanner.recall()
        deaf = await context.bus.answer(subjects.SCAN_ASK, partial(answer, scanner))
        try:
            await _until_stopped(context, scanner)
        finally:
            await deaf()
            await scanner.stop()


async def _until_stopped(context: running.Context, scanner: search.Scanner) -> None:
    while not context.stop.is_set():
        context.beat.update(state="running", **scanner.report)
        await running.nap(LOOK_EVERY, context.stop)


async def answer(scanner: search.Scanner, heard: bus.Heard) -> bytes:
    """Answer a question about scans, as plain JSON. Raises bus.Unreadable when it is none."""
    question = heard.read(subjects.ScanQuestion).data
    return msgspec.json.encode(await scanner.reply(question))


async def tell(connected: bus.Bus, notice: subjects.JobNotice) -> None:
    """Tell how a scan stands."""
    await running.tell_of_job(connected, notice, f"{notice.run_id}-{notice.outcome}-{notice.done}")
