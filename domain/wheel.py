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

from domain import calendar, facts, history, lots, money
from domain import trade as trades

State = Literal[
    "cash",
    "cash_put_open",
    "shares",
    "shares_call_open",
    "shares_put_open",
    "shares_put_call_open",
]


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
    trades: dict[UUID, trades.Trade] = {}
    open_trades: tuple[UUID, ...] = ()
    lots: tuple[lots.Lot, ...] = ()
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
    def split_on(self) -> date | None:
        """The New York day of the last split; a price of a day before it is of another share."""
        return max((day for day, _, _ in self.splits), default=None)

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
    def tax_basis(self) -> Decimal:
        """The same less the net premiums of the puts that brought them."""
        return sum((lot.tax_left for lot in self.lots), money.ZERO)

    @property
    def cycle(self) -> Cycle | None:
        """The cycle under way."""
        return self.cycles[-1] if self.cycles and self.cycles[-1].ended_at is None else None

    def open_contracts(self, trade_id: UUID) -> int:
        """How many contracts of a trade are open, 0 for an unknown one."""
        trade = self.trades.get(trade_id)
        return trade.open_contracts if trade else 0


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
            after = _shares_out(wheel, fact.shares, proceeds(fact))
        case facts.DividendReceived():
            after = _dividend(wheel, entry, money.moved(fact.amount_per_share, fact.shares))
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
    basis = money.moved(fact.cost_basis, fact.shares)
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
    total = premium(fact)
    trade = trades.Trade(
        fact.trade_id,
        entry.version,
        _newest(entry),
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
    cost = trade.buy_back(fact)
    closing = trades.Closing(
        entry.version,
        "rolled" if fact.rolled_to else "closed_early",
        fact.contracts,
        entry.effective_at,
        trade.premium_on(fact.contracts),
        price=fact.price_per_share,
        fees=fact.fees,
        cost=cost,
        rolled_to=fact.rolled_to,
    )
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
    closing = trades.Closing(
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
    net = trade.premium_on(fact.contracts)
    put = trade.direction == "put"
    closing = trades.Closing(
        entry.version,
        "assigned" if put else "called_away",
        fact.contracts,
        entry.effective_at,
        net,
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
    return _lot_in(wheel, entry, "assigned", shares, basis, basis - net, trade.id)


def _shares_in(
    wheel: Wheel, entry: history.Entry, fact: facts.SharesBought | facts.SharesTransferredIn
) -> Wheel:
    amount = money.moved(fact.price, fact.shares)
    if isinstance(fact, facts.SharesTransferredIn):
        wheel = replace(wheel, in_kind=wheel.in_kind + amount, cash=wheel.cash - fact.fees)
        how = "transferred_in"
    else:
        wheel = replace(wheel, cash=wheel.cash - amount - fact.fees)
        how = "bought"
    basis = amount + fact.fees
    return _lot_in(wheel, entry, how, fact.shares, basis, basis)


def _shares_out(wheel: Wheel, shares: int, proceeds: Decimal) -> Wheel:
    taken = lots.first_out(wheel.lots, shares)
    gain = proceeds - sum((each.basis for each in taken), money.ZERO)
    wheel = replace(
        wheel,
        cash=wheel.cash + proceeds,
        shares=wheel.shares - shares,
        lots=lots.without(wheel.lots, taken),
    )
    return _booked(wheel, stock_gain=gain)


def _dividend(wheel: Wheel, entry: history.Entry, amount: Decimal) -> Wheel:
    if not wheel.cycles:
        wheel = _cycle_begun(wheel, entry)
    return _booked(replace(wheel, cash=wheel.cash + amount), dividends=amount)


def _split(wheel: Wheel, entry: history.Entry, fact: facts.SplitApplied) -> Wheel:
    held = lots.split(wheel.lots, fact)
    options = dict(wheel.trades)
    for trade_id in wheel.open_trades:
        options[trade_id] = trades.split(options[trade_id], fact, _newest(entry))
    after = replace(
        wheel,
        trades=options,
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


def _noted(wheel: Wheel, entry: history.Entry, fact: facts.TradeNoted) -> Wheel:
    trade = wheel.trades.get(fact.trade_id)
    if trade is None:
        return wheel
    noted = replace(trade, notes=fact.notes, touched=max(trade.touched, _newest(entry)))
    return replace(wheel, trades={**wheel.trades, trade.id: noted})


def _ended(
    wheel: Wheel, entry: history.Entry, trade: trades.Trade, closing: trades.Closing
) -> Wheel:
    """Take a closing's contracts off a trade."""
    left = trade.open_contracts - closing.contracts
    trade = replace(
        trade,
        touched=max(trade.touched, _newest(entry)),
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
    lot = lots.Lot(
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


def _newest(entry: history.Entry) -> int:
    """The version of the fact, or of the last amendment that touched it."""
    return max((entry.version, *entry.amended_by))


def premium(fact: facts.OptionSold) -> Decimal:
    """What a sale brought in, before fees."""
    return money.moved(fact.premium_per_share, fact.multiplier * fact.contracts)


def proceeds(fact: facts.SharesSold) -> Decimal:
    """What selling shares brought in, net of fees."""
    return money.moved(fact.price, fact.shares) - fact.fees


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
    """The cycle goes on, or another begins; a roll is one order, and flat at no time."""
    if wheel.cycle is not None:
        return wheel
    if getattr(entry.fact, "rolled_from", None) and wheel.cycles:
        last = wheel.cycles[-1]
        if last.ended_at == entry.effective_at:
            return replace(wheel, cycles=(*wheel.cycles[:-1], replace(last, ended_at=None)))
    begun = Cycle(len(wheel.cycles) + 1, entry.effective_at)
    return replace(wheel, cycles=(*wheel.cycles, begun))


def _cycle_closed(wheel: Wheel, entry: history.Entry) -> Wheel:
    """Flat again: the cycle is over."""
    if wheel.cycle is None or not wheel.is_flat:
        return wheel
    over = replace(wheel.cycles[-1], ended_at=entry.effective_at)
    return replace(wheel, cycles=(*wheel.cycles[:-1], over))
