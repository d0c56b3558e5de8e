"""When somebody is told something about an option, and that nobody is told it twice."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain import facts, judging, look, market, risk, rules, subjects

MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
TODAY = date(2026, 1, 5)
IN_A_MONTH = date(2026, 2, 6)
LIMITS = look.Limits()

sides = st.sampled_from(["put", "call"])
steps_of_time = st.integers(0, 600).map(lambda seconds: timedelta(seconds=seconds))


def option(
    side: facts.Direction = "put",
    strike: str | Decimal = "150",
    expiration: date = IN_A_MONTH,
    trade: int = 1,
    **more: Any,
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
        **more,
    )


def quote(
    last: str | Decimal = "150", at: datetime = MONDAY, state: market.PriceState = "live"
) -> market.Quote:
    return market.Quote("AAPL", Decimal(last), None, None, at, "test", state)


def judged(
    one: risk.OpenOption,
    standing: look.Standing | None = None,
    now: datetime = MONDAY,
    **known: Any,
) -> judging.Verdict:
    """What is said of one option, watched since Monday, by what is known of it."""
    book = risk.book([one])
    if (said := known.get("marks")) is not None:
        known["marks"] = look.marks(book, said)
    return judging.judge(
        book,
        judging.nothing_raised(book) if standing is None else standing,
        look.Known(**{"since": MONDAY} | known),
        now,
        LIMITS,
    )


def words(verdict: judging.Verdict) -> list[tuple[str, str]]:
    """What is raised and cleared."""
    heard: list[tuple[str, str]] = []
    for turn in verdict.turns:
        heard += [("raised", turn.rule.name)] * turn.raised.size
        heard += [("cleared", turn.rule.name)] * turn.cleared.size
    return heard


Walk = Iterable[tuple[timedelta, Decimal | None]]


def told(walk: Walk, one: risk.OpenOption) -> list[tuple[str, str]]:
    """What is raised and cleared as time passes and the price moves."""
    now, standing, heard = MONDAY, None, []
    for passed, price in walk:
        now += passed
        last = None if price is None else quote(price, now)
        verdict = judged(one, standing, now, quote=last)
        standing = verdict.seen.raised
        heard += words(verdict)
    return heard


def minutes(*steps: tuple[float, str]) -> list[tuple[timedelta, Decimal]]:
    return [(timedelta(minutes=passed), Decimal(price)) for passed, price in steps]


# --- by the price ----------------------------------------------------------------------------


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
        if passed >= look.PATIENCE:
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
        (date(2026, 1, 2), [("raised", "evidence_missing")]),
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
    before = judged(option(expiration=TODAY))
    after = judged(option(), before.seen.raised)
    assert words(after) == [("cleared", "near_expiration")]


def test_past_its_last_day_no_price_matters_any_more() -> None:
    walk = [
        (timedelta(0), Decimal(149)),
        (timedelta(days=2), Decimal(170)),
        (timedelta(0), Decimal(149)),
    ]
    assert Counter(told(walk, option(expiration=date(2026, 1, 6)))) == Counter(
        [("raised", "itm"), ("raised", "near_expiration"), ("raised", "evidence_missing")]
    )


def test_each_option_of_a_book_is_judged_by_itself() -> None:
    book = risk.book(
        [option(strike="150", trade=1), option(strike="160", trade=2), option("call", trade=3)]
    )
    known = look.Known(since=MONDAY, quote=quote("155"))
    verdict = judging.judge(book, judging.nothing_raised(book), known, MONDAY, LIMITS)
    assert {turn.rule.name: turn.raised.tolist() for turn in verdict.turns} == {
        "itm": [1, 2],
        "near_strike": [0],
    }


def test_judging_leaves_what_stood_before_as_it_was() -> None:
    standing = judging.nothing_raised(risk.book([option()]))
    judged(option(), standing, quote=quote("149"))
    assert all(np.all(since == look.NEVER) for since in standing.values())


# --- by the option's own mark ----------------------------------------------------------------


def marks(
    one: risk.OpenOption,
    bid: str | None = "0.45",
    ask: str | None = "0.50",
    price: str = "200",
    at: datetime = MONDAY,
    **said: Any,
) -> market.HeldMarks:
    """What the market says of one option."""
    mark = market.OptionMark(
        one.symbol,
        one.direction,
        one.strike,
        one.expiration_date,
        None if bid is None else Decimal(bid),
        None if ask is None else Decimal(ask),
        *[None] * 8,
    )
    known: dict[str, Any] = {"dividend": None, "earnings": None, "state": "live"}
    return market.HeldMarks(
        symbol=one.symbol,
        price=Decimal(price),
        options=(mark,),
        as_of=at,
        source="test",
        **known | said,
    )


def sold(premium: str = "100", side: facts.Direction = "put", **more: Any) -> risk.OpenOption:
    """Sold at 150 for so many dollars."""
    return option(side, premium=Decimal(premium), **more)


Step = tuple[float, dict[str, Any]]


def heard(one: risk.OpenOption, *steps: Step) -> list[tuple[str, str]]:
    """What is raised and cleared as minutes pass and the marks change."""
    now, standing, said = MONDAY, None, []
    for passed, changed in steps:
        now += timedelta(minutes=passed)
        change: dict[str, Any] = {"at": now} | changed
        verdict = judged(one, standing, now, marks=marks(one, **change), quote=quote("200", now))
        standing = verdict.seen.raised
        said += words(verdict)
    return said


def ask(price: str | None) -> dict[str, Any]:
    return {"bid": "0.01", "ask": price}


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
    book, said = risk.book([one]), marks(one, bid=None, ask=str(Decimal(cents) / 100))
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


THURSDAY, FRIDAY = date(2026, 1, 8), date(2026, 1, 9)


def pays(ex: date, amount: str = "0.25") -> market.Dividend:
    return market.Dividend("AAPL", ex, Decimal(amount))


def inside(extrinsic: str, price: str = "155") -> dict[str, Any]:
    """A call at 150, so much over its intrinsic value at both bid and ask."""
    worth = str(Decimal(price) - 150 + Decimal(extrinsic))
    return {"bid": worth, "ask": worth, "price": price}


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
            pays(date(2026, 1, 7)),
            [(0, inside("0.10")), (1, inside("0.30")), (1, inside("0.10"))],
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


def test_a_call_that_ends_before_the_ex_date_never_sees_the_dividend() -> None:
    one = sold(side="call", expiration=date(2026, 1, 6))
    said = heard(one, (0, inside("0.10") | {"dividend": pays(date(2026, 1, 7))}))
    assert EX not in said


def test_a_put_is_not_exercised_for_a_dividend() -> None:
    said = heard(
        sold(), (0, {"bid": "5", "ask": "5", "price": "145", "dividend": pays(date(2026, 1, 7))})
    )
    assert EX not in said


EARLY, NOT_EARLY = ("raised", "early_put_exercise"), ("cleared", "early_put_exercise")


def deep(extrinsic: str, price: str = "120") -> dict[str, Any]:
    """A put at 150, so much over its intrinsic value at both bid and ask."""
    worth = str(150 - Decimal(price) + Decimal(extrinsic))
    return {"bid": worth, "ask": worth, "price": price}


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
    book = risk.book([one])
    known = look.Known(since=MONDAY, marks=look.marks(book, said))
    limits = look.Limits(risk_free_rate=rate)
    verdict = judging.judge(book, judging.nothing_raised(book), known, MONDAY, limits)
    interest = 150 * rate * (32.25 / 365)
    assume(abs(interest - extrinsic / 100) > 1e-9)
    assert (EARLY in words(verdict)) is (extrinsic / 100 < interest)


@pytest.mark.parametrize(
    ("said", "later"),
    [
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
    found = look.marks(risk.book([option(**listed)]), said)
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


# --- by the calendar -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earnings", "expiration", "then"),
    [
        ((date(2026, 1, 12),), IN_A_MONTH, [("raised", "earnings")]),
        ((date(2026, 1, 13),), IN_A_MONTH, []),
        ((TODAY,), IN_A_MONTH, [("raised", "earnings")]),
        ((date(2026, 1, 4),), IN_A_MONTH, []),
        ((date(2026, 1, 9),), date(2026, 1, 9), [("raised", "earnings")]),
        ((date(2026, 1, 12),), date(2026, 1, 9), []),
        (
            (date(2025, 10, 5), date(2026, 1, 8), date(2026, 4, 5)),
            IN_A_MONTH,
            [("raised", "earnings")],
        ),
        ((), IN_A_MONTH, []),
        (None, IN_A_MONTH, []),
    ],
)
def test_earnings_within_a_week_and_before_it_expires(
    earnings: tuple[date, ...] | None, expiration: date, then: list[tuple[str, str]]
) -> None:
    one = sold("10", expiration=expiration)
    assert words(judged(one, marks=marks(one, earnings=earnings))) == then


@pytest.mark.parametrize(
    ("earnings", "day", "then"),
    [
        ((date(2026, 1, 7),), 7, []),
        ((date(2026, 1, 7),), 8, [("cleared", "earnings")]),
        ((), 6, [("cleared", "earnings")]),
        ((date(2026, 1, 29),), 6, [("cleared", "earnings")]),
        (None, 6, []),
        (None, 30, []),
    ],
)
def test_earnings_are_over_when_they_are_past_or_known_to_be_later(
    earnings: tuple[date, ...] | None, day: int, then: list[tuple[str, str]]
) -> None:
    one, later = sold("10"), MONDAY.replace(day=day)
    before = judged(one, marks=marks(one, earnings=(date(2026, 1, 7),)))
    after = judged(
        one,
        before.seen.raised,
        later,
        marks=marks(one, earnings=earnings),
        quote=quote("200", later),
    )
    assert words(after) == then


def test_earnings_come_however_old_the_prices_are() -> None:
    one = sold("10")
    verdict = judged(one, marks=marks(one, earnings=(TODAY,), state="stale"))
    assert words(verdict) == [("raised", "earnings")]


MISSING = ("raised", "evidence_missing")
CLOSE = datetime(2026, 1, 5, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (CLOSE, []),
        (CLOSE + timedelta(seconds=1), [MISSING]),
        (CLOSE + timedelta(days=400), [MISSING]),
    ],
)
def test_past_the_close_of_its_last_day_somebody_has_to_say_how_it_ended(
    now: datetime, then: list[tuple[str, str]]
) -> None:
    verdict = judged(option(expiration=TODAY), now=now, quote=quote("200", now))
    assert [each for each in words(verdict) if each[1] == "evidence_missing"] == then


def test_the_close_of_a_half_day_is_at_one() -> None:
    after = datetime(2025, 11, 28, 18, 0, 1, tzinfo=UTC)
    verdict = judged(option(expiration=date(2025, 11, 28)), now=after, since=after)
    assert MISSING in words(verdict)


def test_evidence_is_missing_no_more_when_the_date_is_corrected() -> None:
    late = MONDAY + timedelta(days=2)
    before = judged(option(expiration=TODAY), now=late, quote=quote("200", late))
    after = judged(option(), before.seen.raised, late, quote=quote("200", late))
    assert words(after) == [("cleared", "evidence_missing")]


# --- by the silence of the market ------------------------------------------------------------

OPEN = datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
STALE, FRESH = ("raised", "stale_price"), ("cleared", "stale_price")


def silence(
    last: market.Quote | None, *moments: datetime, since: datetime = MONDAY
) -> list[tuple[str, str]]:
    """What is raised and cleared while nothing new is said of the price."""
    standing, said = None, []
    for now in moments:
        verdict = judged(option(), standing, now, quote=last, since=since)
        standing = verdict.seen.raised
        said += [each for each in words(verdict) if each[1] == "stale_price"]
    return said


def after(*passed: float, start: datetime = MONDAY) -> list[datetime]:
    """Moments so many minutes after a start."""
    return [start + timedelta(minutes=each) for each in passed]


@pytest.mark.parametrize(
    ("last", "moments", "then"),
    [
        (quote(), after(15), []),
        (quote(), after(15.1), [STALE]),
        (quote(), after(16, 60, 300), [STALE]),
        (None, after(14), []),
        (None, after(15), [STALE]),
        (quote(state="stale"), after(14), []),
        (quote(state="stale"), after(15), [STALE]),
        (quote("NaN"), after(15), [STALE]),
        (quote(state="delayed"), after(30), []),
        (quote(state="delayed"), after(30.1), [STALE]),
        # over a night: 300 minutes before the close it was said, 870 minutes before the open
        (quote(), [OPEN - timedelta(hours=9)], []),
        (quote(), after(0, 14.9, start=OPEN), []),
        (quote(), after(15, start=OPEN), [STALE]),
        (quote(at=OPEN - timedelta(hours=17, minutes=30)), after(15, start=OPEN), []),
        (None, [OPEN - timedelta(hours=9)], []),
        # raised before the close, it stands over the night
        (quote(), [*after(60), OPEN - timedelta(hours=9), *after(1, 20, start=OPEN)], [STALE]),
    ],
)
def test_a_price_is_missed_when_the_market_is_open_and_says_nothing_for_a_quarter_of_an_hour(
    last: market.Quote | None, moments: list[datetime], then: list[tuple[str, str]]
) -> None:
    assert silence(last, *moments) == then


def test_who_has_only_begun_to_watch_misses_nothing_yet() -> None:
    begun = MONDAY + timedelta(hours=2)
    assert silence(quote(), *after(0, 14, start=begun), since=begun) == []


def test_an_outage_of_an_hour_is_one_alert_and_one_end() -> None:
    fresh = [(timedelta(minutes=1), Decimal(200))]
    outage = [(timedelta(minutes=1), None)] * 60
    said = told_of_age([*fresh, *outage, *fresh * 5])
    assert said == [STALE, FRESH]


def told_of_age(walk: Walk) -> list[tuple[str, str]]:
    """What is said of the price's age; without a price the last one stays what it was."""
    now, standing, said, last = MONDAY, None, [], None
    for passed, price in walk:
        now += passed
        last = last if price is None else quote(price, now)
        verdict = judged(option(), standing, now, quote=last)
        standing = verdict.seen.raised
        said += [each for each in words(verdict) if each[1] == "stale_price"]
    return said


