"""The ledger as its HTTP API shows it, and the market's time as its answers tell it."""

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx
import msgspec

from demo import rule

SOURCE: Final = "demo"
_SHORTEST_NAP: Final = 0.002

_encoder = msgspec.json.Encoder(decimal_format="number")


class MarketTime:
    """What the clock of the instance says, reckoned on from the last answer.

    It is never ahead of the instance, which refuses what has not happened yet.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._told = datetime.min.replace(tzinfo=UTC)
        self._at = time.monotonic()

    def told(self, timestamp: str) -> None:
        """Hear the time that an answer bears."""
        self._told, self._at = datetime.fromisoformat(timestamp), time.monotonic()

    def now(self) -> datetime:
        return self._told + timedelta(seconds=(time.monotonic() - self._at) * self._speed)

    async def until(self, instant: datetime) -> None:
        """Wait for an instant of market time."""
        while True:
            left = (instant - self.now()).total_seconds()
            if left <= 0:
                return
            await asyncio.sleep(max(left / self._speed, _SHORTEST_NAP))


class Ledger:
    """Records and asks. Amounts are decimals on the way out and on the way back."""

    def __init__(self, client: httpx.AsyncClient, speed: float) -> None:
        self._client = client
        self.time = MarketTime(speed)
        self._wheel_id = ""

    async def get(self, path: str, **query: str) -> Any:
        """The data of an answer. Raises httpx.HTTPStatusError."""
        return self._read(await self._client.get(path, params=query))

    async def wheel(self, what: str = "", **query: str) -> Any:
        """The wheel, or what stands below it: /performance, /trades."""
        return await self.get(f"/wheels/{self._wheel_id}{what}", **query)

    async def rest_jobs(self) -> None:
        """Have the scheduler run nothing: on this clock all of its day is due in an instant."""
        for job in await self.get("/scheduler/jobs"):
            path = f"/scheduler/jobs/{job['job']}"
            await self._send("PUT", path, f"rest-{job['job']}", {"enabled": False})

    async def open(self) -> None:
        """Open the portfolio and start the wheel."""
        portfolio = await self._post("/portfolios", "portfolio", {"name": "Reference 2021"})
        order = {"symbol": rule.SYMBOL, "capital_allocated": rule.CAPITAL}
        started = await self._post(f"/portfolios/{portfolio['id']}/wheels", "wheel", order)
        self._wheel_id = started["id"]

    async def sold(
        self, strike: Decimal, expiration: date, price: Decimal, at: datetime
    ) -> dict[str, Any]:
        """Record a put sold at an instant; answers the trade."""
        order = {
            "direction": "put",
            "strike": strike,
            "expiration_date": expiration,
            "premium_per_share": price,
            "fees": rule.FEE,
            "effective_at": at,
        }
        sold = await self._post(f"/wheels/{self._wheel_id}/trades", f"sale-{at:%F}", order)
        return dict(sold)

    async def expired(self, trade_id: str, close: Decimal, at: datetime) -> dict[str, Any]:
        """Record that an option has expired at the stock's closing price; answers the trade."""
        order = {"stock_price_at_expiry": close, "effective_at": at}
        return dict(await self._post(f"/trades/{trade_id}/expire", f"expiry-{at:%F}", order))

    async def _post(self, path: str, key: str, order: dict[str, Any]) -> Any:
        return await self._send("POST", path, key, order)

    async def _send(self, method: str, path: str, key: str, order: dict[str, Any]) -> Any:
        answer = await self._client.request(
            method,
            path,
            content=_encoder.encode({**order, "source": SOURCE}),
            headers={"Content-Type": "application/json", "Idempotency-Key": f"demo-{key}"},
        )
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> Any:
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        said = answer.json(parse_float=Decimal)
        self.time.told(said["timestamp"])
        return said["data"]
