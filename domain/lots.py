"""Shares in the lots they came in; what leaves first came in first."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import facts, money


class Lot(msgspec.Struct, frozen=True):
    """Shares that came in together; `id` is the version of the fact that brought them.

    `basis` is what they cost, `tax_basis` the same less an assigned put's net premium;
    the `_left` fields are the part that is still held.
    """

    id: int
    acquired_at: datetime
    how: str
    shares: int
    shares_left: int
    basis: Decimal
    basis_left: Decimal
    tax_basis: Decimal
    tax_left: Decimal
    cycle: int
    trade_id: UUID | None = None


class Taken(msgspec.Struct, frozen=True):
    """Shares leaving one lot, with their parts of its two bases."""

    lot: Lot
    shares: int
    basis: Decimal
    tax_basis: Decimal


def first_out(lots: tuple[Lot, ...], shares: int) -> list[Taken]:
    """What leaves first in, first out when `shares` go, as far as they are held."""
    taken = []
    for lot in lots:
        if shares <= 0:
            break
        if lot.shares_left:
            count = min(shares, lot.shares_left)
            taken.append(_take(lot, count))
            shares -= count
    return taken


def _take(lot: Lot, count: int) -> Taken:
    last = count == lot.shares_left
    return Taken(
        lot,
        count,
        money.part(lot.basis, count, lot.shares, lot.basis_left if last else None),
        money.part(lot.tax_basis, count, lot.shares, lot.tax_left if last else None),
    )


def spread(total: Decimal, taken: list[Taken]) -> list[Decimal]:
    """Spread an amount over the lots that shares are taken from, by their shares."""
    shares = sum(each.shares for each in taken)
    parts = [money.part(total, each.shares, shares, None) for each in taken[:-1]]
    return [*parts, total - sum(parts, money.ZERO)]


def without(lots: tuple[Lot, ...], taken: list[Taken]) -> tuple[Lot, ...]:
    """The lots after what was taken has left them."""
    gone = {each.lot.id: each for each in taken}
    return tuple(_without(lot, gone.get(lot.id)) for lot in lots)


def _without(lot: Lot, taken: Taken | None) -> Lot:
    if taken is None:
        return lot
    return replace(
        lot,
        shares_left=lot.shares_left - taken.shares,
        basis_left=lot.basis_left - taken.basis,
        tax_left=lot.tax_left - taken.tax_basis,
    )


def split(held: tuple[Lot, ...], fact: facts.SplitApplied) -> tuple[Lot, ...]:
    """The lots after a split: whole shares, the basis carried over in total.

    A fraction of a share that a reverse split leaves is paid in cash. Only where not one
    share is left does a basis go, as a loss.
    """
    lots: list[Lot] = []
    before = after = 0
    carried = carried_tax = money.ZERO
    for lot in held:
        if not lot.shares_left:
            lots.append(lot)
            continue
        before += lot.shares_left
        left = before * fact.numerator // fact.denominator - after
        after += left
        basis, tax = lot.basis_left + carried, lot.tax_left + carried_tax
        carried, carried_tax = (money.ZERO, money.ZERO) if left else (basis, tax)
        kept = (basis, tax) if left else (money.ZERO, money.ZERO)
        lots.append(_rescaled(lot, left, *kept))
    if carried and after:
        home = max(index for index, lot in enumerate(lots) if lot.shares_left)
        lot = lots[home]
        lots[home] = _rescaled(
            lot, lot.shares_left, lot.basis_left + carried, lot.tax_left + carried_tax
        )
    return tuple(lots)


def _rescaled(lot: Lot, shares: int, basis: Decimal, tax_basis: Decimal) -> Lot:
    return replace(
        lot,
        shares=shares,
        shares_left=shares,
        basis=basis,
        basis_left=basis,
        tax_basis=tax_basis,
        tax_left=tax_basis,
    )
