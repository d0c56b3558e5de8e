"""What an alert says, to a person who trades."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import judging, market, risk
from tests.domain.judged import (
    IN_A_MONTH,
    MONDAY,
    TODAY,
    Step,
    ask,
    deep,
    inside,
    judged,
    marks,
    option,
    pays,
    quote,
    sold,
)


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


def test_a_premium_that_is_corrected_away_leaves_nothing_to_earn() -> None:
    one, corrected = sold("100"), sold("0")
    before = judged(one, marks=marks(one))
    after = judged(corrected, before.seen.raised, marks=marks(corrected))
    (turn,) = after.turns
    assert turn.rule.ended(after.seen, 0) == "there is no premium to earn"
