"""What is sent, and how the answer to it is read: values and pure functions, no connection."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from api.shapes.envelope import Answer, Page
from api.shapes.rehearsals import Change
from client import errors
from projections import radius

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")

KEY = "Idempotency-Key"
PREFIX = "/api/v1"
_RENAMED = {"first": "from", "last": "to"}
_OK = range(200, 300)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Request(msgspec.Struct, Generic[A], frozen=True, kw_only=True):
    """Something to be asked; `told` reads the answer, or raises an errors.Failed.

    `path` is the OpenAPI document's, `at` what stands in its braces.
    """

    method: str
    path: str
    at: Mapping[str, object]
    told: Callable[[httpx.Response], A]
    query: Mapping[str, object] = {}
    headers: Mapping[str, str] = {}
    content: bytes | None = None
    silence: float | None = None
    """Seconds without a word after which it is given up, if not those of the client."""

    @property
    def target(self) -> str:
        """The path as it is sent."""
        return self.path.format_map({name: quote(str(self.at[name]), safe="") for name in self.at})

    @property
    def params(self) -> list[tuple[str, str | int | float | bool | None]]:
        """The query as it is sent; what is None is left out."""
        return [
            (_RENAMED.get(name, name), _written(each))
            for name, value in self.query.items()
            for each in (value if isinstance(value, list | tuple) else [value])
            if each is not None
        ]


class Paged(Request[A], Generic[A, T], frozen=True, kw_only=True):
    """A question that is answered in pages."""

    items: Callable[[A], list[T]]
    following: Callable[[Mapping[str, object], A], Mapping[str, object] | None]
    """The query for the next page, from this one's and its answer; None at the end."""

    def next(self, answer: A) -> Paged[A, T] | None:
        """The question for the next page, None at the end."""
        query = self.following(self.query, answer)
        return None if query is None else msgspec.structs.replace(self, query=query)


class Done(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What became of a command: the resource as it now stands, or, for a dry run, as it would.

    `version` is what `if_match` takes next, `position` how far the ledger was then, `replayed`
    whether an earlier answer came again. A dry run tells the facts that would be recorded, and
    what else would be different.
    """

    data: T
    version: int | None = None
    position: int | None = None
    replayed: bool = False
    dry_run: bool = False
    changes: list[Change] = []
    radius: radius.Radius | None = None


class _Rehearsed(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A dry run's answer, with the resource of its own type."""

    dry_run: bool
    changes: list[Change]
    after: T
    radius: radius.Radius | None = None


def get(
    kind: type[A], path: str, query: Mapping[str, object] | None = None, **at: object
) -> Request[A]:
    """A question that one thing answers."""
    return question(path, one(kind), query, **at)


def question(
    path: str,
    told: Callable[[httpx.Response], A],
    query: Mapping[str, object] | None = None,
    **at: object,
) -> Request[A]:
    """A question, and how its answer is read."""
    return Request(method="GET", path=PREFIX + path, at=at, query=query or {}, told=told)


def paged(kind: type[T], path: str, query: Mapping[str, object], **at: object) -> Paged[Page[T], T]:
    """A question that a list answers, page by page."""
    return Paged(
        method="GET",
        path=PREFIX + path,
        at=at,
        query=query,
        told=lambda response: read(response, Page[kind]),  # type: ignore[valid-type]
        items=lambda page: page.data,
        following=_next_page,
    )


def _next_page(query: Mapping[str, object], page: Page[Any]) -> Mapping[str, object] | None:
    at = page.pagination
    return {**query, "page": at.page + 1} if at.page < at.total_pages else None


def one(kind: type[A]) -> Callable[[httpx.Response], A]:
    """Reads one thing out of its envelope."""

    def told(response: httpx.Response) -> A:
        answer: Answer[A] = read(response, Answer[kind])  # type: ignore[valid-type]
        return answer.data

    return told


def done(kind: type[T]) -> Callable[[httpx.Response], Done[T]]:
    """Reads what became of a command."""

    def told(response: httpx.Response) -> Done[T]:
        headers = response.headers
        if response.request.url.params.get("dry_run") == "true":
            rehearsed = read(response, Answer[_Rehearsed[kind]]).data  # type: ignore[valid-type]
            return Done(
                data=rehearsed.after,
                dry_run=True,
                changes=rehearsed.changes,
                radius=rehearsed.radius,
            )
        return Done(
            data=read(response, Answer[kind]).data,  # type: ignore[valid-type]
            version=_number(headers.get("ETag", "")),
            position=_number(headers.get("X-Ledger-Position", "")),
            replayed="Idempotency-Replayed" in headers,
        )

    return told


def _number(text: str) -> int | None:
    digits = text.strip('"')
    return int(digits) if digits.isdecimal() else None


def plainly(kind: type[A], *also: int) -> Callable[[httpx.Response], A]:
    """Reads a whole answer, also one of a further status."""

    def told(response: httpx.Response) -> A:
        answer: A = read(response, kind, accepted=(*_OK, *also))
        return answer

    return told


def content(response: httpx.Response) -> bytes:
    """Reads an answer that is taken as it is."""
    if response.status_code not in _OK:
        raise errors.of(response)
    return response.content


def text(response: httpx.Response) -> str:
    """Reads an answer that is text."""
    return content(response).decode()


def read(response: httpx.Response, kind: Any, *, accepted: Container[int] = _OK) -> Any:
    """An answer of a kind; raises the error that it tells of, or errors.Unreadable."""
    if response.status_code not in accepted:
        raise errors.of(response)
    try:
        return _decoder(kind).decode(response.content)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise errors.Unreadable(f"{response.request.url.path}: {error}") from error


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Also what has no type of its own is no float."""
    return msgspec.json.Decoder(kind, float_hook=Decimal)


def body(order: object) -> bytes:
    """A command as it is sent; money as numbers, with every digit that it has."""
    return _encoder.encode(order)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
