"""When what the market says of the option itself needs attention."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain import columns, facts, judging, look, market
from tests.domain.judged import (
    MONDAY,
    TODAY,
    Step,
    ask,
    deep,
    heard,
    inside,
    judged,
    marks,
    option,
    pays,
    quote,
    sold,
    words,
)

sides = st.sampled_from(["put", "call"])
THURSDAY, FRIDAY = date(2026, 1, 8), date(2026, 1, 9)

PROFIT = ("raised", "profit_target")
NO_PROFIT = ("cleared", "profit_target")


@pytest.mark.parametrize(
    ("premium", "steps", "then"),
    [
        ("100", [(0, ask("0.51"))], []),
        ("100", [(0, ask("0.50"))], [PROFIT]),
        ("99.35", [(0, ask("0.50"))], []),  # the fees of the sale are no premium
        ("100", [(0, ask("0.50")), (1, ask("0.51")), (1, ask("0.49"))], [PROFIT]),
        ("100", [(0, ask("0.50")), (60, ask("0.59"))], [PROFIT]),
        ("100", [(0, ask("0.50")), (1, ask("0.60"))], [PROFIT, NO_PROFIT]),
        ("100", [(0, ask(None))], []),
        ("100", [(0, ask("0.00"))], []),
        ("100", [(0, ask("0.50")), (60, ask(None))], [PROFIT]),
        ("0", [(0, ask("0.01"))], []),
        ("-0.30", [(0, ask("0.01"))], []),
        ("100", [(0, ask("1.50"))], []),
    ],
)
def test_half_of_the_premium_is_a_profit_until_it_is_ten_points_less(
    premium: str, steps: list[Step], then: list[tuple[str, str]]
) -> None:
    assert heard(sold(premium), *steps) == then


@given(st.integers(1, 100_000), st.integers(1, 2_000), st.integers(1, 50), st.integers(0, 100))
def test_a_profit_is_one_exactly_when_that_much_of_the_premium_is_kept(
    premium: int, cents: int, contracts: int, target: int
) -> None:
    one = msgspec.structs.replace(sold(str(Decimal(premium) / 100)), contracts=contracts)
    book, said = columns.book([one]), marks(one, bid=None, ask=str(Decimal(cents) / 100))
    known = look.Known(since=MONDAY, marks=look.marks(book, said))
    limits = look.Limits(profit_target=float(target))
    verdict = judging.judge(book, judging.nothing_raised(book), known, MONDAY, limits)
    kept = 100 * (premium - cents * 100 * contracts) >= target * premium
    assert (words(verdict) == [PROFIT]) is kept


@given(sides, st.lists(st.integers(1, 120), max_size=60))
def test_a_profit_and_its_end_take_turns_ten_points_apart(
    side: facts.Direction, cents: list[int]
) -> None:
    one = sold(side=side)
    steps = [(1.0, {"bid": None, "ask": str(Decimal(each) / 100)}) for each in cents]
    words = [word for word, rule in heard(one, *steps) if rule == "profit_target"]
    assert words == ["raised", "cleared"] * (len(words) // 2) + ["raised"] * (len(words) % 2)
    if words:
        assert (words[-1] == "raised") is _last_edge(cents)


def _last_edge(cents: list[int]) -> bool:
    """Whether the last price that decided was one of profit."""
    return next(each <= 50 for each in reversed(cents) if each <= 50 or each >= 60)


EX, NOT_EX = ("raised", "ex_dividend"), ("cleared", "ex_dividend")
DAY = 24 * 60.0


@pytest.mark.parametrize(
    ("dividend", "steps", "then"),
    [
        (pays(date(2026, 1, 7)), [(0, inside("0.24"))], [EX]),
        (pays(date(2026, 1, 7)), [(0, inside("0.25"))], []),
        (pays(date(2026, 1, 7)), [(0, inside("-0.10"))], [EX]),  # a middle under its value
        (pays(date(2026, 1, 7)), [(0, {"bid": "0.1", "ask": "0.1", "price": "149"})], []),
        (pays(date(2026, 1, 7)), [(0, {"bid": None, "ask": "5.1", "price": "155"})], []),
        (pays(THURSDAY), [(0, inside("0.10"))], []),  # three sessions away
        (pays(THURSDAY), [(0, inside("0.10")), (DAY, inside("0.10"))], [EX]),
        (pays(TODAY), [(0, inside("0.10"))], []),
        (None, [(0, inside("0.10"))], []),
        (
            pays(date(2026, 1, 6)),
            [(0, inside("0.10")), (14 * 60, inside("0.10"))],  # 00:00 New York
            [EX, NOT_EX],
        ),
        (
            pays(date(2026, 1, 6)),
            [(830, inside("0.10")), (10, inside("0.10"))],  # ten minutes around midnight
            [EX, NOT_EX],
        ),
        (
            pays(date(2026, 1, 7)),
            [(0, inside("0.10")), (1, inside("0.30")), (1, inside("0.10"))],
            [EX],
        ),
        (
            pays(date(2026, 1, 7)),
            [(0, inside("0.10")), (60, {"bid": None, "ask": "5.1", "price": "155"})],
            [EX],
        ),
        (pays(date(2026, 1, 7)), [(0, inside("0.10")), (15, inside("0.30"))], [EX, NOT_EX]),
        (
            pays(date(2026, 1, 7)),
            [(0, inside("0.10")), (1, {"bid": "0.1", "ask": "0.1", "price": "149.25"})],
            [EX, NOT_EX],
        ),
    ],
)
def test_a_call_in_the_money_whose_dividend_is_more_than_its_extrinsic_value(
    dividend: market.Dividend | None, steps: list[Step], then: list[tuple[str, str]]
) -> None:
    steps = [(passed, changed | {"dividend": dividend}) for passed, changed in steps]
    said = heard(sold(side="call"), *steps)
    assert [each for each in said if each[1] == "ex_dividend"] == then


@pytest.mark.parametrize(("day", "lives"), [(6, False), (7, True)])
def test_a_call_that_ends_before_the_ex_date_never_sees_the_dividend(day: int, lives: bool) -> None:
    one = sold(side="call", expiration=date(2026, 1, day))
    said = heard(one, (0, inside("0.10") | {"dividend": pays(date(2026, 1, 7))}))
    assert (EX in said) is lives


def test_a_put_is_not_exercised_for_a_dividend() -> None:
    said = heard(
        sold(), (0, {"bid": "5", "ask": "5", "price": "145", "dividend": pays(date(2026, 1, 7))})
    )
    assert EX not in said


EARLY, NOT_EARLY = ("raised", "early_put_exercise"), ("cleared", "early_put_exercise")


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # 150 x 0.04 x 32.25 / 365 (Monday 10:00 to the Friday after a month, 16:00) = 0.5301
        ([(0, deep("0.53"))], [EARLY]),
        ([(0, deep("0.54"))], []),
        ([(0, {"bid": "0.10", "ask": "0.20", "price": "151"})], []),
        ([(0, {"bid": None, "ask": "30.20", "price": "120"})], []),
        ([(0, deep("0.10")), (1, deep("0.90")), (1, deep("0.10"))], [EARLY]),
        ([(0, deep("0.10")), (15, deep("0.90"))], [EARLY, NOT_EARLY]),
        ([(0, deep("0.10")), (15, {"bid": None, "ask": "31", "price": "120"})], [EARLY]),
        ([(0, deep("0.10")), (1, {"bid": "1", "ask": "1", "price": "150.75"})], [EARLY, NOT_EARLY]),
    ],
)
def test_a_put_in_the_money_that_is_worth_less_to_keep_than_the_interest_on_its_strike(
    steps: list[Step], then: list[tuple[str, str]]
) -> None:
    said = heard(sold("10"), *steps)
    assert [each for each in said if each[1] == "early_put_exercise"] == then


@given(st.integers(0, 200), st.integers(100, 150), st.floats(0, 0.2))
def test_who_gets_more_interest_than_he_gives_up_may_exercise(
    extrinsic: int, price: int, rate: float
) -> None:
    one = sold("10")
    said = marks(one, **deep(str(Decimal(extrinsic) / 100), str(price)))
    book = columns.book([one])
    known = look.Known(since=MONDAY, marks=look.marks(book, said))
    limits = look.Limits(risk_free_rate=rate)
    verdict = judging.judge(book, judging.nothing_raised(book), known, MONDAY, limits)
    interest = 150 * rate * (32.25 / 365)
    assume(abs(interest - extrinsic / 100) > 1e-9)
    assert (EARLY in words(verdict)) is (extrinsic / 100 < interest)


@pytest.mark.parametrize(
    ("said", "later"),
    [
        ({"at": MONDAY + timedelta(days=5)}, 0),
        ({"state": "stale"}, 0),
        ({"state": "missing"}, 0),
        ({"price": "NaN"}, 0),
        ({"price": "0"}, 0),
        ({}, 31),
    ],
)
def test_marks_that_are_out_of_date_raise_nothing(said: dict[str, Any], later: float) -> None:
    one, now = sold(), MONDAY + timedelta(minutes=later)
    verdict = judged(one, now=now, marks=marks(one, **said), quote=quote("200", now))
    assert words(verdict) == []


def test_marks_that_are_out_of_date_clear_nothing_either() -> None:
    one = sold()
    before = judged(one, marks=marks(one))
    after = judged(one, before.seen.raised, marks=marks(one, ask="0.90", state="stale"))
    assert (words(before), words(after)) == ([PROFIT], [])


def test_only_the_time_in_which_is_traded_makes_marks_old() -> None:
    friday_night = datetime(2026, 1, 9, 20, 50, tzinfo=UTC)
    monday_morning = datetime(2026, 1, 12, 14, 50, tzinfo=UTC)
    said = marks(sold(), at=friday_night)
    assert look.trusted(said, monday_morning)
    assert not look.trusted(said, monday_morning + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("listed", "held"),
    [
        ({"strike": "150.00"}, True),
        ({"strike": "155"}, False),
        ({"side": "call"}, False),
        ({"expiration": FRIDAY}, False),
        ({"multiplier": Decimal(700)}, False),
    ],
)
def test_a_mark_is_of_the_option_with_its_side_strike_and_expiration(
    listed: dict[str, Any], held: bool
) -> None:
    said = marks(option())
    found = look.marks(columns.book([option(**listed)]), said)
    assert (found.marks[0] is not None) is held


@pytest.mark.parametrize(
    ("bid", "offer", "middle"),
    [
        ("0.40", "0.50", "0.45"),
        ("0", "0.05", "0.025"),
        (None, "0.05", None),
        ("0.05", None, None),
        ("0.05", "0", None),
        ("0.60", "0.50", None),
        ("-1", "1", None),
        ("NaN", "0.50", None),
        ("0.40", "Infinity", None),
    ],
)
def test_there_is_a_middle_only_between_a_bid_and_an_ask(
    bid: str | None, offer: str | None, middle: str | None
) -> None:
    (mark,) = marks(option(), bid, offer).options
    assert look.middle(mark) == (None if middle is None else Decimal(middle))
