"""Finnhub: when companies report."""

from datetime import date
from typing import Final, Literal

import httpx
import msgspec
from aiolimiter import AsyncLimiter

from adapters.inquiry import Inquiry
from adapters.settings import Settings
from domain import market, ports

SOURCE: Final = "finnhub"
TIMEOUT: Final = 10.0
BURST: Final = 20
SPAN: Final = 30.0
"""Twenty at once and forty a minute after them: never more than the 60 that are free."""


class _Earning(msgspec.Struct):
    date: date
    symbol: str
    hour: Literal["bmo", "amc", "dmh", ""] | None = None


class _Calendar(msgspec.Struct, rename="camel"):
    earnings_calendar: list[_Earning]


_DECODER: Final = msgspec.json.Decoder(_Calendar)


def inquiry() -> Inquiry:
    """How Finnhub is asked; one to a process."""
    return Inquiry("Finnhub", AsyncLimiter(BURST, SPAN))


class Finnhub:
    """What Finnhub says at the clock's present; a key that it refused is not tried again."""

    def __init__(
        self, settings: Settings, clock: ports.Clock, asking: Inquiry, timeout: float = TIMEOUT
    ) -> None:
        self._clock = clock
        self._asking = asking
        self._refused = False
        self._http = httpx.AsyncClient(
            base_url=settings.finnhub_url,
            headers={"X-Finnhub-Token": settings.finnhub_key or ""},
            timeout=timeout,
        )

    async def earnings(self, symbol: str, first: date, last: date) -> tuple[market.Earning, ...]:
        try:
            known = market.valid_symbol(symbol)
        except ValueError as error:
            raise market.UnknownSymbol(symbol) from error
        body = await self._asking.tried(known, lambda: self._asked(known, first, last))
        return self._read(body, known, first, last)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _asked(self, symbol: str, first: date, last: date) -> bytes:
        if self._refused:
            raise market.ReauthRequired(symbol, "Finnhub does not accept the key")
        window = {"symbol": symbol, "from": first.isoformat(), "to": last.isoformat()}
        response = await self._http.get("/calendar/earnings", params=window)
        self._refused = response.status_code == httpx.codes.UNAUTHORIZED
        return self._asking.body(symbol, response)

    def _read(
        self, body: bytes, symbol: str, first: date, last: date
    ) -> tuple[market.Earning, ...]:
        try:
            said = _DECODER.decode(body).earnings_calendar
        except msgspec.MsgspecError as reason:
            raise market.Unreadable(symbol, f"no calendar can be read: {reason}") from reason
        fetched_at = self._clock.now()
        hours = {
            each.date: each.hour or ""
            for each in said
            if each.symbol == symbol and first <= each.date <= last
        }
        return tuple(
            market.Earning(symbol, day, hours[day], SOURCE, fetched_at) for day in sorted(hours)
        )
