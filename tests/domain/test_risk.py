"""Where an option stands at a price."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import columns, facts, market, risk

MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
TODAY = date(2026, 1, 5)
IN_A_MONTH = date(2026, 2, 6)

cents = st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-2))
small_cents = st.integers(1, 40_000).map(lambda n: Decimal(n).scaleb(-2))
sides = st.sampled_from(["put", "call"])


def option(
    side: facts.Direction = "put",
    strike: str | Decimal = "150",
    expiration: date = IN_A_MONTH,
    trade: int = 1,
) -> risk.OpenOption:
    return risk.OpenOption(
        wheel_id=UUID(int=100),
        trade_id=UUID(int=trade),
        portfolio_id=UUID(int=200),
        symbol="AAPL",
        direction=side,
        strike=Decimal(strike),
        expiration_date=expiration,
        contracts=1,
    )


def quote(last: str = "150", *, state: market.PriceState = "live") -> market.Quote:
    return market.Quote("AAPL", Decimal(last), None, None, MONDAY, "test", state)


# --- how an option stands --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "strike", "side", "pct", "level", "label"),
    [
        ("155", "150", "put", "3.3333", "MEDIUM", "OTM by 3.3%"),
        ("145", "150", "put", "-3.3333", "HIGH", "ITM by 3.3%"),
        ("150", "150", "put", "0.0000", "HIGH", "ITM by 0.0%"),
        ("150", "150", "call", "0.0000", "HIGH", "ITM by 0.0%"),
        ("145", "150", "call", "-3.3333", "MEDIUM", "OTM by 3.3%"),
        ("155", "150", "call", "3.3333", "HIGH", "ITM by 3.3%"),
        ("157.50", "150", "put", "5.0000", "MEDIUM", "OTM by 5.0%"),
        ("157.51", "150", "put", "5.0067", "LOW", "OTM by 5.0%"),
        ("142.50", "150", "call", "-5.0000", "MEDIUM", "OTM by 5.0%"),
        ("142.49", "150", "call", "-5.0067", "LOW", "OTM by 5.0%"),
        ("258.98", "267.50", "call", "-3.1850", "MEDIUM", "OTM by 3.2%"),
    ],
)
def test_the_figures_that_the_old_tools_users_know(
    price: str, strike: str, side: facts.Direction, pct: str, level: str, label: str
) -> None:
    assessed = risk.assess(option(side, strike), Decimal(price), TODAY)
    assert (str(assessed.pct), assessed.level, assessed.label) == (pct, level, label)


@pytest.mark.parametrize(("price", "icon"), [("145", "🔴"), ("155", "🟡"), ("165", "🟢")])
def test_red_is_in_the_money_yellow_is_near_and_green_is_far(price: str, icon: str) -> None:
    assert risk.assess(option(), Decimal(price), TODAY).icon == icon


def test_days_to_expiration_are_counted_both_ways() -> None:
    assessed = risk.assess(option(expiration=date(2026, 1, 20)), Decimal(155), TODAY)
    assert (assessed.dte_calendar, assessed.dte_trading) == (15, 10)


def test_a_hair_below_the_strike_is_not_minus_zero_percent() -> None:
    assessed = risk.assess(option(strike="1000000"), Decimal("999999.99"), TODAY)
    assert str(assessed.pct) == "0.0000"


@given(cents, st.lists(st.tuples(sides, cents), min_size=1, max_size=20))
def test_all_at_once_is_the_same_as_one_by_one(
    price: Decimal, held: list[tuple[facts.Direction, Decimal]]
) -> None:
    options = [option(side, strike) for side, strike in held]
    found = columns.evaluate(columns.book(options), price)
    assert [(risk.LEVELS[n], bool(itm)) for n, itm in zip(found.level, found.itm, strict=True)] == [
        (each.level, each.is_itm) for each in (risk.assess(one, price, TODAY) for one in options)
    ]


@given(sides, small_cents, st.integers(-2, 2), st.sampled_from([-55, -50, -5, 0, 5, 50, 55]))
def test_a_cent_beside_every_edge_both_agree(
    side: facts.Direction, strike: Decimal, beside: int, thousandths: int
) -> None:
    edge = (strike * (1000 + thousandths) / 1000).quantize(Decimal("0.01"))
    price = max(edge + Decimal(beside).scaleb(-2), Decimal("0.01"))
    found = columns.evaluate(columns.book([option(side, strike)]), price)
    assert risk.LEVELS[found.level[0]] == risk.assess(option(side, strike), price, TODAY).level


@given(cents, cents)
def test_the_percentages_differ_by_less_than_anyone_is_shown(
    price: Decimal, strike: Decimal
) -> None:
    found = columns.evaluate(columns.book([option(strike=strike)]), price)
    exact = risk.assess(option(strike=strike), price, TODAY).pct
    assert found.pct[0] == pytest.approx(float(exact), rel=1e-9, abs=1e-4)


def test_the_largest_strike_that_is_let_in_does_not_overflow() -> None:
    found = columns.evaluate(columns.book([option(strike="999999999999.99")]), Decimal("0.01"))
    assert bool(found.itm[0])


@pytest.mark.parametrize(
    ("last", "state", "age", "answer"),
    [
        ("150", "live", timedelta(0), True),
        ("150", "delayed", timedelta(minutes=15), True),
        ("150", "live", timedelta(days=4), True),
        ("150", "live", timedelta(days=4, seconds=1), False),
        ("150", "stale", timedelta(0), False),
        ("150", "missing", timedelta(0), False),
        ("0", "live", timedelta(0), False),
        ("-1", "live", timedelta(0), False),
        ("NaN", "live", timedelta(0), False),
        ("1e12", "live", timedelta(0), False),
    ],
)
def test_only_a_real_and_recent_price_is_trusted(
    last: str, state: market.PriceState, age: timedelta, answer: bool
) -> None:
    assert risk.trusted(quote(last, state=state), MONDAY + age) is answer
