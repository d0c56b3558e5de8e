"""Questions to a provider over HTTP: how often they are tried, and what comes of no answer.

| the provider                      | becomes                                             |
|-----------------------------------|-----------------------------------------------------|
| answers 2xx                       | the answer                                          |
| answers 401, or refuses a refresh | ReauthRequired                                      |
| answers 404                       | UnknownSymbol                                       |
| answers 429                       | Throttled, and silence for as long as it asks for   |
| answers 5xx, late or not at all   | up to three tries with growing pauses, ProviderDown |
| answers anything else             | Unreadable                                          |
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx
from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from domain import market

TRIES: Final = 3
SILENCE: Final = 60.0
"""Seconds without a question after a 429 that does not say how many."""
SHORTEST_SILENCE: Final = 5.0
"""Seconds without a question after any 429, as one may ask for none, or until an instant past."""
LONGEST_SILENCE: Final = 86_400.0
FAILING: Final = 500
LONGEST_TRY: Final = 20.0
"""Seconds that one try may take, however steadily its answer trickles in."""
NO_TRY_AFTER: Final = 15.0
"""Seconds after which it is not tried again: who asked waits for half a minute, and no longer."""

Answer = TypeVar("Answer")
Pause = Callable[[RetryCallState], float]

GROWING: Final[Pause] = wait_random_exponential(multiplier=1, max=8)
"""Seconds between two tries: up to 1, then up to 2, by chance, so that nobody marches in step."""


class Trouble(Exception):
    """The provider's side fails; another try may succeed."""


class Inquiry:
    """Asks one provider, at its pace; every question of a process to it goes through here.

    `timer` tells seconds that only grow; `longest` is how many a try may take.
    """

    def __init__(
        self,
        name: str,
        pace: AsyncLimiter,
        *,
        tries: int = TRIES,
        pause: Pause = GROWING,
        timer: Callable[[], float] = time.monotonic,
        longest: float = LONGEST_TRY,
    ) -> None:
        self._name = name
        self._pace = pace
        self._tries = tries
        self._pause = pause
        self._timer = timer
        self._longest = longest
        self._silent_until = -math.inf

    async def tried(self, symbol: str, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """What sending it comes to. Raises a MarketFault about the symbol."""
        tries = AsyncRetrying(
            stop=stop_after_attempt(self._tries) | stop_after_delay(NO_TRY_AFTER),
            wait=self._pause,
            retry=retry_if_exception_type(Trouble),
            reraise=True,
        )
        try:
            return await tries(self._sent, symbol, send)
        except Trouble as trouble:
            raise market.ProviderDown(symbol, f"{self._name} {trouble}") from trouble

    async def _sent(self, symbol: str, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """One try; whoever waited for the pace may by then have been asked to be silent."""
        async with self._pace:
            self._must_not_be_silent(symbol)
            try:
                async with asyncio.timeout(self._longest):
                    return await send()
            except TimeoutError as reason:
                raise Trouble("takes too long to answer") from reason
            except httpx.HTTPError as reason:
                raise Trouble(f"does not answer: {type(reason).__name__}") from reason

    def _must_not_be_silent(self, symbol: str) -> None:
        if (left := self._silent_until - self._timer()) > 0:
            why = f"{self._name} asked for silence; {math.ceil(left)} s are left"
            raise market.Throttled(symbol, why, retry_after=left)

    def body(self, symbol: str, response: httpx.Response) -> bytes:
        """The answer's body. Raises Trouble or a MarketFault by its status."""
        match response.status_code:
            case status if httpx.codes.is_success(status):
                return response.content
            case httpx.codes.UNAUTHORIZED:
                raise market.ReauthRequired(symbol, f"{self._name} does not accept the login")
            case httpx.codes.NOT_FOUND:
                raise market.UnknownSymbol(symbol, f"{self._name} does not know it")
            case httpx.codes.TOO_MANY_REQUESTS:
                raise self._throttled(symbol, _seconds(response))
            case status if status >= FAILING:
                raise Trouble(f"fails with status {status}")
            case status:
                raise market.Unreadable(symbol, f"{self._name} answered with status {status}")

    def _throttled(self, symbol: str, asked: float) -> market.Throttled:
        silence = min(max(asked, SHORTEST_SILENCE), LONGEST_SILENCE)
        self._silent_until = max(self._silent_until, self._timer() + silence)
        why = f"{self._name} was asked too often; again in {math.ceil(silence)} s"
        return market.Throttled(symbol, why, retry_after=silence)


def _seconds(response: httpx.Response) -> float:
    """How long a Retry-After asks to wait: seconds, or until an instant of the provider's clock."""
    said = response.headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    try:
        over, now = map(parsedate_to_datetime, (said, response.headers.get("Date", "")))
        return max((over - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return SILENCE
