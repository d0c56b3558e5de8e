"""One option sale, and how its contracts ended, part by part."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import facts, mark, money

Outcome = Literal[
    "open", "expired_worthless", "assigned", "called_away", "closed_early", "rolled", "voided"
]
IN_THE_MONEY = Decimal("0.01")
"""Exercise by exception: from a cent in the money on."""


class Closing(msgspec.Struct, frozen=True):
    """How some of a trade's contracts ended.

    `premium` is the net opening premium on them, `cost` what buying them back cost with its
    fees; an assignment's fees belong to the shares.
    """

    version: int
    outcome: Outcome
    contracts: int
    at: datetime
    premium: Decimal
    price: Decimal | None = None
    stock_price: Decimal | None = None
    fees: Decimal = money.ZERO
    at_expiry: bool = False
    cost: Decimal = money.ZERO
    rolled_to: UUID | None = None


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
    def contract(self) -> mark.Contract:
        """By which the market knows it."""
        return mark.Contract(self.direction, self.strike, self.expiration_date, self.multiplier)

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
        """Strike times deliverable of some contracts."""
        return money.moved(self.strike, self.multiplier * contracts)

    def buy_back(self, fact: facts.OptionBoughtBack) -> Decimal:
        """What buying back costs, with its fees."""
        return money.moved(fact.price_per_share, self.multiplier * fact.contracts) + fact.fees

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


def split(trade: Trade, fact: facts.SplitApplied, version: int) -> Trade:
    """Whole splits multiply the contracts, others change what a contract delivers."""
    touched = max(trade.touched, version)
    numerator, denominator = Decimal(fact.numerator), Decimal(fact.denominator)
    strike = money.cents(trade.strike * denominator / numerator)
    premium = money.micro(trade.premium_per_share * denominator / numerator)
    if fact.numerator % fact.denominator:
        return replace(
            trade,
            touched=touched,
            strike=strike,
            premium_per_share=premium,
            multiplier=money.micro(trade.multiplier * numerator / denominator),
        )
    times = fact.numerator // fact.denominator
    return replace(
        trade,
        touched=touched,
        strike=strike,
        premium_per_share=premium,
        contracts=trade.contracts * times,
        open_contracts=trade.open_contracts * times,
        closings=tuple(replace(each, contracts=each.contracts * times) for each in trade.closings),
    )


def quotable(trade: Trade) -> bool:
    """Whether a contract is still one: a strike of a cent at least, some shares, no absurd sum."""
    return (
        trade.strike >= money.CENT
        and trade.deliverable(1) >= 1
        and trade.deliverable(trade.open_contracts) <= money.MOST_SHARES
        and trade.exercise_amount(trade.open_contracts) < money.LARGEST
    )
