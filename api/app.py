"""The application: resources, what they are given, and what surrounds every request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.openapi.spec import OpenAPIType

from api import (
    advice,
    alerts,
    config,
    deeds,
    dependencies,
    description,
    docs,
    exports,
    ledger,
    login,
    notifications,
    opportunities,
    performance,
    plugins,
    portfolios,
    positions,
    requests,
    scheduler,
    snapshots,
    stream,
    system,
    trades,
    watchlist,
    wheels,
)
from api.border import Border
from api.errors import Errors
from api.limit import Limit
from api.metrics import Metrics, MetricsController
from api.office import Office

RESOURCES: tuple[type[Any], ...] = (
    portfolios.PortfolioController,
    wheels.WheelController,
    trades.TradeController,
    positions.PositionController,
    advice.AdviceController,
    snapshots.SnapshotController,
    performance.PerformanceController,
    exports.ExportController,
    ledger.LedgerController,
    alerts.AlertController,
    deeds.DeedController,
    notifications.NotificationController,
    watchlist.WatchlistController,
    opportunities.OpportunityController,
    scheduler.SchedulerController,
    plugins.PluginController,
    stream.StreamController,
    login.LoginController,
    config.ConfigController,
    MetricsController,
)


def application(office: Office) -> Litestar:
    """The ASGI application around an office."""
    errors = Errors(office.clock)
    token = dependencies.Token(office.settings.api_token)
    visitor = dependencies.Visitor(
        office.settings.api_host,
        trusted=office.settings.api_token,
        origins=office.settings.cors_origins,
    )
    limit = Limit(lambda: office.settings.rate_limit)
    metrics = Metrics()
    metrics.watch("stream_readers", "Readers of the live stream.", lambda: office.hub.readers)

    async def allowed(connection: ASGIConnection[Any, Any, Any, Any], _: Any) -> None:
        limit.check(connection)
        token.check(connection)
        visitor.check(connection)

    async def before(request: Request[Any, Any, Any]) -> None:
        dependencies.known_parameters_only(request)

    app = Litestar(
        [
            Router("/api/v1", route_handlers=list(RESOURCES)),
            system.SystemController,
            docs.DocsController,
        ],
        dependencies={
            "office": _always(office),
            "asked": Provide(dependencies.asked),
            "clocks": Provide(dependencies.clocks),
            "over": Provide(dependencies.over),
            "whose": Provide(dependencies.whose),
            "part": Provide(dependencies.part),
            "metrics": _always(metrics),
            "lobby": _always(login.Lobby(office)),
            "pulse": _always(system.Pulse(office)),
        },
        guards=[allowed],
        before_request=before,
        exception_handlers=errors.handlers(),
        cors_config=_cors(office.settings.cors_origins),
        request_class=requests.Exact,
        request_max_body_size=requests.LARGEST_BODY,
        openapi_config=description.config(
            guarded=office.settings.api_token is not None, served=docs.Document().served
        ),
        debug=False,
        logging_config=None,  # ours is set up by the process
    )
    app.asgi_handler = Border(app.asgi_handler, office.live, metrics)
    app.state.hub = office.hub
    app.state.query_parameters = _query_parameters(app)
    return app


def _always(thing: Any) -> Provide:
    async def provide() -> Any:
        return thing

    return Provide(provide)


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    """What browsers are told about pages of other origins; nothing where none is allowed."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "Last-Event-ID",
            "X-Request-ID",
        ],
        expose_headers=[
            "ETag",
            "Idempotency-Replayed",
            "Location",
            "Retry-After",
            "X-Ledger-Position",
            "X-Request-ID",
            "X-View-Position",
        ],
    )


def _query_parameters(app: Litestar) -> dict[tuple[str, str], dict[str, dependencies.Parameter]]:
    """Which query parameters each route knows, by path and method, as its schema says."""
    known: dict[tuple[str, str], dict[str, dependencies.Parameter]] = {}
    for path, item in (app.openapi_schema.paths or {}).items():
        for method in ("get", "post", "put", "delete"):
            operation = getattr(item, method)
            if operation is not None:
                known[path, method.upper()] = {
                    each.name: _parameter(each.schema)
                    for each in operation.parameters or ()
                    if each.param_in == "query"
                }
    return known


def _parameter(schema: Any) -> dependencies.Parameter:
    either = (schema, *(getattr(schema, "one_of", None) or ()))
    return dependencies.Parameter(
        tuple(each for each in getattr(schema, "enum", None) or () if each is not None),
        several=any(getattr(each, "type", None) == OpenAPIType.ARRAY for each in either),
    )
