"""Chains in a few words, for whoever weighs them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from domain import calendar, market, pricing

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
FRIDAY = date(2026, 3, 13)
"""Eleven calendar days ahead."""


def quote(symbol: str = "XYZ", last: str = "100", **changes: Any) -> market.Quote:
    said = market.Quote(symbol, Decimal(last), None, None, NOW, "test", "live")
    return replace(said, **changes)


def option(
    strike: str,
    bid: str | None,
    ask: str | None,
    direction: market.Direction = "put",
    expiration: date = FRIDAY,
    **changes: Any,
) -> market.OptionMark:
    """A liquid contract, whose volatility and greeks nobody tells unless `changes` do."""
    mark = market.OptionMark(
        symbol="XYZ",
        direction=direction,
        strike=Decimal(strike),
        expiration=expiration,
        bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
        last=None,
        implied_volatility=None,
        delta=None,
        gamma=None,
        theta=None,
        vega=None,
        open_interest=5_000,
        volume=100,
    )
    return replace(mark, **changes)


def chain(*options: market.OptionMark, last: str = "100", **changes: Any) -> market.Chain:
    said = market.Chain("XYZ", quote(last=last), tuple(options), NOW, "test", "live")
    return replace(said, **changes)


def fair(
    strikes: Iterable[int],
    direction: market.Direction = "put",
    expiration: date = FRIDAY,
    volatility: float = 0.40,
    spot: float = 100.0,
    spread: float = 0.02,
) -> list[market.OptionMark]:
    """Contracts at what they are worth at one volatility, between a narrow bid and ask."""
    years = calendar.years_to_expiry(NOW, expiration)
    return [
        option(
            str(strike),
            f"{max(price - spread / 2, 0):.2f}",
            f"{price + spread / 2:.2f}",
            direction,
            expiration,
            implied_volatility=volatility,
        )
        for strike in strikes
        for price in [
            float(pricing.greeks(direction, spot, strike, years, 0.04, 0, volatility).price)
        ]
    ]
