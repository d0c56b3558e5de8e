"""What recordings hold, symbol by symbol, whatever files it came from."""

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from domain import market

Hour = Literal["bmo", "amc", "dmh", ""]


class Snapshot(msgspec.Struct, frozen=True):
    """A chain as it was quoted at one instant, and the share's price then; in no order.

    Each contract is there once, however many files say so: the last one read counts.
    """

    price: Decimal
    options: dict[tuple[date, Decimal, market.Direction], market.OptionMark] = {}

    def add(self, option: market.OptionMark) -> None:
        self.options[option.expiration, option.strike, option.direction] = option


class Tape(msgspec.Struct, frozen=True):
    """All that is known of one symbol: by session, by instant, by date."""

    bars: dict[date, market.Bar] = {}
    snapshots: dict[datetime, Snapshot] = {}
    dividends: dict[date, Decimal] = {}
    earnings: dict[date, Hour] = {}


class Tapes(defaultdict[str, Tape]):
    """The tapes by symbol. Raises ValueError for what is no symbol."""

    def __init__(self) -> None:
        super().__init__(Tape)

    def of(self, symbol: str) -> Tape:
        return self[market.valid_symbol(symbol)]

    def add_option(self, as_of: datetime, price: Decimal, option: market.OptionMark) -> None:
        """One contract of the chain of that instant."""
        tape = self.of(option.symbol)
        if as_of not in tape.snapshots:
            tape.snapshots[as_of] = Snapshot(price)
        tape.snapshots[as_of].add(option)

    def add_chain(self, chain: market.Chain) -> None:
        for option in chain.options:
            self.add_option(chain.as_of, chain.underlying.last, option)
