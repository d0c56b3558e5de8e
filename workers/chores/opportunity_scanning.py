"""A scan by the scanner, begun over the bus and followed to its end.

It bears the run's id, so that what the scanner tells on `ops.job.opportunity_scanning.>` is of this
run, and the same run asked for again is the same scan.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID, uuid4

import msgspec

from adapters import bus
from domain import job_settings, refusals, subjects
from workers import chore, running

WITHIN: Final = 5.0
LOOK_EVERY: Final = 1.0
"""Real seconds: what is told of the scan may be lost."""
_NEWS: Final = f"ops.job.{subjects.OPPORTUNITY_SCANNING}.>"
_WORTH_ANOTHER_TRY: Final = {"EXTERNAL_API_ERROR", "SERVICE_UNAVAILABLE"}


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Scan what is watched, or the symbols of the settings; those that failed once more.

    Raises refusals.Unavailable where there is no scanner, or its scan came to nothing, and
    refusals.OutOfTurn while it is busy with another.
    """
    asked = job_settings.meant(due.settings, job_settings.Scan)
    scan = await _scanned(context.bus, due.run_id, asked.symbols)
    if scan.status == "failed" and len(scan.failed) < len(scan.symbols):
        # Not by its symbols: it was interrupted, perhaps when the same was asked for before.
        scan = await _scanned(context.bus, uuid4(), asked.symbols)
    found, again = scan.found, _worth_another_try(scan)
    failed = scan.failed
    if again and len(again) < len(scan.symbols):
        second = await _scanned(context.bus, uuid4(), again)
        found += second.found
        failed = (*(each for each in failed if each.symbol not in again), *second.failed)
    elif scan.status == "failed":
        raise refusals.Unavailable(scan.message or "the scan failed", part="scanner")
    return chore.Done(
        done=len(scan.symbols) - len(failed),
        failed=tuple(chore.Missed(each.symbol, each.message) for each in failed),
        message=f"{found} found in {len(scan.symbols)} symbols",
    )


def _worth_another_try(scan: subjects.Scan) -> tuple[str, ...]:
    return tuple(each.symbol for each in scan.failed if each.code in _WORTH_ANOTHER_TRY)


async def _scanned(
    connected: bus.Bus, scan_id: UUID, symbols: tuple[str, ...] | None
) -> subjects.Scan:
    """Begin a scan, and wait until it has ended."""
    woken = asyncio.Event()

    async def wake(_: bus.Heard) -> None:
        woken.set()

    deaf = await connected.subscribe(_NEWS, wake)
    try:
        reply = await _ask(connected, subjects.ScanOrder(scan_id, symbols))
        if reply.conflict is not None:
            raise refusals.OutOfTurn(reply.conflict)
        while (scan := reply.scan) is not None and scan.id == scan_id:
            if scan.status != "running":
                return scan
            await running.nap(LOOK_EVERY, woken)
            woken.clear()
            reply = await _ask(connected, None)
    finally:
        await deaf()
    raise refusals.Unavailable("the scanner has forgotten the scan", part="scanner")


async def _ask(connected: bus.Bus, order: subjects.ScanOrder | None) -> subjects.ScanReply:
    try:
        body = await connected.ask(subjects.SCAN_ASK, subjects.ScanQuestion(order), WITHIN)
    except bus.BusFault as reason:
        raise refusals.Unavailable(f"the scanner does not answer: {reason}", part="scanner") from (
            reason
        )
    return msgspec.json.decode(body, type=subjects.ScanReply)
