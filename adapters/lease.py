"""A lease: of several processes one has the word, as long as it says so often enough.

It is a key of the bucket `leases`, changed only by whoever knows its revision. Its holder writes
it anew from time to time; another takes it over when it has seen the same revision for as long as
the lease lasts. Each measures that by its own (real) clock, so that nobody's clock need be right.
A holder stops believing that it has it a good while before another can.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Final, Protocol
from uuid import uuid4

from adapters import link
from domain import subjects

log = logging.getLogger(__name__)

LASTS: Final = 6.0
"""Seconds."""
RENEWED: Final = 1 / 3
BELIEVED: Final = 2 / 3
"""The parts of that time after which it is renewed, and after which its holder gives it up."""


class Bucket(Protocol):
    """What a lease needs of the bus."""

    async def entry(self, bucket: str, key: str) -> tuple[bytes, int] | None: ...

    async def put_behind(self, bucket: str, key: str, body: bytes, revision: int) -> int: ...


class Lease:
    """Ours, or another's; `timer` tells seconds that only grow."""

    def __init__(
        self,
        connected: Bucket,
        name: str,
        lasts: float = LASTS,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holder = uuid4().hex
        self._bus = connected
        self._name = name
        self._lasts = lasts
        self._timer = timer
        self._revision: int | None = None
        self._renewed = -math.inf
        self._seen: tuple[int, float] = (0, math.inf)

    @property
    def held(self) -> bool:
        """Whether we have the word."""
        return self._revision is not None and self._age < self._lasts * BELIEVED

    @property
    def _age(self) -> float:
        return self._timer() - self._renewed

    async def renew(self) -> bool:
        """Keep it, or take it when it is free; whether we have it. Never raises."""
        if self.held and self._age < self._lasts * RENEWED:
            return True
        try:
            await self._written()
        except link.OutOfOrder:
            log.info("somebody else has the lease %s", self._name)
            self._revision = None
        except link.BusFault as reason:
            log.debug("the lease %s was not renewed: %s", self._name, reason)
        return self.held

    async def _written(self) -> None:
        """Write it, where it is ours or free."""
        found = await self._bus.entry(subjects.LEASES_BUCKET, self._name)
        body, revision = found or (b"", 0)
        if not self._is_free(body, revision):
            self._revision = None
            return
        begun = self._timer()
        ours = self.holder.encode()
        self._revision = await self._bus.put_behind(
            subjects.LEASES_BUCKET, self._name, ours, revision
        )
        self._renewed = begun

    def _is_free(self, body: bytes, revision: int) -> bool:
        """Whether it was given back, is ours, or its holder has not been heard of for too long."""
        if body in (b"", self.holder.encode()):
            return True
        if self._seen[0] != revision:
            self._seen = (revision, self._timer())
        return self._timer() - self._seen[1] >= self._lasts

    async def give_back(self) -> None:
        """Let another have it at once."""
        revision, self._revision = self._revision, None
        if revision is None:
            return
        try:
            await self._bus.put_behind(subjects.LEASES_BUCKET, self._name, b"", revision)
        except link.BusFault as reason:
            log.debug("the lease %s was not given back: %s", self._name, reason)
