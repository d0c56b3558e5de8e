"""The hash chain read on from the last checkpoint, and a new one noted where it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from adapters import chain, event_store
from domain import job_settings
from workers import chore, running


async def run(context: running.Context, due: chore.Due) -> chore.Done:
    """Verify and note. Raises chain.Torn, which names the first bad position.

    With `full` everything is read. A part at a time, so that who gives it up does not wait long.
    """
    asked = job_settings.meant(due.settings, job_settings.Checkpoint)
    loop = asyncio.get_running_loop()
    with (
        closing(await asyncio.to_thread(event_store.open_store, context.settings)) as log,
        ThreadPoolExecutor(1, thread_name_prefix="checkpoint") as thread,
    ):
        verdicts = log.verify(full=asked.full)
        verdict = chain.Verdict(0, 0, chain.GENESIS.hex())
        while (further := await loop.run_in_executor(thread, _next, verdicts)) is not None:
            verdict = further
        if verdict.broken is not None:
            place = verdict.broken.position
            raise chain.Torn(place, f"NOT WHOLE: first bad position {place}: {verdict.broken.why}")
        await loop.run_in_executor(thread, log.note, verdict, context.clock.now())
    return chore.Done(
        done=verdict.checked,
        message=f"whole: {verdict.checked} facts behind {verdict.since}, "
        f"head at {verdict.head}, sha256 {verdict.head_hash}",
    )


def _next(verdicts: Iterator[chain.Verdict]) -> chain.Verdict | None:
    return next(verdicts, None)
