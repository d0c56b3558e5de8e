"""What an open option can be rolled into, beside buying it back and taking the assignment.

A roll buys back at the ask and sells at the bid. Candidates are of the same side, expire later,
and are no nearer to the money: a put's strike the same or lower, a call's the same or higher. What
is too illiquid to be sold, or would cost money in the end, is left out, and why is counted. The
best are those that bring in most for each day that they add, on the collateral.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import msgspec
import numpy as np

from domain import calendar, fees, market, money
from domain.candidates import Sheet, sheet
from domain.outlook import Outlook
from domain.recommendation import LEAST_BID, LEAST_INTEREST, MULTIPLIER, fee, too_wide

AHEAD: Final = timedelta(days=45)
_YEAR: Final = 365
_PRICE: Final = Decimal("0.0001")


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """The option that is open: `premium` is the net opening premium of what is open, in USD.

    `basis` is the adjusted cost basis of the shares, per share, for a call.
    """

    symbol: str
    direction: market.Direction
    strike: Decimal
    expiration: date
    contracts: int
    premium: Decimal
    basis: Decimal | None = None

    @property
    def shares(self) -> int:
        """How many shares its contracts are of."""
        return self.contracts * MULTIPLIER


class Roll(msgspec.Struct, frozen=True, kw_only=True):
    """A roll: prices in USD per share, amounts in USD for all contracts, rates in percent.

    `net_credit` is what is left of the new premium after buying back and both fees; `break_even`
    counts all that the position has brought in by then.
    """

    strike: Decimal
    expiration_date: date
    dte: int
    days_added: int
    close_price: Decimal
    premium_per_share: Decimal
    fees: Decimal
    net_credit: Decimal
    break_even: Decimal
    probability_itm: float
    sigma_distance: float
    delta: float | None
    implied_volatility: float
    annualized_credit_pct: float
    bid: Decimal
    ask: Decimal
    open_interest: int
    why: str


class CloseNow(msgspec.Struct, frozen=True, kw_only=True):
    """Buying it back now: `result` is what the option will have brought in all, net."""

    price_per_share: Decimal
    fees: Decimal
    cost: Decimal
    result: Decimal
    kept_pct: float | None
    why: str


class TakeAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """Letting it be assigned: `price` is what a share then costs, or brings in, premium counted."""

    probability_itm: float
    shares: int
    cash: Decimal
    price: Decimal
    gain: Decimal | None
    why: str


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done with an open option; `left_out` counts contracts by what is against them."""

    rolls: tuple[Roll, ...]
    considered: int
    left_out: Mapping[str, int]
    close_now: CloseNow
    take_assignment: TakeAssignment


class _Now(msgspec.Struct, frozen=True):
    """The open contract in its chain."""

    place: int
    ask: Decimal


def advised(
    chain: market.Chain,
    outlook: Outlook,
    held: Open,
    tariff: fees.Schedule,
    now: datetime,
    *,
    last: date,
    limit: int = 10,
) -> Advice:
    """Weigh what can be done, with expirations up to `last`.

    Raises market.NoData where the market does not offer the option that is open. Takes
    milliseconds: in a thread where others wait.
    """
    rows = sheet(chain, held.direction, outlook, now)
    today = _found(rows, held)
    kept = Counter[str]()
    rolls = []
    for place in range(len(rows.options)):
        against = _against(rows, held, last, place)
        if against is None:
            roll = _roll(rows, held, today, place, tariff, now)
            against = "net_debit" if roll.net_credit <= 0 else None
            if against is None:
                rolls.append(roll)
        if against is not None:
            kept[against] += 1
    rolls.sort(key=lambda each: (-each.annualized_credit_pct, each.probability_itm, each.strike))
    return Advice(
        rolls=tuple(rolls[:limit]),
        considered=len(rows.options),
        left_out=dict(kept),
        close_now=_close_now(held, today, tariff, now),
        take_assignment=_assignment(rows, held, today),
    )


def _found(rows: Sheet, held: Open) -> _Now:
    for place, option in enumerate(rows.options):
        if (option.strike, option.expiration) == (held.strike, held.expiration):
            if option.ask is None or option.ask <= 0:
                raise market.NoData(held.symbol, "nobody offers the option that is open")
            return _Now(place, option.ask)
    raise market.NoData(held.symbol, "the option that is open is not in the chain")


def _against(rows: Sheet, held: Open, last: date, place: int) -> str | None:
    """What speaks against rolling into a contract, by the name of its rule."""
    option = rows.options[place]
    if not held.expiration < option.expiration <= last:
        return "expiration"
    nearer = option.strike > held.strike if held.direction == "put" else option.strike < held.strike
    if nearer:
        return "nearer_strike"
    if rows.bid[place] < LEAST_BID:
        return "low_bid"
    if rows.interest[place] < LEAST_INTEREST:
        return "low_open_interest"
    if too_wide(rows)[place]:
        return "wide_spread"
    return "no_volatility" if np.isnan(rows.volatility[place]) else None


