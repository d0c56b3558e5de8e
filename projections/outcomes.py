"""How trades ended: counted, and weighed by what they brought.

A trade wins that expired worthless or was bought back at a net gain, and loses that was
exercised or bought back at a net loss; one bought back at exactly nothing does neither. Its
result is its net premium: premium less fees and less what buying back cost. So an assigned put
is a loss by its name with a gain by its premium, and both are told: the averages of what is
named a win or a loss, and gains and losses by their signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from domain import facts, money


class Counted(msgspec.Struct, frozen=True):
    """Trades that ended, exact; amounts in cents, `best` and `worst` of single trades."""

    ended: int = 0
    wins: int = 0
    losses: int = 0
    won: int = 0
    lost: int = 0
    gains: int = 0
    shortfalls: int = 0
    best: int | None = None
    worst: int | None = None

    def plus(self, other: Counted) -> Counted:
        """Both together."""
        return Counted(
            self.ended + other.ended,
            self.wins + other.wins,
            self.losses + other.losses,
            self.won + other.won,
            self.lost + other.lost,
            self.gains + other.gains,
            self.shortfalls + other.shortfalls,
            max((each for each in (self.best, other.best) if each is not None), default=None),
            min((each for each in (self.worst, other.worst) if each is not None), default=None),
        )


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What trades that ended come to; USD, rates in percent of those that ended.

    `average_win` and `average_loss` are of winning and of losing trades, `largest_win` and
    `largest_loss` the best and the worst result that is one, `gross_gain` and `gross_loss` the
    sums of results above and below zero, `profit_factor` the one over the other, `expectancy`
    the average result. What nothing can be told of is null.
    """

    trades_ended: int
    winning_trades: int
    losing_trades: int
    even_trades: int
    win_rate: Decimal | None
    loss_rate: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    largest_win: Decimal | None
    largest_loss: Decimal | None
    gross_gain: Decimal
    gross_loss: Decimal
    net_premium: Decimal
    profit_factor: Decimal | None
    expectancy: Decimal | None


class Streak(msgspec.Struct, frozen=True):
    """Trades in a row, by when they ended, that won or that lost."""

    result: Literal["win", "loss"]
    trades: int


class Streaks(msgspec.Struct, frozen=True):
    """The longest streaks, and the one that the last trade is in."""

    longest_win: int = 0
    longest_loss: int = 0
    current: Streak | None = None


def record(counted: Counted) -> Record:
    """What some trades come to."""
    return Record(**fields(counted))


def fields(counted: Counted) -> dict[str, Any]:
    """The fields of a record."""
    net = counted.gains + counted.shortfalls
    return {
        "trades_ended": counted.ended,
        "winning_trades": counted.wins,
        "losing_trades": counted.losses,
        "even_trades": counted.ended - counted.wins - counted.losses,
        "win_rate": _ratio(100 * counted.wins, counted.ended),
        "loss_rate": _ratio(100 * counted.losses, counted.ended),
        "average_win": _average(counted.won, counted.wins),
        "average_loss": _average(counted.lost, counted.losses),
        "largest_win": money.from_cents(counted.best)
        if counted.best and counted.best > 0
        else None,
        "largest_loss": money.from_cents(counted.worst)
        if counted.worst and counted.worst < 0
        else None,
        "gross_gain": money.from_cents(counted.gains),
        "gross_loss": money.from_cents(counted.shortfalls),
        "net_premium": money.from_cents(net),
        "profit_factor": _ratio(counted.gains, -counted.shortfalls),
        "expectancy": _average(net, counted.ended),
    }


def _ratio(amount: int, of: int) -> Decimal | None:
    return money.cents(Decimal(amount) / of) if of else None


def _average(cents: int, of: int) -> Decimal | None:
    return money.cents(Decimal(cents) / of / 100) if of else None


Key = tuple[str, facts.Direction]


def group(outcome: str, sign: int, trades: int, net: int, best: int, worst: int) -> Counted:
    """Trades that ended alike, with results on the same side of zero."""
    wins = trades if result(outcome, sign) > 0 else 0
    losses = trades if result(outcome, sign) < 0 else 0
    return Counted(
        trades,
        wins,
        losses,
        net if wins else 0,
        net if losses else 0,
        net if sign > 0 else 0,
        net if sign < 0 else 0,
        best,
        worst,
    )


def result(outcome: str, sign: int) -> int:
    """Won (1), lost (-1) or neither (0), by how it ended and the sign of what it brought."""
    match outcome:
        case "expired_worthless":
            return 1
        case "assigned" | "called_away":
            return -1
        case _:
            return sign


def together(some: Iterable[Counted]) -> Counted:
    """All of them."""
    total = Counted()
    for each in some:
        total = total.plus(each)
    return total


def of(counted: Mapping[Key, Counted], direction: facts.Direction) -> Counted:
    """Those of one direction."""
    return together(each for (_, side), each in counted.items() if side == direction)


def by_symbol(counted: Mapping[Key, Counted]) -> list[tuple[str, Counted]]:
    """By symbol, the one with most trades first."""
    found: dict[str, Counted] = {}
    for (symbol, _), each in counted.items():
        found[symbol] = found.get(symbol, Counted()).plus(each)
    return sorted(found.items(), key=lambda told: (-told[1].ended, told[0]))


def streaks_in(results: str) -> Streaks:
    """The streaks in a row of results, `w` for a win and `l` for a loss, the oldest first."""
    if not results:
        return Streaks()
    won = results.endswith("w")
    current = len(results) - len(results.rstrip("w" if won else "l"))
    return Streaks(
        max(map(len, results.split("l"))),
        max(map(len, results.split("w"))),
        Streak("win" if won else "loss", current),
    )
