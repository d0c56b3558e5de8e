"""What an order leads to: facts, or a refusal that says why not.

An order is legal when the whole history stays legal with its facts in place. A fact that
cannot stand is refused by its own law; one that would break a later fact names that fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET

from domain import calendar, commands, facts, fees, history, market, moments, money, refusals
from domain import wheel as wheels
from domain.story import Story


class Order(msgspec.Struct, frozen=True):
    """A command with what it is told of the world: who, when, and what the broker takes."""

    command: commands.WheelCommand | commands.TradeCommand
    now: datetime
    command_id: UUID
    tariff: fees.Schedule = fees.Schedule()
    portfolio_id: UUID | None = None
    trade_id: UUID | None = None


class _Draft(msgspec.Struct, frozen=True):
    """A fact before it has a place in the log."""

    fact: facts.WheelFact | facts.Amendment
    at: datetime


def decide(story: Story, order: Order) -> list[facts.Recorded]:
    """The facts an order leads to, not stored yet (position 0). Raises a refusals.Refusal."""
    drafts = _drafts(story, order)
    recorded = [_recorded(story, order, draft, n) for n, draft in enumerate(drafts, 1)]
    _lawful(story, recorded)
    return recorded


def _recorded(story: Story, order: Order, draft: _Draft, n: int) -> facts.Recorded:
    """Versions go on from the story's; what is known later is recorded later."""
    command = order.command
    learned = order.now
    if story.recorded_at is not None:
        learned = max(learned, story.recorded_at + timedelta(microseconds=1))
    notes = command.notes if isinstance(command.notes, str) else None
    return facts.Recorded(
        0,
        story.wheel_id,
        story.version + n,
        learned,
        draft.at,
        command.source,
        order.command_id,
        command.external_id if n == 1 else None,
        draft.fact,
        notes if n == 1 or isinstance(draft.fact, facts.OptionSold) else None,
    )


def _drafts(story: Story, order: Order) -> list[_Draft]:
    match order.command:
        case commands.StartWheel() as command:
            return _start(story, order, command)
        case commands.ConfigureWheel() as command:
            return _configure(story, order, command)
        case commands.ArchiveWheel() as command:
            return _archive(story, order, command)
        case commands.ReopenWheel():
            _started(story)
            return [_Draft(facts.WheelReopened(**_of(story)), _when(order))]
        case commands.SellOption() as command:
            return _sell(story, order, command)
        case commands.TradeShares() as command:
            return _trade_shares(story, order, command)
        case commands.ReceiveDividend() as command:
            return _dividend(story, order, command)
        case commands.ApplySplit() as command:
            return _split(story, order, command)
        case commands.Expire() as command:
            return _expire(story, order, command)
        case commands.Close() as command:
            return _close(story, order, command)
        case commands.Assign() as command:
            return _assign(story, order, command)
        case commands.Roll() as command:
            return _roll(story, order, command)
        case commands.CorrectTrade() as command:
            return _correct(story, order, command)
        case commands.VoidTrade() as command:
            return _void(story, order, command)
        case _:
            assert_never(order.command)


def _when(order: Order) -> datetime:
    text = order.command.effective_at
    return order.now if text is None else moments.happened("effective_at", text, order.now)


def _of(story: Story) -> dict[str, Any]:
    """The fields by which a fact names its wheel."""
    return {"portfolio_id": story.wheel.portfolio_id, "symbol": story.wheel.symbol}


def _of_trade(story: Story, trade: wheels.Trade) -> dict[str, Any]:
    """The fields by which a fact names its trade."""
    return _of(story) | {
        "trade_id": trade.id,
        "direction": trade.direction,
        "strike": trade.strike,
        "expiration_date": trade.expiration_date,
    }


def _started(story: Story) -> None:
    if not story.wheel.started:
        raise refusals.Unknown("wheel", story.wheel_id)


def _fees(given: Decimal | None, order: Order, contracts: int, at: datetime) -> Decimal:
    if given is None:
        return order.tariff.for_contracts(contracts, calendar.trading_day(at))
    return money.entered("fees", given, least=money.ZERO)