def _roll(
    rows: Sheet, held: Open, today: _Now, place: int, tariff: fees.Schedule, now: datetime
) -> Roll:
    option = rows.options[place]
    assert option.bid is not None
    assert option.ask is not None
    charged = 2 * fee(tariff, held.contracts, calendar.trading_day(now))
    credit = money.moved(option.bid, held.shares) - money.moved(today.ask, held.shares) - charged
    dte, added = int(rows.dte[place]), (option.expiration - held.expiration).days
    tied = float(held.strike if held.direction == "put" else rows.spot) * held.shares
    return Roll(
        strike=money.price(option.strike),
        expiration_date=option.expiration,
        dte=dte,
        days_added=added,
        close_price=money.price(today.ask),
        premium_per_share=money.price(option.bid),
        fees=charged,
        net_credit=credit,
        break_even=_break_even(held, option.strike, held.premium + credit),
        probability_itm=round(float(rows.probability[place]), 6),
        sigma_distance=round(float(rows.sigmas[place]), 6),
        delta=round(float(rows.delta[place]), 6),
        implied_volatility=round(float(rows.volatility[place]), 6),
        annualized_credit_pct=round(100 * float(credit) / tied * _YEAR / added, 4),
        bid=money.price(option.bid),
        ask=money.price(option.ask),
        open_interest=int(rows.interest[place]),
        why=_roll_why(rows, held, today.place, place, credit, added),
    )


def _break_even(held: Open, strike: Decimal, premium: Decimal) -> Decimal:
    """A put's strike, or the basis of a call's shares, less all premium of a share."""
    from_ = strike if held.direction == "put" or held.basis is None else held.basis
    if held.direction == "call":
        premium -= held.premium  # the adjusted basis has what is in hand already
    return (from_ - premium / held.shares).quantize(_PRICE, ROUND_HALF_UP)


def _roll_why(rows: Sheet, held: Open, before: int, place: int, credit: Decimal, added: int) -> str:
    strike = rows.options[place].strike
    moved = abs(strike - held.strike)
    where = "lower" if strike < held.strike else "higher"
    how = f", strike {money.price(moved)} {where}" if moved else ", the same strike"
    was, is_ = (_chance(float(rows.probability[each])) for each in (before, place))
    days = "1 day" if added == 1 else f"{added} days"
    return f"{credit:.2f} net credit for {days} more{how}: P(ITM) {was} now, {is_} then"


def _chance(probability: float) -> str:
    return "unknown" if np.isnan(probability) else f"{probability:.0%}"


def _close_now(held: Open, today: _Now, tariff: fees.Schedule, now: datetime) -> CloseNow:
    charged = fee(tariff, held.contracts, calendar.trading_day(now))
    cost = money.moved(today.ask, held.shares) + charged
    result = held.premium - cost
    share = float(100 * result / held.premium) if held.premium > 0 else None
    if share is None or share < 0:
        why = f"ends the position at a loss of {-result:.2f}" if result < 0 else "ends it"
    else:
        why = f"keeps {result:.2f}, {share:.0f}% of the premium, and ends the risk"
    return CloseNow(
        price_per_share=money.price(today.ask),
        fees=charged,
        cost=cost,
        result=result,
        kept_pct=None if share is None else round(share, 2),
        why=why,
    )


def _assignment(rows: Sheet, held: Open, today: _Now) -> TakeAssignment:
    probability = float(rows.probability[today.place])
    cash = money.moved(held.strike, held.shares)
    premium = held.premium / held.shares
    is_put = held.direction == "put"
    price = (held.strike - premium if is_put else held.strike + premium).quantize(
        _PRICE, ROUND_HALF_UP
    )
    gain = None
    if not is_put and held.basis is not None:
        gain = money.cents((held.strike - held.basis) * held.shares)
    return TakeAssignment(
        probability_itm=round(probability, 6),
        shares=held.shares,
        cash=-cash if is_put else cash,
        price=price,
        gain=gain,
        why=_assignment_why(rows, held, today, price, gain),
    )


def _assignment_why(
    rows: Sheet, held: Open, today: _Now, price: Decimal, gain: Decimal | None
) -> str:
    chance = _chance(float(rows.probability[today.place]))
    if held.direction == "put":
        return (
            f"P(ITM) {chance}: buys {held.shares} shares at {money.price(held.strike)}, "
            f"{price:.2f} with the premium, while they trade at {rows.spot:.2f}"
        )
    result = "" if gain is None else f", {gain:.2f} over the adjusted cost basis"
    return (
        f"P(ITM) {chance}: sells {held.shares} shares at {money.price(held.strike)}, "
        f"{price:.2f} with the premium{result}"
    )
