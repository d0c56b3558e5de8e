"""Orders on a wheel: its start and settings, sales to open, shares, dividends, splits."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from domain import (
    calendar,
    commands,
    facts,
    moments,
    money,
    orders,
    refusals,
)
from domain.story import Story


def start(story: Story, order: orders.Order, command: commands.StartWheel) -> list[orders.Draft]:
    symbol = commands.symbol_of(command.symbol)
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
        capital = money.cents(money.entered("capital_allocated", command.capital_allocated))
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
    return [orders.Draft(fact, orders.when(order))]


def _basis(command: commands.StartWheel) -> Decimal:
    if not command.shares and command.cost_basis is None:
        return money.ZERO
    money.counted("shares", command.shares, most=10**9)
    if command.cost_basis is None:
        raise refusals.Invalid("cost_basis", None, "must be given with shares")
    basis = money.entered("cost_basis", command.cost_basis)
    money.notional("cost_basis", basis * command.shares)
    return basis


def configure(
    story: Story, order: orders.Order, command: commands.ConfigureWheel
) -> list[orders.Draft]:
    orders.started(story)
    at = orders.when(order)
    contribution = money.ZERO
    if command.capital_allocated is not None:
        wanted = money.paid("capital_allocated", command.capital_allocated)
        contribution = wanted - story.wheel_at(at).capital
    fact = facts.WheelConfigured(
        **orders.of_wheel(story),
        contribution=contribution,
        profile=command.profile,
        collateral=command.collateral,
        starting_direction=command.starting_direction,
    )
    if fact == facts.WheelConfigured(**orders.of_wheel(story)):
        return []
    return [orders.Draft(fact, at)]


def archive(
    story: Story, order: orders.Order, command: commands.ArchiveWheel
) -> list[orders.Draft]:
    orders.started(story)
    if story.wheel.open_trades and not command.force:
        raise refusals.OutOfTurn(
            "options are open; close them first, or force it",
            open_trades=[str(each) for each in story.wheel.open_trades],
        )
    return [orders.Draft(facts.WheelArchived(**orders.of_wheel(story)), orders.when(order))]


def sell(story: Story, order: orders.Order, command: commands.SellOption) -> list[orders.Draft]:
    orders.started(story)
    at = orders.opened_at(order, command)
    return [orders.Draft(orders.sale(story, order, command, at), at)]


def trade_shares(
    story: Story, order: orders.Order, command: commands.TradeShares
) -> list[orders.Draft]:
    orders.started(story)
    shares = money.counted("shares", command.shares, most=10**9)
    price = money.entered("price", command.price)
    money.notional("price", price * shares)
    kinds: dict[str, type[facts.SharesBought | facts.SharesSold | facts.SharesTransferredIn]] = {
        "buy": facts.SharesBought,
        "sell": facts.SharesSold,
        "transfer_in": facts.SharesTransferredIn,
    }
    fact = kinds[command.action](
        **orders.of_wheel(story),
        shares=shares,
        price=price,
        fees=money.paid("fees", command.fees),
    )
    return [orders.Draft(fact, orders.when(order))]


def dividend(
    story: Story, order: orders.Order, command: commands.ReceiveDividend
) -> list[orders.Draft]:
    orders.started(story)
    at = orders.when(order)
    if not moments.EARLIEST <= command.ex_date <= order.now.date() + timedelta(days=1):
        raise refusals.Invalid("ex_date", command.ex_date, "must not be in the future")
    amount = money.entered("amount_per_share", command.amount_per_share)
    shares = command.shares
    if shares is None:
        shares = _entitled(story, command)
    money.counted("shares", shares, most=10**9)
    money.notional("amount_per_share", amount * shares)
    fact = facts.DividendReceived(
        **orders.of_wheel(story), amount_per_share=amount, ex_date=command.ex_date, shares=shares
    )
    return [orders.Draft(fact, at)]


def _entitled(story: Story, command: commands.ReceiveDividend) -> int:
    """The shares held into the ex-date; where none were, those held at its end.

    Whoever writes down one day's trades in a row means the latter.
    """
    for day in (command.ex_date - timedelta(days=1), command.ex_date):
        held = story.wheel_at(calendar.day_end(day)).shares
        if held:
            return held
    raise refusals.OutOfTurn(
        f"no shares were held into {command.ex_date}", expected="shares held into the ex-date"
    )


def void(story: Story, order: orders.Order, command: commands.VoidFact) -> list[orders.Draft]:
    """Any one fact never happened: a dividend mistyped, one closing of several."""
    orders.started(story)
    version = order.fact_version
    entry = story.entries.get(version or 0)
    if version is None or entry is None:
        raise refusals.Unknown("fact", version)
    if entry.voided:
        raise refusals.OutOfTurn("the fact is voided already", version=version)
    if isinstance(entry.fact, facts.WheelStarted):
        raise refusals.OutOfTurn("a wheel's start cannot be voided; archive the wheel")
    fact = facts.FactVoided(**orders.of_wheel(story), fact_version=version, reason=command.reason)
    return [orders.Draft(fact, orders.when(order))]


def split(story: Story, order: orders.Order, command: commands.ApplySplit) -> list[orders.Draft]:
    orders.started(story)
    numerator = money.counted("numerator", command.numerator, most=10_000)
    denominator = money.counted("denominator", command.denominator, most=10_000)
    if numerator == denominator:
        raise refusals.Invalid("numerator", numerator, "must differ from the denominator")
    fact = facts.SplitApplied(
        **orders.of_wheel(story),
        numerator=numerator,
        denominator=denominator,
        cash_in_lieu=money.paid("cash_in_lieu", command.cash_in_lieu),
    )
    return [orders.Draft(fact, orders.when(order))]
