"""How much a share moved, what its options imply, and how unusual that is."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from domain import market, pricing, volatility

ESTIMATORS: list[volatility.Estimator] = ["close", "parkinson", "garman_klass", "yang_zhang"]
MONDAY = datetime(2026, 3, 9, 20, 0, tzinfo=UTC)
SPOT = Decimal(100)


def bar(*prices: float) -> market.Bar:
    opened, high, low, close = (Decimal(str(each)) for each in prices)
    return market.Bar("XYZ", MONDAY.date(), opened, high, low, close, 1_000)


def walk(sessions: int, sigma: float, night: float = 0.0) -> list[market.Bar]:
    """Bars of a share that moves by sigma a year, a minute at a time, a part of it over night."""
    luck = np.random.default_rng(5)
    days = luck.normal(0, sigma * math.sqrt((1 - night) / 252 / 780), (sessions, 780))
    nights = luck.normal(0, sigma * math.sqrt(night / 252), sessions)
    closes = np.cumsum(days.sum(axis=1) + nights)
    opens = np.concatenate(([0.0], closes[:-1])) + nights
    paths = 100 * np.exp(np.c_[opens, opens[:, None] + np.cumsum(days, axis=1)])
    return [bar(path[0], path.max(), path.min(), path[-1]) for path in paths]


# --- realised --------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_finds_the_volatility_of_a_walk(estimator: volatility.Estimator) -> None:
    found = volatility.realised(walk(801, 0.3), 800, estimator)
    assert found == pytest.approx(0.3, rel=0.06)


def test_what_happens_over_night_is_seen_by_those_who_look_at_closes() -> None:
    bars = walk(801, 0.3, night=0.5)
    found = [volatility.realised(bars, 800, estimator) for estimator in ESTIMATORS]
    awake = 0.3 * math.sqrt(0.5)
    assert found == pytest.approx([0.3, awake, awake, 0.3], rel=0.06)


TWO_DAYS = [bar(100, 100, 100, 100), bar(102, 105, 101, 104), bar(103, 106, 99, 100)]
_RANGES = math.log(105 / 101), math.log(106 / 99)
_DAYS = math.log(104 / 102), math.log(100 / 103)
_GAPS = math.log(102 / 100), math.log(103 / 104)


def _spread(pair: Sequence[float]) -> float:
    """The sample variance of two."""
    return (pair[0] - pair[1]) ** 2 / 2


def _by_hand() -> list[float]:
    """The four variances a session of TWO_DAYS, from the formulas as they were published."""
    parkinson = sum(each**2 for each in _RANGES) / 2 / (4 * math.log(2))
    garman_klass = sum(
        r**2 / 2 - (2 * math.log(2) - 1) * d**2 for r, d in zip(_RANGES, _DAYS, strict=True)
    )
    rogers_satchell = (
        math.log(105 / 102) * math.log(105 / 104)
        + math.log(101 / 102) * math.log(101 / 104)
        + math.log(106 / 103) * math.log(106 / 100)
        + math.log(99 / 103) * math.log(99 / 100)
    ) / 2
    k = 0.34 / (1.34 + 3 / 1)
    yang_zhang = _spread(_GAPS) + k * _spread(_DAYS) + (1 - k) * rogers_satchell
    closes = math.log(104 / 100), math.log(100 / 104)
    return [_spread(closes), parkinson, garman_klass / 2, yang_zhang]


def test_the_estimators_are_those_that_were_published() -> None:
    found = [volatility.realised(TWO_DAYS, 2, estimator) for estimator in ESTIMATORS]
    assert found == pytest.approx([math.sqrt(each * 252) for each in _by_hand()], rel=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_only_the_last_sessions_count(estimator: volatility.Estimator) -> None:
    bars = walk(60, 0.3)
    assert volatility.realised(bars, 20, estimator) == volatility.realised(
        bars[-21:], 20, estimator
    )


def test_too_few_bars_tell_nothing() -> None:
    bars = walk(21, 0.3)
    assert volatility.realised(bars) is not None
    assert volatility.realised(bars[1:]) is None


@pytest.mark.parametrize("last", [(0, 1, 0, 1), (100, 100, 100, 100)])
def test_a_share_that_stands_still_or_costs_nothing_has_no_volatility(
    last: tuple[float, ...],
) -> None:
    assert volatility.realised([bar(100, 100, 100, 100)] * 5 + [bar(*last)], 5) is None


def test_one_session_is_no_sample() -> None:
    with pytest.raises(ValueError, match="two sessions"):
        volatility.realised(TWO_DAYS, 1)


def _divided(before: market.Bar, by: Decimal) -> market.Bar:
    prices = (before.open, before.high, before.low, before.close)
    return bar(*(float(each / by) for each in prices))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("ratio", ["2", "3", "4", "6.999997", "20", "0.125", "0.1"])
def test_a_split_is_no_move(estimator: volatility.Estimator, ratio: str) -> None:
    bars = walk(21, 0.3)
    split = bars[:11] + [_divided(each, Decimal(ratio)) for each in bars[11:]]
    whole = volatility.realised(bars, 20, estimator)
    assert volatility.realised(split, 20, estimator) == pytest.approx(whole, rel=1e-3)


def test_apples_split_of_2014_is_no_move() -> None:
    bars = [
        bar(646.25, 649.35, 642.61, 647.35),
        bar(650.0, 651.25, 644.48, 645.57),
        bar(92.69, 93.88, 91.75, 93.7),
        bar(94.64, 95.05, 93.57, 94.25),
    ]
    found = volatility.realised(bars, 3)
    assert found is not None
    assert found < 0.25


@pytest.mark.parametrize("fall", [0.67, 0.75, 0.85])
def test_a_report_that_goes_wrong_is_a_move(fall: float) -> None:
    bars = walk(21, 0.3)
    fallen = bars[:11] + [_divided(each, 1 / Decimal(str(fall))) for each in bars[11:]]
    found = volatility.realised(fallen)
    assert found is not None
    assert found > 0.5


# --- implied ---------------------------------------------------------------------------------


def option(
    strike: float,
    days: int,
    direction: market.Direction,
    iv: float | None = None,
    price: float | None = None,
) -> market.OptionMark:
    """A contract with a volatility, or with a bid and an ask around a price."""
    bid = None if price is None else Decimal(f"{price * 0.99:.8f}")
    ask = None if price is None else Decimal(f"{price * 1.01:.8f}")
    return market.OptionMark(
        symbol="XYZ",
        direction=direction,
        strike=Decimal(str(strike)),
        expiration=MONDAY.date() + timedelta(days=days),
        bid=bid,
        ask=ask,
        last=None,
        implied_volatility=iv,
        delta=None,
        gamma=None,
        theta=None,
        vega=None,
        open_interest=None,
        volume=None,
    )


def chain(*options: market.OptionMark) -> market.Chain:
    quote = market.Quote("XYZ", SPOT, None, None, MONDAY, "test", "live")
    return market.Chain("XYZ", quote, options, MONDAY, "test", "live")


def flat(days: int, iv: float) -> list[market.OptionMark]:
    return [option(95, days, "put", iv), option(105, days, "call", iv)]


def test_between_two_expirations_total_variance_runs_straight() -> None:
    listed = chain(*flat(18, 0.20), *flat(46, 0.30))
    variance = (0.04 * 18 + 12 / 28 * (0.09 * 46 - 0.04 * 18)) / 30
    assert volatility.at_the_money(listed) == pytest.approx(math.sqrt(variance), rel=1e-3)


def test_the_nearest_expirations_on_either_side_are_asked() -> None:
    listed = chain(*flat(4, 0.9), *flat(25, 0.2), *flat(32, 0.2), *flat(102, 0.9))
    assert volatility.at_the_money(listed) == pytest.approx(0.2)


def test_an_expiration_that_tells_nothing_is_passed_over() -> None:
    silent = [option(95, 25, "put"), option(105, 25, "call")]
    listed = chain(*flat(18, 0.2), *silent, *flat(46, 0.2))
    assert volatility.at_the_money(listed) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("days", "told"), [(11, None), (18, 0.2), (30, 0.2), (58, 0.2), (67, None)]
)
def test_one_expiration_stands_for_those_near_it(days: int, told: float | None) -> None:
    assert volatility.at_the_money(chain(*flat(days, 0.2))) == (
        told if told is None else pytest.approx(told)
    )


def test_between_two_strikes_the_smile_runs_straight() -> None:
    listed = chain(option(100 / 1.1, 30, "put", 0.3), option(110, 30, "call", 0.2))
    assert volatility.at_the_money(listed) == pytest.approx(0.25)


def test_out_of_the_money_options_are_believed_before_the_others() -> None:
    inside = [option(95, 30, "call", 0.9), option(105, 30, "put", 0.9)]
    assert volatility.at_the_money(chain(*flat(30, 0.2), *inside)) == pytest.approx(0.2)


def test_a_chain_of_puts_alone_is_enough() -> None:
    puts = [option(95, 30, "put", 0.2), option(105, 30, "put", 0.2)]
    assert volatility.at_the_money(chain(*puts)) == pytest.approx(0.2)


@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_without_volatilities_the_prices_imply_them(rate: float) -> None:
    years = 30 / 365
    listed = [
        option(strike, 30, side, price=_worth(side, strike, years, rate))
        for strike in (95, 100, 105)
        for side in _SIDES
    ]
    found = volatility.at_the_money(chain(*listed), rate=rate)
    assert found == pytest.approx(0.25, rel=2e-3)


_SIDES: tuple[market.Direction, ...] = ("call", "put")


def _worth(side: market.Direction, strike: float, years: float, rate: float) -> float:
    return float(pricing.greeks(side, 100, strike, years, rate, 0.02, 0.25).price)


NO_BID = msgspec.structs.replace(option(100, 30, "put", price=3), bid=Decimal(0))
CROSSED = msgspec.structs.replace(option(100, 30, "put", price=3), ask=Decimal(1))


@pytest.mark.parametrize(
    "listed",
    [
        (),
        (NO_BID,),
        (CROSSED,),
        (option(95, 30, "put", 0.2),),
        (option(105, 30, "call", 0.2),),
        (option(95, 30, "put", math.nan), option(105, 30, "call", -9.99)),
        (option(95, 30, "put", 0.0), option(105, 30, "call", math.inf)),
        tuple(flat(0, 0.2)),
        tuple(flat(-3, 0.2)),
    ],
)
def test_where_nothing_is_said_at_the_money_there_is_no_answer(
    listed: tuple[market.OptionMark, ...],
) -> None:
    assert volatility.at_the_money(chain(*listed)) is None


def test_an_expiration_on_a_saturday_ends_on_the_friday() -> None:
    saturday = chain(*flat(12, 0.2), *flat(40, 0.4))
    friday = chain(*flat(11, 0.2), *flat(39, 0.4))
    assert volatility.at_the_money(saturday) == volatility.at_the_money(friday)


# --- what is made of them --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ((0.2, 0.3, 0.4), (0.32, "blend")),
        ((0.2, 0.3, None), (0.2, "rv20")),
        ((0.2, None, 0.4), (0.2, "rv20")),
        ((None, 0.3, 0.4), (None, None)),
    ],
)
def test_the_blend_says_what_it_was_made_of(
    known: tuple[float | None, ...], expected: tuple[float | None, str | None]
) -> None:
    found = volatility.blend(*known)
    assert found.source == expected[1]
    assert found.volatility == pytest.approx(expected[0])


def year(*levels: float) -> list[market.DayVolatility]:
    first = date(2025, 3, 10)
    return [market.DayVolatility(first + timedelta(days=n), x) for n, x in enumerate(levels)]


@pytest.mark.parametrize(
    ("now", "rank", "percentile"),
    [(0.2, 0, 0), (0.3, 50, 50), (0.4, 100, 95), (0.1, 0, 0), (0.5, 100, 100)],
)
def test_rank_is_a_place_in_the_range_and_percentile_a_share_of_days(
    now: float, rank: float, percentile: float
) -> None:
    known = year(*[0.2] * 10, *[0.3] * 9, 0.4)
    assert volatility.iv_rank(now, known) == pytest.approx(rank)
    assert volatility.iv_percentile(now, known) == pytest.approx(percentile)


def test_what_is_older_than_a_year_does_not_count() -> None:
    known = year(9.0, *[0.2, 0.4] * 126)
    assert volatility.iv_rank(0.3, known) == pytest.approx(50)
    assert volatility.iv_percentile(0.3, known) == pytest.approx(50)


def test_under_twenty_days_nothing_is_usual() -> None:
    known = year(*[0.2] * 9, *[0.3] * 10)
    assert volatility.iv_rank(0.3, known) is None
    assert volatility.iv_percentile(0.3, known) is None


def test_where_every_day_is_the_same_there_is_no_rank() -> None:
    assert volatility.iv_rank(0.2, year(*[0.2] * 30)) is None
