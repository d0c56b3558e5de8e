"""The wheel: sell puts until assigned, sell calls until called away, repeat.

cash ──OptionSold(put)──▶ cash_put_open ──OptionAssigned──▶ shares ──OptionSold(call)──▶ shares_call_open
 ▲ ◀──OptionExpired────────┘                                  ▲ ◀──OptionExpired──┘            │
 └──────────────────────────────── OptionAssigned (called away) ───────────────────────────────┘

Several options may be open at once, and any part of one may end while the rest stays open;
shares come and go by other roads too. The names above are the summary of that.
"""  # noqa: E501  the picture is wider than the page

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from math import gcd
from typing import Literal, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import calendar, facts, history, money, refusals

State = Literal[
    "cash",
    "cash_put_open",
    "shares",
    "shares_call_open",
    "shares_put_open",
    "shares_put_call_open",
]
Outcome = Literal[
    "open", "expired_worthless", "assigned", "called_away", "closed_early", "rolled", "voided"
]
IN_THE_MONEY = Decimal("0.01")
MOST_SHARES = 10**12
_UNCHECKED = ("import:", "migration:")


class Closing(msgspec.Struct, frozen=True):
    """How some of a trade's contracts ended; `premium` is the net opening premium on them."""

    version: int
    outcome: Outcome
    contracts: int
    at: datetime
    premium: Decimal
    price: Decimal | None = None
    stock_price: Decimal | None = None
    fees: Decimal = money.ZERO
    at_expiry: bool = False

    def cost(self, multiplier: Decimal) -> Decimal:
        """What ending them cost: the buy-back and its fees; an assignment's belong to the stock."""
        if self.price is None:
            return money.ZERO
        return self.price * multiplier * self.contracts + self.fees


class Trade(msgspec.Struct, frozen=True):
    """One option sale and all that became of it. Money in USD for the whole trade."""

    id: UUID
    version: int
    touched: int
    direction: facts.Direction
    strike: Decimal
    expiration_date: date
    contracts: int
    open_contracts: int
    multiplier: Decimal
    premium_per_share: Decimal
    total_premium: Decimal
    fees: Decimal
    premium_left: Decimal
    opened_at: datetime
    recorded_at: datetime
    cycle: int
    source: str = "api"
    external_id: str | None = None
    closings: tuple[Closing, ...] = ()
    buyback_cost: Decimal = money.ZERO
    rolled_from: UUID | None = None
    rolled_to: UUID | None = None
    notes: str | None = None

    @property
    def collateral(self) -> Decimal:
        """What its open puts may have to pay."""
        if self.direction == "call":
            return money.ZERO
        return self.exercise_amount(self.open_contracts)

    @property
    def outcome(self) -> Outcome:
        """Open while any contract is, else how the last of them ended."""
        return "open" if self.open_contracts else self.closings[-1].outcome

    @property
    def net_premium(self) -> Decimal:
        """Premium less fees and less all that buying back cost."""
        return self.total_premium - self.fees - self.buyback_cost

    def exercise_amount(self, contracts: int) -> Decimal:
        """Strike times deliverable of some contracts; an odd deliverable's in whole cents."""
        amount = self.strike * self.multiplier * contracts
        return amount if self.multiplier == int(self.multiplier) else money.cents(amount)

    def deliverable(self, contracts: int) -> int:
        """Whole shares that some contracts deliver."""
        return int(self.multiplier * contracts)

    def premium_on(self, contracts: int) -> Decimal:
        """The net opening premium on the next `contracts` to end."""
        last = contracts >= self.open_contracts
        return money.part(
            self.total_premium - self.fees,
            contracts,
            self.contracts,
            self.premium_left if last else None,
        )


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


