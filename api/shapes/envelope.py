"""The form of every answer: `data` and `timestamp`, lists with their `pagination`, errors."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

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
