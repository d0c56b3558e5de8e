"""What is said and answered about the login at the market's provider."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class LoginState(msgspec.Struct, frozen=True, kw_only=True):
    """How the login stands, and how long it lasts.

    `not_needed` where the market has none, `none` before the first; `unreadable` is one that was
    kept, but cannot be read any more: `reason` says why. Whether the provider still accepts a
    valid one is said by its health.
    """

    market: str
    state: Literal["not_needed", "none", "valid", "ended", "unreadable"]
    since: datetime | None = None
    ends: datetime | None = None
    reason: str | None = None


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person logs in, and until when the login should be completed."""

    authorize_url: str
    expires_at: datetime


class CompleteLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address at which the visit to the provider ended, copied whole from the browser."""

    redirect_url: Annotated[str, Meta(min_length=1, max_length=4096)]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Since when the provider lets us in, and when that ends for good."""

    since: datetime
    ends: datetime