class Cycle(msgspec.Struct, frozen=True):
    """From flat to flat. Amounts in USD, net of fees."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    premiums: Decimal = money.ZERO
    dividends: Decimal = money.ZERO
    stock_gain: Decimal = money.ZERO

    @property
    def total(self) -> Decimal:
        """All that the cycle has brought so far."""
        return self.premiums + self.dividends + self.stock_gain


class Wheel(msgspec.Struct, frozen=True):
    """What the next decision needs, and what has been booked on the way."""

    portfolio_id: UUID | None = None
    symbol: str = ""
    started: bool = False
    is_active: bool = True
    profile: facts.Profile = "conservative"
    collateral: facts.Collateral = "cash_secured"
    starting_direction: facts.Direction = "put"
    created_at: datetime | None = None
    capital: Decimal = money.ZERO
    in_kind: Decimal = money.ZERO
    cash: Decimal = money.ZERO
    shares: int = 0
    trades: dict[UUID, Trade] = {}
    open_trades: tuple[UUID, ...] = ()
    lots: tuple[Lot, ...] = ()
    cycles: tuple[Cycle, ...] = ()
    splits: tuple[tuple[date, int, int], ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """The summary in the field's words."""
        sides = {self.trades[trade_id].direction for trade_id in self.open_trades}
        if "call" in sides:
            return "shares_put_call_open" if "put" in sides else "shares_call_open"
        if "put" in sides:
            return "shares_put_open" if self.shares else "cash_put_open"
        return "shares" if self.shares else "cash"

    @property
    def is_flat(self) -> bool:
        """No shares, nothing open."""
        return not self.shares and not self.open_trades

    @property
    def collateral_in_use(self) -> Decimal:
        """What all open puts may have to pay."""
        return sum((self.trades[each].collateral for each in self.open_trades), money.ZERO)

    @property
    def shares_promised(self) -> int:
        """What all open calls may have to deliver."""
        return sum(
            trade.deliverable(trade.open_contracts)
            for trade in map(self.trades.__getitem__, self.open_trades)
            if trade.direction == "call"
        )

    @property
    def basis(self) -> Decimal:
        """What the shares held have cost."""
        return sum((lot.basis_left for lot in self.lots), money.ZERO)

    @property
    def cycle(self) -> Cycle | None:
        """The cycle under way."""
        return self.cycles[-1] if self.cycles and self.cycles[-1].ended_at is None else None

    def open_contracts(self, trade_id: UUID) -> int:
        """How many contracts of a trade are open, 0 for an unknown one."""
        trade = self.trades.get(trade_id)
        return trade.open_contracts if trade else 0

    def first_out(self, shares: int) -> list[Taken]:
        """What leaves first in, first out when `shares` go, as far as they are held."""
        taken = []
        for lot in self.lots:
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


def fold(entries: Iterable[history.Entry]) -> Wheel:
    """The wheel that a timeline leads to."""
    wheel = Wheel()
    for each in entries:
        wheel = evolve(wheel, each)
    return wheel


def evolve(wheel: Wheel, entry: history.Entry) -> Wheel:
    """Fold one fact in. Never refuses: what happened, happened."""
    fact = entry.fact
    match fact:
        case facts.WheelStarted():
            after = _started(wheel, entry, fact)
        case facts.WheelConfigured():
            after = _configured(wheel, fact)
        case facts.OptionSold():
            after = _sold(wheel, entry, fact)
        case facts.OptionBoughtBack():
            after = _bought_back(wheel, entry, fact)
        case facts.OptionExpired():
            after = _expired(wheel, entry, fact)
        case facts.OptionAssigned():
            after = _assigned(wheel, entry, fact)
        case facts.SharesBought() | facts.SharesTransferredIn():
            after = _shares_in(wheel, entry, fact)
        case facts.SharesSold():
            after = _shares_out(wheel, fact.shares, fact.price * fact.shares - fact.fees)
        case facts.DividendReceived():
            after = _dividend(wheel, fact.amount_per_share * fact.shares)
        case facts.SplitApplied():
            after = _split(wheel, entry, fact)
        case facts.TradeNoted():
            after = _noted(wheel, entry, fact)
        case facts.WheelArchived():
            after = replace(wheel, is_active=False)
        case facts.WheelReopened():
            after = replace(wheel, is_active=True)
        case _:
            assert_never(fact)
    if entry.external_id is not None:
        after = replace(after, marks=(*after.marks, entry.external_id))
    return _cycle_closed(after, entry)


