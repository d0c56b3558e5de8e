"""What an option is worth: golden values, and what must hold whatever the market."""

import csv
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from domain import pricing

GOLDEN = Path(__file__).parent / "black_scholes.csv"
NONSENSE = [math.nan, math.inf, -math.inf, -1.0, 0.0]
EPSILON = float(np.finfo(float).eps)


class Option(NamedTuple):
    """The arguments of a price, in their order."""

    side: Any
    spot: Any
    strike: Any
    years: Any
    rate: Any
    carry: Any
    volatility: Any

    @property
    def price(self) -> Any:
        return pricing.greeks(*self).price

    def implied(self, price: Any) -> Any:
        return pricing.implied_volatility(self.side, price, *self[1:6])


AT_THE_MONEY = Option("put", 100.0, 100.0, 0.25, 0.04, 0.01, 0.3)


@st.composite
def options(draw: st.DrawFn) -> Option:
    """Any that could be listed: from an hour to five years, up to five deviations away."""
    spot, years = draw(st.floats(0.5, 5_000)), draw(st.floats(1e-4, 5))
    volatility = draw(st.floats(0.01, 8))
    away = draw(st.floats(-5, 5)) * min(volatility * math.sqrt(years), 1.0)
    rate, carry = draw(st.floats(-0.01, 0.15)), draw(st.floats(0, 0.1))
    side = draw(st.sampled_from([1, -1]))
    return Option(side, spot, spot * math.exp(away), years, rate, carry, volatility)


# --- golden values ---------------------------------------------------------------------------


def _golden() -> list[Any]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return [pytest.param(row, id=row["id"]) for row in csv.DictReader(file)]


def _option(row: dict[str, str]) -> Option:
    return Option(row["flag"], *(float(row[name]) for name in ("S", "K", "T", "r", "q", "sigma")))


@pytest.mark.parametrize("row", _golden())
def test_price_and_greeks_are_the_golden_ones(row: dict[str, str]) -> None:
    names = ("price", "delta", "gamma", "theta_day_365", "vega_per_pt", "rho_per_pt")
    found = [float(each) for each in pricing.greeks(*_option(row))[:6]]
    assert found == pytest.approx([float(row[name]) for name in names], rel=1e-9, abs=0)


@pytest.mark.parametrize("row", _golden())
def test_the_golden_price_implies_the_volatility_it_was_made_with(row: dict[str, str]) -> None:
    option = _option(row)
    implied = option.implied(float(row["price"]))
    assert float(implied) == pytest.approx(option.volatility, rel=1e-8, abs=0)


# --- what must hold --------------------------------------------------------------------------


@given(options())
def test_a_call_less_a_put_is_the_share_less_the_strike(option: Option) -> None:
    call, put = (float(option._replace(side=side).price) for side in (1, -1))
    share = option.spot * math.exp(-option.carry * option.years)
    cash = option.strike * math.exp(-option.rate * option.years)
    assert call - put == pytest.approx(share - cash, abs=1e-12 * (share + cash))


@given(options(), st.sampled_from(["spot", "strike", "volatility"]), st.floats(1.001, 1.5))
def test_a_price_moves_the_right_way(option: Option, what: str, by: float) -> None:
    more = option._replace(**{what: getattr(option, what) * by})
    change = float(more.price) - float(option.price)
    upwards = {"spot": option.side, "strike": -option.side, "volatility": 1}[what]
    assert change * upwards >= -1e-12 * (more.spot + more.strike)


@given(options())
def test_a_price_lies_between_its_intrinsic_value_and_its_share_or_strike(option: Option) -> None:
    share = option.spot * math.exp(-option.carry * option.years)
    cash = option.strike * math.exp(-option.rate * option.years)
    price, rounding = float(option.price), 1e-12 * (share + cash)
    assert price >= max(option.side * (share - cash), 0.0) - rounding
    assert price <= (share if option.side > 0 else cash) + rounding


@given(options())
def test_greeks_are_the_slopes_of_the_price(option: Option) -> None:
    if option.years < 0.01 or option.volatility < 0.05:
        return
    told = pricing.greeks(*option)
    for what, slope in (
        ("spot", told.delta),
        ("volatility", told.vega * 100),
        ("rate", told.rho * 100),
    ):
        step = 1e-4 * max(getattr(option, what), 0.01)
        up, down = (
            float(option._replace(**{what: getattr(option, what) + by}).price)
            for by in (step, -step)
        )
        scale = (option.spot + option.strike) * max(1.0, option.years)
        assert (up - down) / (2 * step) == pytest.approx(float(slope), abs=1e-5 * scale)


