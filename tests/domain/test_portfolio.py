"""The life of a portfolio."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from domain import commands, facts, portfolio, refusals
from tests.domain.desk import MONDAY, PORTFOLIO, usd

OPEN = commands.OpenPortfolio(name=" Income ", default_capital=usd(10_000))
ARCHIVE, RESTORE = portfolio.Archive(), portfolio.Restore()


def after(*orders: portfolio.Order) -> portfolio.Portfolio:
    """The portfolio once these orders have been carried out."""
    state = portfolio.Portfolio(PORTFOLIO)
    for order in orders:
        for each in decided(state, order):
            state = portfolio.evolve(state, each)
    return state


def decided(state: portfolio.Portfolio, order: portfolio.Order) -> list[facts.Recorded]:
    return portfolio.decide(state, order, now=MONDAY, command_id=UUID(int=5))


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        ([], OPEN, ["PortfolioCreated"]),
        ([OPEN], ARCHIVE, ["PortfolioArchived"]),
        ([OPEN, ARCHIVE], RESTORE, ["PortfolioRestored"]),
        ([OPEN], commands.ChangePortfolio(name="Growth"), ["PortfolioChanged"]),
        ([OPEN], commands.ChangePortfolio(name="Income"), []),
        ([OPEN], commands.ChangePortfolio(), []),
        ([OPEN, ARCHIVE], commands.ChangePortfolio(description="old"), ["PortfolioChanged"]),
    ],
)
def test_the_lifecycle_is_this_table(
    given: list[portfolio.Order], when: portfolio.Order, then: list[str]
) -> None:
    assert [each.name for each in decided(after(*given), when)] == then


@pytest.mark.parametrize(
    ("given", "when", "refusal"),
    [
        ([OPEN], OPEN, refusals.Exists),
        ([], ARCHIVE, refusals.Unknown),
        ([], RESTORE, refusals.Unknown),
        ([], commands.ChangePortfolio(name="x"), refusals.Unknown),
        ([OPEN], RESTORE, refusals.OutOfTurn),
        ([OPEN, ARCHIVE], ARCHIVE, refusals.OutOfTurn),
        ([], commands.OpenPortfolio(name="  "), refusals.Invalid),
        ([], commands.OpenPortfolio(name="x", default_capital=usd(-1)), refusals.Invalid),
        (
            [],
            commands.OpenPortfolio(name="x", default_capital=Decimal("NaN")),
            refusals.Invalid,
        ),
        ([OPEN], commands.ChangePortfolio(default_capital=usd("1e400")), refusals.Invalid),
    ],
)
def test_what_is_not_in_the_table_is_refused(
    given: list[portfolio.Order], when: portfolio.Order, refusal: type[refusals.Refusal]
) -> None:
    with pytest.raises(refusal):
        decided(after(*given), when)


def test_what_is_left_out_of_a_change_stays() -> None:
    changed = after(OPEN, commands.ChangePortfolio(description="puts on ETFs"))
    assert (changed.name, changed.description, changed.default_capital) == (
        "Income",
        "puts on ETFs",
        usd(10_000),
    )


def test_a_description_can_be_taken_away() -> None:
    told = commands.ChangePortfolio(description="puts on ETFs")
    assert after(OPEN, told, commands.ChangePortfolio(description=None)).description is None


def test_what_is_learned_later_is_recorded_later_even_on_a_clock_that_stands_still() -> None:
    (created,) = decided(portfolio.Portfolio(PORTFOLIO), OPEN)
    (archived,) = decided(after(OPEN), ARCHIVE)
    assert archived.recorded_at - created.recorded_at == timedelta(microseconds=1)


def test_a_stranger_in_the_stream_means_nothing() -> None:
    (created,) = decided(portfolio.Portfolio(PORTFOLIO), OPEN)
    chosen = facts.DefaultPortfolioChosen(portfolio_id=PORTFOLIO)
    stranger = msgspec.structs.replace(created, version=2, fact=chosen)
    assert portfolio.fold(PORTFOLIO, [created, stranger]).name == "Income"
