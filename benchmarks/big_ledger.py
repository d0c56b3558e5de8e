"""A ledger of any size, legal from the first fact to the last: the same seed, the same ledger.

    python -m benchmarks.big_ledger DIR --events N --seed S

writes DIR/ledger.db. Every wheel turns once a week: a put is sold on the week's first session
and ends on its last, bought back in part or whole, rolled, expired or assigned; what was
assigned is covered with calls until it is called away. Wheels take turns, so that their facts
are mixed in the log as in a real one. A wheel lives about 200 facts (some 60 trades); more
facts are more wheels, 25 to a portfolio.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count, islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from rich.progress import Progress

from adapters import event_store
from adapters.event_store import EventStore
from domain import calendar, facts

A_LIFE: Final = 200
WHEELS_OF_ONE: Final = 25
SYMBOLS: Final = 500
MONDAY: Final = date(2022, 1, 3)
CAPITAL: Final = Decimal(1_000_000)
MOST_CONTRACTS: Final = 4
MOST_SHARES: Final = 100 * MOST_CONTRACTS
FRIDAY: Final = 4
_BATCH: Final = 20_000
WEEKS: Final = 70
"""What a ledger takes at most, whatever its size: a little more than A_LIFE."""


class Week(msgspec.Struct, frozen=True):
    """The instants at which something happens in a week, and the day on which options expire."""

    opens: datetime
    middle: datetime
    closes: datetime
    expiration: date

    @classmethod
    def after(cls, monday: date, n: int) -> Week:
        """The n-th week after the one that a ledger begins with."""
        monday += timedelta(weeks=n)
        first = calendar.next_session(monday - timedelta(days=1))
        last = calendar.last_session(monday + timedelta(days=4))
        opens = calendar.open_at(first) + timedelta(hours=1)
        return cls(opens, opens + timedelta(days=1), calendar.close_at(last), last)


class Life:
    """One wheel, week after week."""

    def __init__(self, random_: random.Random, portfolio_id: UUID, symbol: str) -> None:
        self.stream_id = facts.wheel_stream(portfolio_id, symbol)
        self._random = random_
        self._of: dict[str, Any] = {"portfolio_id": portfolio_id, "symbol": symbol}
        self._price = random_.randint(20, 180)
        self._version = 0
        self._shares = 0
        self._open: facts.OptionSold | None = None
        self._left = 0

    def begins(self, at: datetime) -> facts.Recorded:
        """The wheel's first fact."""
        return self._recorded(at, facts.WheelStarted(**self._of, capital=CAPITAL))

    def first(self, week: Week) -> Iterator[facts.Recorded]:
        """Sell what can be sold, unless a roll has done so; perhaps say why."""
        if self._open is None:
            self._price = max(10, self._price + self._random.randint(-3, 3))
            yield self._sold(week.opens, week.expiration, self._contracts())
            yield from self._second_thoughts(week.opens)
        if self._chance(0.45) and self._open is not None:
            trade_id = self._open.trade_id
            note = facts.TradeNoted(**self._of, trade_id=trade_id, notes="as planned")
            yield self._recorded(week.opens, note)

    def middle(self, week: Week) -> Iterator[facts.Recorded]:
        """Take a part of the profit; shares pay dividends, and are bought now and then."""
        if self._open is not None and self._left > 1 and self._chance(0.6):
            self._left -= 1
            yield self._bought_back(week.middle, self._open, 1)
        if self._shares and self._chance(0.15):
            yield self._recorded(
                week.middle,
                facts.DividendReceived(
                    **self._of,
                    amount_per_share=Decimal("0.35"),
                    ex_date=week.opens.date(),
                    shares=self._shares,
                ),
            )
        if self._shares < MOST_SHARES and self._chance(0.02):
            self._shares += 100
            price = Decimal(self._price)
            yield self._recorded(
                week.middle, facts.SharesBought(**self._of, shares=100, price=price)
            )

    def last(self, week: Week) -> Iterator[facts.Recorded]:
        """End what is open, one way or another."""
        sold = self._open
        if sold is None:
            return
        match self._random.randrange(10):
            case 0:
                yield from self._rolled(week, sold)
                return
            case 1 | 2:
                yield self._bought_back(week.closes, sold, self._left)
            case 3 | 4 | 5:
                yield self._assigned(week.closes, sold)
            case _:
                yield self._recorded(
                    week.closes,
                    facts.OptionExpired(
                        **self._of_trade(sold), contracts=self._left, stock_price=sold.strike
                    ),
                )
        self._open = None

    def _contracts(self) -> int:
        """As many calls as the shares cover; without shares, puts."""
        return self._shares // 100 or self._random.randint(1, MOST_CONTRACTS)

    def _sold(
        self,
        at: datetime,
        expiration: date,
        contracts: int,
        rolled: facts.OptionSold | None = None,
    ) -> facts.Recorded:
        side: facts.Direction = "call" if self._shares else "put"
        sold = facts.OptionSold(
            **self._of,
            trade_id=self._uuid(),
            direction=rolled.direction if rolled else side,
            strike=Decimal(self._price),
            expiration_date=expiration,
            contracts=contracts,
            premium_per_share=Decimal(self._random.randint(40, 250)) / 100,
            fees=Decimal("0.65") * contracts,
            rolled_from=rolled.trade_id if rolled else None,
        )
        self._open, self._left = sold, contracts
        return self._recorded(at, sold)

    def _second_thoughts(self, at: datetime) -> Iterator[facts.Recorded]:
        """Once in a while a sale was written down wrongly, or never happened."""
        version = self._version
        if self._chance(0.02):
            changes: dict[str, facts.Scalar] = {"premium_per_share": "2.65"}
            yield self._recorded(
                at,
                facts.FactCorrected(
                    **self._of, fact_version=version, changes=changes, reason="misread"
                ),
            )
        elif self._chance(0.005):
            self._open = None
            yield self._recorded(
                at, facts.FactVoided(**self._of, fact_version=version, reason="not filled")
            )

    def _rolled(self, week: Week, sold: facts.OptionSold) -> Iterator[facts.Recorded]:
        yield self._bought_back(week.closes, sold, contracts := self._left)
        friday = week.expiration + timedelta(days=FRIDAY - week.expiration.weekday())
        later = calendar.last_session(friday + timedelta(weeks=1))
        yield self._sold(week.closes, later, contracts, rolled=sold)

    def _bought_back(self, at: datetime, sold: facts.OptionSold, contracts: int) -> facts.Recorded:
        bought = facts.OptionBoughtBack(
            **self._of_trade(sold),
            contracts=contracts,
            price_per_share=Decimal("0.30"),
            fees=Decimal("0.65") * contracts,
        )
        return self._recorded(at, bought)

    def _assigned(self, at: datetime, sold: facts.OptionSold) -> facts.Recorded:
        self._shares += 100 * self._left * (1 if sold.direction == "put" else -1)
        return self._recorded(
            at,
            facts.OptionAssigned(
                **self._of_trade(sold),
                contracts=self._left,
                stock_price=sold.strike,
                at_expiry=True,
            ),
        )

    def _of_trade(self, sold: facts.OptionSold) -> dict[str, Any]:
        return self._of | {
            "trade_id": sold.trade_id,
            "direction": sold.direction,
            "strike": sold.strike,
            "expiration_date": sold.expiration_date,
        }

    def _recorded(self, at: datetime, fact: facts.Fact) -> facts.Recorded:
        self._version += 1
        learned = at + timedelta(microseconds=self._version)
        return facts.Recorded(
            0, self.stream_id, self._version, learned, at, "api", self._uuid(), None, fact
        )

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)


