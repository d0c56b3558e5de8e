"""What the market says of a contract: its middle, how fresh that is, and how it moves."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import calendar, estimates, freshness, mark, market, pricing

D = Decimal
NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
EXPIRY = date(2026, 4, 17)
RATE = 0.04


def option(**said: Any) -> market.OptionMark:
    plain: dict[str, Any] = {
        "symbol": "XYZ",
        "direction": "put",
        "strike": D(95),
        "expiration": EXPIRY,
        "bid": D("1.20"),
        "ask": D("1.30"),
        **dict.fromkeys(("last", "implied_volatility", "delta", "gamma", "theta", "vega")),
        **dict.fromkeys(("open_interest", "volume")),
    }
    return market.OptionMark(**plain | said)


def held(*options: market.OptionMark, price: str = "100", **said: Any) -> market.HeldMarks:
    plain: dict[str, Any] = {
        "symbol": "XYZ",
        "price": D(price),
        "options": options,
        "dividend": None,
        "earnings": None,
        "as_of": NOON,
        "source": "test",
        "state": "live",
    }
    return market.HeldMarks(**plain | said)


def marked(**said: Any) -> mark.Mark:
    (only,) = mark.board(held(option(**said))).values()
    return only


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [
        ("1.20", "1.25", "1.225"),
        ("0", "0.05", "0.025"),
        ("0.3333333", "0.3333334", "0.333333"),
        (None, "0.05", None),
        ("1.20", None, None),
        ("0", "0", None),
        ("1.30", "1.20", None),
        ("-1", "1", None),
        ("NaN", "1", None),
        ("1", "Infinity", None),
    ],
)
def test_the_middle_is_between_a_bid_and_an_ask(
    bid: str | None, ask: str | None, mid: str | None
) -> None:
    said = [None if each is None else D(each) for each in (bid, ask)]
    assert mark.middle(*said) == (None if mid is None else D(mid))


def test_a_mark_is_found_by_what_the_contract_is() -> None:
    board = mark.board(held(option(strike=D("92.14")), option(direction="call")))
    assert mark.Contract("put", D("92.140"), EXPIRY) in board
    assert mark.Contract("put", D("92.14"), EXPIRY, D(700)) not in board
    assert mark.Contract("call", D("92.14"), EXPIRY) not in board


@pytest.mark.parametrize("price", ["NaN", "0", "-1"])
def test_without_a_price_of_the_share_nothing_is_said(price: str) -> None:
    assert mark.board(held(option(), price=price)) == {}


@pytest.mark.parametrize(
    ("direction", "strike", "extrinsic"),
    [("put", 95, "1.25"), ("put", 101, "0.25"), ("put", 105, "0"), ("call", 99, "0.25")],
)
def test_what_is_beyond_the_intrinsic_value_is_never_below_nothing(
    direction: str, strike: int, extrinsic: str
) -> None:
    assert marked(direction=direction, strike=D(strike)).extrinsic == D(extrinsic)


def test_buying_back_costs_the_mid_for_all_that_is_delivered() -> None:
    assert marked().cost(3) == D("375.00")
    assert marked(ask=None).cost(3) is None


@pytest.mark.parametrize(
    ("state", "minutes", "answering", "worth"),
    [
        ("live", 30, True, "live"),
        ("live", 31, True, "stale"),
        ("delayed", 31, True, "delayed"),
        ("delayed", 31, False, "stale"),
        ("delayed", 30, False, "delayed"),
        ("stale", 0, True, "stale"),
    ],
)
def test_a_mark_is_stale_when_the_market_has_gone_on_without_it(
    state: market.PriceState, minutes: int, answering: bool, worth: str
) -> None:
    as_of = NOON - timedelta(minutes=minutes)
    assert (
        freshness.worth(state, as_of, NOON, freshness.MARK_STALE_AFTER, answering=answering)
        == worth
    )


def test_only_fresh_mids_that_were_known_count() -> None:
    board = mark.board(held(option(), option(strike=D(90), ask=None)))
    contract = mark.Contract("put", D(95), EXPIRY)
    instants = [NOON - timedelta(seconds=1), NOON, NOON + timedelta(minutes=31)]
    assert [mark.mids(board, at) for at in instants] == [{}, {contract: D("1.25")}, {}]


def test_what_the_provider_says_is_told_as_it_is() -> None:
    said = {"implied_volatility": 0.3, "delta": -0.2, "gamma": 0.01, "theta": -0.02, "vega": 0.1}
    (told,) = estimates.figures([marked(bid=D("1.80"), ask=D("2.00"), **said)], RATE)
    assert {field: getattr(told, field) for field in said} == said
    years = calendar.years_to_expiry(NOON, EXPIRY)
    found = pricing.greeks("put", 100, 95, years, RATE, 0, 0.3)
    assert told.probability_itm == pytest.approx(float(found.probability_itm))


def test_what_it_leaves_out_is_reckoned_with_its_volatility() -> None:
    seen = marked(bid=D("1.80"), ask=D("2.00"), implied_volatility=0.3, delta=-0.2)
    (told,) = estimates.figures([seen], RATE)
    years = calendar.years_to_expiry(NOON, EXPIRY)
    found = pricing.greeks("put", 100, 95, years, RATE, 0, 0.3)
    assert told.delta == -0.2
    assert (told.gamma, told.vega) == pytest.approx((float(found.gamma), float(found.vega)))


@given(st.floats(0.25, 1.5), st.integers(80, 120), st.sampled_from(["put", "call"]))
def test_without_its_volatility_the_one_counts_that_the_mid_implies(
    volatility: float, strike: int, direction: str
) -> None:
    years = calendar.years_to_expiry(NOON, EXPIRY)
    found = pricing.greeks(direction, 100, strike, years, RATE, 0, volatility)
    worth = D(f"{float(found.price):.6f}")
    seen = marked(direction=direction, strike=D(strike), bid=worth, ask=worth)
    (told,) = estimates.figures([seen], RATE)
    assert told.implied_volatility == pytest.approx(volatility, abs=0.005)
    assert told.delta == pytest.approx(float(found.delta), abs=0.005)
    assert told.probability_itm == pytest.approx(float(found.probability_itm), abs=0.005)


def test_a_volatility_that_does_not_fit_its_own_quote_is_not_believed() -> None:
    wrong = {"implied_volatility": 0.6, "delta": -0.4, "theta": -0.2}
    assert estimates.figures([marked(**wrong)], RATE) == estimates.figures([marked()], RATE)


def test_a_dividend_to_come_makes_a_put_likelier_to_end_in_the_money() -> None:
    def likely(day: date) -> float:
        dividend = market.Dividend("XYZ", day, D("1.00"))
        (seen,) = mark.board(
            held(option(ask=None, implied_volatility=0.25), dividend=dividend)
        ).values()
        (told,) = estimates.figures([seen], RATE)
        assert told.probability_itm is not None
        return told.probability_itm

    assert likely(EXPIRY) > likely(EXPIRY + timedelta(days=1))


def test_where_no_volatility_is_known_nothing_is_reckoned() -> None:
    below_intrinsic = marked(strike=D(105))
    no_market = marked(ask=None, implied_volatility=0.0)
    assert estimates.figures([None, below_intrinsic, no_market], RATE) == [estimates.UNKNOWN] * 3


def test_marks_keep_their_places() -> None:
    nobody_offers = {"ask": None}
    low = marked(**nobody_offers, implied_volatility=0.2)
    high = marked(**nobody_offers, implied_volatility=0.4)
    told = estimates.figures([low, None, high], RATE)
    assert [each.implied_volatility for each in told] == [0.2, None, 0.4]
    assert estimates.figures([], RATE) == []
