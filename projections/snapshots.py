"""What a mark is answered as, and the trend that marks show: pure functions of facts.

Amounts are in whole cents, prices in USD per share, times UTC, dates New York dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from domain import calendar, facts, money, risk

_RANK: dict[facts.Severity, int] = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}


class Moneyness(msgspec.Struct, frozen=True, kw_only=True):
    """(price - strike) / strike in percent, for puts and calls alike."""

    is_itm: bool
    is_otm: bool
    pct: Decimal
    label: str


class MarkedOption(msgspec.Struct, frozen=True, kw_only=True):
    """An open option at a mark.

    `option_mid`, `intrinsic` and `extrinsic` in USD per share; `value` and `premium_collected`
    in USD for what was open, and `unrealized_pnl` the latter less the former. Without a mid
    there is neither of what depends on it.
    """

    trade_id: UUID
    direction: facts.Direction
    strike: Decimal
    expiration: date
    contracts: int
    multiplier: Decimal
    dte_calendar: int
    dte_trading: int
    moneyness: Moneyness
    risk_level: facts.Severity
    risk_icon: str
    premium_collected: Decimal
    option_mid: Decimal | None
    intrinsic: Decimal
    extrinsic: Decimal | None
    value: Decimal | None
    unrealized_pnl: Decimal | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel at one instant, as it was known when it was written down.

    `stock_unrealized` is the shares' value less what they cost, `option_unrealized` the sum of
    the options'; `unrealized_pnl` both, null as soon as one option has no price. `risk_level` is
    that of the most endangered option.
    """

    version: int
    wheel_id: UUID
    portfolio_id: UUID
    symbol: str
    effective_at: datetime
    recorded_at: datetime
    state: str
    shares: int
    cash: Decimal
    collateral_in_use: Decimal
    price: Decimal
    price_as_of: datetime
    price_source: str
    price_state: facts.PriceState
    risk_level: facts.Severity | None
    risk_icon: str | None
    options: list[MarkedOption]
    share_value: Decimal
    option_value: Decimal | None
    stock_unrealized: Decimal
    option_unrealized: Decimal | None
    unrealized_pnl: Decimal | None
    source: str
    external_id: str | None
    notes: str | None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The last mark of a New York day, or of an ISO week, which `date` (its Monday) names.

    Moneyness, risk level and days to expiration are those of the most endangered option.
    `option_value` in USD for all that was open, 0 with nothing open; `time_decay` how much of
    the time value of the options that were open at the point before, too, has come (or, negative,
    gone) since: what goes is the seller's. Null where an option had no price.
    """

    date: date
    effective_at: datetime
    price: Decimal
    price_state: facts.PriceState
    trade_id: UUID | None
    moneyness: Decimal | None
    risk_level: facts.Severity | None
    dte_calendar: int | None
    dte_trading: int | None
    option_value: Decimal | None
    time_value: Decimal | None
    time_decay: Decimal | None
    unrealized_pnl: Decimal | None


def snapshot(recorded: facts.Recorded) -> Snapshot:
    """A mark's answer."""
    fact = recorded.fact
    assert isinstance(fact, facts.PositionMarked)
    on = calendar.trading_day(recorded.effective_at)
    options = sorted((_option(fact, each, on) for each in fact.options), key=_endangered)
    worst = options[0] if options else None
    share_value = money.moved(fact.price, fact.shares)
    stock = share_value - fact.basis
    option = _sum(each.unrealized_pnl for each in options)
    return Snapshot(
        version=recorded.version,
        wheel_id=fact.wheel_id,
        portfolio_id=fact.portfolio_id,
        symbol=fact.symbol,
        effective_at=recorded.effective_at,
        recorded_at=recorded.recorded_at,
        state=fact.state,
        shares=fact.shares,
        cash=money.cents(fact.cash),
        collateral_in_use=money.cents(fact.collateral),
        price=money.price(fact.price),
        price_as_of=fact.price_as_of,
        price_source=fact.price_source,
        price_state=fact.price_state,
        risk_level=None if worst is None else worst.risk_level,
        risk_icon=None if worst is None else worst.risk_icon,
        options=options,
        share_value=share_value,
        option_value=_sum(each.value for each in options),
        stock_unrealized=money.cents(stock),
        option_unrealized=option,
        unrealized_pnl=None if option is None else money.cents(stock + option),
        source=recorded.source,
        external_id=recorded.external_id,
        notes=recorded.notes,
    )


