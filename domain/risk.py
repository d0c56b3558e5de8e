"""Where an open option stands, and when that needs somebody's attention.

Two ways to the same answer. `assess` says it exactly, in decimals, for one option. `Book` and
`evaluate` say it for every open option of a symbol at once, in whole micro-dollars, so that a
price on the very edge of a rule falls on the same side of it in both.

The rules are the rows of `RULES`: what raises an alert, what ends it, what it says. Between the
two lies the hysteresis: a price that swings around the strike is one alert until it has moved
0.5 % of the strike away, or 15 minutes after the alert was raised. `judge` walks the table; what
stands already (`Standing`) goes in, what stands then comes out, and time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from domain import calendar, facts, market, money

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Standing = Mapping[str, Ints]
"""By rule: when each option's alert was raised, in microseconds since 1970; NEVER when none is."""

NEAR_PERCENT: Final = Decimal(5)
LEVELS: Final[tuple[facts.Severity, ...]] = ("LOW", "MEDIUM", "HIGH")
ICONS: Final[Mapping[facts.Severity, str]] = {"LOW": "🟢", "MEDIUM": "🟡", "HIGH": "🔴"}
FEW_SESSIONS: Final = 3
PATIENCE: Final = timedelta(minutes=15)
SILENCE: Final = timedelta(days=4)
"""No regular closing of the exchange is longer: an older price says nothing about now."""
NEVER: Final = np.iinfo(np.int64).min

# In thousandths of the strike: the band near it, and how far away is away.
_NEAR, _AWAY, _WELL_BEYOND = 50, 5, 55
_LOW, _MEDIUM, _HIGH = range(3)
_PATIENCE: Final = PATIENCE // timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = Decimal("0.000001")
_PCT: Final = Decimal("0.0001")
_TENTH: Final = Decimal("0.1")
_LARGEST: Final = Decimal(10) ** 12


class OpenOption(msgspec.Struct, frozen=True):
    """Contracts sold and still open, as far as the market can endanger them.

    `strike` is USD per share, `contracts` what is still open.
    """

    wheel_id: UUID
    trade_id: UUID
    portfolio_id: UUID
    symbol: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int


class Assessment(msgspec.Struct, frozen=True):
    """How an option stands at a price; `pct` is in percent of the strike, to 4 decimals."""

    pct: Decimal
    is_itm: bool
    is_otm: bool
    label: str
    level: facts.Severity
    icon: str
    dte_calendar: int
    dte_trading: int


def assess(option: OpenOption, price: Decimal, on: date) -> Assessment:
    """How the option stands at this price of its share, on this New York date.

    At the strike counts as in the money: who watches a position wants to know.
    """
    price = price.quantize(_MICRO)
    pct = (price - option.strike) / option.strike * 100
    is_itm = price <= option.strike if option.direction == "put" else price >= option.strike
    near = 100 * abs(price - option.strike) <= NEAR_PERCENT * option.strike
    level: facts.Severity = "HIGH" if is_itm else "MEDIUM" if near else "LOW"
    return Assessment(
        pct=pct.quantize(_PCT) + 0,  # + 0: no minus before a zero
        is_itm=is_itm,
        is_otm=not is_itm,
        label=f"{'ITM' if is_itm else 'OTM'} by {abs(pct).quantize(_TENTH, ROUND_HALF_UP)}%",
        level=level,
        icon=ICONS[level],
        dte_calendar=calendar.dte_calendar(on, option.expiration_date),
        dte_trading=calendar.dte_trading(on, option.expiration_date),
    )


def trusted(quote: market.Quote, now: datetime) -> bool:
    """Whether a position may be judged by this price: a real one, and not out of date."""
    return (
        quote.state in {"live", "delayed"}
        and quote.last.is_finite()
        and 0 < quote.last < _LARGEST
        and abs(now - quote.as_of) <= SILENCE
    )


class PositionRisk(msgspec.Struct, frozen=True, kw_only=True):
    """An option's risk as it is told when it has changed; `price` of its share, in USD."""

    portfolio_id: UUID
    wheel_id: UUID
    trade_id: UUID
    symbol: str
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    level: facts.Severity
    is_itm: bool
    pct: Decimal
    label: str
    dte_calendar: int
    dte_trading: int
    price: Decimal
    price_as_of: datetime
    price_state: market.PriceState


