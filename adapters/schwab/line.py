"""The line to Schwab: every question goes through it, with the login that is kept.

A login that was refused is never tried again: the line is silent until a new one is kept. The
access token is renewed once for all who wait for it; the login itself is as old as it was.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import msgspec
from authlib.common.errors import AuthlibBaseError

from adapters import inquiry
from adapters.inquiry import Inquiry
from adapters.schwab import road
from adapters.schwab.client import AsyncClient
from adapters.schwab.vault import Broken, Kept, Stamp, Vault
from adapters.settings import Settings
from domain import market

Question = Callable[[AsyncClient], Awaitable[httpx.Response]]

LOGIN: Final = "login"
_log = logging.getLogger(__name__)


class Line:
    """Schwab's client, one to a process."""

    def __init__(
        self, settings: Settings, vault: Vault, asking: Inquiry, timeout: float = road.TIMEOUT
    ) -> None:
        self._vault = vault
        self._asking = asking
        self._session = road.session(settings, timeout)
        self._session.register_compliance_hook("refresh_token_response", self._login_in)
        self._client = AsyncClient(settings.schwab_app_key, self._session, enforce_enums=True)
        self._client.set_timeout(timeout)
        self._stamp: Stamp | None = None
        self._kept: Kept | None = None
        self._broken: str | None = None
        self._refused: Kept | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def ask(self, symbol: str, question: Question) -> bytes:
        """The body of what Schwab answers. Raises a MarketFault about the symbol."""
        await self._freshen(symbol, self._login(symbol))
        return await self._asking.tried(symbol, lambda: self._put(symbol, question))

    def kept(self) -> Kept | None:
        """The login that is kept by now; None when there is none that can be read."""
        if (stamp := self._vault.stamp()) != self._stamp:
            self._stamp = stamp
            self._take_up()
        return self._kept

    async def aclose(self) -> None:
        """Hang up."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self._session.aclose()

    def _take_up(self) -> None:
        self._kept, self._broken = None, None
        try:
            self._kept = self._vault.read()
        except Broken as reason:
            self._broken = str(reason)
            _log.warning("%s", reason)
        if self._kept is not None:
            self._session.token = dict(self._kept.token)

    def _login(self, symbol: str) -> Kept:
        """The login to ask with. Raises ReauthRequired where only a person can help."""
        kept = self.kept()
        if kept is None:
            raise market.ReauthRequired(symbol, self._broken or "nobody has logged in at Schwab")
        if kept is self._refused:
            raise market.ReauthRequired(symbol, "Schwab has refused the login; log in anew")
        return kept

    async def _put(self, symbol: str, question: Question) -> bytes:
        kept = self._login(symbol)
        try:
            return self._asking.body(symbol, await question(self._client))
        except (market.ReauthRequired, AuthlibBaseError) as refusal:
            self._refused = kept
            why = "Schwab does not accept the login; log in anew"
            raise market.ReauthRequired(symbol, why) from refusal

    async def _freshen(self, symbol: str, kept: Kept) -> None:
        """See to an access token that is good for a while; who comes meanwhile waits for it too."""
        if not self._session.token.is_expired(leeway=road.LEEWAY):
            return
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(kept), name="renewing Schwab's token")
        try:
            await asyncio.shield(self._renewing)
        except market.MarketFault as fault:
            raise about(symbol, fault) from fault

    async def _renew(self, kept: Kept) -> None:
        try:
            token = await self._asking.tried(LOGIN, self._renewed)
        except (market.ReauthRequired, AuthlibBaseError) as refusal:
            self._refused = kept
            why = f"Schwab refused to renew the login ({_reason(refusal)}); log in anew"
            raise market.ReauthRequired(LOGIN, why) from refusal
        try:
            await asyncio.to_thread(self._vault.renew, kept, token)
        except (Broken, OSError) as reason:
            _log.warning("the renewed token counts until the next start, as %s", reason)
        if self._kept is not None and self._kept is not kept:  # someone logged in meanwhile
            self._session.token = dict(self._kept.token)

    async def _renewed(self) -> dict[str, Any]:
        refresh = self._session.token.get("refresh_token")
        return dict(
            await self._session.refresh_token(road.HOME + road.TOKEN, refresh_token=refresh)
        )

    def _login_in(self, response: httpx.Response) -> httpx.Response:
        return granted(self._asking, response)


_REFUSALS: Final = (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED)
"""With these an authorization server refuses, and says why in the body."""


class _Token(msgspec.Struct):
    access_token: str
    refresh_token: str


class _Refusal(msgspec.Struct):
    error: str


def granted(asking: Inquiry, response: httpx.Response) -> httpx.Response:
    """An answer to a login, before authlib takes it for one. Raises Trouble or a MarketFault."""
    if response.status_code in _REFUSALS:
        raise market.ReauthRequired(LOGIN, _named(response.content))
    if response.status_code == httpx.codes.NOT_FOUND:
        raise inquiry.Trouble("has no logins at its address")
    try:
        msgspec.json.decode(asking.body(LOGIN, response), type=_Token)
    except msgspec.MsgspecError as reason:
        raise market.Unreadable(LOGIN, "Schwab's answer to a login has no tokens") from reason
    return response


def _named(body: bytes) -> str:
    """What an authorization server calls the reason: `invalid_grant`, or another such word."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.MsgspecError:
        return "no reason given"
    return error[:40] if error.isidentifier() else "no reason given"


def _reason(refusal: market.ReauthRequired | AuthlibBaseError) -> str:
    return refusal.why if isinstance(refusal, market.ReauthRequired) else str(refusal.error)


def about(symbol: str, fault: market.MarketFault) -> market.MarketFault:
    """The same fault, about another symbol that it also keeps from an answer."""
    if isinstance(fault, market.Throttled):
        return market.Throttled(symbol, fault.why, retry_after=fault.retry_after)
    return type(fault)(symbol, fault.why)
