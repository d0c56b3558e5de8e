"""What is recommended, and what is not, and why."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import candidates, facts, fees, market, recommendation
from domain.outlook import Outlook
from domain.recommendation import BANDS, Advice, Means, Recommendation, Terms
from tests.domain.chains import FRIDAY, NOW, chain, fair, option, quote

OUTLOOK = Outlook(rate=0.04)
CALM = replace(OUTLOOK, forecast=0.28)
RICH = Means(collateral=Decimal(1_000_000), shares=10_000)
TARIFF = fees.Schedule()


def advise(
    options: list[market.OptionMark],
    means: Means = RICH,
    outlook: Outlook = OUTLOOK,
    direction: market.Direction = "put",
    **asked: Any,
) -> Advice:
    terms = Terms(direction=direction, **{"limit": 50, "max_dte": 30} | asked)
    return recommendation.recommended(chain(*options), outlook, terms, means, TARIFF, NOW)


def rules(advice: Advice) -> dict[str, str]:
    """By strike, the rule that spoke first."""
    return {f"{each.strike.normalize():f}": each.rule for each in advice.rejections}


def only(advice: Advice) -> Recommendation:
    (found,) = advice.recommendations
    return found


# --- scores -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigmas", "probability", "dte", "score"),
    [
        (1.5, 0.15, 30, 0.595),
        (2.0, 0.08, 30, 0.696),
        (1.0, 0.30, 30, 0.47),
        (2.5, 0.01, 1, 0.990333),
    ],
)
def test_the_old_tools_score_is_what_it_was(
    sigmas: float, probability: float, dte: int, score: float
) -> None:
    told = recommendation.bias(np.array([sigmas]), np.array([probability]), np.array([dte]))
    assert told[0] == pytest.approx(score, abs=5e-7)


def test_the_expected_return_is_the_sum_of_the_terms_that_are_shown() -> None:
    told = only(advise(fair([93]), profile="moderate"))
    each = float(told.net_premium) / told.contracts
    lost = told.probability_itm * told.expected_loss * 100
    a_year = 100 * 365 / told.dte / (float(told.strike) * 100)
    assert told.expected_return_pct == pytest.approx((each - lost) * a_year, abs=1e-3)
    assert told.score == pytest.approx(told.expected_return_pct, abs=1e-4)


def test_at_the_markets_own_volatility_a_sale_is_worth_what_it_costs() -> None:
    told = only(advise(fair([93]), profile="moderate"))
    assert -3 < told.expected_return_pct < 0


def test_where_less_is_forecast_than_implied_a_sale_is_worth_something() -> None:
    told = only(advise(fair([93]), outlook=CALM, profile="moderate"))
    assert told.expected_return_pct > 1


def test_a_forecast_does_not_count_where_a_report_is_to_come() -> None:
    told = only(
        advise(fair([93]), outlook=replace(CALM, earnings=(report(FRIDAY),)), profile="moderate")
    )
    assert told.expected_return_pct < 0


def test_without_a_forecast_what_its_expiration_implies_at_the_money_is_expected() -> None:
    level = fair(range(96, 105), volatility=0.30) + fair(range(96, 105), "call", volatility=0.30)
    dear = fair([93], volatility=0.40)
    told = only(advise(level + dear, profile="moderate"))
    assert told.expected_volatility == pytest.approx(0.30, abs=0.005)
    assert told.expected_return_pct > 1


def test_a_forecast_counts_the_sessions_that_are_left() -> None:
    told = only(advise(fair([93]), outlook=CALM, profile="moderate"))
    sessions, years = 9 + 6 / 6.5, (11 + 5 / 24) / 365  # a clock is put forward on the way
    over_the_calendar = 0.28 * (sessions / 252 / years) ** 0.5
    assert told.expected_volatility == pytest.approx(over_the_calendar, abs=1e-6)


def test_where_more_is_forecast_than_implied_it_says_so() -> None:
    wild = replace(OUTLOOK, forecast=0.60)
    told = only(advise(fair([93]), outlook=wild, profile="moderate"))
    assert "expected return is negative: the premium does not pay for the risk" in told.warnings


def test_both_rankings_order_by_their_own_score() -> None:
    options = fair(range(85, 100), volatility=0.6) + fair(
        range(80, 100), expiration=FRIDAY + timedelta(weeks=1), volatility=0.6
    )
    for ranking in ("income", "bias"):
        found = advise(options, profile="moderate", ranking=ranking).recommendations
        scores = [each.score for each in found]
        assert len(scores) > 2
        assert scores == sorted(scores, reverse=True)


# --- bands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", BANDS)
@pytest.mark.parametrize("direction", ["put", "call"])
def test_every_recommendation_lies_inside_its_profiles_band(
    profile: facts.Profile, direction: market.Direction
) -> None:
    options = fair(range(60, 151), direction, volatility=0.8)
    advice = advise(options, direction=direction, profile=profile)
    least, most = BANDS[profile]
    assert advice.recommendations
    assert all(least <= each.sigma_distance <= most for each in advice.recommendations)


def test_the_ends_of_a_band_are_inside() -> None:
    band = BANDS["moderate"]
    chosen = fair(range(70, 100))
    told = [each.sigma_distance for each in advise(chosen, profile="moderate").recommendations]
    assert min(told) >= band[0] - 1e-6
    assert max(told) <= band[1] + 1e-6


def test_what_is_nearer_or_farther_is_rejected_by_name() -> None:
    told = rules(advise(fair([99, 93, 88], volatility=0.4), profile="moderate"))
    assert told == {"99": "too_near", "88": "too_far"}


# --- gates ------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {"implied_volatility": 0.40}


@pytest.mark.parametrize(
    ("spoilt", "rule"),
    [
        (option("93", None, "0.60", **GOOD), "no_bid"),
        (option("93", "0", "0.60", **GOOD), "no_bid"),
        (option("93", "0.04", "0.06", **GOOD), "low_bid"),
        (option("93", "0.50", "0.56", open_interest=99, **GOOD), "low_open_interest"),
        (option("93", "0.50", "0.56", open_interest=None, **GOOD), "low_open_interest"),
        (option("93", "0.40", "0.52", **GOOD), "wide_spread"),
        (option("93", "0.50", None, **GOOD), "wide_spread"),
        (option("93", "0.56", "0.50", **GOOD), "wide_spread"),
        (option("101", "0.50", "0.56", **GOOD), "in_the_money"),
        (option("100", "2.50", "2.56", **GOOD), "in_the_money"),
        (option("93", "0.50", "0.56", expiration=date(2026, 3, 2), **GOOD), "expiration"),
        (option("93", "0.50", "0.56", expiration=date(2026, 4, 2), **GOOD), "expiration"),
    ],
)
def test_a_contract_that_nobody_should_sell_is_rejected_by_name(
    spoilt: market.OptionMark, rule: str
) -> None:
    advice = advise([spoilt], profile="moderate")
    assert not advice.recommendations
    assert advice.rejections[0].rule == rule
    assert dict(advice.rejected) == {rule: 1}


@pytest.mark.parametrize(
    ("bid", "ask"), [("0.50", "0.60"), ("2.00", "2.10"), ("0.45", "0.55"), ("1.80", "2.20")]
)
def test_a_spread_of_ten_cents_or_of_a_fifth_is_narrow_enough(bid: str, ask: str) -> None:
    assert "wide_spread" not in advise([option("93", bid, ask)]).rejected


def test_the_one_cent_bid_that_the_old_ranking_preferred_is_rejected() -> None:
    penny = option("85", "0.01", "0.02", implied_volatility=0.40)
    advice = advise([penny, *fair([93, 94])], profile="moderate", ranking="bias")
    (rejected,) = [each for each in advice.rejections if each.strike == 85]
    best = max(each.bias_score for each in advice.recommendations)
    assert rejected.bias_score is not None
    assert rejected.bias_score > best
    assert rejected.rule == "low_bid"


def test_what_brings_in_less_than_twice_its_costs_is_rejected() -> None:
    thin = option("93", "0.05", "0.14", implied_volatility=0.40)
    assert "friction" in advise([thin]).rejections[0].rules


def test_without_any_volatility_nothing_is_said() -> None:
    crossed = option("93", "0.60", "0.50")
    assert "no_volatility" in advise([crossed]).rejections[0].rules


def test_a_call_under_the_adjusted_basis_is_not_sold_unless_allowed() -> None:
    means = replace(RICH, basis=Decimal("109.00"))
    calls = fair([108, 109], "call")
    kept = advise(calls, means, direction="call", profile="moderate")
    assert rules(kept)["108"] == "below_basis"
    allowed = advise(calls, means, direction="call", profile="moderate", allow_below_basis=True)
    (under,) = [each for each in allowed.recommendations if each.strike == 108]
    assert "strike under the cost basis of 109.00" in under.warnings


@pytest.mark.parametrize(("free", "contracts"), [("9299.99", 0), ("9300", 1), ("46500", 5)])
def test_a_puts_size_is_what_free_collateral_secures(free: str, contracts: int) -> None:
    advice = advise(fair([93]), Means(collateral=Decimal(free)), profile="moderate")
    assert [each.contracts for each in advice.recommendations] == [contracts] * bool(contracts)
    assert ("not_covered" in advice.rejected) == (contracts == 0)


@pytest.mark.parametrize(("shares", "contracts"), [(99, 0), (100, 1), (350, 3)])
def test_a_calls_size_is_what_uncovered_shares_cover(shares: int, contracts: int) -> None:
    advice = advise(fair([108], "call"), Means(shares=shares), direction="call", profile="moderate")
    assert [each.contracts for each in advice.recommendations] == [contracts] * bool(contracts)


def test_amounts_are_exact_and_of_all_contracts() -> None:
    told = only(advise(fair([93]), Means(collateral=Decimal(28_000)), profile="moderate"))
    assert told.contracts == 3
    assert told.total_premium == told.premium_per_share * 300
    assert told.fees == Decimal("1.99")
    assert told.net_premium == told.total_premium - told.fees
    assert told.collateral == 27_900
    assert told.break_even == (93 - told.net_premium / 300).quantize(Decimal("0.0001"))


def test_one_expiration_can_be_asked_for_alone() -> None:
    later = FRIDAY + timedelta(weeks=8)
    options = fair([93]) + fair([86], expiration=later)
    advice = advise(options, expiration=later, profile="aggressive")
    assert [each.strike for each in advice.recommendations] == [86]
    assert rules(advice) == {"93": "expiration"}


# --- volatility -------------------------------------------------------------------------------


def test_a_volatility_that_does_not_fit_its_own_quote_is_not_believed() -> None:
    (honest,) = fair([93])
    wrong = replace(honest, implied_volatility=1.2)
    told = only(advise([wrong], profile="moderate"))
    assert told.volatility_source == "mid"
    assert told.implied_volatility == pytest.approx(0.40, abs=0.01)


def test_a_contract_without_a_volatility_takes_what_its_mid_implies() -> None:
    (honest,) = fair([93])
    told = only(advise([replace(honest, implied_volatility=None)], profile="moderate"))
    assert told.volatility_source == "mid"
    assert told.implied_volatility == pytest.approx(0.40, abs=0.01)


@pytest.mark.parametrize(
    ("outlook", "source"),
    [(replace(OUTLOOK, forecast=0.33), "blend"), (replace(OUTLOOK, rv20=0.31), "rv20")],
)
def test_where_no_quote_implies_any_ours_is_taken_and_the_answer_says_so(
    outlook: Outlook, source: str
) -> None:
    silent = option("93", "0.50", None)
    (rejected,) = advise([silent], outlook=outlook).rejections
    assert rejected.sigma_distance is not None
    rows = candidates.sheet(chain(silent), "put", outlook, NOW)
    assert rows.source_of(0) == source


# --- warnings ---------------------------------------------------------------------------------


def warned(outlook: Outlook = CALM, means: Means = RICH, **changes: Any) -> list[str]:
    (contract,) = fair([93])
    told = only(advise([replace(contract, **changes)], means, outlook, profile="moderate"))
    return list(told.warnings)


def test_a_quiet_contract_has_nothing_to_warn_of() -> None:
    assert warned() == []


def report(day: date) -> market.Earning:
    return market.Earning("XYZ", day, "amc", "test", NOW)


@pytest.mark.parametrize(
    ("day", "told"), [(date(2026, 3, 2), 1), (FRIDAY, 1), (FRIDAY + timedelta(days=1), 0)]
)
def test_earnings_up_to_the_expiration_are_told_today_included(day: date, told: int) -> None:
    said = warned(replace(CALM, earnings=(report(day),)))
    assert sum("earnings on" in each for each in said) == told


def test_unknown_earnings_make_no_warning() -> None:
    assert not any("earnings" in each for each in warned(replace(CALM, earnings=None)))


def test_an_ex_dividend_date_before_expiration_is_told() -> None:
    paid = market.Dividend("XYZ", date(2026, 3, 10), Decimal("0.10"))
    assert warned(replace(CALM, dividends=(paid,))) == [
        "ex-dividend 0.10 on 2026-03-10, before expiration"
    ]


def test_little_interest_is_told() -> None:
    assert warned(open_interest=120) == ["low open interest: 120"]


def test_too_much_in_one_symbol_is_told() -> None:
    means = Means(collateral=Decimal(9_300), in_symbol=Decimal(20_000), capital=Decimal(100_000))
    assert warned(means=means) == ["concentration: 29% of the portfolio's capital in XYZ"]


def test_a_delayed_price_is_told() -> None:
    late = chain(*fair([93]), underlying=quote(state="delayed"), state="delayed")
    terms = Terms(direction="put", profile="moderate", max_dte=30)
    advice = recommendation.recommended(late, CALM, terms, RICH, TARIFF, NOW)
    assert only(advice).warnings == ("delayed price, of 2026-03-02 15:00Z",)


# --- laws -------------------------------------------------------------------------------------

CENTS = st.integers(0, 500).map(lambda cents: f"{cents / 100:.2f}")
CONTRACTS = st.builds(
    lambda strike, bid, spread, interest, volatility, days: option(
        str(strike),
        bid,
        f"{float(bid) + spread / 100:.2f}",
        expiration=date(2026, 3, 2) + timedelta(days=days),
        open_interest=interest,
        implied_volatility=volatility,
    ),
    st.integers(50, 150),
    CENTS,
    st.integers(-5, 60),
    st.none() | st.integers(0, 400),
    st.none() | st.floats(0.01, 3.0),
    st.integers(-2, 60),
)


@given(st.lists(CONTRACTS, max_size=30), st.sampled_from(sorted(BANDS)), st.integers(0, 50_000))
def test_every_contract_is_recommended_or_has_its_reason_and_none_is_bad(
    options: list[market.OptionMark], profile: facts.Profile, free: int
) -> None:
    advice = advise(options, Means(collateral=Decimal(free)), profile=profile)
    assert len(advice.recommendations) + len(advice.rejections) == len(options)
    assert sum(advice.rejected.values()) == len(advice.rejections)
    for each in advice.recommendations:
        assert each.bid >= Decimal("0.05")
        assert each.open_interest >= 100
        assert each.ask - each.bid <= max(Decimal("0.10"), (each.ask + each.bid) / 10)
        assert each.strike < each.current_price
        assert 1 <= each.dte <= 30
        assert each.collateral <= free
        assert each.net_premium > 0
