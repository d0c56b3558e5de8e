"""What an order would do, had it been meant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain import facts


class Change(msgspec.Struct, frozen=True):
    """One fact that an order would lead to."""

    name: str
    effective_at: datetime
    fact: facts.Fact


class DryRun(msgspec.Struct, frozen=True):
    """What would change, had the order been meant."""

    dry_run: bool
    changes: list[Change]
    after: Any
