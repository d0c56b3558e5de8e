"""A signed permission to do one thing to one alert, for who has no token: a link in a message.

It says what may be done, to which alert, as it was raised when, and until when; whoever changes a
letter of it has none.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlencode
from uuid import UUID

import msgspec

Deed = Literal["acknowledge", "mute", "clear"]

LASTS: Final = timedelta(days=7)
MUTED_FOR: Final = timedelta(days=1)


class Permit(msgspec.Struct, frozen=True):
    """What may be done to an alert, until `expires`; `until` is how long it is then muted.

    `raised` is the position in the log at which it was raised: raised again it is another one.
    """

    alert_id: UUID
    raised: int
    what: Deed
    expires: datetime
    until: datetime | None = None


def signature(permit: Permit, secret: bytes) -> str:
    """What only who knows the secret can say of a permit: HMAC-SHA256, in hexadecimal digits."""
    whose = ("alert", permit.alert_id.hex, str(permit.raised))
    said = (permit.what, _text(permit.until), _text(permit.expires))
    return hmac.new(secret, "|".join((*whose, *said)).encode(), hashlib.sha256).hexdigest()


def holds(permit: Permit, given: str, secret: bytes, now: datetime) -> bool:
    """Whether this is its signature, and it has not expired."""
    right = hmac.compare_digest(signature(permit, secret).encode(), given.encode())
    return right and now < permit.expires


def links(
    alert_id: UUID, raised: int, public_url: str, secret: bytes, now: datetime
) -> dict[Deed, str]:
    """A link for each thing that can be done to an alert, valid for a week, to mute for a day."""
    at = now.astimezone(UTC).replace(microsecond=0)
    permits = (
        Permit(alert_id, raised, "acknowledge", at + LASTS),
        Permit(alert_id, raised, "mute", at + MUTED_FOR, at + MUTED_FOR),
        Permit(alert_id, raised, "clear", at + LASTS),
    )
    return {each.what: _link(each, public_url, secret) for each in permits}


def _link(permit: Permit, public_url: str, secret: bytes) -> str:
    query = {"what": permit.what, "raised": str(permit.raised), "until": _text(permit.until)}
    query = {name: value for name, value in query.items() if value}
    query |= {"expires": _text(permit.expires)}
    signed = urlencode(query | {"signature": signature(permit, secret)})
    return f"{public_url}/api/v1/alerts/{permit.alert_id}/act?{signed}"


def _text(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
