"""A stranger on the bus: hears the alerts with a durable consumer, and counts the quotes."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import nats
import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

Tell = Callable[[dict[str, Any]], None]

NAME: Final = "demo"
CAUGHT_UP_WITHIN: Final = 10.0
_LOOK_EVERY: Final = 0.05


class Ear:
    """What has been heard so far."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.alerts: Counter[str] = Counter()
        """How many alerts were raised, cleared and so on."""
        self.quotes = 0

    async def hear_quote(self, _: Msg) -> None:
        """Count it: one that was sent, not only one that was kept."""
        self.quotes += 1

    async def hear_alerts(self, subscription: JetStreamContext.PushSubscription) -> None:
        """Tell of every alert, and acknowledge it then: what was not told comes again."""
        async for message in subscription.messages:
            notice = json.loads(message.data)["data"]
            self.alerts[notice["status"]] += 1
            self._tell(notice)
            await message.ack()


@asynccontextmanager
async def listening(url: str, password: str, tell: Tell) -> AsyncIterator[Ear]:
    """Hear what is said during the block, all of it: at its end what is under way is awaited."""
    ear = Ear(tell)
    client = await nats.connect(url, user="subscriber", password=password)
    try:
        await client.subscribe("market.quote.>", cb=ear.hear_quote)
        alerts = await client.jetstream().subscribe(
            "risk.alert.>",
            durable=NAME,
            config=ConsumerConfig(max_ack_pending=1),
            manual_ack=True,
        )
        hearing = asyncio.create_task(ear.hear_alerts(alerts))
        try:
            yield ear
            await _caught_up(alerts)
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])
    finally:
        with suppress(nats.errors.Error, OSError):
            await client.close()


async def _caught_up(alerts: JetStreamContext.PushSubscription) -> None:
    """Wait until nothing is left to be heard, but not for ever."""
    with suppress(TimeoutError, nats.errors.Error):
        async with asyncio.timeout(CAUGHT_UP_WITHIN):
            while True:
                left = await alerts.consumer_info()
                if not (left.num_pending or left.num_ack_pending):
                    return
                await asyncio.sleep(_LOOK_EVERY)
