"""How often one address may ask: a bucket for each, filled as time goes by."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection

from domain import refusals

_ADDRESSES = 10_000
_MINUTE = 60.0


class Limit:
    """A guard that lets each address ask so many times a minute, all at once if it likes."""

    def __init__(
        self, per_minute: Callable[[], int], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the limit at each request, as it may change; 0 is none."""
        self._per_minute = per_minute
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Raise refusals.TooMany when it is too early; the health is told to everyone always."""
        if self._per_minute() and not connection.route_handler.opt.get("unlimited", False):
            client = connection.scope.get("client")
            wait = self.wait(client[0] if client else "")
            if wait:
                raise refusals.TooMany(math.ceil(wait))

    def wait(self, address: str) -> float:
        """Seconds after which this address may ask; 0 is now, and then it has asked."""
        most, now = self._per_minute(), self._now()
        left, since = self._left.pop(address, (float(most), now))
        left = min(left + (now - since) * most / _MINUTE, most)
        wait = 0.0 if left >= 1 else (1 - left) * _MINUTE / most
        self._left[address] = (left if wait else left - 1, now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return wait
