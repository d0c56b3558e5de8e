"""A durable consumer of a stream: what is said while nobody listens is heard later, in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from adapters.envelope import MESSAGE_ID, Heard
from adapters.link import Link, border

ACKNOWLEDGED_WITHIN: Final = timedelta(seconds=30)
AT_MOST: Final = 256


class Durable:
    """One reader's place in a stream, kept by the server under a name.

    What was handed out, and then not acknowledged because who had it died, is handed out again at
    once, before all that came later: so the order stays.
    """

    def __init__(self, link: Link, stream: str, subject: str, name: str) -> None:
        self._link = link
        self._stream = stream
        self._subject = subject
        self._name = name
        self._pulling: JetStreamContext.PullSubscription | None = None

    async def open(self) -> None:
        """Begin where it was left. Raises BusDown."""
        with border():
            await self._take_back()
            self._pulling = await self._link.streams.pull_subscribe_bind(
                consumer=self._name, stream=self._stream
            )

    async def _take_back(self) -> None:
        """Make the consumer, anew where somebody died with messages in hand.

        It then begins behind what all before it were acknowledged up to.
        """
        streams = self._link.streams
        try:
            known = await streams.consumer_info(self._stream, self._name)
        except nats.js.errors.NotFoundError:
            await streams.add_consumer(self._stream, self._config(None))
            return
        floor = known.ack_floor.stream_seq if known.ack_floor else 0
        if known.num_ack_pending:
            await streams.delete_consumer(self._stream, self._name)
            await streams.add_consumer(self._stream, self._config(floor + 1))

    def _config(self, first: int | None) -> api.ConsumerConfig:
        policy = api.DeliverPolicy
        return api.ConsumerConfig(
            durable_name=self._name,
            filter_subject=self._subject,
            deliver_policy=policy.ALL if first is None else policy.BY_START_SEQUENCE,
            opt_start_seq=first,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACKNOWLEDGED_WITHIN.total_seconds(),
            max_ack_pending=AT_MOST,
        )

    async def next(self, within: float) -> Sequence[Taken]:
        """What has come in, some at a time, in order; nothing where nothing did. Raises BusDown."""
        with border():
            return [Taken(each) for each in await self._fetched(within)]

    async def _fetched(self, within: float) -> list[Msg]:
        assert self._pulling is not None
        try:
            return await self._pulling.fetch(AT_MOST, timeout=within)
        except nats.errors.TimeoutError:
            return []

    async def close(self) -> None:
        """Listen no more; its place is kept."""
        if self._pulling is not None:
            with suppress(nats.errors.Error, OSError):
                await self._pulling.unsubscribe()


class Taken:
    """A message that was handed out, until it is acknowledged."""

    def __init__(self, message: Msg) -> None:
        self._message = message
        headers = message.headers or {}
        self.heard = Heard(message.subject, message.data, headers.get(MESSAGE_ID, ""))

    async def done(self) -> None:
        """It is dealt with and shall not come again. Raises BusDown."""
        with border():
            await self._message.ack()
