"""The API's document, and two pages that show it; all that they load comes from here.

The pages' programs are those of the package `offapi`, which carries Swagger UI and ReDoc as files.
It is never imported, because it reads all of them into memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from litestar import Controller, Litestar, Request, Response, get
from litestar.enums import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api import description
from domain import refusals
from projections import answers

_OURS = Path(__file__).parent / "pages"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT, _STYLE, _PICTURE = "text/javascript", "text/css", "image/svg+xml"
_NOTHING = b"data:,"
_LOGOS = (
    (b"https://cdn.redoc.ly/redoc/logo-mini-full.svg", _NOTHING),
    (b"https://cdn.redoc.ly/redoc/logo-mini.svg", _NOTHING),
)
"""ReDoc shows its maker's logo, from its maker's host."""


class _File(NamedTuple):
    """Where a file is, what it is, and which foreign addresses in it become ours."""

    path: Callable[[], Path]
    media_type: str
    instead: tuple[tuple[bytes, bytes], ...] = ()


@cache
def _theirs() -> Path:
    """Where the package's files are."""
    found = find_spec("offapi")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0])


def _our(name: str, media_type: str) -> _File:
    return _File(lambda: _OURS / name, media_type)


_FILES = {
    "swagger.js": _File(lambda: _theirs() / "swagger_bundle.js", _SCRIPT),
    "swagger.css": _File(lambda: _theirs() / "swagger_style.css", _STYLE),
    "redoc.js": _File(lambda: _theirs() / "redoc.js", _SCRIPT, _LOGOS),
    "swagger-start.js": _our("swagger-start.js", _SCRIPT),
    "redoc-start.js": _our("redoc-start.js", _SCRIPT),
    "pages.css": _our("pages.css", _STYLE),
    "wheel.svg": _our("wheel.svg", _PICTURE),
}


class Document:
    """The document itself, made when it is first asked for, and not on the event loop."""

    def __init__(self) -> None:
        self._made: bytes | None = None

    async def served(self, request: Request[Any, Any, Any]) -> Response[bytes] | None:
        """Answer in the place of the framework, which has neither our words nor tags.

        Where it would answer with pages of its own, nothing is.
        """
        if request.method == HttpMethod.OPTIONS:
            return None
        if not request.url.path.rstrip("/").endswith("/openapi.json"):
            raise NotFoundException
        if self._made is None:
            self._made = await asyncio.to_thread(_made, request.app)
        return _answered(request, self._made, "application/json")


def _made(app: Litestar) -> bytes:
    return answers.ENCODER.encode(description.described(app))


class DocsController(Controller):
    """The pages; open to everybody, as they tell nothing that is not in the source."""

    path = "/"
    include_in_schema = False
    opt = {"open": True}  # noqa: RUF012  the framework's own form

    @get("/docs")
    async def swagger(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Swagger UI."""
        return await _sent(request, _our("docs.html", "text/html"))

    @get("/redoc")
    async def redoc(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """ReDoc."""
        return await _sent(request, _our("redoc.html", "text/html"))

    @get("/docs/{name:str}")
    async def file(self, request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        """A file of the pages."""
        if name not in _FILES:
            raise refusals.Unknown("file", name)
        return await _sent(request, _FILES[name])


async def _sent(request: Request[Any, Any, Any], file: _File) -> Response[bytes]:
    return _answered(request, await asyncio.to_thread(_read, file), file.media_type)


def _read(file: _File) -> bytes:
    content = file.path().read_bytes()
    for foreign, ours in file.instead:
        content = content.replace(foreign, ours)
    return content


def _answered(request: Request[Any, Any, Any], content: bytes, media_type: str) -> Response[bytes]:
    """The content, unless the browser has it already."""
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