@given(st.lists(st.tuples(st.integers(0, 240), st.booleans()), max_size=40))
def test_whatever_comes_and_stays_away_each_outage_is_one_alert(
    steps: list[tuple[int, bool]],
) -> None:
    walk = [(timedelta(minutes=passed), Decimal(200) if comes else None) for passed, comes in steps]
    said = told_of_age([*walk, (timedelta(0), Decimal(200))])
    assert said == [STALE, FRESH] * (len(said) // 2)


# --- what an alert says ----------------------------------------------------------------------


def message(rule: str, one: risk.OpenOption, now: datetime = MONDAY, **known: Any) -> str:
    """What is said when the rule begins to apply."""
    verdict = judged(one, now=now, **known)
    (turn,) = (each for each in verdict.turns if each.rule.name == rule)
    return judging.told(turn.rule, verdict.seen, 0).message


@pytest.mark.parametrize(
    ("rule", "last", "expiration", "said"),
    [
        ("itm", "145", IN_A_MONTH, "AAPL 150.00 put is in the money at 145.00, ITM by 3.3%"),
        (
            "near_strike",
            "155.5",
            IN_A_MONTH,
            "AAPL 150.00 put is near its strike at 155.50, OTM by 3.7%",
        ),
        ("near_expiration", "155", TODAY, "AAPL 150.00 put expires today, on 2026-01-05"),
        (
            "near_expiration",
            "155",
            date(2026, 1, 6),
            "AAPL 150.00 put expires in 1 trading day, on 2026-01-06",
        ),
        (
            "near_expiration",
            "155",
            date(2026, 1, 7),
            "AAPL 150.00 put expires in 2 trading days, on 2026-01-07",
        ),
        (
            "evidence_missing",
            "155",
            date(2026, 1, 2),
            "AAPL 150.00 put expired on 2026-01-02, and nobody has said how it ended",
        ),
    ],
)
def test_an_alert_says_what_is_the_matter(
    rule: str, last: str, expiration: date, said: str
) -> None:
    assert message(rule, option(expiration=expiration), quote=quote(last)) == said


@pytest.mark.parametrize(
    ("rule", "one", "marked", "said"),
    [
        (
            "profit_target",
            sold("100"),
            ask("0.48"),
            "AAPL 150.00 put has earned 52 % of its premium: 0.48 buys it back",
        ),
        (
            "ex_dividend",
            sold(side="call"),
            inside("0.10") | {"dividend": pays(date(2026, 1, 7))},
            (
                "AAPL 150.00 call may be assigned early: the dividend of 0.25, ex 2026-01-07, is "
                "more than its extrinsic value of 0.10"
            ),
        ),
        (
            "early_put_exercise",
            sold("10"),
            deep("0.125"),
            (
                "AAPL 150.00 put may be assigned early: its extrinsic value of 0.125 is less than "
                "the interest on its strike, 0.54"
            ),
        ),
        (
            "earnings",
            sold("10"),
            {"earnings": (date(2026, 1, 8),)},
            "AAPL 150.00 put sees earnings on 2026-01-08; it expires on 2026-02-06",
        ),
    ],
)
def test_an_alert_by_marks_says_what_a_trader_wants_to_know(
    rule: str, one: risk.OpenOption, marked: dict[str, Any], said: str
) -> None:
    assert message(rule, one, marks=marks(one, **marked)) == said


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (None, "AAPL 150.00 put is not watched: AAPL has no price"),
        (
            quote(),
            (
                "AAPL 150.00 put is not watched: the last price of AAPL is of 2026-01-05 10:00 "
                "New York time"
            ),
        ),
    ],
)
def test_an_alert_about_silence_says_since_when(last: market.Quote | None, said: str) -> None:
    assert message("stale_price", option(), MONDAY + timedelta(hours=1), quote=last) == said


