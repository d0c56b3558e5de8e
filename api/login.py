"""The login at the market's provider: how it stands, and how a person makes a new one.

What a person is sent to is the provider's page; what they bring back is the address at which that
visit ended. The process that asks for prices finds the new login where it is kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from adapters import markets
from adapters.settings import Misconfigured
from api.envelope import Reply
from api.office import Office
from api.shapes.envelope import Answer
from api.shapes.login import CompleteLogin, Login, LoginState, Visit
from domain import market, refusals

if TYPE_CHECKING:
    from adapters.schwab.entrance import Entrance

# Only who has Schwab as market has its client: what is said of its logins is met there.
# ruff: noqa: PLC0415


class Lobby:
    """Where people wait to be let in: one login at a time, the newest one."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._entrance: Entrance | None = None

    async def state(self) -> LoginState:
        """How the login stands."""
        name = self._office.settings.market
        if name != "schwab":
            return LoginState(market=name, state="not_needed")
        entrance = self._open()
        from adapters.schwab.vault import Broken

        try:
            login = await asyncio.to_thread(entrance.kept)
        except Broken as reason:
            return LoginState(market=name, state="unreadable", reason=str(reason))
        if login is None:
            return LoginState(market=name, state="none")
        lasts = self._office.clock.now() < login.ends
        return LoginState(
            market=name, state="valid" if lasts else "ended", since=login.since, ends=login.ends
        )

    def begin(self) -> Visit:
        """Where to log in."""
        visit = self._open().begin()
        return Visit(authorize_url=visit.authorize_url, expires_at=visit.expires_at)

    async def complete(self, redirect_url: str) -> Login:
        """Let in who comes back from there; what is refused never tells the address."""
        entrance = self._open()
        from adapters.schwab.entrance import NotAdmitted, NotBegun

        try:
            login = await entrance.complete(redirect_url)
        except NotBegun as reason:
            raise refusals.OutOfTurn(str(reason)) from reason
        except NotAdmitted as reason:
            raise refusals.Invalid("redirect_url", None, str(reason)) from reason
        except market.MarketFault as fault:
            raise refusals.Unanswered(fault.why, state=fault.state) from fault
        return Login(since=login.since, ends=login.ends)

    def _open(self) -> Entrance:
        try:
            self._entrance = self._entrance or markets.open_entrance(
                self._office.settings, self._office.clock
            )
        except Misconfigured as reason:
            raise refusals.OutOfTurn(
                f"there is no login here: {reason}", market=self._office.settings.market
            ) from reason
        return self._entrance


class LoginController(Controller):
    """The login at the market's provider."""

    path = "/market/login"
    tags = ("Market",)

    @get()
    async def state(
        self, office: NamedDependency[Office], lobby: NamedDependency[Lobby]
    ) -> Reply[Answer[LoginState]]:
        """How the login at the market's provider stands."""
        return Reply(Answer(await lobby.state(), office.clock.now()))

    @post(status_code=200, opt={"records": False, "market": True})
    async def begin(
        self, office: NamedDependency[Office], lobby: NamedDependency[Lobby]
    ) -> Reply[Answer[Visit]]:
        """Begin to log in: the address to visit."""
        return Reply(Answer(lobby.begin(), office.clock.now()))

    @post("/complete", status_code=200, opt={"records": False, "market": True})
    async def complete(
        self,
        office: NamedDependency[Office],
        lobby: NamedDependency[Lobby],
        data: JSONBody[CompleteLogin],
    ) -> Reply[Answer[Login]]:
        """Complete the login with the address at which the visit ended."""
        return Reply(Answer(await lobby.complete(data.redirect_url), office.clock.now()))