def _start(story: Story, order: Order, command: commands.StartWheel) -> list[_Draft]:
    symbol = symbol_of(command)
    if story.wheel.started:
        raise refusals.Exists(
            f"a wheel on {symbol} exists in this portfolio", wheel_id=str(story.wheel_id)
        )
    if command.capital_allocated is None and not command.shares:
        raise refusals.Invalid(
            "capital_allocated", None, "must be given, or shares with their cost_basis"
        )
    capital = money.ZERO
    if command.capital_allocated is not None:
        capital = money.entered("capital_allocated", command.capital_allocated)
    basis = _basis(command)
    assert order.portfolio_id is not None
    fact = facts.WheelStarted(
        portfolio_id=order.portfolio_id,
        symbol=symbol,
        capital=capital,
        shares=command.shares,
        cost_basis=basis,
        profile=command.profile,
        collateral=command.collateral,
        starting_direction=command.starting_direction or ("call" if command.shares else "put"),
    )
    return [_Draft(fact, _when(order))]


def symbol_of(command: commands.StartWheel) -> str:
    """The symbol in the form in which it is kept; raises refusals.Invalid."""
    try:
        return market.valid_symbol(command.symbol)
    except ValueError as error:
        raise refusals.Invalid(
            "symbol", command.symbol, "must be 1 to 10 letters, digits, points or hyphens"
        ) from error


def _basis(command: commands.StartWheel) -> Decimal:
    if not command.shares and command.cost_basis is None:
        return money.ZERO
    money.counted("shares", command.shares, most=10**9)
    if command.cost_basis is None:
        raise refusals.Invalid("cost_basis", None, "must be given with shares")
    basis = money.entered("cost_basis", command.cost_basis)
    money.notional("cost_basis", basis * command.shares)
    return basis


def _configure(story: Story, order: Order, command: commands.ConfigureWheel) -> list[_Draft]:
    _started(story)
    contribution = money.ZERO
    if command.capital_allocated is not None:
        wanted = money.entered("capital_allocated", command.capital_allocated, least=money.ZERO)
        contribution = wanted - story.wheel.capital
    fact = facts.WheelConfigured(
        **_of(story),
        contribution=contribution,
        profile=command.profile,
        collateral=command.collateral,
        starting_direction=command.starting_direction,
    )
    if fact == facts.WheelConfigured(**_of(story)):
        return []
    return [_Draft(fact, _when(order))]


def _archive(story: Story, order: Order, command: commands.ArchiveWheel) -> list[_Draft]:
    _started(story)
    if story.wheel.open_trades and not command.force:
        raise refusals.OutOfTurn(
            "options are open; close them first, or force it",
            open_trades=[str(each) for each in story.wheel.open_trades],
        )
    return [_Draft(facts.WheelArchived(**_of(story)), _when(order))]


def _sell(story: Story, order: Order, command: commands.SellOption) -> list[_Draft]:
    _started(story)
    at = _opened_at(order, command)
    return [_Draft(_sale(story, order, command, at), at)]


def _opened_at(order: Order, command: commands.SellOption) -> datetime:
    if command.opened_at is None:
        return _when(order)
    at = moments.happened("opened_at", command.opened_at, order.now)
    if command.effective_at is not None and _when(order) != at:
        raise refusals.Invalid(
            "effective_at", command.effective_at, "must be the same as opened_at"
        )
    return at


def _sale(
    story: Story,
    order: Order,
    command: commands.SellOption,
    at: datetime,
    rolled_from: UUID | None = None,
) -> facts.OptionSold:
    contracts = money.counted("contracts", command.contracts)
    multiplier = money.counted("multiplier", command.multiplier, most=100_000)
    strike = money.entered("strike", command.strike)
    premium = money.entered("premium_per_share", command.premium_per_share)
    sale = facts.OptionSold(
        **_of(story),
        trade_id=uuid5(story.wheel_id, f"trade:{order.command_id}"),
        direction=command.direction,
        strike=strike,
        expiration_date=command.expiration_date,
        contracts=contracts,
        premium_per_share=premium,
        fees=_fees(command.fees, order, contracts, at),
        multiplier=multiplier,
        rolled_from=rolled_from,
    )
    _meant(sale, at)
    return sale


def _trade(story: Story, order: Order) -> wheels.Trade:
    """The trade an order is about; a voided one is known, but out of turn."""
    assert order.trade_id is not None
    trade = story.wheel.trades.get(order.trade_id)
    if trade is not None:
        return trade
    if order.trade_id in story.voided_trades:
        raise refusals.OutOfTurn("the trade is voided", trade_id=str(order.trade_id))
    raise refusals.Unknown("trade", order.trade_id)


def _open_trade(story: Story, order: Order) -> wheels.Trade:
    trade = _trade(story, order)
    if trade.open_contracts:
        return trade
    raise refusals.OutOfTurn(
        f"the trade is {trade.outcome}, not open", outcome=trade.outcome, expected="open"
    )


