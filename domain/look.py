"""What the rules look at: all that is known of a symbol's options, in columns, at one instant.

What is known (`Known`) is kept as it was said; whether it counts is decided anew at each look, for
what is not said again grows old. What an option's own mark says is NaN where nothing is said: no
comparison with it holds, so that nothing begins and nothing ends by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from domain import calendar, columns, freshness, mark, market, risk
from domain.columns import Floats, Ints, Mask

Standing = Mapping[str, Ints]
"""By rule: when each option's alert was raised, in microseconds since 1970; NEVER when none is."""

NEVER: Final = np.iinfo(np.int64).min
PATIENCE: Final = timedelta(minutes=15)
TRUSTED_FOR: Final = timedelta(minutes=30)
"""Of trading: a mark that is older says nothing about now."""
DELAY: Final = timedelta(minutes=15)
"""How late the prices are that are called delayed."""

# In thousandths of the strike: how far out of the money is away from it.
_AWAY: Final = 5
_PATIENCE: Final = PATIENCE // timedelta(microseconds=1)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decides about the rules.

    `profit_target` in percent of the premium, `risk_free_rate` in parts a year, continuous;
    `price_age` is how old a price may become while the market is open.
    """

    profit_target: float = 50.0
    risk_free_rate: float = 0.04
    price_age: timedelta = timedelta(minutes=15)


class Marks(msgspec.Struct, frozen=True):
    """What the market says of a book's options, one place per option.

    `marks` has None where it says nothing of one. In micro-dollars per share, NaN where it is not
    known: the `asks`, what is `inside` (in the money, 0 and above is in it) at the price that was
    said with the marks, and the `extrinsic` value, which is the middle of bid and ask less that.
    """

    said: market.HeldMarks
    marks: tuple[market.OptionMark | None, ...]
    asks: Floats
    inside: Floats
    extrinsic: Floats


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The last that was said of a symbol, whatever it is worth, and since when it is watched."""

    since: datetime
    quote: market.Quote | None = None
    marks: Marks | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule may look at: a book's options at one instant, and what stands about them.

    `otm` (micro-dollars out of the money) and `quote` are None without a price to be trusted,
    `marks` without such marks: no rule that needs them is asked then. `fresh` is whether the
    symbol's price is one of now, `overdue` whether it should be.
    """

    book: columns.Book
    known: Known
    limits: Limits
    at: datetime
    on: date
    now: int
    dte: Ints
    raised: Standing
    quote: market.Quote | None
    otm: Ints | None
    marks: Marks | None
    fresh: bool
    overdue: bool

    def out_by(self) -> Ints:
        """Micro-dollars out of the money."""
        if self.otm is None:
            raise ValueError("asked for moneyness without a price")
        return self.otm

    def marked(self) -> Marks:
        """What the market says of the options."""
        if self.marks is None:
            raise ValueError("asked for marks without any")
        return self.marks

    def share(self, thousandths: int) -> Ints:
        """So many thousandths of each strike, in micro-dollars, rounded down."""
        return columns.share(self.book.strikes, thousandths)

    def away(self, out_by: Ints | Floats) -> Mask:
        """Who is far enough out of the money to be away from it."""
        away: Mask = out_by >= -columns.share(-self.book.strikes, _AWAY)
        return away

    def active(self, rule: str) -> Mask:
        """Whose alert under that rule stands."""
        stands: Mask = self.raised[rule] != NEVER
        return stands

    def waited(self, rule: str) -> Mask:
        """Whose alert under that rule was raised long enough ago."""
        since = np.maximum(self.raised[rule], 0)  # NEVER would leave 64 bits
        long_ago: Mask = self.now - since >= _PATIENCE
        return self.active(rule) & long_ago

    def all(self, *, holds: bool) -> Mask:
        """The same of every option."""
        return np.full(len(self.book.options), holds, dtype=np.bool_)

    def where(self, holds: Callable[[date], bool]) -> Mask:
        """Of which options something holds by their expiration alone."""
        return self.book.where(holds)


def marks(book: columns.Book, said: market.HeldMarks) -> Marks:
    """Lay what the market says of held contracts out beside a book.

    Only contracts of the standard multiplier are listed by direction, strike and expiration alone:
    an adjusted one of the same three is another contract, of which nothing is said here.
    """
    by_contract = {(each.direction, each.strike, each.expiration): each for each in said.options}
    found = tuple(
        by_contract.get((each.direction, each.strike, each.expiration_date))
        if each.multiplier == risk.STANDARD
        else None
        for each in book.options
    )
    inside: Floats = (book.strikes - _micros(said.price)) * book.sides
    extrinsic: Floats = np.maximum(_said(middle, found) - np.maximum(inside, 0), 0)
    return Marks(said, found, _said(offered, found), inside, extrinsic)


def look(
    book: columns.Book, raised: Standing, known: Known, at: datetime, limits: Limits
) -> tuple[Look, columns.Evaluation | None]:
    """Look at a book now, and how its options stand, where there is a price to be trusted."""
    on = calendar.trading_day(at)
    quote, said = known.quote, known.marks
    if quote is not None and not (
        risk.trusted(quote, at) and not freshness.before_split(quote.as_of, book.split_on)
    ):
        quote = None
    if said is not None and freshness.before_split(said.said.as_of, book.split_on):
        said = None
    stands = None if quote is None else columns.evaluate(book, quote.last)
    found = Look(
        book=book,
        known=known,
        limits=limits,
        at=at,
        on=on,
        now=risk.moment(at),
        dte=book.dte_trading(on),
        raised=dict(raised),
        quote=quote,
        otm=None if stands is None else stands.otm,
        marks=said if said is not None and trusted(said.said, at) else None,
        fresh=quote is not None and fresh(quote, at, limits.price_age),
        overdue=calendar.is_open(at)
        and at - max(known.since, calendar.open_at(on)) >= limits.price_age,
    )
    return found, stands


def trusted(said: market.HeldMarks, now: datetime) -> bool:
    """Whether options may be judged by these marks: real ones, and not out of date."""
    return (
        said.state in {"live", "delayed"}
        and said.price.is_finite()
        and said.price > 0
        and abs(now - said.as_of) <= risk.SILENCE
        and _within(TRUSTED_FOR, said.as_of, now)
    )


def fresh(quote: market.Quote, now: datetime, age: timedelta) -> bool:
    """Whether a price to be trusted is one of now, or of the last moment in which there was one."""
    return _within(age + DELAY if quote.state == "delayed" else age, quote.as_of, now)


def _within(age: timedelta, since: datetime, now: datetime) -> bool:
    """Whether no more than that of trading time has passed."""
    return now - since <= age or calendar.traded(since, now) <= age


def middle(said: market.OptionMark) -> Decimal | None:
    """The middle of bid and ask, in USD per share, where both are known and make sense."""
    return mark.middle(said.bid, said.ask)


def offered(said: market.OptionMark) -> Decimal | None:
    """What buys it back, in USD per share; an ask of nothing is none: nobody gives it away."""
    ask = _real(said.ask)
    return ask if ask is not None and ask > 0 else None


def _real(amount: Decimal | None) -> Decimal | None:
    return amount if amount is not None and amount.is_finite() else None


def _said(
    figure: Callable[[market.OptionMark], Decimal | None],
    found: Sequence[market.OptionMark | None],
) -> Floats:
    """A figure of each mark in micro-dollars, NaN where it is not known."""
    figures = (None if each is None else figure(each) for each in found)
    return np.array(
        [np.nan if each is None else _micros(each) for each in figures], dtype=np.float64
    )


def _micros(price: Decimal) -> np.float64:
    return np.float64(price * 1_000_000)
