"""A valuation: what a wheel held at an instant, and what the market said of it.

marks ──PositionMarked──▶ marks

A mark is an observation, so it is neither corrected nor voided: it tells what was known of the
wheel and of its price when it was recorded. Who learns better marks the same instant anew, and
of one instant the mark recorded last is the one that counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import (
    calendar,
    commands,
    facts,
    freshness,
    mark,
    market,
    moments,
    money,
    refusals,
    risk,
)
from domain import trade as trades
from domain import wheel as wheels
from domain.story import Story

GIVEN = "given"
"""The source of a price that came with the order."""


class OptionPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an open option was worth: the middle of bid and ask, in USD per share."""

    trade_id: UUID
    mid: Decimal


class MarkPosition(commands.Command, frozen=True, kw_only=True):
    """Write down what a wheel holds and what that is worth.

    Without `price` the last one heard counts, and for options without a `mid` the market's, as
    far as it was fresh; else they have none.
    """

    price: Decimal | None = None
    options: Annotated[tuple[OptionPrice, ...], msgspec.Meta(max_length=1_000)] = ()


class Valuation(msgspec.Struct, frozen=True):
    """What the next mark needs to know of those before it."""

    last: facts.Recorded | None = None
    external_ids: frozenset[str] = frozenset()

    @property
    def version(self) -> int:
        """How many marks there are."""
        return 0 if self.last is None else self.last.version


UNMARKED = Valuation()


class _Price(msgspec.Struct, frozen=True):
    """What the share was worth, and who said so."""

    last: Decimal
    as_of: datetime
    source: str
    state: facts.PriceState


def evolve(valuation: Valuation, recorded: facts.Recorded) -> Valuation:
    """Fold one fact in. Never refuses."""
    if recorded.external_id is None:
        return replace(valuation, last=recorded)
    return Valuation(recorded, valuation.external_ids | {recorded.external_id})


def effective_at(
    story: Story,
    command: MarkPosition,
    quote: market.Quote | None,
    board: mark.Board,
    now: datetime,
) -> datetime:
    """When a mark is of: as said; else, with a price of its own, now.

    Else the first instant at which the price, the options' and the position were what they are.
    """
    if command.effective_at is not None:
        return moments.happened("effective_at", command.effective_at, now)
    if command.price is not None or quote is None:
        return now
    happened = [each.effective_at for each in story.line]
    contracts = [story.wheel.trades[each].contract for each in story.wheel.open_trades]
    told = [board[each].as_of for each in contracts if each in board]
    return min(now, max([quote.as_of, *told, *happened]))


def decide(
    valuation: Valuation,
    story: Story,
    command: MarkPosition,
    quote: market.Quote | None,
    mids: Mapping[mark.Contract, Decimal],
    *,
    at: datetime,
    now: datetime,
    command_id: UUID,
) -> list[facts.Recorded]:
    """The mark of the instant `at` that an order leads to, not stored yet (position 0).

    `quote` is the last price heard, its state what it was worth at that instant; `mids` are those
    of the market that were fresh then. Raises a refusals.Refusal: OutOfTurn where there is no
    price, Invalid for one that cannot be meant.
    """
    if not story.wheel.started:
        raise refusals.Unknown("wheel", story.wheel_id)
    if command.external_id is not None and command.external_id in valuation.external_ids:
        raise refusals.AppliedBefore(
            f"{command.external_id} is recorded already", external_id=command.external_id
        )
    wheel = story.wheel_at(at)
    if quote is not None and freshness.before_split(quote.as_of, wheel.split_on):
        quote = None
    price = _price(story, command, quote, at)
    known = _market(wheel, mids) | _given(wheel, command.options)
    fact = _marked(story.wheel_id, wheel, price, known, calendar.trading_day(at))
    last = valuation.last
    learned = moments.learned(now, None if last is None else last.recorded_at)
    return [
        facts.Recorded(
            0,
            facts.valuation_stream(story.wheel_id),
            valuation.version + 1,
            learned,
            at,
            command.source,
            command_id,
            command.external_id,
            fact,
            command.notes,
        )
    ]