def _ended_at(order: Order, trade: wheels.Trade) -> datetime:
    """When an open trade ended: as said, else now, but not after it expired."""
    if order.command.effective_at is not None:
        return _when(order)
    return min(order.now, max(calendar.close_at(trade.expiration_date), trade.opened_at))


def _contracts(asked: int | None, trade: wheels.Trade) -> int:
    if asked is None:
        return trade.open_contracts
    return money.counted("contracts", asked)


def _expire(story: Story, order: Order, command: commands.Expire) -> list[_Draft]:
    trade = _open_trade(story, order)
    price = money.entered("stock_price_at_expiry", command.stock_price_at_expiry, least=money.ZERO)
    at = _ended_at(order, trade)
    close = calendar.close_at(trade.expiration_date)
    if at < close:
        raise refusals.OutOfTurn(
            f"the option does not expire before {close:%Y-%m-%dT%H:%M:%SZ}; "
            "an early assignment has its own command",
            expected=f"at or after {close:%Y-%m-%dT%H:%M:%SZ}",
            expiration_date=trade.expiration_date.isoformat(),
        )
    inside = trade.strike - price if trade.direction == "put" else price - trade.strike
    exercised = inside >= wheels.IN_THE_MONEY if command.assigned is None else command.assigned
    if exercised:
        fact: facts.WheelFact = facts.OptionAssigned(
            **_of_trade(story, trade),
            contracts=trade.open_contracts,
            stock_price=price,
            at_expiry=True,
        )
    else:
        fact = facts.OptionExpired(
            **_of_trade(story, trade), contracts=trade.open_contracts, stock_price=price
        )
    return [_Draft(fact, at)]


def _close(story: Story, order: Order, command: commands.Close) -> list[_Draft]:
    trade = _open_trade(story, order)
    at = _ended_at(order, trade)
    contracts = _contracts(command.contracts, trade)
    fact = facts.OptionBoughtBack(
        **_of_trade(story, trade),
        contracts=contracts,
        price_per_share=_buy_back_price("price_per_share", command.price_per_share, trade),
        fees=_fees(command.fees, order, contracts, at),
    )
    return [_Draft(fact, at)]


def _buy_back_price(field: str, price: Decimal, trade: wheels.Trade) -> Decimal:
    money.entered(field, price, least=money.ZERO)
    money.notional(field, price * trade.multiplier * trade.open_contracts)
    return price


def _assign(story: Story, order: Order, command: commands.Assign) -> list[_Draft]:
    trade = _open_trade(story, order)
    price = command.stock_price
    if price is not None:
        money.entered("stock_price", price, least=money.ZERO)
    at = _ended_at(order, trade)
    fact = facts.OptionAssigned(
        **_of_trade(story, trade),
        contracts=_contracts(command.contracts, trade),
        stock_price=price,
        fees=money.entered("fees", command.fees, least=money.ZERO),
        at_expiry=at >= calendar.close_at(trade.expiration_date),
    )
    return [_Draft(fact, at)]


def _roll(story: Story, order: Order, command: commands.Roll) -> list[_Draft]:
    trade = _open_trade(story, order)
    at = _ended_at(order, trade)
    contracts = _contracts(command.contracts, trade)
    closing_fees, opening_fees = _roll_fees(command.fees, order, contracts, at)
    sale = _sale(
        story,
        order,
        commands.SellOption(
            direction=trade.direction,
            strike=command.strike,
            expiration_date=command.expiration_date,
            contracts=contracts,
            premium_per_share=command.premium_per_share,
            fees=opening_fees,
            multiplier=int(trade.multiplier),
        ),
        at,
        rolled_from=trade.id,
    )
    bought_back = facts.OptionBoughtBack(
        **_of_trade(story, trade),
        contracts=contracts,
        price_per_share=_buy_back_price("close_price", command.close_price, trade),
        fees=closing_fees,
        rolled_to=sale.trade_id,
    )
    return [_Draft(bought_back, at), _Draft(sale, at)]


def _roll_fees(
    given: Decimal | None, order: Order, contracts: int, at: datetime
) -> tuple[Decimal, Decimal]:
    """The order's fees over its two legs, in whole cents, the remainder on the sale."""
    if given is None:
        each = _fees(None, order, contracts, at)
        return each, each
    money.entered("fees", given, least=money.ZERO)
    half = money.part(given, 1, 2, None)
    return half, given - half


_SALE_FIELDS = (
    "direction",
    "strike",
    "expiration_date",
    "contracts",
    "premium_per_share",
    "fees",
    "multiplier",
)


