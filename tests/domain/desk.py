"""A desk that works one wheel: what the tests of the ledger have in common."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec

from domain import calendar, commands, deciding, facts, fees, orders, policies, ports, refusals
from domain import trade as trades
from domain import wheel as wheels
from domain.story import Story, told

PORTFOLIO = UUID(int=1)
MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
EXPIRY = date(2026, 2, 20)
FREE = fees.Schedule((fees.Tariff(Decimal(0)),))
A_MINUTE = timedelta(minutes=1)


def usd(amount: str | int) -> Decimal:
    return Decimal(amount)


class Memory:
    """The log's port in memory."""

    def __init__(self) -> None:
        self.facts: list[facts.Recorded] = []

    def head(self) -> int:
        return len(self.facts)

    def after(self, position: int, limit: int) -> list[facts.Recorded]:
        return self.facts[position : position + limit]

    def stream(self, stream_id: UUID, *, after: int = 0) -> list[facts.Recorded]:
        return [r for r in self.facts if r.stream_id == stream_id and r.version > after]

    def by_stream(self, until: int) -> Iterator[list[facts.Recorded]]:
        some = sorted(self.facts[:until], key=lambda each: (each.stream_id, each.version))
        for _, stream in groupby(some, key=lambda each: each.stream_id):
            yield list(stream)

    def append(
        self, recorded: Sequence[facts.Recorded], answered: ports.Answered | None = None
    ) -> list[int]:
        first = len(self.facts) + 1
        places = list(range(first, first + len(recorded)))
        for place, each in zip(places, recorded, strict=True):
            self.facts.append(msgspec.structs.replace(each, position=place))
        return places

    def append_each(self, appends: Sequence[ports.Append]) -> list[Sequence[int]]:
        return [self.append(each.recorded) for each in appends]

    def answered(self, key: str) -> ports.Answered | None:
        return None


