"""When an open option needs somebody's attention: one row of `RULES` for each reason.

A row says what raises an alert, what ends it and what it says. Between raising and ending lies the
hysteresis: a price that swings around the strike is one alert until it has moved 0.5 % of the
strike away, or 15 minutes after the alert was raised. docs/alerts.md has them in a table.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

import msgspec
import numpy as np

from domain import calendar, columns, facts, look, market, money, risk
from domain.columns import Floats, Mask
from domain.look import Look

Needs = Literal["nothing", "price", "mark"]
Says = Callable[[Look, int], str]

FEW_SESSIONS: Final = 3
BACK_BY: Final = 10
"""Percentage points of the premium below its target at which a profit is none any more."""
BEFORE_EX_DATE: Final = 2
"""Sessions."""
BEFORE_EARNINGS: Final = timedelta(days=7)

_WELL_BEYOND: Final = 55
"""Thousandths of the strike: past the band near it."""


class Rule(msgspec.Struct, frozen=True):
    """A reason to tell somebody: when it begins, when it is over, what to say.

    `due` and `over` answer for all options at once; `due` is asked where no alert stands, `over`
    where one does, neither without what the rule `needs`, and neither of an option past its last
    day, unless that is what the rule is about: then it is not `while_alive`. `says` and `ended`
    put it into words for the option at a place of the book.
    """

    name: str
    severity: facts.Severity
    needs: Needs
    due: Callable[[Look], Mask]
    over: Callable[[Look], Mask]
    says: Says
    ended: Says
    while_alive: bool = True


# --- by the price ----------------------------------------------------------------------------


def _itm_due(seen: Look) -> Mask:
    return seen.out_by() <= 0


def _itm_over(seen: Look) -> Mask:
    otm = seen.out_by()
    return seen.away(otm) | ((otm > 0) & seen.waited("itm"))


def _itm_says(seen: Look, place: int) -> str:
    return f"{_named(seen, place)} is in the money{_at(seen, place)}"


def _near_strike_due(seen: Look) -> Mask:
    """Out of the money but close; an alert that the option is in the money says more."""
    otm = seen.out_by()
    return (otm > 0) & (otm <= seen.share(columns.NEAR)) & ~seen.active("itm")


def _near_strike_over(seen: Look) -> Mask:
    """Only away from the strike: going into the money is an escalation, not an end."""
    otm = seen.out_by()
    return (otm > seen.share(_WELL_BEYOND)) | (
        (otm > seen.share(columns.NEAR)) & seen.waited("near_strike")
    )


def _near_strike_says(seen: Look, place: int) -> str:
    return f"{_named(seen, place)} is near its strike{_at(seen, place)}"


def _where_it_stands(seen: Look, place: int) -> str:
    assert seen.quote is not None
    return risk.assess(seen.book.options[place], seen.quote.last, seen.on).label


# --- by the calendar -------------------------------------------------------------------------


def _near_expiration_due(seen: Look) -> Mask:
    return seen.dte < FEW_SESSIONS


def _near_expiration_over(seen: Look) -> Mask:
    """Time does not turn back: only a corrected expiration date ends this."""
    return seen.dte >= FEW_SESSIONS


def _near_expiration_says(seen: Look, place: int) -> str:
    option = seen.book.options[place]
    left = calendar.dte_trading(seen.on, option.expiration_date)
    days = {0: "today", 1: "in 1 trading day"}.get(left, f"in {left} trading days")
    return f"{_named(seen, place)} expires {days}, on {option.expiration_date}"


def _evidence_missing_due(seen: Look) -> Mask:
    return seen.where(lambda expiration: calendar.close_at(expiration) < seen.at)


def _evidence_missing_over(seen: Look) -> Mask:
    """A trade that has ended is not looked at any more: only a corrected date ends this here."""
    return ~_evidence_missing_due(seen)


def _evidence_missing_says(seen: Look, place: int) -> str:
    expired = seen.book.options[place].expiration_date
    return f"{_named(seen, place)} expired on {expired}, and nobody has said how it ended"


def _when_it_expires(seen: Look, place: int) -> str:
    return f"expires {seen.book.options[place].expiration_date}"


def _earnings_due(seen: Look) -> Mask:
    """Of days that are not known nothing is said."""
    return seen.where(lambda expiration: _report(seen, expiration) is not None)


def _earnings_over(seen: Look) -> Mask:
    """Not to know any more is not to know that it is over."""
    return seen.all(holds=_reports(seen) is not None) & ~_earnings_due(seen)


def _earnings_says(seen: Look, place: int) -> str:
    expiration = seen.book.options[place].expiration_date
    day = _report(seen, expiration)
    return f"{_named(seen, place)} sees earnings on {day}; it expires on {expiration}"


def _earnings_ended(seen: Look, place: int) -> str:
    return f"no earnings close ahead until {seen.book.options[place].expiration_date}"


def _reports(seen: Look) -> tuple[date, ...] | None:
    """The days on which earnings are known to come: however old the marks, those stand."""
    return None if seen.known.marks is None else seen.known.marks.said.earnings


def _report(seen: Look, expiration: date) -> date | None:
    """The next day with earnings, if it is close and the option lives to see it."""
    last = min(expiration, seen.on + BEFORE_EARNINGS)
    return min((day for day in _reports(seen) or () if seen.on <= day <= last), default=None)


# --- by the option's own mark ----------------------------------------------------------------


def _profit_target_due(seen: Look) -> Mask:
    """Who would keep that much of the premium who bought back at the ask."""
    return _kept(seen) >= seen.limits.profit_target * seen.book.premiums


def _profit_target_over(seen: Look) -> Mask:
    return _kept(seen) <= (seen.limits.profit_target - BACK_BY) * seen.book.premiums


def _kept(seen: Look) -> Floats:
    """A hundred times what would be kept, in micro-dollars: whole, so that an edge is one."""
    return 100 * (seen.book.premiums - seen.marked().asks * seen.book.shares)


def _profit_target_says(seen: Look, place: int) -> str:
    ask, percent = _profit(seen, place)
    return (
        f"{_named(seen, place)} has earned {percent} % of its premium: "
        f"{money.price(ask)} buys it back"
    )


def _profit_target_ended(seen: Look, place: int) -> str:
    if seen.book.options[place].premium <= 0:
        return "there is no premium to earn"
    ask, percent = _profit(seen, place)
    return f"{percent} % of the premium earned at {money.price(ask)}"


def _profit(seen: Look, place: int) -> tuple[Decimal, Decimal]:
    """The ask, and the percentage of the premium that it leaves, rounded down."""
    option, ask = seen.book.options[place], look.offered(_mark(seen, place))
    assert ask is not None
    cost = ask * option.multiplier * option.contracts
    percent = 100 * (option.premium - cost) / option.premium
    return ask, percent.to_integral_value(ROUND_FLOOR)


def _ex_dividend_due(seen: Look) -> Mask:
    said = seen.marked()
    dividend = said.said.dividend
    if dividend is None or not _is_soon(seen, dividend):
        return seen.all(holds=False)
    lives = seen.where(lambda expiration: expiration >= dividend.ex_date)
    calls = (seen.book.sides < 0) & (said.inside >= 0)
    return lives & calls & (said.extrinsic < float(dividend.amount * 1_000_000))


def _ex_dividend_over(seen: Look) -> Mask:
    """On the ex-date at once: who exercises then comes too late for the dividend."""
    dividend = seen.marked().said.dividend
    if dividend is not None and seen.on >= dividend.ex_date:
        return seen.all(holds=True)
    if dividend is None or not _is_soon(seen, dividend):
        return seen.waited("ex_dividend")
    return _no_reason_to_exercise(seen, "ex_dividend", _ex_dividend_due(seen))


def _is_soon(seen: Look, dividend: market.Dividend) -> bool:
    return (
        seen.on < dividend.ex_date
        and calendar.dte_trading(seen.on, dividend.ex_date) <= BEFORE_EX_DATE
    )


def _ex_dividend_says(seen: Look, place: int) -> str:
    dividend = seen.marked().said.dividend
    assert dividend is not None
    return (
        f"{_named(seen, place)} may be assigned early: the dividend of "
        f"{money.price(dividend.amount)}, ex {dividend.ex_date}, is more than its extrinsic value "
        f"of {_extrinsic(seen, place)}"
    )


def _ex_dividend_ended(seen: Look, place: int) -> str:
    dividend = seen.marked().said.dividend
    if dividend is not None and seen.on >= dividend.ex_date:
        return "the ex-date has begun"
    if dividend is None or not _is_soon(seen, dividend):
        return "no dividend close ahead"
    return _worth_keeping(seen, place)


def _early_put_exercise_due(seen: Look) -> Mask:
    said = seen.marked()
    puts = (seen.book.sides > 0) & (said.inside >= 0)
    due: Mask = puts & (said.extrinsic < _interest(seen))
    return due


def _early_put_exercise_over(seen: Look) -> Mask:
    return _no_reason_to_exercise(seen, "early_put_exercise", _early_put_exercise_due(seen))


def _interest(seen: Look) -> Floats:
    """What the strike earns to expiration in who has it now, in micro-dollars per share."""
    return seen.book.strikes * seen.limits.risk_free_rate * seen.book.years(seen.at)


def _early_put_exercise_says(seen: Look, place: int) -> str:
    interest = _dollars(_interest(seen)[place]).quantize(money.CENT, ROUND_CEILING)
    return (
        f"{_named(seen, place)} may be assigned early: its extrinsic value of "
        f"{_extrinsic(seen, place)} is less than the interest on its strike, {interest}"
    )


def _no_reason_to_exercise(seen: Look, rule: str, due: Mask) -> Mask:
    """Far out of the money at once; else after a while, for extrinsic values swing too."""
    said = seen.marked()
    known = ~np.isnan(said.extrinsic)
    return known & ~due & (seen.away(-said.inside) | seen.waited(rule))


def _worth_keeping(seen: Look, place: int) -> str:
    if seen.marked().inside[place] < 0:
        return "out of the money"
    return f"extrinsic value {_extrinsic(seen, place)}"


def _extrinsic(seen: Look, place: int) -> Decimal:
    return money.price(_dollars(seen.marked().extrinsic[place]))


def _mark(seen: Look, place: int) -> market.OptionMark:
    mark = seen.marked().marks[place]
    assert mark is not None
    return mark


def _dollars(micros: float) -> Decimal:
    return Decimal(round(micros)).scaleb(-6)


# --- by the silence of the market ------------------------------------------------------------


def _stale_price_due(seen: Look) -> Mask:
    return seen.all(holds=seen.overdue and not seen.fresh)


def _stale_price_over(seen: Look) -> Mask:
    return seen.all(holds=seen.fresh)


def _stale_price_says(seen: Look, place: int) -> str:
    last = seen.known.quote
    if last is None:
        return f"{_named(seen, place)} is not watched: {_symbol(seen, place)} has no price"
    when = f"{last.as_of.astimezone(calendar.NEW_YORK):%Y-%m-%d %H:%M} New York time"
    return (
        f"{_named(seen, place)} is not watched: the last price of {_symbol(seen, place)} "
        f"is of {when}"
    )


def _stale_price_ended(seen: Look, place: int) -> str:  # noqa: ARG001 - one shape for all rules
    assert seen.quote is not None
    return f"a price has come: {money.price(seen.quote.last)}"


# --- the table -------------------------------------------------------------------------------


RULES: Final[tuple[Rule, ...]] = (
    Rule("itm", "HIGH", "price", _itm_due, _itm_over, _itm_says, _where_it_stands),
    Rule(
        "near_strike",
        "MEDIUM",
        "price",
        _near_strike_due,
        _near_strike_over,
        _near_strike_says,
        _where_it_stands,
    ),
    Rule(
        "near_expiration",
        "MEDIUM",
        "nothing",
        _near_expiration_due,
        _near_expiration_over,
        _near_expiration_says,
        _when_it_expires,
    ),
    Rule(
        "profit_target",
        "LOW",
        "mark",
        _profit_target_due,
        _profit_target_over,
        _profit_target_says,
        _profit_target_ended,
    ),
    Rule(
        "ex_dividend",
        "HIGH",
        "mark",
        _ex_dividend_due,
        _ex_dividend_over,
        _ex_dividend_says,
        _ex_dividend_ended,
    ),
    Rule(
        "early_put_exercise",
        "MEDIUM",
        "mark",
        _early_put_exercise_due,
        _early_put_exercise_over,
        _early_put_exercise_says,
        _worth_keeping,
    ),
    Rule(
        "earnings",
        "MEDIUM",
        "nothing",
        _earnings_due,
        _earnings_over,
        _earnings_says,
        _earnings_ended,
    ),
    Rule(
        "stale_price",
        "MEDIUM",
        "nothing",
        _stale_price_due,
        _stale_price_over,
        _stale_price_says,
        _stale_price_ended,
    ),
    Rule(
        "evidence_missing",
        "HIGH",
        "nothing",
        _evidence_missing_due,
        _evidence_missing_over,
        _evidence_missing_says,
        _when_it_expires,
        while_alive=False,
    ),
)
"""In the order in which they are asked: a later rule sees what an earlier one has just done."""


def _named(seen: Look, place: int) -> str:
    option = seen.book.options[place]
    return f"{option.symbol} {money.price(option.strike)} {option.direction}"


def _symbol(seen: Look, place: int) -> str:
    return seen.book.options[place].symbol


def _at(seen: Look, place: int) -> str:
    if seen.quote is None:
        return ""
    return f" at {money.price(seen.quote.last)}, {_where_it_stands(seen, place)}"
