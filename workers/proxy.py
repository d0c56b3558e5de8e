"""What a plugin may ask for, and what it gets: decided here, not in its process.

questions about the ledger      ──▶ the API, as they are
commands that are granted       ──▶ the API, with `source` plugin:<name>
quotes, earnings, history ...   ──▶ the bus and the counter
alerts                          ──▶ kept, and recorded when the run is over
anything else                   ──▶ refused, before it leaves
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import httpx
import msgspec

from adapters import errand
from adapters.bus import Bus, BusFault
from adapters.counter import Counter
from domain import facts, market, plugin, ports, refusals

MOST_ALERTS: Final = 100
MOST_ASKED: Final = 10_000
LARGEST: Final = 16 * 1024 * 1024
_FAR: Final = timedelta(days=400)
_READ: Final = re.compile(
    r"/api/v1/(portfolios|wheels|trades|positions|performance|alerts|watchlist|opportunities)"
    r"(/[A-Za-z0-9_.\-]+)*"
)
_ID: Final = r"[A-Za-z0-9\-]+"
_GRANTED_BY: Final[Mapping[str, tuple[str, str]]] = {
    "alerts.acknowledge": ("POST", f"/alerts/{_ID}/acknowledge"),
    "alerts.mute": ("POST", f"/alerts/{_ID}/mute"),
    "opportunities.read": ("POST", f"/opportunities/{_ID}/read"),
    "shares.trade": ("POST", f"/wheels/{_ID}/shares"),
    "snapshots.take": ("POST", f"/wheels/{_ID}/snapshots"),
    "trades.assign": ("POST", f"/trades/{_ID}/assign"),
    "trades.close": ("POST", f"/trades/{_ID}/close"),
    "trades.expire": ("POST", f"/trades/{_ID}/expire"),
    "trades.roll": ("POST", f"/trades/{_ID}/roll"),
    "trades.sell": ("POST", f"/wheels/{_ID}/trades"),
    "watchlist.watch": ("POST", "/watchlist"),
}
"""The one request that each command is."""
_PASSED_ON: Final = frozenset({"idempotency-key", "if-match"})
_PASSED_BACK: Final = ("ETag", "X-Ledger-Position", "Idempotency-Replayed", "Content-Type")
_encoder = msgspec.json.Encoder(decimal_format="number")
_exact: Final = msgspec.json.Decoder(float_hook=Decimal)


Grants = Callable[[], Awaitable[Collection[str]]]
"""Which commands a plugin may give now. Raises refusals.Unavailable where that cannot be known."""


class Room:
    """What all plugins of an instance are answered from."""

    def __init__(self, http: httpx.AsyncClient, bus: Bus, counter: Counter) -> None:
        self.http = http
        self.bus = bus
        self.counter = counter


class Proxy:
    """Answers one run of a plugin; `refused` is what it was first refused, if anything.

    What is granted is asked for at each command: it can be taken back while the run goes on.
    """

    def __init__(self, name: str, grants: Grants, room: Room, clock: ports.Clock) -> None:
        self.refused: str | None = None
        self.alerts: dict[str, errand.Alert] = {}
        self._name = name
        self._grants = grants
        self._room = room
        self._clock = clock
        self._asked = 0

    async def answer(self, ask: errand.Ask) -> errand.Reply:
        """Whatever comes of it, in the API's words; a plugin's own faults are told to it."""
        self._asked += 1
        path, _, query = ask.target.partition("?")
        if self._asked > MOST_ASKED:
            return self._refuse(f"more than {MOST_ASKED} questions in one run")
        if path.startswith("/plugin/"):
            return await self._ours(ask, path.removeprefix("/plugin/"), query)
        if ask.method == "GET" and _READ.fullmatch(path) and "/../" not in f"{path}/":
            return await self._sent(ask, None)
        command = next((each for each in plugin.COMMANDS if _is(each, ask.method, path)), None)
        try:
            granted = command is not None and command in await self._grants()
        except refusals.Unavailable as reason:
            return self._failure(503, "SERVICE_UNAVAILABLE", reason.message)
        if not granted:
            return self._refuse(f"{command or f'{ask.method} {path[:200]}'} was not granted")
        return await self._commanded(ask)

    def _refuse(self, why: str) -> errand.Reply:
        self.refused = self.refused or why
        return self._failure(403, "FORBIDDEN", why)

    def _failure(self, status: int, code: str, why: str) -> errand.Reply:
        told = {
            "error": {"code": code, "message": why, "details": {}},
            "timestamp": self._clock.now(),
        }
        return errand.Reply(status, _encoder.encode(told).decode())

    # --- the API

    async def _commanded(self, ask: errand.Ask) -> errand.Reply:
        """A command, said by this plugin whoever it says that it is."""
        try:
            body = _exact.decode(ask.body or "{}")
        except (msgspec.DecodeError, RecursionError) as reason:
            return self._failure(400, "VALIDATION_ERROR", f"the body cannot be read: {reason}")
        if not isinstance(body, dict):
            return self._failure(400, "VALIDATION_ERROR", "the body is no object")
        said: dict[str, Any] = body | {"source": f"plugin:{self._name}"}
        return await self._sent(ask, _encoder.encode(said))

    async def _sent(self, ask: errand.Ask, content: bytes | None) -> errand.Reply:
        headers = {name: value for name, value in ask.headers.items() if name in _PASSED_ON}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            answered = await self._room.http.request(
                ask.method, ask.target, content=content, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as reason:
            why = f"the API does not answer: {type(reason).__name__}"
            return self._failure(503, "SERVICE_UNAVAILABLE", why)
        if len(answered.content) > LARGEST:
            return self._failure(413, "TOO_LARGE", "more than a plugin can be handed")
        back = {name: answered.headers[name] for name in _PASSED_BACK if name in answered.headers}
        return errand.Reply(answered.status_code, answered.text, back)

    # --- what is not of the API

    async def _ours(self, ask: errand.Ask, path: str, query: str) -> errand.Reply:
        what, _, symbol = path.partition("/")
        try:
            if (ask.method, path) == ("POST", "alerts"):
                return self._alerted(ask.body or "")
            if ask.method != "GET":
                return self._refuse(f"{ask.method} /plugin/{path[:200]} is nothing that there is")
            found = await self._known(what, market.valid_symbol(unquote(symbol)), query)
        except (market.MarketFault, refusals.Refusal, BusFault, ValueError) as reason:
            return errand.Reply(404, str(reason))
        return errand.Reply(200, msgspec.json.encode(found).decode())

    async def _known(self, what: str, symbol: str, query: str) -> Any:
        match what:
            case "quotes":
                return (await self._room.bus.quotes()).get(symbol)
            case "earnings":
                last = date.fromisoformat(parse_qs(query).get("until", [""])[0])
                until = min(last, self._clock.now().date() + _FAR)
                return await self._room.counter.earnings(symbol, until)
            case "history":
                return await self._room.counter.history(symbol)
            case "volatilities":
                return await self._room.counter.volatilities(symbol)
            case _:
                raise refusals.Unknown("question", what[:100])

    def _alerted(self, body: str) -> errand.Reply:
        try:
            told = msgspec.json.decode(body, type=errand.Alert)
            market.subject_token(told.symbol)
        except (msgspec.MsgspecError, ValueError) as reason:
            return errand.Reply(400, f"no alert: {reason}")
        if told.key not in self.alerts and len(self.alerts) >= MOST_ALERTS:
            return errand.Reply(400, f"more than {MOST_ALERTS} alerts in one run")
        self.alerts[told.key] = told
        return errand.Reply(200, "null")


def _is(command: str, method: str, path: str) -> bool:
    by, place = _GRANTED_BY[command]
    return method == by and re.fullmatch(f"/api/v1{place}", path) is not None


def fact(name: str, told: errand.Alert) -> facts.AlertRaised:
    """What is recorded of something that a plugin tells."""
    return facts.AlertRaised(
        portfolio_id=told.portfolio_id,
        wheel_id=told.wheel_id,
        symbol=told.symbol,
        rule=facts.plugin_rule(name),
        severity=told.severity,
        message=told.message,
    )
