"""What a trade's history is told as."""

from __future__ import annotations

from typing import Any

import msgspec

from domain import facts


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One fact in a trade's history, or an amendment of one."""

    version: int
    name: str
    recorded_at: Any
    effective_at: Any
    source: str
    fact: facts.Fact