class Book(msgspec.Struct, frozen=True):
    """The open options of one symbol as columns, one place per option.

    `strikes` in micro-dollars; `sides` is 1 for a put and -1 for a call; `expiry` says for each
    option which of the different `expirations` is its own.
    """

    options: tuple[OpenOption, ...]
    strikes: Ints
    sides: Ints
    expirations: tuple[date, ...]
    expiry: Ints

    def dte_trading(self, on: date) -> Ints:
        """Sessions left to each option."""
        left = [calendar.dte_trading(on, each) for each in self.expirations]
        return np.array(left, dtype=np.int64)[self.expiry]

    def alive(self, on: date) -> Mask:
        """Which options have not yet seen the end of their last day."""
        return np.array([on <= each for each in self.expirations], dtype=np.bool_)[self.expiry]


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
        expirations,
        np.array([places[each.expiration_date] for each in options], dtype=np.int64),
    )


def evaluate(book: Book, price: Decimal) -> Evaluation:
    """How every option stands at this price: the same as `assess`, all at once."""
    above = micros(price) - book.strikes
    otm = above * book.sides
    itm = otm <= 0
    level = np.where(itm, _HIGH, np.where(otm <= _share(book.strikes, _NEAR), _MEDIUM, _LOW))
    return Evaluation(otm, above / book.strikes * 100, itm, level.astype(np.int8))


def micros(amount: Decimal) -> int:
    """Whole micro-dollars: every figure that is let in has at most six decimals."""
    return int(amount.quantize(_MICRO).scaleb(6))