def test_an_alert_by_marks_names_the_price_that_was_said_with_them() -> None:
    one = sold()
    verdict = judged(one, marks=marks(one, price="201"), quote=quote("199"))
    told = judging.told(verdict.turns[0].rule, verdict.seen, 0)
    assert (told.price, told.price_as_of) == (Decimal(201), MONDAY)


def test_an_alert_raised_by_time_alone_names_no_price() -> None:
    verdict = judged(option(expiration=TODAY))
    told = judging.told(verdict.turns[0].rule, verdict.seen, 0)
    assert (told.rule, told.price, told.price_as_of, told.dte_trading) == (
        "near_expiration",
        None,
        None,
        0,
    )


def ended(one: risk.OpenOption, *steps: Step) -> list[str]:
    """What is said when an alert is over."""
    now, standing, said = MONDAY, None, []
    for passed, changed in steps:
        now += timedelta(minutes=passed)
        change: dict[str, Any] = {"at": now} | changed
        verdict = judged(one, standing, now, marks=marks(one, **change), quote=quote("200", now))
        standing = verdict.seen.raised
        said += [turn.rule.ended(verdict.seen, 0) for turn in verdict.turns if turn.cleared.size]
    return said


@pytest.mark.parametrize(
    ("one", "steps", "said"),
    [
        (sold(), [ask("0.50"), ask("0.62")], "38 % of the premium earned at 0.62"),
        (
            sold(side="call"),
            [
                inside("0.1") | {"dividend": pays(date(2026, 1, 6))},
                inside("0.3") | {"dividend": pays(date(2026, 1, 6))},
            ],
            "extrinsic value 0.30",
        ),
        (
            sold(side="call"),
            [inside("0.1") | {"dividend": pays(date(2026, 1, 6))}, inside("0.1")],
            "no dividend close ahead",
        ),
        (sold("10"), [deep("0.1"), deep("0.9")], "extrinsic value 0.90"),
        (sold("10"), [deep("0.1"), {"bid": "1", "ask": "1", "price": "151"}], "out of the money"),
        (
            sold("10"),
            [{"earnings": (TODAY,)}, {"earnings": ()}],
            "no earnings close ahead until 2026-02-06",
        ),
    ],
)
def test_when_it_is_over_it_says_why(
    one: risk.OpenOption, steps: list[dict[str, Any]], said: str
) -> None:
    assert said in ended(one, *[(15.0, each) for each in steps])


def test_every_rule_has_a_name_of_its_own_that_is_a_token_of_a_subject() -> None:
    names = [each.name for each in rules.RULES]
    assert len(set(names)) == len(names)
    assert all(subjects.risk_alert("LOW", "AAPL", name).endswith(name) for name in names)