def _price(story: Story, command: MarkPosition, quote: market.Quote | None, at: datetime) -> _Price:
    if command.price is not None:
        return _Price(money.entered("price", command.price), at, GIVEN, "live")
    if quote is None or quote.state == "missing" or not (quote.last.is_finite() and quote.last > 0):
        raise refusals.OutOfTurn(
            f"no price of {story.wheel.symbol} is known; give one", expected="a price"
        )
    if quote.as_of > at and command.effective_at is not None:
        raise refusals.OutOfTurn(
            f"the last price of {story.wheel.symbol} is of {quote.as_of:%Y-%m-%dT%H:%M:%SZ}, "
            "later than the mark; give the one of then",
            expected="a price",
        )
    return _Price(quote.last, quote.as_of, quote.source, quote.state)


def _marked(
    wheel_id: UUID, wheel: wheels.Wheel, price: _Price, mids: Mapping[UUID, Decimal], on: date
) -> facts.PositionMarked:
    assert wheel.portfolio_id is not None
    money.notional("price", price.last * wheel.shares)
    return facts.PositionMarked(
        portfolio_id=wheel.portfolio_id,
        wheel_id=wheel_id,
        symbol=wheel.symbol,
        state=wheel.state,
        shares=wheel.shares,
        basis=wheel.basis,
        cash=wheel.cash,
        collateral=wheel.collateral_in_use,
        price=price.last,
        price_as_of=price.as_of,
        price_source=price.source,
        price_state=price.state,
        options=tuple(
            _option(wheel_id, wheel, wheel.trades[each], price.last, mids.get(each), on)
            for each in wheel.open_trades
        ),
    )


def _market(wheel: wheels.Wheel, mids: Mapping[mark.Contract, Decimal]) -> dict[UUID, Decimal]:
    """The market's prices of the open options, by trade, as far as it has any."""
    contracts = {each: wheel.trades[each].contract for each in wheel.open_trades}
    return {each: mids[contract] for each, contract in contracts.items() if contract in mids}


def _given(wheel: wheels.Wheel, given: Sequence[OptionPrice]) -> dict[UUID, Decimal]:
    """The prices that came with the order, by trade; each trade is open, and named once."""
    mids: dict[UUID, Decimal] = {}
    for each in given:
        if each.trade_id not in wheel.open_trades:
            raise refusals.Invalid("options.trade_id", each.trade_id, "must be open at that time")
        if each.trade_id in mids:
            raise refusals.Invalid("options.trade_id", each.trade_id, "must be named once")
        mids[each.trade_id] = money.entered("options.mid", each.mid, least=money.ZERO)
        trade = wheel.trades[each.trade_id]
        money.notional("options.mid", each.mid * trade.multiplier * trade.open_contracts)
    return mids


def _option(
    wheel_id: UUID,
    wheel: wheels.Wheel,
    trade: trades.Trade,
    price: Decimal,
    mid: Decimal | None,
    on: date,
) -> facts.MarkedOption:
    assert wheel.portfolio_id is not None
    watched = risk.OpenOption(
        wheel_id,
        trade.id,
        wheel.portfolio_id,
        wheel.symbol,
        trade.direction,
        trade.strike,
        trade.expiration_date,
        trade.open_contracts,
    )
    seen = risk.assess(watched, price, on)
    intrinsic = mark.intrinsic(trade.direction, trade.strike, price)
    return facts.MarkedOption(
        trade_id=trade.id,
        direction=trade.direction,
        strike=trade.strike,
        expiration_date=trade.expiration_date,
        contracts=trade.open_contracts,
        multiplier=trade.multiplier,
        premium=trade.premium_left,
        moneyness=seen.pct,
        risk_level=seen.level,
        mid=mid,
        intrinsic=intrinsic,
        extrinsic=None if mid is None else mid - intrinsic,
    )
