"""Where every open option of a symbol stands, all at once.

The same answer as `risk.assess`, in whole micro-dollars, so that a price on the very edge of a
rule falls on the same side of it in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from domain import calendar, money
from domain.risk import OpenOption

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NEAR: Final = 50
"""Thousandths of the strike: the band near it."""

_LOW, _MEDIUM, _HIGH = range(3)


class Book(msgspec.Struct, frozen=True):
    """The open options of one symbol as columns, one place per option.

    `strikes` and `premiums` in micro-dollars, `shares` of all contracts; `sides` is 1 for a put and
    -1 for a call; `expiry` says for each option which of the different `expirations` is its own.
    `split_on` is the day of the symbol's last split.
    """

    options: tuple[OpenOption, ...]
    strikes: Ints
    sides: Ints
    premiums: Floats
    shares: Floats
    expirations: tuple[date, ...]
    expiry: Ints
    split_on: date | None = None

    def dte_trading(self, on: date) -> Ints:
        """Sessions left to each option."""
        left = [calendar.dte_trading(on, each) for each in self.expirations]
        return np.array(left, dtype=np.int64)[self.expiry]

    def years(self, at: datetime) -> Floats:
        """Years left to each option; negative once it has expired."""
        left = [calendar.years_to_expiry(at, each) for each in self.expirations]
        return np.array(left, dtype=np.float64)[self.expiry]

    def where(self, holds: Callable[[date], bool]) -> Mask:
        """Of which options something holds by their expiration alone."""
        return np.array([holds(each) for each in self.expirations], dtype=np.bool_)[self.expiry]


class Evaluation(msgspec.Struct, frozen=True):
    """How every option of a book stands at one price.

    `pct` in percent of the strike; `otm` in micro-dollars out of the money, 0 and below is in
    it; `level` is a place in LEVELS.
    """

    otm: Ints
    pct: Floats
    itm: Mask
    level: npt.NDArray[np.int8]


def book(options: Sequence[OpenOption]) -> Book:
    """Lay the open options of one symbol out in columns."""
    expirations = tuple(sorted({each.expiration_date for each in options}))
    places = {day: place for place, day in enumerate(expirations)}
    return Book(
        tuple(options),
        np.array([micros(each.strike) for each in options], dtype=np.int64),
        np.array([1 if each.direction == "put" else -1 for each in options], dtype=np.int64),
        np.array([micros(each.premium) for each in options], dtype=np.float64),
        np.array([float(each.multiplier * each.contracts) for each in options], dtype=np.float64),
        expirations,
        np.array([places[each.expiration_date] for each in options], dtype=np.int64),
        max((each.split_on for each in options if each.split_on is not None), default=None),
    )


def evaluate(book: Book, price: Decimal) -> Evaluation:
    """How every option stands at this price: the same as `assess`, all at once."""
    above = micros(price) - book.strikes
    otm = above * book.sides
    itm = otm <= 0
    level = np.where(itm, _HIGH, np.where(otm <= share(book.strikes, NEAR), _MEDIUM, _LOW))
    return Evaluation(otm, above / book.strikes * 100, itm, level.astype(np.int8))


def micros(amount: Decimal) -> int:
    """Whole micro-dollars: every figure that is let in has at most six decimals."""
    return int(money.micro(amount).scaleb(6))


def share(strikes: Ints, thousandths: int) -> Ints:
    """Thousandths of whole numbers, rounded down, without leaving 64 bits on the way."""
    return strikes // 1000 * thousandths + strikes % 1000 * thousandths // 1000
