"""Lives of a wheel to which random things happen, late and mistaken ones too."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import commands, facts, refusals
from tests.domain.desk import MONDAY, Desk, sale

Order = tuple[Any, UUID | None]
REASON = "a slip of the pen"


class Life:
    """Gives random orders to a desk; the same seed gives the same life."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.desk = Desk("60000", now=MONDAY + timedelta(days=60))

    def lived(self, orders: int) -> Desk:
        """The desk after some orders, those refused not counted."""
        done = 0
        while done < orders:
            done += self.tries(*self.order())
        return self.desk

    def tries(self, command: Any, trade: UUID | None) -> bool:
        try:
            self.desk.does(command, trade)
        except refusals.Refusal:
            return False
        return True

    def order(self) -> Order:
        """Any order, legal or not."""
        return self.random.choice([self._sell, self._sell, self._end, self._amend, self._other])()

    def correction(self) -> Order:
        """An order that amends, or comes late."""
        return self.random.choice([self._amend, self._amend, self._other, self._sell])()

    def _day(self, first: int = 0) -> str:
        day: datetime = MONDAY + timedelta(days=self.random.randint(first, 50))
        return f"{day:%Y-%m-%d}"

    def _price(self, around: int) -> Decimal:
        return Decimal(self.random.randint(around * 80, around * 120)) / 100

    def _trade(self) -> UUID:
        known = [*self.desk.wheel.trades, *self.desk.story.voided_trades]
        return self.random.choice(known) if known else UUID(int=0)

    def _sell(self) -> Order:
        command = sale(
            self.random.choice(["put", "put", "call"]),
            str(self.random.randint(90, 110)),
            str(self._price(2)),
            self.random.randint(1, 3),
            opened_at=self._day(),
            expiration_date=date(2026, self.random.choice([2, 3, 4]), 20),
        )
        return command, None

    def _end(self) -> Order:
        trade, day = self._trade(), self._day(20)
        some = self.random.choice([None, 1])
        ends: list[Any] = [
            commands.Close(price_per_share=self._price(1), contracts=some, effective_at=day),
            commands.Assign(contracts=some, effective_at=day),
            commands.Expire(stock_price_at_expiry=self._price(100)),
            commands.Roll(
                close_price=self._price(1),
                strike=Decimal(self.random.randint(90, 110)),
                expiration_date=date(2026, 4, 17),
                premium_per_share=self._price(2),
                effective_at=day,
            ),
        ]
        return self.random.choice(ends), trade

    def _amend(self) -> Order:
        amendments: list[Any] = [
            commands.CorrectTrade(premium_per_share=self._price(3), reason=REASON),
            commands.CorrectTrade(strike=self._price(100), reason=REASON),
            commands.CorrectTrade(opened_at=self._day(), reason=REASON),
            commands.CorrectTrade(close_price=self._price(1), reason=REASON),
            commands.CorrectTrade(notes=self.random.choice(["seen", None])),
            commands.VoidTrade(reason=REASON),
        ]
        return self.random.choice(amendments), self._trade()

    def _other(self) -> Order:
        day = self._day()
        others: list[Any] = [
            commands.TradeShares(
                action=self.random.choice(["buy", "sell"]),
                shares=self.random.randint(1, 120),
                price=self._price(100),
                effective_at=day,
            ),
            commands.ReceiveDividend(
                amount_per_share=self._price(1), ex_date=date.fromisoformat(day), effective_at=day
            ),
            commands.ApplySplit(numerator=2, denominator=1, effective_at=self._day(40)),
        ]
        return self.random.choice(others), None


def alerts(desk: Desk) -> Iterator[facts.Recorded]:
    """An alert raised on each trade a day after it was sold."""
    for n, trade in enumerate(desk.wheel.trades.values(), 1):
        at = trade.opened_at + timedelta(days=1)
        told = facts.AlertRaised(
            portfolio_id=UUID(int=1),
            wheel_id=desk.wheel_id,
            trade_id=trade.id,
            symbol="XYZ",
            rule="itm",
            severity="HIGH",
            message="in the money",
            direction=trade.direction,
            strike=trade.strike,
            expiration_date=trade.expiration_date,
        )
        stream = facts.alert_stream(trade.id, "itm")
        yield facts.Recorded(n, stream, 1, at, at, "risk", UUID(int=n), None, told)
