"""The OpenAPI document: routes and parameters as the framework sees them, all else from us.

Bodies and answers are described by `schemas`, words and errors by `glossary`, and each operation
has an example from `examples`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

from litestar import Litestar, Request, Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityRequirement, SecurityScheme, Server, Tag
from litestar.routes import HTTPRoute
from msgspec import UNSET

from api import examples, glossary, schemas
from api.envelope import Reply
from api.shapes.envelope import Answer, Failure, Fault
from api.shapes.rehearsals import DryRun

Words = dict[str, Any]
Served = Callable[[Request[Any, Any, Any]], Awaitable[Response[bytes] | None]]
"""What answers a request for the document; None leaves it to the framework."""

_JSON = "application/json"
_AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
_COMMANDS = ("post", "put", "delete")
_TOKEN: SecurityRequirement = {"token": []}
_MADE = {
    "post_portfolios": "portfolio_id",
    "post_portfolio_wheels": "wheel_id",
    "post_wheel_trades": "trade_id",
}
"""Which commands make something, and the parameter that takes its id."""
_NEXT = {
    "portfolio_id": ("get_portfolio", "get_portfolio_summary", "post_portfolio_wheels"),
    "wheel_id": ("get_wheel", "get_wheel_state", "post_wheel_trades", "post_wheel_shares"),
    "trade_id": ("get_trade", "post_trade_close", "post_trade_expire", "post_trade_roll"),
}
"""What can be done next with what was made."""
_FILES = {
    "get_performance_export": ("text/csv", _JSON, "application/vnd.apache.parquet"),
}
"""What is answered as a file, in the forms that can be asked for."""
_NAMELESS = (
    "get_portfolios_default",
    "put_portfolios_default",
    "get_watchlist_scan",
    "post_notifications_test",
    "get_performance_win_loss",
    "get_performance_timeline",
    "get_performance_compare",
    "get_performance_explain",
    "get_performance_export",
    "post_wheels_recommend_batch",
)
"""Operations that may find nothing, though no id stands in their path."""


def config(*, guarded: bool, served: Served) -> OpenAPIConfig:
    """What the framework is told for its part of the document, and who answers in its place."""
    scheme = SecurityScheme(type="http", scheme="bearer", description="The setting `api_token`.")
    return OpenAPIConfig(
        title="Wheelwright",
        version="0.1.0",
        description=glossary.ABOUT,
        tags=[Tag(name, description) for name, description in glossary.TAGS.items()],
        servers=[Server("/", "This instance.")],
        components=Components(security_schemes={"token": scheme}),
        security=[_TOKEN] if guarded else [{}, _TOKEN],
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        openapi_router=Router(
            "/schema",
            route_handlers=[],
            include_in_schema=False,
            opt={"open": True},
            before_request=served,
        ),
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
    )


def _operation_id(_: Any, method: Any, path: Sequence[Any]) -> str:
    """Made of method and path: whoever knows these knows the name, and no two are the same."""
    words: list[str] = []
    for each in path:
        if isinstance(each, str):
            words.append(each.replace("-", "_"))
        else:
            words[-1] = _singular(words[-1])
    place = words[2:] if words[:2] == ["api", "v1"] else [*words, "at_root"]
    return "_".join([method.lower(), *place])


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word.removesuffix('ies')}y"
    return word.removesuffix("s")


def described(app: Litestar) -> Words:
    """The framework's document with our words, schemas, errors, links and examples."""
    document = app.openapi_schema.to_schema()
    known = schemas.Schemas()
    for path, method, handler in _operations(app):
        operation = document["paths"][path][method]
        document["paths"][path][method] = _Operation(operation, path, method, handler).told(known)
    document["paths"] = dict(sorted(document["paths"].items()))
    known.of(Failure, "written")
    known.components["Fault"]["properties"]["code"]["enum"] = sorted(glossary.codes())
    document["components"] |= {
        "schemas": dict(sorted(known.components.items())),
        "responses": {each.name: _failure(each) for each in glossary.ERRORS.values()},
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in glossary.HEADERS.items()
        },
    }
    return document


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS" and handler.resolve_include_in_schema():
                    yield route.path_format, method.lower(), handler


def _failure(error: glossary.Error) -> Words:
    told = {
        code: {"value": Failure(Fault(code, message, details), _AT)}
        for code, (message, details) in error.examples.items()
    }
    schema = {"$ref": schemas.REF.format(name=Failure.__name__)}
    return {
        "description": error.meaning,
        "headers": _headers(*error.headers),
        "content": {_JSON: {"schema": schema, "examples": told}},
    }


def _headers(*more: str) -> Words:
    names = ("X-Request-ID", "X-View-Position", *more)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