class Desk:
    """Gives orders on one wheel, each a minute after the last, and keeps what they lead to."""

    def __init__(
        self,
        capital: str | None = "20000",
        *,
        symbol: str = "XYZ",
        now: datetime = MONDAY,
        tariff: fees.Schedule = FREE,
        log: ports.Log | None = None,
        **start: Any,
    ) -> None:
        self.now = now
        self.tariff = tariff
        self.log: ports.Log = log or Memory()
        self.wheel_id = facts.wheel_stream(PORTFOLIO, symbol)
        self.story = Story(self.wheel_id)
        self._orders = 0
        money = None if capital is None else Decimal(capital)
        self.does(commands.StartWheel(symbol=symbol, capital_allocated=money, **start))

    @property
    def stream(self) -> Sequence[facts.Recorded]:
        return self.log.stream(self.wheel_id)

    @property
    def wheel(self) -> wheels.Wheel:
        return self.story.wheel

    def decides(
        self, command: commands.WheelCommand | commands.TradeCommand, trade: UUID | None = None
    ) -> list[facts.Recorded]:
        """What an order leads to now, nothing recorded."""
        command_id = UUID(int=1_000 + self._orders)
        order = orders.Order(command, self.now, command_id, self.tariff, PORTFOLIO, trade)
        return deciding.decide(self.story, order)

    def does(
        self, command: commands.WheelCommand | commands.TradeCommand, trade: UUID | None = None
    ) -> list[facts.Recorded]:
        """Carry an order out; what it leads to stands then, and a minute has passed."""
        recorded = self.decides(command, trade)
        self._orders += 1
        self.log.append(recorded)
        for each in recorded:
            self.story = self.story.then(each)
        self.now += A_MINUTE
        return recorded

    def refused(
        self, command: commands.WheelCommand | commands.TradeCommand, trade: UUID | None = None
    ) -> refusals.Refusal:
        """Why an order is refused now."""
        try:
            self.decides(command, trade)
        except refusals.Refusal as refusal:
            return refusal
        raise AssertionError(f"{command} was not refused")

    def on(self, day: str, hour: int = 17) -> None:
        """Let it be that day, an hour after the close."""
        year, month, date_ = map(int, day.split("-"))
        self.now = datetime(year, month, date_, hour, tzinfo=calendar.NEW_YORK).astimezone(UTC)

    def put(self, strike: str, premium: str, contracts: int = 1, **more: Any) -> UUID:
        return self._sold("put", strike, premium, contracts, more)

    def call(self, strike: str, premium: str, contracts: int = 1, **more: Any) -> UUID:
        return self._sold("call", strike, premium, contracts, more)

    def _sold(
        self,
        direction: facts.Direction,
        strike: str,
        premium: str,
        contracts: int,
        more: dict[str, Any],
    ) -> UUID:
        (sold,) = self.does(sale(direction, strike, premium, contracts, **more))
        assert isinstance(sold.fact, facts.OptionSold)
        return sold.fact.trade_id

    def closes(self, trade: UUID, price: str, contracts: int | None = None, **more: Any) -> None:
        price_per_share = Decimal(price)
        self.does(
            commands.Close(price_per_share=price_per_share, contracts=contracts, **more), trade
        )

    def assigned(self, trade: UUID, contracts: int | None = None, **more: Any) -> None:
        self.does(commands.Assign(contracts=contracts, **more), trade)

    def expires(self, trade: UUID, price: str, **more: Any) -> None:
        self.does(commands.Expire(stock_price_at_expiry=Decimal(price), **more), trade)

    def rolls(self, trade: UUID, price: str, strike: str, premium: str, **more: Any) -> UUID:
        bought_back, _ = self.does(
            commands.Roll(
                close_price=Decimal(price),
                strike=Decimal(strike),
                premium_per_share=Decimal(premium),
                **{"expiration_date": date(2026, 3, 20)} | more,
            ),
            trade,
        )
        assert isinstance(bought_back.fact, facts.OptionBoughtBack)
        assert bought_back.fact.rolled_to is not None
        return bought_back.fact.rolled_to

    def buys(self, shares: int, price: str, **more: Any) -> None:
        self.does(commands.TradeShares(action="buy", shares=shares, price=Decimal(price), **more))

    def sells(self, shares: int, price: str, **more: Any) -> None:
        self.does(commands.TradeShares(action="sell", shares=shares, price=Decimal(price), **more))

    def transfers(self, shares: int, price: str, **more: Any) -> None:
        self.does(
            commands.TradeShares(action="transfer_in", shares=shares, price=Decimal(price), **more)
        )

    def splits(self, numerator: int, denominator: int, **more: Any) -> None:
        self.does(commands.ApplySplit(numerator=numerator, denominator=denominator, **more))

    def corrects(self, trade: UUID, **changes: Any) -> None:
        self.does(commands.CorrectTrade(**{"reason": "a slip of the pen"} | changes), trade)

    def voids(self, trade: UUID) -> None:
        self.does(commands.VoidTrade(reason="never happened"), trade)

    def trade(self, trade: UUID) -> trades.Trade:
        return self.wheel.trades[trade]

    def income(self, policy: policies.Policy) -> list[policies.Amount]:
        return policies.income(policy, self.story.line)

    def totals(self) -> dict[str, Decimal]:
        """What each policy's books come to."""
        return {each: policies.total(self.income(each)) for each in policies.POLICIES}

    def then(self, as_of: datetime, known_at: datetime | None = None) -> wheels.Wheel:
        """The wheel as of an instant, as known at another."""
        return told(self.wheel_id, self.stream, as_of=as_of, known_at=known_at).wheel


def sale(
    direction: facts.Direction,
    strike: str = "100",
    premium: str = "1.00",
    contracts: int = 1,
    **more: Any,
) -> commands.SellOption:
    """The order to sell an option, in February 2026 unless said otherwise."""
    return commands.SellOption(
        **{
            "direction": direction,
            "strike": Decimal(strike),
            "premium_per_share": Decimal(premium),
            "contracts": contracts,
            "expiration_date": EXPIRY,
        }
        | more
    )


def everywhere(amount: str) -> dict[str, Decimal]:
    """The same total under every policy."""
    return dict.fromkeys(policies.POLICIES, Decimal(amount))