def _started(wheel: Wheel, entry: history.Entry, fact: facts.WheelStarted) -> Wheel:
    started = replace(
        wheel,
        portfolio_id=fact.portfolio_id,
        symbol=fact.symbol,
        started=True,
        profile=fact.profile,
        collateral=fact.collateral,
        starting_direction=fact.starting_direction,
        created_at=entry.recorded_at,
        capital=wheel.capital + fact.capital,
        cash=wheel.cash + fact.capital,
    )
    if not fact.shares:
        return started
    basis = fact.cost_basis * fact.shares
    held = _lot_in(started, entry, "transferred_in", fact.shares, basis, basis)
    return replace(held, in_kind=held.in_kind + basis)


def _configured(wheel: Wheel, fact: facts.WheelConfigured) -> Wheel:
    return replace(
        wheel,
        capital=wheel.capital + fact.contribution,
        cash=wheel.cash + fact.contribution,
        profile=fact.profile or wheel.profile,
        collateral=fact.collateral or wheel.collateral,
        starting_direction=fact.starting_direction or wheel.starting_direction,
    )


def _sold(wheel: Wheel, entry: history.Entry, fact: facts.OptionSold) -> Wheel:
    wheel = _cycle_begun(wheel, entry)
    total = fact.premium_per_share * fact.multiplier * fact.contracts
    trade = Trade(
        fact.trade_id,
        entry.version,
        max((entry.version, *entry.amended_by)),
        fact.direction,
        fact.strike,
        fact.expiration_date,
        fact.contracts,
        fact.contracts,
        Decimal(fact.multiplier),
        fact.premium_per_share,
        total,
        fact.fees,
        total - fact.fees,
        entry.effective_at,
        entry.recorded_at,
        len(wheel.cycles),
        source=entry.source,
        external_id=entry.external_id,
        rolled_from=fact.rolled_from,
        notes=entry.notes,
    )
    wheel = replace(
        wheel,
        trades={**wheel.trades, trade.id: trade},
        open_trades=(*wheel.open_trades, trade.id),
    )
    return _premium(wheel, total - fact.fees)


def _bought_back(wheel: Wheel, entry: history.Entry, fact: facts.OptionBoughtBack) -> Wheel:
    trade = wheel.trades.get(fact.trade_id)
    if trade is None:
        return wheel
    closing = Closing(
        entry.version,
        "rolled" if fact.rolled_to else "closed_early",
        fact.contracts,
        entry.effective_at,
        trade.premium_on(fact.contracts),
        price=fact.price_per_share,
        fees=fact.fees,
    )
    cost = closing.cost(trade.multiplier)
    trade = replace(
        trade,
        buyback_cost=trade.buyback_cost + cost,
        rolled_to=fact.rolled_to or trade.rolled_to,
    )
    return _premium(_ended(wheel, entry, trade, closing), -cost)


def _expired(wheel: Wheel, entry: history.Entry, fact: facts.OptionExpired) -> Wheel:
    trade = wheel.trades.get(fact.trade_id)
    if trade is None:
        return wheel
    closing = Closing(
        entry.version,
        "expired_worthless",
        fact.contracts,
        entry.effective_at,
        trade.premium_on(fact.contracts),
        stock_price=fact.stock_price,
        at_expiry=True,
    )
    return _ended(wheel, entry, trade, closing)


