"""Where an option stands, and that nobody is told the same thing twice."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import facts, market, risk

MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
TODAY = date(2026, 1, 5)
IN_A_MONTH = date(2026, 2, 6)

cents = st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-2))
small_cents = st.integers(1, 40_000).map(lambda n: Decimal(n).scaleb(-2))
sides = st.sampled_from(["put", "call"])
steps_of_time = st.integers(0, 600).map(lambda seconds: timedelta(seconds=seconds))


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


Walk = Iterable[tuple[timedelta, Decimal | None]]


def told(walk: Walk, one: risk.OpenOption) -> list[tuple[str, str]]:
    """What is raised and cleared as time passes and the price moves."""
    book, now, heard = risk.book([one]), MONDAY, []
    standing: risk.Standing = risk.nothing_raised(book)
    for passed, price in walk:
        now += passed
        verdict = risk.judge(book, standing, price, now)
        standing = verdict.standing
        for turn in verdict.turns:
            heard += [("raised", turn.rule.name)] * turn.raised.size
            heard += [("cleared", turn.rule.name)] * turn.cleared.size
    return heard


def minutes(*steps: tuple[float, str]) -> list[tuple[timedelta, Decimal]]:
    return [(timedelta(minutes=passed), Decimal(price)) for passed, price in steps]


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
    found = risk.evaluate(risk.book(options), price)
    assert [(risk.LEVELS[n], bool(itm)) for n, itm in zip(found.level, found.itm, strict=True)] == [
        (each.level, each.is_itm) for each in (risk.assess(one, price, TODAY) for one in options)
    ]


@given(sides, small_cents, st.integers(-2, 2), st.sampled_from([-55, -50, -5, 0, 5, 50, 55]))
def test_a_cent_beside_every_edge_both_agree(
    side: facts.Direction, strike: Decimal, beside: int, thousandths: int
) -> None:
    edge = (strike * (1000 + thousandths) / 1000).quantize(Decimal("0.01"))
    price = max(edge + Decimal(beside).scaleb(-2), Decimal("0.01"))
    found = risk.evaluate(risk.book([option(side, strike)]), price)
    assert risk.LEVELS[found.level[0]] == risk.assess(option(side, strike), price, TODAY).level


@given(cents, cents)
def test_the_percentages_differ_by_less_than_anyone_is_shown(
    price: Decimal, strike: Decimal
) -> None:
    found = risk.evaluate(risk.book([option(strike=strike)]), price)
    exact = risk.assess(option(strike=strike), price, TODAY).pct
    assert found.pct[0] == pytest.approx(float(exact), rel=1e-9, abs=1e-4)


def test_the_largest_strike_that_is_let_in_does_not_overflow() -> None:
    found = risk.evaluate(risk.book([option(strike="999999999999.99")]), Decimal("0.01"))
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


# --- the rules -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("walk", "heard"),
    [
        # in the money
        ([(0, "150")], ["raised itm"]),
        ([(0, "149"), (1, "140")], ["raised itm"]),
        ([(0, "149"), (1, "150.74")], ["raised itm"]),
        ([(0, "149"), (1, "150.75")], ["raised itm", "cleared itm", "raised near_strike"]),
        ([(0, "149"), (14.9, "150.01")], ["raised itm"]),
        ([(0, "149"), (15, "150.01")], ["raised itm", "cleared itm", "raised near_strike"]),
        ([(0, "149"), (60, "150")], ["raised itm"]),
        ([(0, "149"), (1, "170"), (1, "149")], ["raised itm", "cleared itm", "raised itm"]),
        # near the strike
        ([(0, "157.51")], []),
        ([(0, "157.50")], ["raised near_strike"]),
        ([(0, "157"), (1, "158.25")], ["raised near_strike"]),
        ([(0, "157"), (1, "158.26")], ["raised near_strike", "cleared near_strike"]),
        ([(0, "157"), (15, "157.51")], ["raised near_strike", "cleared near_strike"]),
        ([(0, "157"), (60, "157.50")], ["raised near_strike"]),
        # from one to the other
        ([(0, "157"), (1, "149"), (30, "149")], ["raised near_strike", "raised itm"]),
        (
            [(0, "157"), (1, "149"), (1, "170")],
            ["raised near_strike", "raised itm", "cleared itm", "cleared near_strike"],
        ),
    ],
)
def test_a_put_struck_at_150(walk: list[tuple[float, str]], heard: list[str]) -> None:
    assert told(minutes(*walk), option()) == [tuple(each.split()) for each in heard]


def test_a_call_is_the_mirror_of_a_put() -> None:
    walk = minutes((0, "143"), (1, "151"), (1, "149.26"), (1, "149.25"), (1, "141.74"))
    assert told(walk, option("call")) == [
        ("raised", "near_strike"),
        ("raised", "itm"),
        ("cleared", "itm"),
        ("cleared", "near_strike"),
    ]


def test_a_price_that_swings_around_the_strike_is_one_alert() -> None:
    swings = [(timedelta(seconds=8), Decimal(price)) for price in ("149.90", "150.10") * 50]
    assert told(swings, option()) == [("raised", "itm")]


def test_a_price_that_swings_around_the_edge_of_the_band_is_one_alert() -> None:
    swings = [(timedelta(seconds=8), Decimal(price)) for price in ("157.40", "157.60") * 50]
    assert told(swings, option()) == [("raised", "near_strike")]


def test_a_price_that_swings_for_hours_is_one_alert_a_quarter_of_an_hour() -> None:
    swings = [(timedelta(minutes=1), Decimal(price)) for price in ("149.90", "150.10") * 60]
    assert Counter(told(swings, option()))["raised", "itm"] <= 120 / 15


@given(sides, st.lists(st.tuples(steps_of_time, st.integers(-74, 74)), max_size=60))
def test_within_half_a_percent_and_a_quarter_of_an_hour_nothing_is_raised_twice(
    side: facts.Direction, walk: list[tuple[timedelta, int]]
) -> None:
    within, passed = [], timedelta(0)
    for step, cents_off in walk:
        passed += step
        if passed >= risk.PATIENCE:
            break
        within.append((step, Decimal(150) + Decimal(cents_off).scaleb(-2)))
    assert all(times == 1 for times in Counter(told(within, option(side))).values())


@given(sides, st.lists(st.tuples(steps_of_time, st.integers(120, 180)), max_size=60))
def test_raised_and_cleared_take_turns_whatever_the_price_does(
    side: facts.Direction, walk: list[tuple[timedelta, int]]
) -> None:
    heard = told([(step, Decimal(price)) for step, price in walk], option(side))
    for rule in ("itm", "near_strike"):
        words = [word for word, name in heard if name == rule]
        assert words == ["raised", "cleared"] * (len(words) // 2) + ["raised"] * (len(words) % 2)


@given(sides, st.lists(st.tuples(steps_of_time, st.integers(120, 180)), max_size=60))
def test_in_the_money_an_alert_stands_whatever_came_before(
    side: facts.Direction, walk: list[tuple[timedelta, int]]
) -> None:
    inside = Decimal(149 if side == "put" else 151)
    steps = [(step, Decimal(price)) for step, price in walk]
    heard = told([*steps, (timedelta(0), inside)], option(side))
    assert [word for word, name in heard if name == "itm"][-1] == "raised"


def test_without_a_price_only_time_can_raise_an_alert() -> None:
    soon = option(expiration=date(2026, 1, 7))
    assert told([(timedelta(0), None)], soon) == [("raised", "near_expiration")]


@pytest.mark.parametrize(
    ("expiration", "heard"),
    [
        (date(2026, 1, 8), []),  # three sessions away
        (date(2026, 1, 7), [("raised", "near_expiration")]),
        (TODAY, [("raised", "near_expiration")]),
        (date(2026, 1, 4), []),  # past: what is missing then is evidence, not attention
    ],
)
def test_fewer_than_three_sessions_are_near_expiration(
    expiration: date, heard: list[tuple[str, str]]
) -> None:
    assert told([(timedelta(0), Decimal(200))], option(expiration=expiration)) == heard


def test_near_expiration_is_raised_once_whatever_the_price_does() -> None:
    walk = [(timedelta(hours=4), Decimal(price)) for price in (200, 400, 200, 400, 200)]
    assert told(walk, option(expiration=date(2026, 1, 7))) == [("raised", "near_expiration")]


def test_near_expiration_is_over_when_the_date_is_corrected() -> None:
    wrong, right = risk.book([option(expiration=TODAY)]), risk.book([option()])
    before = risk.judge(wrong, risk.nothing_raised(wrong), None, MONDAY)
    after = risk.judge(right, before.standing, None, MONDAY)
    assert [(turn.rule.name, turn.cleared.tolist()) for turn in after.turns] == [
        ("near_expiration", [0])
    ]


def test_past_its_last_day_no_price_matters_any_more() -> None:
    walk = [
        (timedelta(0), Decimal(149)),
        (timedelta(days=2), Decimal(170)),
        (timedelta(0), Decimal(149)),
    ]
    assert Counter(told(walk, option(expiration=date(2026, 1, 6)))) == Counter(
        [("raised", "itm"), ("raised", "near_expiration")]
    )


def test_each_option_of_a_book_is_judged_by_itself() -> None:
    book = risk.book(
        [option(strike="150", trade=1), option(strike="160", trade=2), option("call", trade=3)]
    )
    verdict = risk.judge(book, risk.nothing_raised(book), Decimal(155), MONDAY)
    assert {turn.rule.name: turn.raised.tolist() for turn in verdict.turns} == {
        "itm": [1, 2],
        "near_strike": [0],
    }


def test_judging_leaves_what_stood_before_as_it_was() -> None:
    book = risk.book([option()])
    standing = risk.nothing_raised(book)
    risk.judge(book, standing, Decimal(149), MONDAY)
    assert all(np.all(since == risk.NEVER) for since in standing.values())


@pytest.mark.parametrize(
    ("rule", "last", "expiration", "message"),
    [
        ("itm", "145", IN_A_MONTH, "AAPL 150.00 put is in the money at 145.00, ITM by 3.3%"),
        ("near_strike", "155.5", IN_A_MONTH, "AAPL 150.00 put is near its strike at 155.50, "),
        ("near_expiration", "155", TODAY, "AAPL 150.00 put expires today, on 2026-01-05"),
        ("near_expiration", "155", date(2026, 1, 6), "AAPL 150.00 put expires in 1 trading day, "),
        ("near_expiration", "155", date(2026, 1, 7), "AAPL 150.00 put expires in 2 trading days,"),
    ],
)
def test_an_alert_says_what_is_the_matter(
    rule: str, last: str, expiration: date, message: str
) -> None:
    row = next(each for each in risk.RULES if each.name == rule)
    told = risk.told(row, option(expiration=expiration), quote(last), TODAY)
    assert told.message.startswith(message)


def test_an_alert_raised_by_time_alone_names_no_price() -> None:
    told = risk.told(risk.RULES[-1], option(expiration=TODAY), None, TODAY)
    assert (told.price, told.price_as_of, told.dte_trading) == (None, None, 0)
