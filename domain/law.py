"""The law of the wheel: what could not have happened, and why not.

Structural limits hold for every fact. Coverage is asked for when a trade is entered, never of
the past that an import or a migration brings.
"""

from __future__ import annotations

from typing import assert_never

from domain import calendar, facts, history, lots, money, refusals
from domain import trade as trades
from domain import wheel as wheels

_UNCHECKED = ("import:", "migration:")


def law(wheel: wheels.Wheel, entry: history.Entry) -> refusals.Refusal | None:
    """Why this fact could not happen to this wheel, if it could not."""
    fact = entry.fact
    if isinstance(fact, facts.WheelStarted):
        return refusals.Exists("the wheel is started already") if wheel.started else None
    if not wheel.started:
        return refusals.OutOfTurn("the wheel is not started yet")
    if entry.external_id is not None and entry.external_id in wheel.marks:
        return refusals.AppliedBefore(
            f"{entry.external_id} is recorded already", external_id=entry.external_id
        )
    match fact:
        case facts.WheelConfigured():
            return _withdrawable(wheel, entry, fact)
        case facts.OptionSold():
            return _sellable(wheel, entry, fact)
        case facts.OptionBoughtBack() | facts.OptionExpired() | facts.OptionAssigned():
            return _endable(wheel, entry, fact)
        case facts.SharesBought() | facts.SharesTransferredIn():
            return None if wheel.is_active else _archived()
        case facts.SharesSold():
            return _leaving(wheel, entry, fact.shares)
        case facts.DividendReceived():
            return None
        case facts.SplitApplied():
            return _splittable(wheel, entry, fact)
        case facts.TradeNoted(trade_id=trade_id):
            return None if trade_id in wheel.trades else refusals.Unknown("trade", trade_id)
        case facts.WheelArchived():
            return None if wheel.is_active else _archived()
        case facts.WheelReopened():
            return refusals.OutOfTurn("the wheel is active") if wheel.is_active else None
        case _:
            assert_never(fact)


def _archived() -> refusals.Refusal:
    return refusals.OutOfTurn("the wheel is archived", expected="an active wheel")


def entered(entry: history.Entry) -> bool:
    """Whether coverage is asked for: never of the past that an import or a migration brings."""
    return not entry.source.startswith(_UNCHECKED)


def _withdrawable(
    wheel: wheels.Wheel, entry: history.Entry, fact: facts.WheelConfigured
) -> refusals.Refusal | None:
    secured = (fact.collateral or wheel.collateral) == "cash_secured"
    if fact.contribution >= 0 or not secured or not entered(entry):
        return None
    left = wheel.cash + fact.contribution
    if left >= wheel.collateral_in_use:
        return None
    return refusals.Undersecured(
        f"would leave {money.cents(left)} for {money.cents(wheel.collateral_in_use)} of collateral",
        cash=str(wheel.cash),
        collateral_in_use=str(wheel.collateral_in_use),
    )


def _sellable(
    wheel: wheels.Wheel, entry: history.Entry, fact: facts.OptionSold
) -> refusals.Refusal | None:
    if not wheel.is_active:
        return _archived()
    if fact.trade_id in wheel.trades:
        return refusals.Exists("the trade is recorded already", trade_id=str(fact.trade_id))
    if calendar.trading_day(entry.effective_at) > fact.expiration_date:
        return refusals.Invalid(
            "expiration_date",
            fact.expiration_date,
            "must not be before the day on which the option was sold (opened_at)",
        )
    if not entered(entry):
        return None
    return _secured(wheel, fact) if fact.direction == "put" else _covered(wheel, fact)


def _secured(wheel: wheels.Wheel, fact: facts.OptionSold) -> refusals.Refusal | None:
    needed = wheel.collateral_in_use + money.moved(fact.strike, fact.multiplier * fact.contracts)
    cash = wheel.cash
    if fact.rolled_from is not None:  # one order with its buy-back: its premium is there too
        cash += wheels.premium(fact) - fact.fees
    if wheel.collateral == "margin" or needed <= cash:
        return None
    return refusals.Undersecured(
        f"{money.cents(needed)} of collateral needed, {money.cents(cash)} in cash",
        needed=str(needed),
        cash=str(cash),
        collateral_in_use=str(wheel.collateral_in_use),
    )