def _assigned(wheel: Wheel, entry: history.Entry, fact: facts.OptionAssigned) -> Wheel:
    trade = wheel.trades.get(fact.trade_id)
    if trade is None:
        return wheel
    premium = trade.premium_on(fact.contracts)
    put = trade.direction == "put"
    closing = Closing(
        entry.version,
        "assigned" if put else "called_away",
        fact.contracts,
        entry.effective_at,
        premium,
        stock_price=fact.stock_price,
        fees=fact.fees,
        at_expiry=fact.at_expiry,
    )
    wheel = _ended(wheel, entry, trade, closing)
    amount = trade.exercise_amount(fact.contracts)
    shares = trade.deliverable(fact.contracts)
    if not put:
        return _shares_out(wheel, shares, amount - fact.fees)
    basis = amount + fact.fees
    wheel = replace(wheel, cash=wheel.cash - basis)
    return _lot_in(wheel, entry, "assigned", shares, basis, basis - premium, trade.id)


def _shares_in(
    wheel: Wheel, entry: history.Entry, fact: facts.SharesBought | facts.SharesTransferredIn
) -> Wheel:
    amount = fact.price * fact.shares
    if isinstance(fact, facts.SharesTransferredIn):
        wheel = replace(wheel, in_kind=wheel.in_kind + amount, cash=wheel.cash - fact.fees)
        how = "transferred_in"
    else:
        wheel = replace(wheel, cash=wheel.cash - amount - fact.fees)
        how = "bought"
    basis = amount + fact.fees
    return _lot_in(wheel, entry, how, fact.shares, basis, basis)


def _shares_out(wheel: Wheel, shares: int, proceeds: Decimal) -> Wheel:
    taken = wheel.first_out(shares)
    gone = {each.lot.id: each for each in taken}
    gain = proceeds - sum((each.basis for each in taken), money.ZERO)
    wheel = replace(
        wheel,
        cash=wheel.cash + proceeds,
        shares=wheel.shares - shares,
        lots=tuple(_without(lot, gone.get(lot.id)) for lot in wheel.lots),
    )
    return _booked(wheel, stock_gain=gain)


def _without(lot: Lot, taken: Taken | None) -> Lot:
    if taken is None:
        return lot
    return replace(
        lot,
        shares_left=lot.shares_left - taken.shares,
        basis_left=lot.basis_left - taken.basis,
        tax_left=lot.tax_left - taken.tax_basis,
    )


def _dividend(wheel: Wheel, amount: Decimal) -> Wheel:
    return _booked(replace(wheel, cash=wheel.cash + amount), dividends=amount)


def _split(wheel: Wheel, entry: history.Entry, fact: facts.SplitApplied) -> Wheel:
    held = split_lots(wheel, fact)
    trades = dict(wheel.trades)
    for trade_id in wheel.open_trades:
        trades[trade_id] = _split_trade(trades[trade_id], fact, entry.version)
    after = replace(
        wheel,
        trades=trades,
        lots=held,
        shares=sum(lot.shares_left for lot in held),
        cash=wheel.cash + fact.cash_in_lieu,
        splits=(*wheel.splits, split_key(entry, fact)),
    )
    lost = wheel.basis - after.basis
    return _booked(after, stock_gain=fact.cash_in_lieu - lost)


