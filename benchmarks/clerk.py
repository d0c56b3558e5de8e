"""Commands in process: decided, stored durably and folded as the API does it, nothing around."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

from adapters import clock
from adapters.event_store import EventStore
from domain import calendar, commands, deciding, facts, orders, portfolio
from domain.story import Story

CAPITAL: Final = Decimal(1_000_000)


class Clerk:
    """Takes one order after the other."""

    def __init__(self, log: EventStore) -> None:
        self._log = log
        self._stories: dict[UUID, Story] = {}

    def open_portfolio(self, name: str) -> UUID:
        """A new portfolio."""
        portfolio_id = uuid4()
        order = commands.OpenPortfolio(name=name)
        empty = portfolio.Portfolio(portfolio_id)
        self._log.append(portfolio.decide(empty, order, now=clock.SYSTEM.now(), command_id=uuid4()))
        return portfolio_id

    def start_wheel(self, portfolio_id: UUID, symbol: str) -> UUID:
        """A new wheel with more cash than it will need."""
        wheel_id = facts.wheel_stream(portfolio_id, symbol)
        self._stories[wheel_id] = Story(wheel_id)
        order = commands.StartWheel(symbol=symbol, capital_allocated=CAPITAL)
        self.carry_out(wheel_id, order, portfolio_id=portfolio_id)
        return wheel_id

    def sell_put(self, wheel_id: UUID, strike: Decimal) -> UUID:
        """A put sold now, that will not expire while we look; answers the trade."""
        order = commands.SellOption(
            direction="put",
            strike=strike,
            expiration_date=far_away(),
            premium_per_share=Decimal("1.25"),
        )
        self.carry_out(wheel_id, order)
        return self._stories[wheel_id].wheel.open_trades[-1]

    def buy_back(self, wheel_id: UUID, trade_id: UUID) -> None:
        """The whole trade bought to close."""
        self.carry_out(wheel_id, commands.Close(price_per_share=Decimal("0.50")), trade_id=trade_id)

    def carry_out(
        self,
        wheel_id: UUID,
        command: commands.WheelCommand | commands.TradeCommand,
        *,
        portfolio_id: UUID | None = None,
        trade_id: UUID | None = None,
    ) -> None:
        """Any order on a wheel."""
        story = self._stories[wheel_id]
        order = orders.Order(
            command, clock.SYSTEM.now(), uuid4(), portfolio_id=portfolio_id, trade_id=trade_id
        )
        recorded = deciding.decide(story, order)
        self._log.append(recorded)
        for each in recorded:
            story = story.then(each)
        self._stories[wheel_id] = story


def far_away() -> date:
    """A session some months ahead."""
    today = calendar.trading_day(clock.SYSTEM.now())
    return calendar.last_session(today + timedelta(days=120))