def history(events: int, seed: int = 1, monday: date = MONDAY) -> Iterator[facts.Recorded]:
    """So many facts, in the order of the log; the first week begins on that Monday."""
    return islice(_endless(random.Random(seed), max(1, events // A_LIFE), monday), events)


def lately(today: date) -> date:
    """The Monday on which a ledger begins that ends in one of the last weeks."""
    return today - timedelta(days=today.weekday(), weeks=WEEKS)


def _endless(random_: random.Random, wheels: int, monday: date) -> Iterator[facts.Recorded]:
    portfolios = [
        UUID(int=random_.getrandbits(128), version=4) for _ in range(-(-wheels // WHEELS_OF_ONE))
    ]
    lives = [
        Life(random_, portfolios[n // WHEELS_OF_ONE], f"W{n * 7 % SYMBOLS:03d}")
        for n in range(wheels)
    ]
    before = datetime.combine(monday - timedelta(days=3), time(15), UTC)
    for n, portfolio_id in enumerate(portfolios, 1):
        yield _portfolio(portfolio_id, n, before)
    yield from (life.begins(before) for life in lives)
    for n in count():
        week = Week.after(monday, n)
        for day in (Life.first, Life.middle, Life.last):
            for life in lives:
                yield from day(life, week)


def _portfolio(portfolio_id: UUID, n: int, at: datetime) -> facts.Recorded:
    created = facts.PortfolioCreated(portfolio_id=portfolio_id, portfolio_name=f"Portfolio {n}")
    return facts.Recorded(0, portfolio_id, 1, at, at, "api", portfolio_id, None, created)


def write(
    log: EventStore,
    events: int,
    seed: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    monday: date = MONDAY,
) -> None:
    """Append so many facts to an empty log, many to a commit."""
    facts_, done = history(events, seed, monday), 0
    while batch := list(islice(facts_, _BATCH)):
        log.append(batch)
        done += len(batch)
        progress(done)


def main() -> int:
    """Write a ledger where the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_ledger")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    path = given.directory / "ledger.db"
    if path.exists():
        print(f"{path} exists already", file=sys.stderr)
        return 1
    with closing(event_store.open_sqlite(path)) as log, Progress() as bar:
        task = bar.add_task("facts", total=given.events)
        write(log, given.events, given.seed, lambda done: bar.update(task, completed=done))
    print(f"{given.events} facts in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