def moment(instant: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


class Look(msgspec.Struct, frozen=True):
    """What a rule may look at: a book's options at one price and one instant.

    Without a price to be trusted `otm` is None, and no rule that needs one is asked.
    """

    strikes: Ints
    dte: Ints
    raised: Standing
    now: int
    otm: Ints | None = None

    def out_by(self) -> Ints:
        """Micro-dollars out of the money."""
        if self.otm is None:
            raise ValueError("asked for moneyness without a price")
        return self.otm

    def share(self, thousandths: int) -> Ints:
        """So many thousandths of each strike, in micro-dollars, rounded down."""
        return _share(self.strikes, thousandths)

    def active(self, rule: str) -> Mask:
        """Whose alert under that rule stands."""
        stands: Mask = self.raised[rule] != NEVER
        return stands

    def waited(self, rule: str) -> Mask:
        """Whose alert under that rule was raised long enough ago."""
        since = np.maximum(self.raised[rule], 0)  # NEVER would leave 64 bits
        long_ago: Mask = self.now - since >= _PATIENCE
        return self.active(rule) & long_ago


class Rule(msgspec.Struct, frozen=True):
    """A reason to tell somebody: when it begins, when it is over, what to say.

    `due` and `over` answer for all options at once; `due` is asked where no alert stands,
    `over` where one does, neither of an option past its last day.
    """

    name: str
    severity: facts.Severity
    due: Callable[[Look], Mask]
    over: Callable[[Look], Mask]
    says: Callable[[OpenOption, Decimal | None, date], str]
    by_price: bool = True


def _itm_due(look: Look) -> Mask:
    return look.out_by() <= 0


def _itm_over(look: Look) -> Mask:
    otm = look.out_by()
    return (otm >= -_share(-look.strikes, _AWAY)) | ((otm > 0) & look.waited("itm"))


def _itm_says(option: OpenOption, price: Decimal | None, on: date) -> str:
    return f"{_named(option)} is in the money{_at(option, price, on)}"


def _near_strike_due(look: Look) -> Mask:
    """Out of the money but close; an alert that the option is in the money says more."""
    otm = look.out_by()
    return (otm > 0) & (otm <= look.share(_NEAR)) & ~look.active("itm")


def _near_strike_over(look: Look) -> Mask:
    """Only away from the strike: going into the money is an escalation, not an end."""
    otm = look.out_by()
    return (otm > look.share(_WELL_BEYOND)) | (
        (otm > look.share(_NEAR)) & look.waited("near_strike")
    )


def _near_strike_says(option: OpenOption, price: Decimal | None, on: date) -> str:
    return f"{_named(option)} is near its strike{_at(option, price, on)}"


def _near_expiration_due(look: Look) -> Mask:
    return look.dte < FEW_SESSIONS


def _near_expiration_over(look: Look) -> Mask:
    """Time does not turn back: only a corrected expiration date ends this."""
    return look.dte >= FEW_SESSIONS


def _near_expiration_says(option: OpenOption, price: Decimal | None, on: date) -> str:  # noqa: ARG001 - one shape for all rules
    left = calendar.dte_trading(on, option.expiration_date)
    days = {0: "today", 1: "in 1 trading day"}.get(left, f"in {left} trading days")
    return f"{_named(option)} expires {days}, on {option.expiration_date}"


RULES: Final[tuple[Rule, ...]] = (
    Rule("itm", "HIGH", _itm_due, _itm_over, _itm_says),
    Rule("near_strike", "MEDIUM", _near_strike_due, _near_strike_over, _near_strike_says),
    Rule(
        "near_expiration",
        "MEDIUM",
        _near_expiration_due,
        _near_expiration_over,
        _near_expiration_says,
        by_price=False,
    ),
)
"""In the order in which they are asked: a later rule sees what an earlier one has just done."""


class Turn(msgspec.Struct, frozen=True):
    """Under one rule: the places in the book whose alert begins, and those whose alert is over."""

    rule: Rule
    raised: Ints
    cleared: Ints


class Verdict(msgspec.Struct, frozen=True):
    """What a price, or the passing of time, has changed.

    `evaluation` is None without a price to be trusted; `turns` names only rules under which
    something changed; `standing` is what stands from now on.
    """

    evaluation: Evaluation | None
    dte: Ints
    turns: tuple[Turn, ...]
    standing: Standing


def nothing_raised(book: Book) -> dict[str, Ints]:
    """The standing of options about which nobody has been told anything."""
    return {each.name: np.full(len(book.options), NEVER, dtype=np.int64) for each in RULES}


def judge(book: Book, standing: Standing, price: Decimal | None, now: datetime) -> Verdict:
    """Ask every rule about every option of a book at once.

    The price is one to be trusted, or None: then only the rules that need none are asked.
    """
    on = calendar.trading_day(now)
    evaluation = None if price is None else evaluate(book, price)
    look = Look(
        book.strikes,
        book.dte_trading(on),
        dict(standing),
        moment(now),
        None if evaluation is None else evaluation.otm,
    )
    alive = book.alive(on)
    turns = []
    for rule in RULES:
        if not (rule.by_price and evaluation is None):
            turn, look = _asked(rule, look, alive)
            turns.append(turn)
    changed = tuple(each for each in turns if each.raised.size or each.cleared.size)
    return Verdict(evaluation, look.dte, changed, look.raised)


def told(rule: Rule, option: OpenOption, quote: market.Quote | None, on: date) -> facts.AlertRaised:
    """What is recorded when a rule begins to apply; whole in itself, as every fact."""
    price = None if quote is None else quote.last
    return facts.AlertRaised(
        portfolio_id=option.portfolio_id,
        wheel_id=option.wheel_id,
        trade_id=option.trade_id,
        symbol=option.symbol,
        rule=rule.name,
        severity=rule.severity,
        message=rule.says(option, price, on),
        direction=option.direction,
        strike=option.strike,
        expiration_date=option.expiration_date,
        price=price,
        price_as_of=None if quote is None else quote.as_of,
        dte_trading=calendar.dte_trading(on, option.expiration_date),
    )


def why_over(rule: Rule, option: OpenOption, price: Decimal | None, on: date) -> str:
    """What is recorded when a rule has ceased to apply."""
    if rule.by_price and price is not None:
        return assess(option, price, on).label
    return f"expires {option.expiration_date}"


def position_risk(option: OpenOption, quote: market.Quote, on: date) -> PositionRisk:
    """What is told about an option at this price, on this New York date."""
    assessed = assess(option, quote.last, on)
    return PositionRisk(
        portfolio_id=option.portfolio_id,
        wheel_id=option.wheel_id,
        trade_id=option.trade_id,
        symbol=option.symbol,
        direction=option.direction,
        strike=option.strike,
        expiration_date=option.expiration_date,
        contracts=option.contracts,
        level=assessed.level,
        is_itm=assessed.is_itm,
        pct=assessed.pct,
        label=assessed.label,
        dte_calendar=assessed.dte_calendar,
        dte_trading=assessed.dte_trading,
        price=quote.last,
        price_as_of=quote.as_of,
        price_state=quote.state,
    )


def _asked(rule: Rule, look: Look, alive: Mask) -> tuple[Turn, Look]:
    """What one rule changes, and the look that the next rule takes."""
    active = look.active(rule.name)
    begins = rule.due(look) & ~active & alive
    ends = rule.over(look) & active & alive
    turn = Turn(rule, np.flatnonzero(begins), np.flatnonzero(ends))
    if not (turn.raised.size or turn.cleared.size):
        return turn, look
    since = np.where(begins, look.now, np.where(ends, NEVER, look.raised[rule.name]))
    return turn, msgspec.structs.replace(look, raised={**look.raised, rule.name: since})


def _share(strikes: Ints, thousandths: int) -> Ints:
    """Thousandths of whole numbers, rounded down, without leaving 64 bits on the way."""
    return strikes // 1000 * thousandths + strikes % 1000 * thousandths // 1000


def _named(option: OpenOption) -> str:
    return f"{option.symbol} {money.price(option.strike)} {option.direction}"


def _at(option: OpenOption, price: Decimal | None, on: date) -> str:
    if price is None:
        return ""
    return f" at {money.price(price)}, {assess(option, price, on).label}"