class _Operation:
    """One operation, as the framework tells it and as its handler is."""

    def __init__(self, framework: Words, path: str, method: str, handler: HTTPRouteHandler) -> None:
        self._framework = framework
        self._path = path
        self._handler = handler
        self._is_command = method in _COMMANDS
        self._records = self._is_command and handler.opt.get("records", True)
        self._is_open = bool(handler.opt.get("open"))
        self._id: str = framework["operationId"]
        self._example = examples.by_operation().get(self._id, examples.Step(operation=self._id))

    def told(self, known: schemas.Schemas) -> Words:
        """All that there is to say of it; structs go into `known`."""
        summary, _, rest = inspect.cleandoc(self._handler.fn.__doc__ or "").partition("\n")
        told: Words = {
            "operationId": self._id,
            "tags": self._framework["tags"],
            "summary": summary.removesuffix("."),
            "parameters": [self._parameter(each) for each in self._framework.get("parameters", ())],
            "responses": self._successes(known) | self._failures(),
        }
        if rest.strip():
            told["description"] = rest.strip()
        if self._handler.parsed_data_field is not None:
            told["requestBody"] = self._body(known)
        if self._is_open:
            told["security"] = [{}] if self._handler.opt.get("signed") else []
        return told

    def _parameter(self, framework: Words) -> Words:
        name, place = framework["name"], framework["in"]
        told = {
            "name": name,
            "in": place,
            "description": framework.get("description") or glossary.PARAMETERS.get(name, ""),
            "required": framework["required"],
            "schema": _sendable(framework["schema"]),
        }
        sent = self._example.sent(place)
        return told | {"example": sent[name]} if name in sent else told

    def _body(self, known: schemas.Schemas) -> Words:
        field = self._handler.parsed_data_field
        assert field is not None
        content: Words = {"schema": known.of(field.annotation, "read")}
        if self._example.body is not UNSET:
            content["example"] = self._example.body
        return {"content": {_JSON: content}, "required": not field.has_default}

    def _successes(self, known: schemas.Schemas) -> Words:
        """What it answers when all is well; a command that records also what it would do."""
        status, form = self._handler.status_code, self._form()
        if form is None:
            return {str(status): self._file(self._framework["responses"][str(status)])}
        schema = known.of(form, "written")
        if not self._records:
            tagged = ("ETag",) if _has_version(form) else ()
            return {str(status): self._success(status, "What was asked for.", schema, *tagged)}
        would = known.of(Answer[DryRun], "written")
        headers = ("ETag", "X-Ledger-Position", "Idempotency-Replayed")
        meaning = "Done: the resource as it now stands."
        if status == 200:  # noqa: PLR2004  what is done and what would be share a status
            either = {"anyOf": [schema, would]}
            return {
                "200": self._success(
                    200, f"{meaning} With `dry_run` what it would do.", either, *headers
                )
            }
        made = self._success(status, meaning, schema, "Location", *headers)
        return {
            "200": self._success(200, "With `dry_run`: what it would do.", would),
            str(status): made | self._links(),
        }

    def _file(self, framework: Words) -> Words:
        """What is no JSON in our form: the framework knows the media type, else we do."""
        content = framework["content"]
        for media_type in _FILES.get(self._id, ()):
            content.setdefault(media_type, {})
        if isinstance(self._example.answer, str):
            next(iter(content.values()))["example"] = self._example.answer
        return {
            "description": "What was asked for, as it comes.",
            "headers": _headers(),
            "content": content,
        }

    def _form(self) -> Any:
        """What the handler says that it answers, if it answers in our form."""
        told = self._handler.parsed_fn_signature.return_type.annotation
        return get_args(told)[0] if get_origin(told) is Reply else None

    def _success(self, status: int, meaning: str, schema: Words, *headers: str) -> Words:
        content: Words = {"schema": schema}
        if self._example.status == status and self._example.answer is not None:
            content["example"] = self._example.answer
        return {
            "description": meaning,
            "headers": _headers(*headers),
            "content": {_JSON: content},
        }

    def _links(self) -> Words:
        made = _MADE.get(self._id)
        if made is None:
            return {}
        taken = {made: "$response.body#/data/id"}
        return {"links": {each: {"operationId": each, "parameters": taken} for each in _NEXT[made]}}

    def _failures(self) -> Words:
        statuses = {"400", "500", "503"}
        if not self._is_open or self._handler.opt.get("signed"):
            statuses.add("401")
        if not self._handler.opt.get("unlimited"):
            statuses.add("429")
        if "{" in self._path or self._id in _NAMELESS:
            statuses.add("404")
        if self._is_command or self._handler.opt.get("market"):
            statuses.add("409")
        if self._handler.opt.get("market") or self._handler.opt.get("outside"):
            statuses.add("502")
        return {
            status: {"$ref": f"#/components/responses/{glossary.ERRORS[status].name}"}
            for status in sorted(statuses)
        }


def _has_version(form: Any) -> bool:
    """Whether what is told stands in a version, which its tag then names."""
    return any("version" in getattr(each, "__struct_fields__", ()) for each in get_args(form))


def _sendable(schema: Words) -> Words:
    """A parameter's schema: it may be left out, but a null cannot be sent."""
    plain = {name: value for name, value in schema.items() if name not in ("oneOf", "description")}
    members = [each for each in schema.get("oneOf", ()) if each.get("type") != "null"]
    plain |= members[0] if len(members) == 1 else {"oneOf": members} if members else {}
    if isinstance(plain.get("type"), list):
        (plain["type"],) = (each for each in plain["type"] if each != "null")
    if "enum" in plain:
        plain["enum"] = [each for each in plain["enum"] if each is not None]
    return plain