def _correct(story: Story, order: Order, command: commands.CorrectTrade) -> list[_Draft]:
    trade = _trade(story, order)
    drafts = []
    at = _when(order)
    sale = _sale_changes(story, order, command, trade)
    ending = _ending_changes(story, order, command, trade)
    if (sale or ending) and command.reason is None:
        raise refusals.Invalid("reason", None, "must be given with a correction")
    if sale:
        drafts.append(_correction(story, command, trade.version, sale, at))
    if ending:
        drafts.append(_correction(story, command, trade.closings[-1].version, ending, at))
    if command.notes is not UNSET:
        note = facts.TradeNoted(**_of(story), trade_id=trade.id, notes=command.notes)
        drafts.append(_Draft(note, max(at, trade.opened_at)))
    if not drafts:
        raise refusals.Invalid("body", None, "must change something")
    return drafts


def _correction(
    story: Story,
    command: commands.CorrectTrade,
    version: int,
    changes: dict[str, facts.Scalar],
    at: datetime,
) -> _Draft:
    fact = facts.FactCorrected(
        **_of(story), fact_version=version, changes=changes, reason=command.reason or ""
    )
    return _Draft(fact, at)


def _sale_changes(
    story: Story, order: Order, command: commands.CorrectTrade, trade: wheels.Trade
) -> dict[str, facts.Scalar]:
    changes: dict[str, facts.Scalar] = {}
    for field in _SALE_FIELDS:
        value = getattr(command, field)
        if value is not UNSET:
            changes[field] = _checked(field, value)
    if isinstance(command.opened_at, str):
        opened = moments.happened("opened_at", command.opened_at, order.now)
        changes["effective_at"] = opened.isoformat()
    if changes:
        corrected = history.corrected(story.entries[trade.version], changes)
        assert isinstance(corrected.fact, facts.OptionSold)
        _meant(corrected.fact, corrected.effective_at)
    return changes


def _meant(sale: facts.OptionSold, at: datetime) -> None:
    """Refuse a sale whose fields make sense one by one, but not together."""
    shares = sale.multiplier * sale.contracts
    money.notional("strike", sale.strike * shares)
    money.notional("premium_per_share", sale.premium_per_share * shares)
    moments.expiration("expiration_date", sale.expiration_date, calendar.trading_day(at))


def _checked(field: str, value: Any) -> facts.Scalar:
    if isinstance(value, Decimal):
        least = money.ZERO if field == "fees" else None
        return str(money.entered(field, value, least=least))
    if isinstance(value, int):
        return money.counted(field, value, most=100_000 if field == "multiplier" else 1_000_000)
    return str(value)


def _ending_changes(
    story: Story, order: Order, command: commands.CorrectTrade, trade: wheels.Trade
) -> dict[str, facts.Scalar]:
    changes: dict[str, facts.Scalar] = {}
    if isinstance(command.close_price, Decimal):
        price = money.entered("close_price", command.close_price, least=money.ZERO)
        changes["price_per_share"] = str(price)
    if isinstance(command.stock_price_at_expiry, Decimal):
        price = money.entered(
            "stock_price_at_expiry", command.stock_price_at_expiry, least=money.ZERO
        )
        changes["stock_price"] = str(price)
    if isinstance(command.closed_at, str):
        closed = moments.happened("closed_at", command.closed_at, order.now)
        changes["effective_at"] = closed.isoformat()
    if changes and not trade.closings:
        raise refusals.OutOfTurn("nothing of the trade is closed yet", outcome=trade.outcome)
    if changes:
        ended = history.corrected(story.entries[trade.closings[-1].version], changes).fact
        if isinstance(ended, facts.OptionBoughtBack):
            shares = trade.multiplier * ended.contracts
            money.notional("close_price", ended.price_per_share * shares)
    return changes


def _void(story: Story, order: Order, command: commands.VoidTrade) -> list[_Draft]:
    """The sale and everything that speaks of it, newest first."""
    trade = _trade(story, order)
    versions = sorted(
        (each.version for each in story.line if getattr(each.fact, "trade_id", None) == trade.id),
        reverse=True,
    )
    at = _when(order)
    return [
        _Draft(facts.FactVoided(**_of(story), fact_version=version, reason=command.reason), at)
        for version in versions
    ]


def _trade_shares(story: Story, order: Order, command: commands.TradeShares) -> list[_Draft]:
    _started(story)
    shares = money.counted("shares", command.shares, most=10**9)
    price = money.entered("price", command.price)
    money.notional("price", price * shares)
    kinds: dict[str, type[facts.SharesBought | facts.SharesSold | facts.SharesTransferredIn]] = {
        "buy": facts.SharesBought,
        "sell": facts.SharesSold,
        "transfer_in": facts.SharesTransferredIn,
    }
    fact = kinds[command.action](
        **_of(story),
        shares=shares,
        price=price,
        fees=money.entered("fees", command.fees, least=money.ZERO),
    )
    return [_Draft(fact, _when(order))]


