"""Runs that somebody asked for and that are not over: kept on the bus.

A run that is due and cut short is caught up. One that was asked for would be forgotten with the
scheduler that was killed: whoever has the word next finds it here, and records what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol
from uuid import UUID

import msgspec

from adapters.link import BusFault
from domain import refusals, subjects
from workers import chore

KEY: Final = "scheduler.asked"


class Order(msgspec.Struct, frozen=True):
    """A run that was asked for, and by which request."""

    due: chore.Due
    request_id: str | None = None


class Bucket(Protocol):
    """What is needed of the bus."""

    async def get(self, bucket: str, key: str) -> bytes | None: ...

    async def put_all(self, bucket: str, entries: Mapping[str, bytes]) -> None: ...


class Asked:
    """The orders of one scheduler."""

    def __init__(self, connected: Bucket) -> None:
        self._bus = connected
        self._orders: dict[UUID, Order] = {}

    async def begins(self, order: Order) -> None:
        """Keep it before it begins. Raises refusals.Unavailable: then it must not."""
        self._orders[order.due.run_id] = order
        try:
            await self.keep()
        except refusals.Unavailable:
            self.over(order.due.run_id)
            raise

    def over(self, run_id: UUID) -> None:
        """What became of it is recorded: it need not be kept when the others are kept next."""
        self._orders.pop(run_id, None)

    async def left(self) -> list[Order]:
        """What another kept, and did not end. Raises refusals.Unavailable."""
        try:
            body = await self._bus.get(subjects.LEASES_BUCKET, KEY)
        except BusFault as reason:
            raise refusals.Unavailable(f"no bus: {reason}", part="bus") from reason
        found = msgspec.json.decode(body, type=list[Order]) if body else []
        return [each for each in found if each.due.run_id not in self._orders]

    async def keep(self) -> None:
        """Keep ours in place of what was there. Raises refusals.Unavailable."""
        body = msgspec.json.encode(list(self._orders.values()))
        try:
            await self._bus.put_all(subjects.LEASES_BUCKET, {KEY: body})
        except BusFault as reason:
            raise refusals.Unavailable(f"no bus: {reason}", part="bus") from reason
