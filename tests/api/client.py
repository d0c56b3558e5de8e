"""A client of the API that reads money as it was written, and a desk of its own."""

import json
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import msgspec

ENCODER = msgspec.json.Encoder(decimal_format="number")
SHOWN = 300


class Reply(NamedTuple):
    """What was answered."""

    status: int
    headers: httpx.Headers
    body: Any

    @property
    def data(self) -> Any:
        assert self.status < 300, self.body
        return self.body["data"]

    @property
    def error(self) -> Any:
        assert self.status >= 400, str(self.body)[:SHOWN]
        return self.body["error"]

    @property
    def code(self) -> str:
        return str(self.error["code"])

    @property
    def position(self) -> int:
        return int(self.headers["x-ledger-position"])


class Client:
    """Speaks to one API over a real socket."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        """Ask; `body` is sent as it is when it is bytes, else as JSON."""
        content = body if body is None or isinstance(body, bytes) else ENCODER.encode(body)
        known = {} if content is None else {"Content-Type": "application/json"}
        answered = self.http.request(
            method,
            _whole(path),
            content=content,
            headers=known | (headers or {}),
            params=query or None,
        )
        return Reply(answered.status_code, answered.headers, _read(answered.content))

    def get(self, path: str, **query: Any) -> Reply:
        return self.ask("GET", path, **query)

    def post(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Reply:
        return self.ask("POST", path, body, headers=headers, **query)

    def put(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Reply:
        return self.ask("PUT", path, body, headers=headers, **query)

    def delete(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Reply:
        return self.ask("DELETE", path, headers=headers, **query)

    def head(self) -> int:
        """The ledger's head."""
        return int(self.get("/ledger/events", limit=1).body["head"])

    def events(self) -> list[Any]:
        """The whole ledger, page by page."""
        found: list[Any] = []
        after: int | None = 0
        while after is not None:
            page = self.get("/ledger/events", after=after, limit=500).body
            found += page["data"]
            after = page["next_after"]
        return found

    def close(self) -> None:
        self.http.close()


class Desk:
    """A portfolio of one's own, and short words for what is done most."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.portfolio: str = client.post("/portfolios", {"name": uuid4().hex}).data["id"]
        self._symbols = (f"X{n}" for n in count())

    def wheel(self, symbol: str | None = None, **said: Any) -> str:
        """A wheel with 20,000, unless told otherwise; its id."""
        body = {"symbol": symbol or next(self._symbols)} | (said or {"capital_allocated": 20_000})
        made = self.client.post(f"/portfolios/{self.portfolio}/wheels", body)
        return str(made.data["id"])

    def sale(self, **said: Any) -> dict[str, Any]:
        """A put that can be sold, with what is said of it."""
        return {
            "direction": "put",
            "strike": 100,
            "expiration_date": "2026-02-20",
            "premium_per_share": Decimal("1.50"),
            "opened_at": "2026-01-05",
        } | said

    def sell(self, wheel: str, **said: Any) -> str:
        """Record an option sold; the trade's id."""
        return str(self.client.post(f"/wheels/{wheel}/trades", self.sale(**said)).data["id"])

    def act(self, trade: str, action: str, **said: Any) -> Any:
        """Expire, close, assign or roll a trade; the trade as it then stands."""
        return self.client.post(f"/trades/{trade}/{action}", said).data

    def shares(self, wheel: str, action: str, shares: int, price: Any, **said: Any) -> Any:
        body = {"action": action, "shares": shares, "price": price} | said
        return self.client.post(f"/wheels/{wheel}/shares", body).data

    def performance(self, wheel: str, **query: Any) -> Any:
        return self.client.get(f"/wheels/{wheel}/performance", **query).data


def _whole(path: str) -> str:
    return path if path.startswith(("/api", "/health", "/schema")) else f"/api/v1{path}"


def _read(content: bytes) -> Any:
    return json.loads(content, parse_float=Decimal) if content else None
