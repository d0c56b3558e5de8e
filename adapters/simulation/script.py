"""What a test or a demonstration makes happen: prices, gaps, splits, halts, failures."""

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from domain import market

CENT = Decimal("0.01")


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens to a symbol (None: to all) from `since` on, until `until`."""

    symbol: str | None
    since: datetime
    until: datetime | None = None

    def concerns(self, symbol: str, instant: datetime) -> bool:
        mine = self.symbol is None or self.symbol == symbol
        return mine and self.since <= instant and (self.until is None or instant < self.until)


class Price(Act, frozen=True, kw_only=True):
    """The last price is this, to the cent, whatever the path says."""

    price: Decimal


class Forced(Act, frozen=True, kw_only=True):
    """Somebody outside says the last price, and says it anew at every instant.

    So it is of the instant it is asked for, and no session's bar knows of it.
    """

    price: Decimal


class Gap(Act, frozen=True, kw_only=True):
    """The price jumps by this fraction: -0.12 is 12 % down."""

    change: Decimal


class Split(Act, frozen=True, kw_only=True):
    """One share becomes `ratio` shares, each at its part of the price."""

    ratio: Decimal


class Halt(Act, frozen=True, kw_only=True):
    """No trading: the last price stands and nobody bids or offers."""


class Stale(Act, frozen=True, kw_only=True):
    """The provider repeats what it knew when this began, and says so."""


class NoGreeks(Act, frozen=True, kw_only=True):
    """The chain comes without implied volatilities and greeks."""


class Failure(Act, frozen=True, kw_only=True):
    """Every question about the symbol ends in this fault."""

    fault: Callable[[str], market.MarketFault] = market.ProviderDown


class Script(msgspec.Struct, frozen=True):
    """The acts in any order; they play in the order of their `since`."""

    acts: tuple[Act, ...] = ()

    def fault(self, symbol: str, instant: datetime) -> market.MarketFault | None:
        """What the symbol's question fails with now, if it does."""
        failures = [act for act in self._now(symbol, instant) if isinstance(act, Failure)]
        return failures[-1].fault(symbol) if failures else None

    def freeze(self, symbol: str, instant: datetime) -> Halt | Stale | None:
        """The halt or the staleness that holds the symbol now, the earliest if several."""
        held = [act for act in self._now(symbol, instant) if isinstance(act, Halt | Stale)]
        return held[0] if held else None

    def blind(self, symbol: str, instant: datetime) -> bool:
        """Whether the chain comes without greeks."""
        return any(isinstance(act, NoGreeks) for act in self._now(symbol, instant))

    def forced(self, symbol: str, instant: datetime) -> Decimal | None:
        """The price that somebody says now, before all others."""
        said = [act for act in self._now(symbol, instant) if isinstance(act, Forced)]
        return to_the_cent(said[-1].price) if said else None

    def level(self, symbol: str, instant: datetime, path: Decimal) -> Decimal:
        """The price that the acts make of the path's, dollars per share."""
        price = path
        for act in self._now(symbol, instant):
            match act:
                case Price():
                    price = act.price
                case Gap():
                    price *= 1 + act.change
                case Split():
                    price /= act.ratio
                case _:
                    pass
        return to_the_cent(price)

    def moved(self, symbol: str, instant: datetime) -> datetime | None:
        """When an act last moved the symbol's price, if one did."""
        moves = [act for act in self._now(symbol, instant) if isinstance(act, Price | Gap | Split)]
        return moves[-1].since if moves else None

    def _now(self, symbol: str, instant: datetime) -> list[Act]:
        here = [act for act in self.acts if act.concerns(symbol, instant)]
        return sorted(here, key=lambda act: act.since)


NOTHING: Final = Script()


def to_the_cent(price: Decimal) -> Decimal:
    """The price in whole cents, at least one: a share is never free."""
    return max(CENT, price.quantize(CENT, ROUND_HALF_EVEN))
