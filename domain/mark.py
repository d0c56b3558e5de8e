"""What the market says of a contract that is held: what it is worth, and how it moves.

A mark is found by what the contract is, so that one whose strike a split has changed has another
mark from then on. Only listed contracts of 100 shares have one; an adjusted contract is another
thing under a similar name.

Prices are dollars per share; what is reckoned from them stands in domain/estimates.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from domain import calendar, facts, freshness, market, money

STANDARD: Final = Decimal(100)


class Contract(NamedTuple):
    """What tells the contracts on one symbol apart."""

    direction: facts.Direction
    strike: Decimal
    expiration: date
    multiplier: Decimal = STANDARD


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One contract in the market, with the price of its share in the same instant.

    `mid` is None where there is no market to be in the middle of; `said` is all else that the
    provider told, None where nothing but the mid is known; `dividend` is the share's next.
    """

    contract: Contract
    price: Decimal
    mid: Decimal | None
    as_of: datetime
    state: market.PriceState
    said: market.OptionMark | None = None
    dividend: market.Dividend | None = None

    @property
    def quote(self) -> tuple[float, float]:
        """Bid and ask, where there is a market between them; else NaN."""
        if self.mid is None or self.said is None:
            return math.nan, math.nan
        assert self.said.bid is not None
        assert self.said.ask is not None
        return float(self.said.bid), float(self.said.ask)

    @property
    def due(self) -> float:
        """What goes ex between the mark and the expiration, in dollars per share."""
        if self.dividend is None:
            return 0.0
        first, last = calendar.trading_day(self.as_of), self.contract.expiration
        return float(self.dividend.amount) if first < self.dividend.ex_date <= last else 0.0

    @property
    def extrinsic(self) -> Decimal | None:
        """What the mid holds beyond the intrinsic value, at least 0."""
        if self.mid is None:
            return None
        inside = intrinsic(self.contract.direction, self.contract.strike, self.price)
        return max(self.mid - inside, money.ZERO)

    def cost(self, contracts: int) -> Decimal | None:
        """What buying so many contracts back would cost at the mid, in whole cents, no fees."""
        if self.mid is None:
            return None
        return money.moved(self.mid, self.contract.multiplier * contracts)


Board = Mapping[Contract, Mark]
"""The marks of one symbol."""


def board(held: market.HeldMarks) -> Board:
    """What was said of the contracts that are held; nothing where the share has no price."""
    if not (held.price.is_finite() and held.price > 0):
        return {}
    contracts = {
        Contract(each.direction, each.strike, each.expiration): each for each in held.options
    }
    return {
        contract: Mark(
            contract=contract,
            price=held.price,
            mid=middle(said.bid, said.ask),
            as_of=held.as_of,
            state=held.state,
            said=said,
            dividend=held.dividend,
        )
        for contract, said in contracts.items()
    }


def middle(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """The middle of bid and ask, to six decimals.

    Nobody bidding (0) is a bid. Without an ask, and where the bid is above it, there is no market,
    and the last trade says nothing about now: None.
    """
    if bid is None or ask is None or not (bid.is_finite() and ask.is_finite()):
        return None
    if not 0 <= bid <= ask or ask == 0:
        return None
    return money.micro((bid + ask) / 2)


def intrinsic(direction: facts.Direction, strike: Decimal, price: Decimal) -> Decimal:
    """What exercising would bring at this price of the share, at least 0."""
    inside = strike - price if direction == "put" else price - strike
    return max(inside, money.ZERO)


def mids(board: Board, at: datetime) -> dict[Contract, Decimal]:
    """The mids that were known at an instant, and still fresh then."""
    return {
        contract: each.mid
        for contract, each in board.items()
        if each.mid is not None
        and each.as_of <= at
        and freshness.worth(each.state, each.as_of, at, freshness.MARK_STALE_AFTER)
        in {"live", "delayed"}
    }
