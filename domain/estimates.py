"""What is reckoned from marks: volatility, greeks, the probability to end in the money.

Beside domain/mark.py and not in it: what only needs to know a contract does not load numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from domain import calendar, pricing
from domain.mark import Mark


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The estimates of a contract, in the units of domain/pricing.py.

    None where there is no volatility to reckon with.
    """

    implied_volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    probability_itm: float | None = None


UNKNOWN: Final = Figures()


def figures(marks: Sequence[Mark | None], rate: float) -> list[Figures]:
    """The estimates of each mark, as the provider said them; what it left out is reckoned.

    With the volatility that it said, else the one that the mid implies; `rate` a year, as in
    domain/pricing.py. P(ITM) is always reckoned: no provider says it. A volatility that does not
    fit the provider's own bid and ask is not believed, as where a sale is weighed, and neither are
    the greeks that came with it.
    """
    known = [each for each in marks if each is not None]
    reckoned = iter(_reckoned(known, rate) if known else ())
    return [UNKNOWN if each is None else next(reckoned) for each in marks]


def _reckoned(marks: Sequence[Mark], rate: float) -> list[Figures]:
    contracts = [each.contract for each in marks]
    sides = [each.direction for each in contracts]
    spots = np.array([float(each.price) for each in marks])
    strikes = np.array([float(each.strike) for each in contracts])
    years = np.array(
        [calendar.years_to_expiry(each.as_of, each.contract.expiration) for each in marks]
    )
    carry = pricing.carried([each.due for each in marks], spots, years)
    fixed = spots, strikes, years, rate, carry
    said = np.array([_said_volatility(each) for each in marks])
    mids = [math.nan if each.mid is None else float(each.mid) for each in marks]
    bids, asks = np.array([each.quote for each in marks]).T
    misfit = pricing.misfits(sides, said, (bids, asks), fixed)
    implied = pricing.implied_volatility(sides, mids, *fixed)
    volatility = np.where(np.isnan(said) | misfit, implied, said)
    found = pricing.greeks(sides, *fixed, volatility)
    columns = (volatility, found.delta, found.gamma, found.theta, found.vega, found.probability_itm)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        _completed(each, Figures(**_named(row)), believed=not wrong)
        for each, row, wrong in zip(marks, rows, misfit.tolist(), strict=True)
    ]


def _named(row: Sequence[float]) -> dict[str, float | None]:
    return dict(zip(Figures.__struct_fields__, map(_number, row), strict=True))


def _completed(mark: Mark, reckoned: Figures, *, believed: bool) -> Figures:
    if mark.said is None or not believed:
        return reckoned
    told = {
        field: value
        for field in ("delta", "gamma", "theta", "vega")
        if (value := getattr(mark.said, field)) is not None
    }
    return msgspec.structs.replace(reckoned, **told)


def _said_volatility(mark: Mark) -> float:
    """A volatility of 0 is none: some providers say it where they know nothing."""
    said = None if mark.said is None else mark.said.implied_volatility
    return said if said is not None and said > 0 else math.nan


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
