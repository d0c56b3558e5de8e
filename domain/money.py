"""Exact money: what may enter, how an amount is spread, how it is shown."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

from domain import refusals

ZERO = Decimal(0)
CENT = Decimal("0.01")
_MICRO = Decimal("0.000001")
_BEFORE = 12
_CENTS, _MICROS = -2, -6
LARGEST = Decimal(10) ** 15
MOST_SHARES = 10**12
_WIDE = Context(prec=10_000)


def entered(field: str, value: Decimal, *, least: Decimal | None = None) -> Decimal:
    """Let a figure in if it is finite, of at most 12 digits before and 6 after the point.

    `least` None asks for a positive figure, otherwise for one of at least `least`.
    Zeros behind the sixth digit after the point are left out.
    """
    if not value.is_finite():
        raise refusals.Invalid(field, value, "must be a finite number")
    if value.adjusted() >= _BEFORE or value != (kept := micro(value)):
        raise refusals.Invalid(
            field, value, "must have at most 12 digits before and 6 after the point"
        )
    if least is None and value <= 0:
        raise refusals.Invalid(field, value, "must be greater than 0")
    if least is not None and value < least:
        raise refusals.Invalid(field, value, f"must be at least {least}")
    exponent = value.as_tuple().exponent
    return value if isinstance(exponent, int) and exponent >= _MICROS else kept


def paid(field: str, amount: Decimal) -> Decimal:
    """Let an amount in that somebody paid, fees or capital: at least 0, in whole cents."""
    return cents(entered(field, amount, least=ZERO))


def moved(price: Decimal, quantity: Decimal | int) -> Decimal:
    """The cash that a price moves for a quantity: whole cents, as a broker books them.

    So every figure is the exact sum of the movements that it is made of.
    """
    return cents(price * quantity)


def counted(field: str, value: int, *, most: int = 1_000_000) -> int:
    """Let a count of contracts or shares in: at least one, at most `most`."""
    if not 1 <= value <= most:
        raise refusals.Invalid(field, value, f"must be from 1 to {most}")
    return value


def notional(field: str, amount: Decimal) -> Decimal:
    """Refuse an amount too large to be kept exactly beside all others."""
    if abs(amount) >= LARGEST:
        raise refusals.Invalid(field, amount, "makes an amount beyond 1e15")
    return amount


def part(total: Decimal, count: Decimal | int, of: Decimal | int, left: Decimal | None) -> Decimal:
    """The share of `total` that falls on `count` of `of` pieces, in whole cents.

    `left` is what earlier parts left over when this is the last one, else None:
    the last part takes the remainder, so the parts sum to `total` exactly.
    """
    if left is not None:
        return left
    return (total * count / of).quantize(CENT, rounding=ROUND_DOWN, context=_WIDE)


def cents(amount: Decimal) -> Decimal:
    """An amount as shown: whole cents, half up."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP, context=_WIDE)


def in_cents(amount: Decimal) -> int:
    """The same as a count of cents, for who adds up integers."""
    return int((amount * 100).to_integral_value(ROUND_HALF_UP))


def from_cents(count: int) -> Decimal:
    """An amount from a count of cents."""
    return Decimal(count).scaleb(_CENTS)


def micro(amount: Decimal) -> Decimal:
    """A figure with the six digits after the point that are kept at most."""
    return amount.quantize(_MICRO, context=_WIDE)


def price(amount: Decimal) -> Decimal:
    """A price as shown: as recorded, with at least two decimals."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent > _CENTS:
        return amount.quantize(CENT)
    while (
        isinstance(exponent, int)
        and exponent < _CENTS
        and amount == amount.quantize(Decimal(1).scaleb(exponent + 1))
    ):
        exponent += 1
        amount = amount.quantize(Decimal(1).scaleb(exponent))
    return amount
