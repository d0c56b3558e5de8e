"""What requests say beside their bodies: the headers of a command, the clocks of a question."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from hmac import compare_digest
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException
from litestar.params import HeaderParameter, QueryParameter

from api import figures
from api.desk import Asked
from api.office import Office, When, when
from domain import policies, refusals
from projections import questions, sums

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_VERSION = re.compile(r'(?:W/)?"?(\d{1,18})"?')


IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="The same key with the same order is answered once: kept for 7 days.",
    ),
]

# Each of these takes the one before it: Litestar resolves what may be resolved together in a
# task group of its own, at every request, which costs more than the resolving.


async def asked(
    request: Request[Any, Any, Any],
    office: NamedDependency[Office],  # noqa: ARG001  see above
    idempotency_key: IdempotencyKey = None,
    if_match: Annotated[
        str | None,
        HeaderParameter(name="If-Match", description="The version that the order is meant for."),
    ] = None,
    dry_run: Annotated[
        bool, QueryParameter(description="Decide and say what would change; record nothing.")
    ] = False,
) -> Asked:
    """How a command was asked for."""
    if dry_run:
        request.scope["state"]["outcome"] = "rehearsed"
    return Asked(
        checked(idempotency_key),
        _version(if_match),
        dry_run,
        request.route_handler.opt.get("creates", False),
    )


def checked(key: str | None) -> str | None:
    """An idempotency key that can be one; raises refusals.Invalid."""
    if key is not None and not _KEY.fullmatch(key):
        raise refusals.Invalid(
            "Idempotency-Key", key, "must be 1 to 200 printable characters, no blanks"
        )
    return key


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _VERSION.fullmatch(if_match.strip())
    if found is None:
        raise refusals.Invalid("If-Match", if_match, 'must be a version, as in "3"')
    return int(found[1])


async def clocks(
    office: NamedDependency[Office],
    as_of: Annotated[
        str | None,
        QueryParameter(description="What had happened by then: an instant, or a New York date."),
    ] = None,
    known_at: Annotated[
        str | None,
        QueryParameter(description="What was known by then: an instant, or a New York date."),
    ] = None,
) -> When:
    """The two clocks of a question."""
    return when(as_of, known_at, office.clock.now())


async def over(
    office: NamedDependency[Office],
    clocks: NamedDependency[When],
    policy: Annotated[
        str,
        QueryParameter(
            description="Whose rules tell when an amount counts.",
            schema_extra={"enum": list(policies.POLICIES)},
        ),
    ] = "cash",
    first: Annotated[
        date | None, QueryParameter(name="from", description="The first New York date.")
    ] = None,
    last: Annotated[
        date | None, QueryParameter(name="to", description="The last New York date.")
    ] = None,
    period: Annotated[
        str | None,
        QueryParameter(
            description="Up to today; not together with from or to.",
            schema_extra={"enum": ["30d", "90d", "365d", "ytd", "all"]},
        ),
    ] = None,
) -> figures.Over:
    """The policy and the span that a question about performance is over."""
    today = figures.today(office, clocks)
    span = figures.span(today, period, first, last)
    return figures.Over(policies.named(policy), span, today)


async def whose(
    over: NamedDependency[figures.Over],  # noqa: ARG001  see above
    wheel_id: Annotated[UUID | None, QueryParameter(description="One wheel alone.")] = None,
    portfolio_id: Annotated[
        UUID | None, QueryParameter(description="The wheels of one portfolio.")
    ] = None,
    symbol: Annotated[str | None, QueryParameter(description="The wheels in one symbol.")] = None,
) -> sums.Scope:
    """Whose figures are asked for: everything, or what all that is named has in common."""
    return sums.Scope(wheel_id, portfolio_id, symbol and symbol.upper())


async def part(
    clocks: NamedDependency[When],  # noqa: ARG001  see above
    page: Annotated[int, QueryParameter(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    sort: Annotated[
        str | None, QueryParameter(description="Fields, comma-separated; a minus sorts down.")
    ] = None,
) -> questions.Slice:
    """Which part of a list, in which order."""
    return questions.Slice(page, page_size, sort)


class Parameter(NamedTuple):
    """A query parameter: its values, where they are few and named, and whether it takes several."""

    values: tuple[str, ...]
    several: bool


def known_parameters_only(request: Request[Any, Any, Any]) -> None:
    """Refuse a query parameter, or a value of one, that the route does not know; list the known."""
    known = request.app.state.query_parameters.get(
        (request.scope.get("path_template"), request.method), None
    )
    if known is None:
        return
    for name, value in request.query_params.items():
        if name not in known:
            among = f"must be among {', '.join(sorted(known))}" if known else "is not known here"
            raise refusals.Invalid(name, value, among)
        values, several = known[name]
        if not several and len(request.query_params.getall(name)) > 1:
            raise refusals.Invalid(name, value, "must be said once")
        if value.lower() == "null":  # the framework would take it for nothing said
            raise refusals.Invalid(name, value, "must be left out rather than null")
        if values and value not in values:
            raise refusals.Invalid(name, value, f"must be one of {', '.join(values)}")


class Visitor:
    """A guard against web pages of others that speak through their reader's browser.

    Without a token whoever reaches the port may write. A page can reach it with a form or a
    script, and then its browser says its Origin; or by a name of its own for our address, and
    then that stands in Host.
    """

    def __init__(self, host: str, *, trusted: str | None, origins: Collection[str] = ()) -> None:
        """Let in pages of this machine, and those of the `origins` that were named."""
        self._hosts = {"127.0.0.1", "localhost", "[::1]", host.lower()}
        self._origins = frozenset(each.lower() for each in origins)
        self._open = trusted is not None

    def check(self, request: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Raise refusals.Invalid for what no client of ours would send."""
        if self._open or request.route_handler.opt.get("signed", False):
            return
        host, origin = request.headers.get("host"), request.headers.get("origin")
        if host:
            self._known("Host", host)
        if origin is not None and origin.lower() not in self._origins:
            self._known("Origin", origin.partition("://")[2])

    def _known(self, header: str, place: str) -> None:
        name, colon, port = place.rpartition(":")
        host = name if colon and port.isdigit() else place
        if host.lower() not in self._hosts:
            raise refusals.Invalid(header, place, "must be this machine, as no token is set")


class Token:
    """A guard that asks for the bearer token, where one is set."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def check(self, request: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Raise NotAuthorizedException unless the request carries the token."""
        if self._token is None or request.route_handler.opt.get("open", False):
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = compare_digest(given.encode(), self._token.encode())
        if scheme.lower() != "bearer" or not right:
            raise NotAuthorizedException(
                "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"}
            )
