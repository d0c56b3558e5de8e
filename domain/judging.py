"""From what is known to what begins and what is over: every rule asked of all options of a symbol.

What stands already goes in, what stands then comes out, and time is an argument.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
import numpy as np

from domain import calendar, columns, facts, look, rules
from domain.columns import Ints, Mask
from domain.look import NEVER, Known, Limits, Look, Standing
from domain.rules import Rule


class Turn(msgspec.Struct, frozen=True):
    """Under one rule: the places in the book whose alert begins, and those whose alert is over."""

    rule: Rule
    raised: Ints
    cleared: Ints


class Verdict(msgspec.Struct, frozen=True):
    """What news of a symbol, or the passing of time, has changed.

    `evaluation` is None without a price to be trusted; `turns` names only rules under which
    something changed; `seen` is what was looked at, and in it what stands from now on.
    """

    evaluation: columns.Evaluation | None
    turns: tuple[Turn, ...]
    seen: Look


def nothing_raised(book: columns.Book) -> dict[str, Ints]:
    """The standing of options about which nobody has been told anything."""
    return {each.name: np.full(len(book.options), NEVER, dtype=np.int64) for each in rules.RULES}


def judge(
    book: columns.Book, standing: Standing, known: Known, now: datetime, limits: Limits
) -> Verdict:
    """Ask every rule about every option of a book at once, as far as it has what it needs."""
    seen, evaluation = look.look(book, standing, known, now, limits)
    alive = seen.where(lambda expiration: seen.on <= expiration)
    everyone = seen.all(holds=True)
    turns = []
    for rule in rules.RULES:
        if _can_be_asked(rule, seen):
            turn, seen = _asked(rule, seen, alive if rule.while_alive else everyone)
            turns.append(turn)
    changed = tuple(each for each in turns if each.raised.size or each.cleared.size)
    return Verdict(evaluation, changed, seen)


def told(rule: Rule, seen: Look, place: int) -> facts.AlertRaised:
    """What is recorded when a rule begins to apply; whole in itself, as every fact."""
    option = seen.book.options[place]
    price, as_of = priced(rule, seen)
    return facts.AlertRaised(
        portfolio_id=option.portfolio_id,
        wheel_id=option.wheel_id,
        trade_id=option.trade_id,
        symbol=option.symbol,
        rule=rule.name,
        severity=rule.severity,
        message=rule.says(seen, place),
        direction=option.direction,
        strike=option.strike,
        expiration_date=option.expiration_date,
        price=price,
        price_as_of=as_of,
        dte_trading=calendar.dte_trading(seen.on, option.expiration_date),
    )


def priced(rule: Rule, seen: Look) -> tuple[Decimal | None, datetime | None]:
    """The share's price by which a rule was judged, and of when it is, where there was one."""
    if rule.needs == "mark":
        said = seen.marked().said
        return said.price, said.as_of
    return (None, None) if seen.quote is None else (seen.quote.last, seen.quote.as_of)


def _can_be_asked(rule: Rule, seen: Look) -> bool:
    missing = {"nothing": False, "price": seen.otm is None, "mark": seen.marks is None}
    return not missing[rule.needs]


def _asked(rule: Rule, seen: Look, whom: Mask) -> tuple[Turn, Look]:
    """What one rule changes, and the look that the next rule takes."""
    active = seen.active(rule.name)
    begins = rule.due(seen) & ~active & whom
    ends = rule.over(seen) & active & whom if active.any() else active
    turn = Turn(rule, np.flatnonzero(begins), np.flatnonzero(ends))
    if not (turn.raised.size or turn.cleared.size):
        return turn, seen
    since = np.where(begins, seen.now, np.where(ends, NEVER, seen.raised[rule.name]))
    return turn, msgspec.structs.replace(seen, raised={**seen.raised, rule.name: since})
