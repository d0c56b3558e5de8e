"""`python -m workers NAME`: wires one worker to the world and runs it until it is stopped."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Final

from adapters import nats_server, settings
from domain import refusals, subjects
from workers import running

if TYPE_CHECKING:
    from domain import facts
    from workers import search

MISUSED: Final = 2

# A worker loads what it needs itself and nothing of the others: each is a process of its own.
# ruff: noqa: PLC0415


async def _projector(context: running.Context) -> None:
    from workers import projector

    await projector.run(context)


async def _relay(context: running.Context) -> None:
    from adapters import event_store
    from workers import relay

    woken = await running.wake_on(context.bus, subjects.LEDGER_APPENDED)
    with closing(event_store.open_store(context.settings)) as log:
        await relay.run(log, context.bus, context.stop, woken, context.beat)


async def _prices(context: running.Context) -> None:
    from workers import market_day

    await market_day.run(context)


async def _risk(context: running.Context) -> None:
    from workers import risk

    await risk.run(context)


async def _scanner(context: running.Context) -> None:
    from workers import scanner

    @cache
    def search_of_a_symbol() -> search.Find:
        """What reckons with options is loaded when somebody scans."""
        from workers import finding

        return finding.found_in(context)

    async def find(symbol: str, profile: facts.Profile) -> Sequence[facts.OpportunityFound]:
        return await search_of_a_symbol()(symbol, profile)

    await scanner.run(context, find)


async def _scheduler(context: running.Context) -> None:
    from workers import scheduler

    await scheduler.run(context)


async def _notifier(context: running.Context) -> None:
    from adapters import courier
    from workers import notifier

    async with courier.Apprise() as messenger:
        await notifier.run(context, messenger)


async def _plugins(context: running.Context) -> None:
    from workers import plugins

    await plugins.run(context)


WORKERS: Final[Mapping[str, running.Run]] = {
    "projector": _projector,
    "relay": _relay,
    "prices": _prices,
    "risk": _risk,
    "scanner": _scanner,
    "scheduler": _scheduler,
    "notifier": _notifier,
    "plugins": _plugins,
}


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the worker that is named; the answer is the exit code."""
    run = WORKERS.get(arguments[0]) if len(arguments) == 1 else None
    if run is None:
        print(f"usage: python -m workers NAME, one of {', '.join(WORKERS)}", file=sys.stderr)
        return MISUSED
    try:
        asyncio.run(running.process(arguments[0], run, environ))
    except (settings.Misconfigured, nats_server.NoPassword) as reason:
        print(reason, file=sys.stderr)
        return MISUSED
    except refusals.Unavailable as reason:
        print(reason.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
