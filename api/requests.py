"""Requests whose bodies are read exactly: no figure passes through a float."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, InternalServerException

from api import schemas
from domain import refusals

LARGEST_BODY = 1_000_000
READ_WITHIN = 20.0
_WHERE = re.compile(r"^(?P<constraint>.*?)(?: - at `\$\.?(?P<field>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<field>.*)`")
_MISSING = re.compile(r"missing required field `(?P<field>.*)`")
_FIGURE = re.compile(schemas.FIGURE, re.ASCII)
_SECRETS = frozenset({"url", "redirect_url"})
"""Fields whose values are nobody's business but who sends them."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that move a terminal's cursor, or end a text; lines and tabs are not among them."""


class Exact(Request[Any, Any, Any]):
    """Decodes a body straight into its handler's struct, strictly."""

    async def json(self) -> Any:
        """The body as the handler's `data`; raises refusals.Invalid. No body means no fields."""
        body = await self.body()
        field = self.route_handler.parsed_data_field
        assert field is not None
        return decoded(body or b"{}", field.annotation)

    async def body(self) -> bytes:
        """The whole of it, of bounded size and in bounded time; raises refusals.Invalid."""
        try:
            async with asyncio.timeout(READ_WITHIN):
                return await super().body()
        except (ClientException, InternalServerException, TimeoutError) as error:
            raise refusals.Invalid(
                "body", None, f"must be read whole, of at most {LARGEST_BODY} bytes"
            ) from error


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decoded(body: bytes, kind: Any) -> Any:
    """A struct from JSON; raises refusals.Invalid naming the field."""
    try:
        found = _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(body, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusals.Invalid("body", None, f"must be JSON: {error}") from error
    said = json.loads(body, object_pairs_hook=_meant, parse_int=str, parse_float=str)
    for field, text in (said or {}).items():
        if isinstance(getattr(found, field, None), Decimal) and not _FIGURE.fullmatch(text):
            raise refusals.Invalid(field, text, "must be a figure in plain digits")
    return found


def _meant(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what JSON allows and nobody can mean: a field said twice, control characters."""
    said = set()
    for field, value in pairs:
        if field in said:
            raise refusals.Invalid(field, value, "must be said once")
        if isinstance(value, str) and _CONTROL.search(value):
            raise refusals.Invalid(field, value, "must be text without control characters")
        said.add(field)
    return dict(pairs)


def _invalid(body: bytes, message: str) -> refusals.Invalid:
    found = _WHERE.match(message)
    field = (found["field"] if found else None) or "body"
    constraint = found["constraint"] if found else message
    for pattern in (_UNKNOWN, _MISSING):
        if named := pattern.search(constraint):
            field = named["field"]
    return refusals.Invalid(field, _value(body, field), _sentence(constraint))


def _sentence(constraint: str) -> str:
    return f"is not right: {constraint[:1].lower()}{constraint[1:]}"


def _value(body: bytes, field: str) -> Any:
    """What stood in the field, when that can be told, and may be."""
    if field in _SECRETS:
        return None
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return whole.get(field) if isinstance(whole, dict) else None
