"""The price worker's process: the one that asks the provider, for itself and for the others.

provider ──▶ quotes of what is held and watched ──▶ market.quote.<SYMBOL>, bucket `quotes`
──▶ chains of what is held ──────────────▶ market.chain.<SYMBOL>, bucket `market`
──▶ answers to market.ask ───────────────▶ bucket `market`
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from adapters import markets
from domain import subjects
from projections import symbols
from workers import marks, prices, running
from workers.clerk import Clerk
from workers.standing import Standing


async def run(context: running.Context) -> None:
    """Ask and answer until stopped."""
    config, clock = context.settings, context.clock
    provider = markets.open_market(config, clock)
    earnings = markets.open_earnings(config, clock, provider)
    standing = Standing(config.market, clock, provider.login, needs_login=config.market == "schwab")
    desk = prices.Desk(provider, context.bus, standing)
    clerk = Clerk(provider, earnings, context.bus, clock, standing, desk.round)
    async with AsyncExitStack() as open_things:
        open_things.push_async_callback(markets.close, provider, earnings)
        await context.bus.answer(subjects.MARKET_ASK, clerk.answer)
        woken = await running.wake_on(context.bus, subjects.VIEWS_ADVANCED)
        moved = await running.wake_on(context.bus, subjects.VIEWS_ADVANCED)
        async with asyncio.TaskGroup() as group:
            group.create_task(
                prices.run(
                    desk=desk,
                    clock=clock,
                    held=partial(asyncio.to_thread, symbols.held, config.views_path),
                    interval=clock.real_seconds(config.price_interval),
                    stop=context.stop,
                    woken=woken,
                    beat=context.beat,
                )
            )
            group.create_task(
                marks.run(
                    desk=marks.MarksDesk(clerk, context.bus, clock),
                    clock=clock,
                    held=partial(asyncio.to_thread, symbols.contracts, config.views_path),
                    stop=context.stop,
                    woken=moved,
                    beat=context.beat,
                )
            )
