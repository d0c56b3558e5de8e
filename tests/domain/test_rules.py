"""When somebody is told something about an option, and that nobody is told it twice."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import columns, facts, judging, look, market, risk, rules, subjects
from tests.domain.judged import (
    IN_A_MONTH,
    LIMITS,
    MONDAY,
    TODAY,
    judged,
    marks,
    option,
    quote,
    sold,
    words,
)

sides = st.sampled_from(["put", "call"])
steps_of_time = st.integers(0, 600).map(lambda seconds: timedelta(seconds=seconds))


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


def test_a_price_of_before_a_split_says_nothing_of_the_new_strikes() -> None:
    one = option("call", "92.86", split_on=TODAY)
    friday = MONDAY - timedelta(days=3)
    assert words(judged(one, quote=quote("645.57", friday))) == []
    assert words(judged(one, quote=quote("93.70"))) == [("raised", "itm")]


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
    book = columns.book(
        [option(strike="150", trade=1), option(strike="160", trade=2), option("call", trade=3)]
    )
    known = look.Known(since=MONDAY, quote=quote("155"))
    verdict = judging.judge(book, judging.nothing_raised(book), known, MONDAY, LIMITS)
    assert {turn.rule.name: turn.raised.tolist() for turn in verdict.turns} == {
        "itm": [1, 2],
        "near_strike": [0],
    }


def test_judging_leaves_what_stood_before_as_it_was() -> None:
    standing = judging.nothing_raised(columns.book([option()]))
    judged(option(), standing, quote=quote("149"))
    assert all(np.all(since == look.NEVER) for since in standing.values())


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


def test_every_rule_has_a_name_of_its_own_that_is_a_token_of_a_subject() -> None:
    names = [each.name for each in rules.RULES]
    assert len(set(names)) == len(names)
    assert all(subjects.risk_alert("LOW", "AAPL", name).endswith(name) for name in names)
