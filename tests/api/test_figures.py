"""Figures by themselves: spans, the days lived in them, and what is held at the market."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import comparing, figures
from domain import mark, market, policies, refusals
from projections import held, questions, sums
from projections.prices import Prices

TODAY = date(2026, 3, 2)
DATES = st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1))
CENTS = st.decimals(-(10**9), 10**9, places=2)


def over(policy: policies.Policy = "cash", last: date | None = None) -> figures.Over:
    return figures.Over(policy, sums.Span(None, last), TODAY)


def holding(**said: Any) -> held.Held:
    plain: dict[str, Any] = {
        "portfolio_id": UUID(int=1),
        "symbol": "XYZ",
        "shares": 100,
        "basis": Decimal(9_900),
        "tax_basis": Decimal(9_800),
    }
    return held.Held(**plain | said)


def quote(last: str) -> market.Quote:
    at = datetime(2026, 3, 2, 15, tzinfo=UTC)
    return market.Quote("XYZ", Decimal(last), None, None, at, "simulated", "live")


def earned(income: Decimal, tied: Decimal, days: int) -> dict[str, Any]:
    nothing = Decimal("0.00")
    booked = sums.Income(None, income, nothing, nothing)
    return figures.told(over(), figures.Earned(booked, (), days, tied, None))


@pytest.mark.parametrize(
    ("period", "first"),
    [
        ("30d", date(2026, 2, 1)),
        ("90d", date(2025, 12, 3)),
        ("365d", date(2025, 3, 3)),
        ("ytd", date(2026, 1, 1)),
    ],
)
def test_a_period_ends_today(period: str, first: date) -> None:
    assert figures.span(TODAY, period, None, None) == sums.Span(first, TODAY)


def test_all_is_every_day() -> None:
    assert figures.span(TODAY, "all", None, None) == sums.Span()


def test_a_period_comes_without_dates() -> None:
    with pytest.raises(refusals.Invalid, match="from or to"):
        figures.span(TODAY, "30d", TODAY, None)


@given(DATES, DATES, DATES)
def test_the_days_lived_are_those_of_the_span_that_the_book_has_seen(
    first: date | None, last: date | None, beginning: date | None
) -> None:
    lived = figures.Over("cash", sums.Span(first, last), TODAY).lived(beginning)
    year = (date(2025, 1, 1) + timedelta(days=n) for n in range(731))
    seen = [
        day
        for day in year
        if beginning is not None and max(first or day, beginning) <= day <= min(last or day, TODAY)
    ]
    assert figures.length(lived) == len(seen)


@given(CENTS, st.integers(1, 10**9), st.integers(1, 4_000))
def test_returns_are_of_the_average_day(income: Decimal, tied: int, days: int) -> None:
    told = earned(income, Decimal(tied), days)
    average = Decimal(tied) / days
    assert abs(told["return_on_collateral"] - 100 * income / average) <= Decimal("0.0051")
    if days < 30:
        assert told["annualized_return"] is None
    else:
        yearly = 100 * income / average * 365 / days
        assert abs(told["annualized_return"] - yearly) <= Decimal("0.0051")


def test_nothing_tied_up_returns_nothing() -> None:
    told = earned(Decimal(5), Decimal(0), 60)
    assert (told["capital_tied_up"], told["return_on_collateral"]) == (0, None)


CALL = mark.Contract("call", Decimal(105), date(2026, 3, 20))
OPTION = held.Option(CALL, 2, Decimal("238.70"))


def prices(last: str | None = "101", mid: str | None = None) -> Prices:
    """Of XYZ, and of its call, as far as they are given."""
    at = datetime(2026, 3, 2, 15, tzinfo=UTC)
    quotes = {} if last is None else {"XYZ": quote(last)}
    worth = None if mid is None else Decimal(mid)
    seen = mark.Mark(contract=CALL, price=Decimal(101), mid=worth, as_of=at, state="live")
    return Prices(quotes, {"XYZ": {CALL: seen}})


@pytest.mark.parametrize(("policy", "gain"), [("cash", 200), ("close", 200), ("us_tax", 300)])
def test_shares_gain_over_the_policys_basis(policy: policies.Policy, gain: int) -> None:
    assert figures.at_the_market(prices(), [holding()], over(policy)) == gain


@pytest.mark.parametrize(("policy", "gain"), [("cash", -75), ("close", 163), ("us_tax", 163)])
def test_an_option_gains_what_the_policy_has_not_counted_yet(
    policy: policies.Policy, gain: int
) -> None:
    hold = holding(shares=0, basis=Decimal(0), tax_basis=Decimal(0), options=(OPTION,))
    told = figures.at_the_market(prices(None, "0.375"), [hold], over(policy))
    assert told == gain + (Decimal("0.70") if policy != "cash" else 0)


@pytest.mark.parametrize(
    ("known", "holds"),
    [
        (Prices({}, {}), [holding()]),
        (prices(), [holding(), holding(symbol="ABC")]),
        (Prices({"XYZ": quote("101")}, {}), [holding(options=(OPTION,))]),
        (prices(mid=None), [holding(options=(OPTION,))]),
    ],
)
def test_what_has_no_price_is_not_guessed(known: Prices, holds: list[held.Held]) -> None:
    assert figures.at_the_market(known, holds, over()) is None


def test_a_span_that_is_over_has_nothing_unrealized() -> None:
    assert figures.at_the_market(prices(), [holding()], over(last=date(2026, 3, 1))) is None


def test_portfolios_are_named_with_commas_or_again_and_again() -> None:
    one, two = UUID(int=1), UUID(int=2)
    assert comparing.portfolio_ids([f"{one},{two}", str(one)]) == [one, two]


def test_an_unknown_sort_lists_the_known() -> None:
    with pytest.raises(refusals.Invalid, match="realized_pnl"):
        comparing.arranged([], questions.Slice(sort="colour"))