@given(options())
def test_a_price_implies_the_volatility_it_was_made_with(option: Option) -> None:
    told = pricing.greeks(*option)
    carried = EPSILON * (option.spot + option.strike) / (float(told.vega) * 100 + 1e-300)
    if carried > 1e-10 * option.volatility:
        return
    assert float(option.implied(told.price)) == pytest.approx(option.volatility, rel=1e-8, abs=0)


@given(options())
def test_what_is_expected_beyond_a_strike_times_its_chance_is_the_price_at_the_end(
    option: Option,
) -> None:
    told = pricing.greeks(*option)
    weighed = float(pricing.expected_loss(*option) * told.probability_itm)
    owed = float(told.price) * math.exp(option.rate * option.years)
    assert weighed == pytest.approx(owed, rel=1e-9, abs=0)


def test_the_expected_loss_is_the_mean_of_what_falls_beyond_the_strike() -> None:
    option = AT_THE_MONEY._replace(strike=95.0)
    luck = (np.arange(200_000) + 0.5) / 200_000
    deviation = option.volatility * math.sqrt(option.years)
    drift = (option.rate - option.carry) * option.years - deviation**2 / 2
    ends = option.spot * np.exp(drift + deviation * ndtri(luck))
    beyond = option.strike - ends[ends < option.strike]
    assert float(pricing.expected_loss(*option)) == pytest.approx(float(beyond.mean()), rel=1e-4)
    assert float(pricing.greeks(*option).probability_itm) == pytest.approx(
        len(beyond) / len(ends), abs=1e-5
    )


@given(options(), st.floats(0.05, 4))
def test_a_strike_so_many_deviations_away_is_that_far(option: Option, sigmas: float) -> None:
    at = option.spot, option.years, option.volatility
    strike = pricing.strike_at(sigmas, option.side, *at)
    if not np.isfinite(strike) or strike <= 0:
        return
    away = pricing.sigma_distance(option.spot, strike, option.years, option.volatility)
    assert float(away) == pytest.approx(sigmas, rel=1e-9, abs=1e-10)
    assert (strike > option.spot) == (option.side > 0)


# --- at the edges ----------------------------------------------------------------------------

EXTREME = {
    "a day at 990 %": Option("call", 100, 110, 1 / 365, 0.04, 0, 9.9),
    "an hour, a tenth of a percent": Option("put", 100, 99.999, 1 / 8760, 0.04, 0, 0.001),
    "five years": Option("call", 100, 400, 5, 0.04, 0.02, 0.35),
    "five years in the money": Option("put", 50, 100, 5, 0.04, 0.02, 0.35),
    "in the money by a third": Option("call", 150, 100, 0.1, 0.04, 0, 0.8),
    "seven deviations away": Option("put", 100, 100 * math.exp(-7 * 0.2 * 0.5), 0.25, 0, 0, 0.2),
    "thirty deviations away": Option("put", 100, 100 * math.exp(-30 * 0.1 * 0.1), 0.01, 0, 0, 0.1),
    "a high dividend": Option("put", 100, 80, 2, 0.01, 0.15, 0.4),
    "a negative rate": Option("call", 100, 105, 1, -0.02, 0.0, 0.2),
}


@pytest.mark.parametrize("option", EXTREME.values(), ids=EXTREME)
def test_extreme_prices_imply_their_volatility_too(option: Option) -> None:
    implied = float(option.implied(option.price))
    assert implied == pytest.approx(option.volatility, rel=1e-8, abs=0)


@pytest.mark.parametrize("side", ["call", "put"])
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_a_price_at_or_below_the_intrinsic_value_implies_nothing(side: str, part: float) -> None:
    strike = 80.0 if side == "call" else 130.0
    sign = 1 if side == "call" else -1
    floor = sign * (100 * math.exp(-0.01 * 0.25) - strike * math.exp(-0.04 * 0.25))
    option = AT_THE_MONEY._replace(side=side, strike=strike)
    assert math.isnan(option.implied(floor * part))


