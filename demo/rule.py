"""The rule by which the reference wheel trades, and the record that it must reproduce.

The rule itself is written down in data/spy_2021/README.md.
"""

import csv
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from domain.market import Chain, OptionMark

DATA: Final = Path(__file__).resolve().parent.parent / "data" / "spy_2021"
SYMBOL: Final = "SPY"
CAPITAL: Final = Decimal(50_000)
FEE: Final = Decimal("0.66")
FIRST_DAY: Final = date(2021, 1, 4)
LAST_DAY: Final = date(2021, 12, 31)
"""The last session that was recorded: what expires later stays open."""

_NEAREST, _FARTHEST = 20, 45
_DELTA: Final = 0.30
_MULTIPLIER: Final = 100


class Row(NamedTuple):
    """One line of the record; `delta` and `price` are None where an option expired."""

    day: date
    event: str
    type: str
    strike: Decimal
    expiration: date
    price: Decimal | None
    delta: float | None
    underlying_close: Decimal
    cash: Decimal
    shares: int


def chosen(chain: Chain, on: date, cash: Decimal) -> OptionMark | None:
    """The put that the rule sells on this day out of this cash, if there is one."""
    candidates = [each for each in chain.options if _suits(each, on, cash)]
    return min(candidates, key=lambda each: _rank(each, on), default=None)


def _suits(option: OptionMark, on: date, cash: Decimal) -> bool:
    return (
        option.direction == "put"
        and option.delta is not None
        and _NEAREST <= (option.expiration - on).days <= _FARTHEST
        and option.bid is not None
        and option.bid > 0
        and option.strike * _MULTIPLIER <= cash
    )


def _rank(option: OptionMark, on: date) -> tuple[float, int, Decimal]:
    delta = 0.0 if option.delta is None else abs(option.delta)
    return abs(delta - _DELTA), (option.expiration - on).days, option.strike


def reference(path: Path = DATA / "reference.csv") -> list[Row]:
    """What must come out."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(fields) for fields in csv.DictReader(file)]


def _row(fields: dict[str, str]) -> Row:
    return Row(
        day=date.fromisoformat(fields["date"]),
        event=fields["event"],
        type=fields["type"],
        strike=Decimal(fields["strike"]),
        expiration=date.fromisoformat(fields["expiration"]),
        price=Decimal(fields["price"]) if fields["price"] else None,
        delta=float(fields["delta"]) if fields["delta"] else None,
        underlying_close=Decimal(fields["underlying_close"]),
        cash=Decimal(fields["cash"]),
        shares=int(fields["shares"]),
    )


def difference(played: Sequence[Row], expected: Sequence[Row]) -> str | None:
    """The first line in which two records differ, in words; None when they are equal."""
    for number, (ours, theirs) in enumerate(zip(played, expected, strict=False), 1):
        if ours != theirs:
            return f"line {number} is {ours}, but the reference has {theirs}"
    if len(played) != len(expected):
        return f"{len(played)} lines were played, but the reference has {len(expected)}"
    return None
