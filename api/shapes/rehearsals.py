"""What an order would do, had it been meant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain import subjects
from projections import radius


class Change(msgspec.Struct, frozen=True):
    """One fact that an order would lead to."""

    name: str
    effective_at: datetime
    fact: subjects.AnyFact


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What would change, had the order been meant.

    `radius` is what else would be different, for an order on a wheel; else null.
    """

    dry_run: bool
    changes: list[Change]
    after: Any
    radius: radius.Radius | None = None
