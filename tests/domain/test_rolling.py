"""What an open option can become."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from domain import fees, market, rolling
from domain.outlook import Outlook
from tests.domain.chains import FRIDAY, NOW, chain, fair, option

OUTLOOK = Outlook(rate=0.04)
TARIFF = fees.Schedule()
NEXT = FRIDAY + timedelta(weeks=1)
PUT = rolling.Open(
    symbol="XYZ",
    direction="put",
    strike=Decimal(98),
    expiration=FRIDAY,
    contracts=2,
    premium=Decimal("298.70"),
)
CALL = replace(PUT, direction="call", strike=Decimal(102), basis=Decimal("97.00"))


def advise(held: rolling.Open, *options: market.OptionMark, **asked: Any) -> rolling.Advice:
    terms = {"last": FRIDAY + rolling.AHEAD} | asked
    return rolling.advised(chain(*options), OUTLOOK, held, TARIFF, NOW, **terms)


def put(strike: str, bid: str, ask: str, **changes: Any) -> market.OptionMark:
    return option(strike, bid, ask, **({"implied_volatility": 0.4} | changes))


OPEN = put("98", "1.60", "1.65")


def test_the_credit_is_at_the_bid_and_the_ask_after_both_fees() -> None:
    (roll,) = advise(PUT, OPEN, put("98", "2.40", "2.45", expiration=NEXT)).rolls
    assert roll.net_credit == Decimal("240.00") * 2 - Decimal("165.00") * 2 - Decimal("2.64")
    assert (roll.days_added, roll.dte, roll.fees) == (7, 18, Decimal("2.64"))


def test_the_new_break_even_counts_all_that_came_in() -> None:
    (roll,) = advise(PUT, OPEN, put("95", "1.80", "1.85", expiration=NEXT)).rolls
    each = (PUT.premium + roll.net_credit) / 200
    assert roll.break_even == (95 - each).quantize(Decimal("0.0001"))


def test_a_calls_break_even_is_from_its_adjusted_basis() -> None:
    here = option("102", "1.60", "1.65", "call", implied_volatility=0.4)
    later = option("103", "2.10", "2.15", "call", NEXT, implied_volatility=0.4)
    (roll,) = advise(CALL, here, later).rolls
    assert roll.break_even == (97 - roll.net_credit / 200).quantize(Decimal("0.0001"))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (put("98", "1.00", "1.05", expiration=FRIDAY - timedelta(weeks=1)), "expiration"),
        (put("98", "9.00", "9.05", expiration=FRIDAY + timedelta(weeks=20)), "expiration"),
        (put("99", "2.90", "2.95", expiration=NEXT), "nearer_strike"),
        (put("90", "0.04", "0.05", expiration=NEXT), "low_bid"),
        (put("98", "2.40", "2.45", expiration=NEXT, open_interest=10), "low_open_interest"),
        (put("98", "2.40", "3.45", expiration=NEXT), "wide_spread"),
        (put("90", "1.60", "1.65", expiration=NEXT), "net_debit"),
    ],
)
def test_what_it_cannot_well_be_rolled_into_is_counted_by_its_reason(
    other: market.OptionMark, why: str
) -> None:
    advice = advise(PUT, OPEN, other)
    assert not advice.rolls
    assert advice.left_out[why] >= 1
    assert sum(advice.left_out.values()) == advice.considered == 2


def test_the_best_roll_brings_in_most_for_a_day() -> None:
    later = [fair([94, 96, 98], expiration=FRIDAY + timedelta(weeks=n)) for n in (1, 2, 4)]
    rolls = advise(PUT, OPEN, *(each for week in later for each in week)).rolls
    rates = [each.annualized_credit_pct for each in rolls]
    assert len(rates) > 3
    assert rates == sorted(rates, reverse=True)


def test_closing_now_says_what_is_kept() -> None:
    told = advise(replace(PUT, premium=Decimal("600.00")), OPEN).close_now
    assert (told.cost, told.result) == (Decimal("331.32"), Decimal("268.68"))
    assert told.why == "keeps 268.68, 45% of the premium, and ends the risk"


def test_closing_at_a_loss_says_so() -> None:
    told = advise(PUT, OPEN).close_now
    assert told.why == "ends the position at a loss of 32.62"


def test_taking_a_puts_assignment_says_what_the_shares_cost() -> None:
    told = advise(PUT, OPEN).take_assignment
    assert (told.cash, told.price) == (Decimal("-19600.00"), Decimal("96.5065"))
    assert "buys 200 shares at 98.00, 96.51 with the premium" in told.why


def test_taking_a_calls_assignment_says_what_is_gained() -> None:
    told = advise(
        CALL, option("102", "1.60", "1.65", "call", implied_volatility=0.4)
    ).take_assignment
    assert (told.cash, told.gain) == (Decimal("20400.00"), Decimal("1000.00"))


@pytest.mark.parametrize("chained", [[], [option("98", "1.60", None)]])
def test_an_option_that_nobody_offers_cannot_be_weighed(chained: list[market.OptionMark]) -> None:
    with pytest.raises(market.NoData):
        advise(PUT, *chained)
