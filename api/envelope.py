"""The form of every answer: `data` and `timestamp`, lists with their `pagination`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from litestar import Response

from api.shapes.envelope import Page, Pagination
from projections import answers

T = TypeVar("T")


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
