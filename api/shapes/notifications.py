"""What is answered about channels beside what the ledger keeps of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from domain import permit
from projections import answers


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A test message that a channel took; `delivery_id` is what it carried as its id."""

    channel: str
    service: str
    delivery_id: UUID


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed link can do, to which alert as it now stands; `until` is how long it mutes."""

    what: permit.Deed
    until: datetime | None
    expires: datetime
    alert: answers.Alert
