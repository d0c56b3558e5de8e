"""What is known of a symbol beside its chain: how it moved, what it pays, when it reports."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec

from domain import market, volatility

Source = Literal["contract", "mid", "blend", "rv20"]
"""Where a contract's volatility is from: the provider's word, what its mid implies, or our own."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Volatilities are decimals a year; `rate` is continuous.

    `forecast` is the blend of realised and implied volatility: what is expected to be realised.
    `earnings` is None where nobody knows when the company reports.
    """

    rate: float
    rv20: float | None = None
    rv60: float | None = None
    atm: float | None = None
    forecast: float | None = None
    iv_rank: float | None = None
    iv_percentile: float | None = None
    iv_days: int = 0
    dividends: tuple[market.Dividend, ...] = ()
    earnings: tuple[market.Earning, ...] | None = None

    def dividends_before(self, today: date, expiration: date) -> float:
        """Dollars per share that go ex after today, up to the expiration."""
        due = (each for each in self.dividends if today < each.ex_date <= expiration)
        return float(sum(each.amount for each in due))

    def reports_by(self, today: date, expiration: date) -> bool:
        """Whether the company is known to report from today on, up to the expiration."""
        return any(today <= each.day <= expiration for each in self.earnings or ())


def outlook(
    chain: market.Chain,
    bars: tuple[market.Bar, ...],
    year: Iterable[market.DayVolatility],
    dividends: tuple[market.Dividend, ...],
    earnings: tuple[market.Earning, ...] | None,
    rate: float,
) -> Outlook:
    """All that can be made of what the market said; what it did not say is None."""
    days = tuple(year)
    rv20, rv60 = volatility.realised(bars, 20), volatility.realised(bars, 60)
    atm = volatility.at_the_money(chain)
    ours = volatility.blend(rv20, rv60, atm)
    return Outlook(
        rate=rate,
        rv20=rv20,
        rv60=rv60,
        atm=atm,
        forecast=ours.volatility if ours.source == "blend" else None,
        iv_rank=None if atm is None else volatility.iv_rank(atm, days),
        iv_percentile=None if atm is None else volatility.iv_percentile(atm, days),
        iv_days=len(days),
        dividends=dividends,
        earnings=earnings,
    )