def split_key(entry: history.Entry, fact: facts.SplitApplied) -> tuple[date, int, int]:
    """What makes two splits the same one: the New York day and the ratio in lowest terms."""
    common = gcd(fact.numerator, fact.denominator)
    day = calendar.trading_day(entry.effective_at)
    return (day, fact.numerator // common, fact.denominator // common)


def split_lots(wheel: Wheel, fact: facts.SplitApplied) -> tuple[Lot, ...]:
    """The lots after a split: whole shares, the basis carried over in total.

    A fraction of a share that a reverse split leaves is paid in cash. Only where not one
    share is left does a basis go, as a loss.
    """
    lots: list[Lot] = []
    before = after = 0
    carried = carried_tax = money.ZERO
    for lot in wheel.lots:
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


def _split_trade(trade: Trade, fact: facts.SplitApplied, version: int) -> Trade:
    """Whole splits multiply the contracts, others change what a contract delivers."""
    numerator, denominator = Decimal(fact.numerator), Decimal(fact.denominator)
    strike = money.cents(trade.strike * denominator / numerator)
    premium = money.micro(trade.premium_per_share * denominator / numerator)
    if fact.numerator % fact.denominator:
        return replace(
            trade,
            touched=version,
            strike=strike,
            premium_per_share=premium,
            multiplier=money.micro(trade.multiplier * numerator / denominator),
        )
    times = fact.numerator // fact.denominator
    return replace(
        trade,
        touched=version,
        strike=strike,
        premium_per_share=premium,
        contracts=trade.contracts * times,
        open_contracts=trade.open_contracts * times,
    )


def _noted(wheel: Wheel, entry: history.Entry, fact: facts.TradeNoted) -> Wheel:
    trade = wheel.trades.get(fact.trade_id)
    if trade is None:
        return wheel
    noted = replace(trade, notes=fact.notes, touched=entry.version)
    return replace(wheel, trades={**wheel.trades, trade.id: noted})


def _ended(wheel: Wheel, entry: history.Entry, trade: Trade, closing: Closing) -> Wheel:
    """Take a closing's contracts off a trade."""
    left = trade.open_contracts - closing.contracts
    trade = replace(
        trade,
        touched=max((trade.touched, entry.version, *entry.amended_by)),
        open_contracts=left,
        premium_left=trade.premium_left - closing.premium,
        closings=(*trade.closings, closing),
    )
    still_open = wheel.open_trades
    if left <= 0:
        still_open = tuple(each for each in still_open if each != trade.id)
    return replace(wheel, trades={**wheel.trades, trade.id: trade}, open_trades=still_open)


def _lot_in(
    wheel: Wheel,
    entry: history.Entry,
    how: str,
    shares: int,
    basis: Decimal,
    tax_basis: Decimal,
    trade_id: UUID | None = None,
) -> Wheel:
    wheel = _cycle_begun(wheel, entry)
    lot = Lot(
        entry.version,
        entry.effective_at,
        how,
        shares,
        shares,
        basis,
        basis,
        tax_basis,
        tax_basis,
        len(wheel.cycles),
        trade_id,
    )
    return replace(wheel, lots=(*wheel.lots, lot), shares=wheel.shares + shares)


def _premium(wheel: Wheel, amount: Decimal) -> Wheel:
    return _booked(replace(wheel, cash=wheel.cash + amount), premiums=amount)


def _booked(
    wheel: Wheel,
    premiums: Decimal = money.ZERO,
    dividends: Decimal = money.ZERO,
    stock_gain: Decimal = money.ZERO,
) -> Wheel:
    """Add to the cycle under way; a dividend paid when flat belongs to the last one."""
    if not wheel.cycles:
        return wheel
    last = wheel.cycles[-1]
    booked = replace(
        last,
        premiums=last.premiums + premiums,
        dividends=last.dividends + dividends,
        stock_gain=last.stock_gain + stock_gain,
    )
    return replace(wheel, cycles=(*wheel.cycles[:-1], booked))


def _cycle_begun(wheel: Wheel, entry: history.Entry) -> Wheel:
    if wheel.cycle is not None:
        return wheel
    begun = Cycle(len(wheel.cycles) + 1, entry.effective_at)
    return replace(wheel, cycles=(*wheel.cycles, begun))


def _cycle_closed(wheel: Wheel, entry: history.Entry) -> Wheel:
    """Flat again: the cycle is over."""
    if wheel.cycle is None or not wheel.is_flat:
        return wheel
    over = replace(wheel.cycles[-1], ended_at=entry.effective_at)
    return replace(wheel, cycles=(*wheel.cycles[:-1], over))


def law(wheel: Wheel, entry: history.Entry) -> refusals.Refusal | None:
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


def _entered(entry: history.Entry) -> bool:
    """Whether coverage is asked for: never of the past that an import or a migration brings."""
    return not entry.source.startswith(_UNCHECKED)


def _withdrawable(
    wheel: Wheel, entry: history.Entry, fact: facts.WheelConfigured
) -> refusals.Refusal | None:
    secured = (fact.collateral or wheel.collateral) == "cash_secured"
    if fact.contribution >= 0 or not secured or not _entered(entry):
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
    wheel: Wheel, entry: history.Entry, fact: facts.OptionSold
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
    if not _entered(entry):
        return None
    return _secured(wheel, fact) if fact.direction == "put" else _covered(wheel, fact)


def _secured(wheel: Wheel, fact: facts.OptionSold) -> refusals.Refusal | None:
    needed = wheel.collateral_in_use + fact.strike * fact.multiplier * fact.contracts
    if wheel.collateral == "margin" or needed <= wheel.cash:
        return None
    return refusals.Undersecured(
        f"{money.cents(needed)} of collateral needed, {money.cents(wheel.cash)} in cash",
        needed=str(needed),
        cash=str(wheel.cash),
        collateral_in_use=str(wheel.collateral_in_use),
    )


def _covered(wheel: Wheel, fact: facts.OptionSold) -> refusals.Refusal | None:
    needed = wheel.shares_promised + fact.multiplier * fact.contracts
    if needed <= wheel.shares:
        return None
    return refusals.Uncovered(
        f"{needed} shares needed to cover, {wheel.shares} held",
        needed=needed,
        shares=wheel.shares,
    )


def _endable(
    wheel: Wheel,
    entry: history.Entry,
    fact: facts.OptionBoughtBack | facts.OptionExpired | facts.OptionAssigned,
) -> refusals.Refusal | None:
    open_contracts = wheel.open_contracts(fact.trade_id)
    if fact.contracts > open_contracts:
        return refusals.MoreThanOpen(fact.trade_id, fact.contracts, open_contracts)
    trade = wheel.trades[fact.trade_id]
    if isinstance(fact, facts.OptionExpired):
        return _expirable(trade, entry)
    if isinstance(fact, facts.OptionAssigned) and trade.direction == "call":
        needed = trade.deliverable(fact.contracts)
        if needed > wheel.shares:
            return refusals.MoreThanHeld(needed, wheel.shares)
    return None


def _expirable(trade: Trade, entry: history.Entry) -> refusals.Refusal | None:
    close = calendar.close_at(trade.expiration_date)
    if entry.effective_at >= close:
        return None
    return refusals.OutOfTurn(
        f"the option does not expire before {close:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"at or after {close:%Y-%m-%dT%H:%M:%SZ}",
        expiration_date=trade.expiration_date.isoformat(),
    )


def _leaving(wheel: Wheel, entry: history.Entry, shares: int) -> refusals.Refusal | None:
    if shares > wheel.shares:
        return refusals.MoreThanHeld(shares, wheel.shares)
    left = wheel.shares - shares
    if left >= wheel.shares_promised or not _entered(entry):
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
    wheel: Wheel, entry: history.Entry, fact: facts.SplitApplied
) -> refusals.Refusal | None:
    if split_key(entry, fact) in wheel.splits:
        return refusals.AppliedBefore(
            f"the {fact.numerator}:{fact.denominator} split of "
            f"{calendar.trading_day(entry.effective_at)} is applied already"
        )
    if sum(lot.shares_left for lot in split_lots(wheel, fact)) > MOST_SHARES:
        return refusals.OutOfTurn(f"would leave more than {MOST_SHARES} shares")
    for trade_id in wheel.open_trades:
        before = wheel.trades[trade_id]
        after = _split_trade(before, fact, entry.version)
        if not _quotable(after):
            return refusals.OutOfTurn(
                f"would leave the {before.direction} sold "
                f"{calendar.trading_day(before.opened_at)} with a strike of "
                f"{money.price(after.strike)} on {after.open_contracts} x "
                f"{money.price(after.multiplier)} shares",
                trade_id=str(trade_id),
            )
    return None


def _quotable(trade: Trade) -> bool:
    """Whether a contract is still one: a strike of a cent at least, some shares, no absurd sum."""
    return (
        trade.strike >= money.CENT
        and trade.deliverable(1) >= 1
        and trade.deliverable(trade.open_contracts) <= MOST_SHARES
        and trade.exercise_amount(trade.open_contracts) < money.LARGEST
    )
