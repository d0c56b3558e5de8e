"""The application: resources, what they are given, and what surrounds every request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api import (
    alerts,
    dependencies,
    description,
    ledger,
    performance,
    portfolios,
    positions,
    requests,
    system,
    trades,
    wheels,
)
from api.errors import Errors
from api.office import Office

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
RESOURCES: tuple[type[Any], ...] = (
    portfolios.PortfolioController,
    wheels.WheelController,
    trades.TradeController,
    positions.PositionController,
    performance.PerformanceController,
    ledger.LedgerController,
    alerts.AlertController,
)


def application(
    office: Office,
    *,
    on_startup: Sequence[Callable[..., Awaitable[None]]] = (),
    on_shutdown: Sequence[Callable[..., Awaitable[None]]] = (),
) -> Litestar:
    """The ASGI application around an office."""
    errors = Errors(office.clock)
    token = dependencies.Token(office.settings.api_token)
    visitor = dependencies.Visitor(office.settings.api_host, trusted=office.settings.api_token)

    async def the_office() -> Office:
        return office

    async def before(request: Request[Any, Any, Any]) -> None:
        token.check(request)
        visitor.check(request)
        dependencies.known_parameters_only(request)

    app = Litestar(
        [Router("/api/v1", route_handlers=list(RESOURCES)), system.SystemController],
        dependencies={
            "office": Provide(the_office),
            "asked": Provide(dependencies.asked),
            "clocks": Provide(dependencies.clocks),
            "part": Provide(dependencies.part),
        },
        before_request=before,
        exception_handlers=errors.handlers(),
        middleware=[lambda app: Surroundings(app, office)],
        request_class=requests.Exact,
        request_max_body_size=requests.LARGEST_BODY,
        openapi_config=_openapi(),
        on_startup=list(on_startup),
        on_shutdown=list(on_shutdown),
        debug=False,
        logging_config=None,  # ours is set up by the process
    )
    app.state.query_parameters = _query_parameters(app)
    return app


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Wheelwright",
        version="0.1.0",
        description="The ledger and nervous system of an options-income trader.",
        use_handler_docstrings=True,
        path="/schema",
        render_plugins=[description.Described(path="/openapi.json")],
    )


def _query_parameters(app: Litestar) -> dict[tuple[str, str], frozenset[str]]:
    """Which query parameters each route knows, by path and method, as its schema says."""
    known: dict[tuple[str, str], frozenset[str]] = {}
    for path, item in (app.openapi_schema.paths or {}).items():
        for method in ("get", "post", "put", "delete"):
            operation = getattr(item, method)
            if operation is not None:
                names = frozenset(
                    each.name for each in operation.parameters or () if each.param_in == "query"
                )
                known[path, method.upper()] = names
    return known


class Surroundings:
    """What every answer carries: the request's id, and how far the views were."""

    def __init__(self, app: ASGIApp, office: Office) -> None:
        self._app = app
        self._office = office

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, and add to the answer's headers."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                position = str(self._office.live.position).encode()
                message.setdefault("headers", [])
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id),
                    (b"x-view-position", position),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value
    return uuid4().hex.encode()
