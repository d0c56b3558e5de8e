"""The form of every answer: `data` and `timestamp`, lists with their `pagination`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response

from projections import answers

T = TypeVar("T")


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """One thing."""

    data: T
    timestamp: datetime


class Pagination(msgspec.Struct, frozen=True):
    """Where a page stands among all."""

    page: int
    page_size: int
    total_items: int
    total_pages: int


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of many things."""

    data: list[T]
    timestamp: datetime
    pagination: Pagination


class Fault(msgspec.Struct, frozen=True):
    """What went wrong: a code for programs, a message for people."""

    code: str
    message: str
    details: dict[str, Any]


class Failure(msgspec.Struct, frozen=True):
    """The form of every error."""

    error: Fault
    timestamp: datetime


class Reply(Response[T]):
    """An answer with its money written as JSON numbers, from Decimals."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:  # noqa: ARG002
        """Bytes stand for themselves: an answer that is given a second time."""
        return content if isinstance(content, bytes) else answers.ENCODER.encode(content)


def page_of(
    items: list[Any], total: int, page: int, page_size: int, now: datetime
) -> Reply[Page[Any]]:
    """A page's reply."""
    pages = -(-total // page_size)
    return Reply(Page(items, now, Pagination(page, page_size, total, pages)))
