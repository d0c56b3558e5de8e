"""How the provider stands: what the last questions came to, and when to ask again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from adapters.clock import Clock
from domain import market

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0
NOBODY: Final = "nobody is logged in there"
_WORSE: Final[tuple[market.PriceState, ...]] = ("live", "delayed", "stale")


class Standing:
    """What is known of the provider; a fault of its own is asked about again only after a pause.

    Pauses are seconds of market time, or real ones where those are shorter; they double with
    every fault that follows another.
    """

    def __init__(
        self,
        source: str,
        clock: Clock,
        login: Callable[[], market.Login | None],
        *,
        needs_login: bool = False,
    ) -> None:
        self._clock = clock
        self._login = login
        self._needs_login = needs_login
        self._faults = 0
        self._until = -math.inf
        self._last: market.MarketFault | None = None
        self._refused: market.Login | None = None
        now = clock.now()
        self.provider = market.Provider(source=source, state="live", since=now, as_of=now)

    def answered(self, state: market.PriceState) -> None:
        """An answer came, with prices of this state."""
        self._faults, self._last = 0, None
        self._stands("live" if state == "missing" else state, None)

    def failed(self, fault: market.MarketFault) -> None:
        """No answer came; what is wrong with a symbol alone says nothing of the provider."""
        if fault.state is None:
            return
        self._last = fault
        if fault.state == "down":
            pause = min(FIRST_PAUSE * 2**self._faults, LONGEST_PAUSE)
            self._until = _now() + min(pause, self._clock.real_seconds(pause))
            self._faults = min(self._faults + 1, 10)
        elif fault.state == "unauthenticated":
            self._refused = self._login()
        self._stands(fault.state, fault.why)

    def quoted(self, answers: Iterable[market.Quote | market.MarketFault]) -> None:
        """What a round of quotes says: the best of the prices, else what is wrong.

        A provider of whom nothing can be read is as good as none, but other questions may do.
        """
        given = list(answers)
        states = {each.state for each in given if isinstance(each, market.Quote)}
        best = next((state for state in _WORSE if state in states), None)
        if best is not None:
            self.answered(best)
            return
        faults = [each for each in given if isinstance(each, market.MarketFault)]
        worst = next((each for each in faults if each.state is not None), None)
        if worst is not None:
            self.failed(worst)
        elif faults and all(isinstance(each, market.Unreadable) for each in faults):
            self._stands("down", faults[0].why)

    def rested(self, symbol: str) -> None:
        """Raise the last fault again, about this symbol, while the provider is left alone."""
        if self._last is not None and self._last.state == "down" and _now() < self._until:
            raise market.ProviderDown(symbol, self._last.why)

    def told(self) -> market.Provider:
        """How the provider is now, and its login; a new one is good until it is refused.

        Without the login that it needs it is not live, though nobody may have asked it yet.
        """
        now, login = self._clock.now(), self._login()
        if self.provider.state == "unauthenticated" and login not in (None, self._refused):
            self._stands("live", None)
        told = msgspec.structs.replace(self.provider, as_of=now, login=login)
        if self._needs_login and told.state == "live" and (login is None or now >= login.ends):
            return msgspec.structs.replace(told, state="unauthenticated", reason=NOBODY)
        return told

    def _stands(self, state: market.ProviderState, reason: str | None) -> None:
        before, now = self.provider, self._clock.now()
        since = before.since if before.state == state else now
        self.provider = market.Provider(
            source=before.source, state=state, since=since, as_of=now, reason=reason
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