def _dividend(story: Story, order: Order, command: commands.ReceiveDividend) -> list[_Draft]:
    _started(story)
    at = _when(order)
    if not moments.EARLIEST <= command.ex_date <= order.now.date() + timedelta(days=1):
        raise refusals.Invalid("ex_date", command.ex_date, "must not be in the future")
    amount = money.entered("amount_per_share", command.amount_per_share)
    shares = command.shares
    if shares is None:
        shares = _entitled(story, command, at)
    money.counted("shares", shares, most=10**9)
    money.notional("amount_per_share", amount * shares)
    fact = facts.DividendReceived(
        **_of(story), amount_per_share=amount, ex_date=command.ex_date, shares=shares
    )
    return [_Draft(fact, at)]


def _entitled(story: Story, command: commands.ReceiveDividend, at: datetime) -> int:
    """The shares held into the ex-date; where none were, those held when it was paid."""
    eve = calendar.day_end(command.ex_date - timedelta(days=1))
    for instant in (eve, at):
        held = wheels.fold(history.timeline(story.entries.values(), instant)).shares
        if held:
            return held
    raise refusals.OutOfTurn(
        f"no shares were held into {command.ex_date}", expected="shares held into the ex-date"
    )


def _split(story: Story, order: Order, command: commands.ApplySplit) -> list[_Draft]:
    _started(story)
    numerator = money.counted("numerator", command.numerator, most=10_000)
    denominator = money.counted("denominator", command.denominator, most=10_000)
    if numerator == denominator:
        raise refusals.Invalid("numerator", numerator, "must differ from the denominator")
    fact = facts.SplitApplied(
        **_of(story),
        numerator=numerator,
        denominator=denominator,
        cash_in_lieu=money.entered("cash_in_lieu", command.cash_in_lieu, least=money.ZERO),
    )
    return [_Draft(fact, _when(order))]


def _lawful(story: Story, recorded: Sequence[facts.Recorded]) -> None:
    """Refuse what cannot stand, or what would break what already stands."""
    if any(isinstance(each.fact, facts.Amendment) for each in recorded):
        _lawful_again(story, recorded)
        return
    after = story
    for each in recorded:
        entry = history.entry(each)
        if after.line and entry.order < after.line[-1].order:
            _lawful_again(story, recorded)
            return
        broken = wheels.law(after.wheel, entry)
        if broken is not None:
            raise broken
        after = after.then(each)


def _lawful_again(story: Story, recorded: Sequence[facts.Recorded]) -> None:
    """Ask the law of the whole history, before and after."""
    after = story
    for each in recorded:
        after = after.then(each)
    own = {each.version for each in recorded} | {
        each.fact.fact_version for each in recorded if isinstance(each.fact, facts.Amendment)
    }
    before = {version for version, _, _ in _violations(story.line)}
    for version, entry, broken in _violations(after.line):
        if version in own:
            raise broken
        if version not in before:
            raise _breaks(entry, broken)


def _violations(
    line: Sequence[history.Entry],
) -> list[tuple[int, history.Entry, refusals.Refusal]]:
    """Every entry of a timeline that its law would have refused."""
    state, found = wheels.Wheel(), []
    for entry in line:
        broken = wheels.law(state, entry)
        if broken is not None:
            found.append((entry.version, entry, broken))
        state = wheels.evolve(state, entry)
    return found


def _breaks(entry: history.Entry, broken: refusals.Refusal) -> refusals.Refusal:
    """Name the later fact as a trader would; what is recorded twice is twice in either order."""
    if isinstance(broken, refusals.AppliedBefore):
        return broken
    day = calendar.trading_day(entry.effective_at)
    match entry.fact, broken:
        case facts.OptionSold(direction=direction), refusals.Uncovered() | refusals.Undersecured():
            lacking = "uncovered" if isinstance(broken, refusals.Uncovered) else "unsecured"
            message = f"would leave the {direction} sold {day} {lacking}"
        case _:
            name = facts.name_of(type(entry.fact))
            message = f"would break the {name} of {day}: {broken.message}"
    return refusals.BreaksLater(
        message,
        version=entry.version,
        fact=facts.name_of(type(entry.fact)),
        effective_at=entry.effective_at.isoformat(),
        because=broken.message,
    )