def _option(fact: facts.PositionMarked, marked: facts.MarkedOption, on: date) -> MarkedOption:
    """What was seen is told as it was seen; what only words it anew is worked out."""
    watched = risk.OpenOption(
        fact.wheel_id,
        marked.trade_id,
        fact.portfolio_id,
        fact.symbol,
        marked.direction,
        marked.strike,
        marked.expiration_date,
        marked.contracts,
    )
    seen = risk.assess(watched, fact.price, on)
    shares = marked.multiplier * marked.contracts
    value = None if marked.mid is None else money.moved(marked.mid, shares)
    return MarkedOption(
        trade_id=marked.trade_id,
        direction=marked.direction,
        strike=money.price(marked.strike),
        expiration=marked.expiration_date,
        contracts=marked.contracts,
        multiplier=marked.multiplier,
        dte_calendar=seen.dte_calendar,
        dte_trading=seen.dte_trading,
        moneyness=Moneyness(
            is_itm=seen.is_itm, is_otm=seen.is_otm, pct=marked.moneyness, label=seen.label
        ),
        risk_level=marked.risk_level,
        risk_icon=risk.ICONS[marked.risk_level],
        premium_collected=money.cents(marked.premium),
        option_mid=_price(marked.mid),
        intrinsic=money.price(marked.intrinsic),
        extrinsic=_price(marked.extrinsic),
        value=value,
        unrealized_pnl=None if value is None else money.cents(marked.premium - value),
    )


def _endangered(option: MarkedOption) -> Any:
    return _RANK[option.risk_level], option.dte_calendar, option.trade_id


def _price(price: Decimal | None) -> Decimal | None:
    return None if price is None else money.price(price)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of amounts that are all known."""
    total = Decimal("0.00")
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def trend(marks: Sequence[tuple[date, Snapshot]]) -> list[Point]:
    """The points of a series of marks, each with the date that it stands for, in order."""
    points, before = list[Point](), None
    for day, mark in marks:
        points.append(_point(day, mark, before))
        before = mark
    return points


def _point(day: date, mark: Snapshot, before: Snapshot | None) -> Point:
    worst = mark.options[0] if mark.options else None
    return Point(
        date=day,
        effective_at=mark.effective_at,
        price=mark.price,
        price_state=mark.price_state,
        trade_id=worst.trade_id if worst else None,
        moneyness=worst.moneyness.pct if worst else None,
        risk_level=mark.risk_level,
        dte_calendar=worst.dte_calendar if worst else None,
        dte_trading=worst.dte_trading if worst else None,
        option_value=mark.option_value,
        time_value=_sum(_time_value(each, each.contracts) for each in mark.options),
        time_decay=None if before is None else _decay(before, mark),
        unrealized_pnl=mark.unrealized_pnl,
    )


def _time_value(option: MarkedOption, contracts: int) -> Decimal | None:
    if option.extrinsic is None:
        return None
    return money.moved(option.extrinsic, option.multiplier * contracts)


def _decay(before: Snapshot, now: Snapshot) -> Decimal | None:
    """The change of time value of what is open now and was then; a split makes another contract."""
    then = {_contract(each): each for each in before.options}
    both = [(then[_contract(each)], each) for each in now.options if _contract(each) in then]
    came = _sum(_time_value(new, new.contracts) for _, new in both)
    went = _sum(_time_value(old, new.contracts) for old, new in both)
    return None if came is None or went is None or not both else came - went


def _contract(option: MarkedOption) -> tuple[Any, ...]:
    return option.trade_id, option.direction, option.strike, option.expiration, option.multiplier
