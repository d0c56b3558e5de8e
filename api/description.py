"""The OpenAPI document: from the code, with the errors that every operation can answer."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin

from api.shapes.envelope import Failure

_REF = "#/components/schemas/{name}"
_MEANINGS = {
    "400": "VALIDATION_ERROR: the request cannot be meant; details name field, value, constraint",
    "401": "UNAUTHORIZED: a bearer token is needed",
    "404": "NOT_FOUND: nothing under that name",
    "409": "CONFLICT or INVALID_STATE: something got there first, or it may not happen here",
    "500": "INTERNAL_ERROR: a fault of ours, with the request id",
    "503": "SERVICE_UNAVAILABLE: a part that is needed does not answer",
}
_COMMANDS = ("post", "put", "delete")


class Described(JsonRenderPlugin):
    """Serves the document as JSON."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document, with our errors in place of the framework's."""
        return super().render(request, with_errors(openapi_schema))


def with_errors(document: dict[str, Any]) -> dict[str, Any]:
    """The document in which every operation answers errors in our form."""
    (_,), components = msgspec.json.schema_components([Failure], ref_template=_REF)
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if isinstance(operation, dict):
                operation.setdefault("responses", {}).update(_errors(path, method))
    return document


def _errors(path: str, method: str) -> dict[str, Any]:
    statuses = ["400", "401", "500", "503"]
    if "{" in path:
        statuses.append("404")
    if method in _COMMANDS:
        statuses.append("409")
    schema = {"$ref": _REF.format(name=Failure.__name__)}
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": schema}},
        }
        for status in sorted(statuses)
    }
