"""What requests say beside their bodies: the headers of a command, the clocks of a question."""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException
from litestar.params import HeaderParameter, QueryParameter

from api.desk import Asked
from api.office import Office, When, when
from domain import refusals
from projections import questions

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_VERSION = re.compile(r'(?:W/)?"?(\d{1,18})"?')


# Each of these takes the one before it: Litestar resolves what may be resolved together in a
# task group of its own, at every request, which costs more than the resolving.


async def asked(
    request: Request[Any, Any, Any],
    office: NamedDependency[Office],  # noqa: ARG001  see above
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            description="The same key with the same order is answered once: kept for 7 days.",
        ),
    ] = None,
    if_match: Annotated[
        str | None,
        HeaderParameter(name="If-Match", description="The version that the order is meant for."),
    ] = None,
    dry_run: Annotated[
        bool, QueryParameter(description="Decide and say what would change; record nothing.")
    ] = False,
) -> Asked:
    """How a command was asked for."""
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise refusals.Invalid(
            "Idempotency-Key", idempotency_key, "must be 1 to 200 printable characters, no blanks"
        )
    return Asked(
        idempotency_key,
        _version(if_match),
        dry_run,
        request.route_handler.opt.get("creates", False),
    )


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _VERSION.fullmatch(if_match.strip())
    if found is None:
        raise refusals.Invalid("If-Match", if_match, 'must be a version, as in "3"')
    return int(found[1])


async def clocks(
    office: NamedDependency[Office],  # noqa: ARG001  see above
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
    return when(as_of, known_at)


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


def known_parameters_only(request: Request[Any, Any, Any]) -> None:
    """Refuse a query parameter that the route does not know, listing those that it does."""
    known = request.app.state.query_parameters.get(
        (request.scope.get("path_template"), request.method), None
    )
    if known is None:
        return
    for name in request.query_params:
        if name not in known:
            raise refusals.Invalid(
                name, request.query_params[name], f"must be among {', '.join(sorted(known))}"
            )


class Visitor:
    """A guard against web pages of others that speak through their reader's browser.

    Without a token whoever reaches the port may write. A page can reach it with a form or a
    script, and then its browser says its Origin; or by a name of its own for our address, and
    then that stands in Host.
    """

    def __init__(self, host: str, *, trusted: str | None) -> None:
        self._hosts = {"127.0.0.1", "localhost", "[::1]", host.lower()}
        self._open = trusted is not None

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Raise refusals.Invalid for what no client of ours would send."""
        if self._open:
            return
        host, origin = request.headers.get("host"), request.headers.get("origin")
        if host:
            self._known("Host", host)
        if origin is not None:
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

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Raise NotAuthorizedException unless the request carries the token."""
        if self._token is None or request.route_handler.opt.get("open", False):
            return
        given = request.headers.get("authorization", "")
        if not compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise NotAuthorizedException(
                "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"}
            )
