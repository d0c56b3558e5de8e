"""What the broker takes when nothing else is said, dated."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import msgspec

REGULATORY = Decimal("0.012")
"""What the regulators take of a contract sold, about: part of an estimate, never of a fact."""


class Tariff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a day on, USD a contract for buying or selling; assignment is free."""

    per_contract: Decimal
    since: date = date(1973, 4, 26)


class Schedule(msgspec.Struct, frozen=True):
    """Tariffs in order of their first day."""

    tariffs: tuple[Tariff, ...] = (Tariff(Decimal("0.65")),)

    def for_contracts(self, contracts: int, day: date) -> Decimal:
        """The fees of one option order on a day."""
        rate = Decimal(0)
        for tariff in self.tariffs:
            if tariff.since <= day:
                rate = tariff.per_contract
        return (rate * contracts).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def flat(per_contract: Decimal) -> Schedule:
    """The same for a contract on every day."""
    return Schedule((Tariff(per_contract),))