@given(options())
def test_no_price_at_the_very_intrinsic_value_implies_anything(option: Option) -> None:
    share = option.spot * math.exp(-option.carry * option.years)
    cash = option.strike * math.exp(-option.rate * option.years)
    if option.side * (share - cash) > 1e-3 * (share + cash):
        assert math.isnan(option.implied(option.side * (share - cash)))


@pytest.mark.parametrize(("side", "most"), [("call", 100.0), ("put", 110.0)])
def test_a_price_above_what_an_option_can_be_worth_implies_nothing(side: str, most: float) -> None:
    option = Option(side, 100.0, 110.0, 0.5, 0.0, 0.0, None)
    assert np.isnan(option.implied([most, most * 2])).all()


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("what", ["spot", "strike", "years", "volatility"])
def test_nonsense_has_no_price(what: str, nonsense: float) -> None:
    asked = AT_THE_MONEY._replace(**{what: nonsense})
    assert all(math.isnan(each) for each in pricing.greeks(*asked))
    assert math.isnan(pricing.expected_loss(*asked))


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("what", ["price", "spot", "strike", "years"])
def test_nonsense_implies_nothing(what: str, nonsense: float) -> None:
    price = nonsense if what == "price" else 6.0
    asked = AT_THE_MONEY if what == "price" else AT_THE_MONEY._replace(**{what: nonsense})
    assert math.isnan(asked.implied(price))


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["rate", "carry"])
def test_a_rate_that_is_no_number_has_no_price(what: str, nonsense: float) -> None:
    asked = AT_THE_MONEY._replace(**{what: nonsense})
    assert math.isnan(asked.price)
    assert math.isnan(asked.implied(6.0))


ANYTHING = st.floats() | st.sampled_from(NONSENSE)


@given(st.sampled_from([1, -1]), st.lists(ANYTHING, min_size=6, max_size=6), ANYTHING)
def test_whatever_is_asked_there_is_no_exception(
    side: int, numbers: list[float], price: float
) -> None:
    with np.errstate(all="raise"):
        asked = Option(side, *numbers)
        pricing.greeks(*asked)
        pricing.expected_loss(*asked)
        pricing.sigma_distance(*numbers[:4])
        pricing.strike_at(numbers[0], side, *numbers[1:4])
        implied = float(asked.implied(price))
    assert math.isnan(implied) or pricing.LOWEST < implied < pricing.HIGHEST


# --- arrays ----------------------------------------------------------------------------------


def test_arguments_broadcast_against_each_other() -> None:
    strikes, years = np.array([90.0, 100.0, 110.0]), np.array([[0.1], [0.5]])
    table = AT_THE_MONEY._replace(strike=strikes, years=years)
    prices = table.price
    alone = [[float(AT_THE_MONEY._replace(strike=k, years=t).price) for k in strikes]
             for t in (0.1, 0.5)]  # fmt: skip
    assert prices == pytest.approx(np.array(alone), rel=1e-14)
    assert table.implied(prices) == pytest.approx(np.full((2, 3), 0.3), rel=1e-8)


def test_one_that_cannot_be_told_spoils_no_other() -> None:
    implied = AT_THE_MONEY.implied([6.0, math.nan, -1.0, 6.0])
    assert np.isnan(implied).tolist() == [False, True, True, False]


def test_nothing_has_no_prices() -> None:
    empty = AT_THE_MONEY._replace(side=[], spot=[], strike=[])
    assert empty.price.shape == empty.implied([]).shape == (0,)


def test_a_scalar_is_answered_by_one_number() -> None:
    assert AT_THE_MONEY.price.shape == AT_THE_MONEY.implied(6.0).shape == ()


@pytest.mark.parametrize(("call", "put"), [("call", "put"), ("c", "p"), ("C", "PUT"), (1, -1)])
def test_a_side_may_be_written_in_several_ways(call: object, put: object) -> None:
    assert pricing.signs([call, put, put]).tolist() == [1, -1, -1]


@pytest.mark.parametrize("side", ["", "calls", "buy", 0, 2, math.nan, None])
def test_what_is_neither_a_call_nor_a_put_is_refused(side: object) -> None:
    with pytest.raises(ValueError, match="call"):
        pricing.signs([side])
