"""How a person logs in at Schwab: by an address to visit, and the one where that visit ends.

The login page belongs to Schwab. It ends at the app's callback URL, where nobody listens; the
address of that dead page, copied from the browser, holds the code that a login is bought with.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec
from aiolimiter import AsyncLimiter
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from adapters.inquiry import Inquiry
from adapters.schwab import road
from adapters.schwab.line import LOGIN, granted
from adapters.schwab.vault import Broken, Kept, Vault
from adapters.settings import Settings
from domain import market, ports

PATIENCE: Final = timedelta(minutes=10)
"""How long a person may take at Schwab's pages."""


class NotAdmitted(Exception):
    """An address that is not the end of a login; the message says why, and nothing of its code."""


class NotBegun(Exception):
    """No login is under way that the address could end: none was begun, or it took too long."""


class Visit(msgspec.Struct, frozen=True):
    """Where a person logs in, and until when they should be back."""

    authorize_url: str
    expires_at: datetime


class Entrance:
    """Begins logins and completes them, the newest one only."""

    def __init__(self, settings: Settings, clock: ports.Clock, vault: Vault) -> None:
        self._settings = settings
        self._clock = clock
        self._vault = vault
        self._state = ""
        self._visit: Visit | None = None

    def begin(self) -> Visit:
        """Where to log in; one that was begun before counts no more."""
        self._state = secrets.token_urlsafe(24)
        address, _ = road.session(self._settings).create_authorization_url(
            self._settings.schwab_url.rstrip("/") + road.AUTHORIZE, state=self._state
        )
        self._visit = Visit(address, self._clock.now() + PATIENCE)
        return self._visit

    async def complete(self, redirect_url: str) -> market.Login:
        """Keep the login that ends at this address.

        Raises NotBegun, NotAdmitted, or the MarketFault that kept Schwab from answering.
        """
        if self._visit is None or self._clock.now() >= self._visit.expires_at:
            raise NotBegun("no login is under way, or it took too long: begin a new one")
        code = self._code(redirect_url)
        now = self._clock.now()
        try:
            kept = Kept(now, await self._bought(code))
        except NotAdmitted:
            self._visit = None
            raise
        self._visit = None
        try:
            await asyncio.to_thread(self._vault.write, kept)
        except Broken as reason:
            raise NotAdmitted(str(reason)) from reason
        return kept.login

    def kept(self) -> market.Login | None:
        """The login that is kept. Raises Broken where it cannot be read."""
        kept = self._vault.read()
        return None if kept is None else kept.login

    def _code(self, redirect_url: str) -> str:
        try:
            given = urlsplit(redirect_url.strip())
            told = parse_qs(given.query, max_num_fields=20)
        except ValueError as reason:
            raise NotAdmitted("is no address") from reason
        if _place(given) != _place(urlsplit(self._settings.schwab_callback)):
            raise NotAdmitted(f"must begin with {self._settings.schwab_callback}")
        if not secrets.compare_digest(_one(told, "state").encode(), self._state.encode()):
            raise NotAdmitted("is the end of another login than the one begun last")
        if "error" in told:
            raise NotAdmitted("says that Schwab did not let the app in")
        if not (code := _one(told, "code")):
            raise NotAdmitted("has no code: it must be copied whole")
        return code

    async def _bought(self, code: str) -> dict[str, object]:
        """The tokens for a code, which is good for one try within seconds."""
        asking = Inquiry("Schwab", AsyncLimiter(1), tries=1)
        async with road.session(self._settings) as session:
            session.register_compliance_hook(
                "access_token_response", lambda response: granted(asking, response)
            )
            try:
                return await asking.tried(LOGIN, lambda: _fetched(session, code))
            except (market.ReauthRequired, AuthlibBaseError) as refusal:
                raise NotAdmitted(
                    "was refused by Schwab: its code lives for seconds, and is good once;"
                    " begin a new login"
                ) from refusal


async def _fetched(session: AsyncOAuth2Client, code: str) -> dict[str, object]:
    return dict(
        await session.fetch_token(
            road.HOME + road.TOKEN, grant_type="authorization_code", code=code
        )
    )


def _place(url: SplitResult) -> tuple[str, str, str]:
    return url.scheme.lower(), url.netloc.lower(), url.path or "/"


def _one(told: Mapping[str, list[str]], name: str) -> str:
    values = told.get(name, [])
    return values[0] if len(values) == 1 else ""