def _covered(wheel: wheels.Wheel, fact: facts.OptionSold) -> refusals.Refusal | None:
    needed = wheel.shares_promised + fact.multiplier * fact.contracts
    if needed <= wheel.shares:
        return None
    return refusals.Uncovered(
        f"{needed} shares needed to cover, {wheel.shares} held",
        needed=needed,
        shares=wheel.shares,
    )


def _endable(
    wheel: wheels.Wheel,
    entry: history.Entry,
    fact: facts.OptionBoughtBack | facts.OptionExpired | facts.OptionAssigned,
) -> refusals.Refusal | None:
    trade = wheel.trades.get(fact.trade_id)
    if trade is None or fact.contracts > trade.open_contracts:
        return refusals.MoreThanOpen(
            fact.trade_id, fact.contracts, wheel.open_contracts(fact.trade_id)
        )
    if isinstance(fact, facts.OptionExpired):
        return _expirable(trade, entry)
    if isinstance(fact, facts.OptionBoughtBack):
        return _tradable(trade, entry)
    if fact.at_expiry and (early := _expirable(trade, entry)):
        return early
    if trade.direction == "call":
        needed = trade.deliverable(fact.contracts)
        if needed > wheel.shares:
            return refusals.MoreThanHeld(needed, wheel.shares)
    return None


def _tradable(trade: trades.Trade, entry: history.Entry) -> refusals.Refusal | None:
    """An option is bought back while there is one: until the end of its expiration's day."""
    if entry.effective_at <= calendar.day_end(trade.expiration_date) or not entered(entry):
        return None
    return refusals.OutOfTurn(
        f"the option expired on {trade.expiration_date}",
        expected=f"on or before {trade.expiration_date}",
        expiration_date=trade.expiration_date.isoformat(),
    )


def _expirable(trade: trades.Trade, entry: history.Entry) -> refusals.Refusal | None:
    close = calendar.close_at(trade.expiration_date)
    if entry.effective_at >= close:
        return None
    return refusals.OutOfTurn(
        f"the option does not expire before {close:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"at or after {close:%Y-%m-%dT%H:%M:%SZ}",
        expiration_date=trade.expiration_date.isoformat(),
    )


def _leaving(wheel: wheels.Wheel, entry: history.Entry, shares: int) -> refusals.Refusal | None:
    if shares > wheel.shares:
        return refusals.MoreThanHeld(shares, wheel.shares)
    left = wheel.shares - shares
    if left >= wheel.shares_promised or not entered(entry):
        return None
    call = next(
        wheel.trades[each] for each in wheel.open_trades if wheel.trades[each].direction == "call"
    )
    return refusals.Uncovered(
        f"would leave the call sold {calendar.trading_day(call.opened_at)} uncovered",
        trade_id=str(call.id),
        shares=wheel.shares,
        promised=wheel.shares_promised,
    )


def _splittable(
    wheel: wheels.Wheel, entry: history.Entry, fact: facts.SplitApplied
) -> refusals.Refusal | None:
    if wheels.split_key(entry, fact) in wheel.splits:
        return refusals.AppliedBefore(
            f"the {fact.numerator}:{fact.denominator} split of "
            f"{calendar.trading_day(entry.effective_at)} is applied already"
        )
    if sum(lot.shares_left for lot in lots.split(wheel.lots, fact)) > money.MOST_SHARES:
        return refusals.OutOfTurn(f"would leave more than {money.MOST_SHARES} shares")
    for trade_id in wheel.open_trades:
        before = wheel.trades[trade_id]
        after = trades.split(before, fact, entry.version)
        if not trades.quotable(after):
            return refusals.OutOfTurn(
                f"would leave the {before.direction} sold "
                f"{calendar.trading_day(before.opened_at)} with a strike of "
                f"{money.price(after.strike)} on {after.open_contracts} x "
                f"{money.price(after.multiplier)} shares",
                trade_id=str(trade_id),
            )
    return None
