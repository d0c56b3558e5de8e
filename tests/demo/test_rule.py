"""The rule of the reference wheel."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from adapters.replay import Replay
from demo import rule
from demo.year import closing
from domain.market import Chain, OptionMark

DAY = date(2021, 1, 4)
CASH = Decimal(50_000)


@pytest.fixture(scope="module")
def chain() -> Chain:
    tape = Replay(lambda: closing(DAY), rule.DATA / "quotes.csv.gz")
    return tape.chain_at(rule.SYMBOL, closing(DAY), None, None)


@pytest.fixture(scope="module")
def put(chain: Chain) -> OptionMark:
    chosen = rule.chosen(chain, DAY, CASH)
    assert chosen is not None
    return chosen


def test_it_chooses_what_the_reference_sold(put: OptionMark) -> None:
    sold = rule.reference()[0]
    assert (put.strike, put.expiration, put.bid) == (sold.strike, sold.expiration, sold.price)


def test_it_sells_nothing_that_the_cash_does_not_secure(chain: Chain) -> None:
    assert rule.chosen(chain, DAY, Decimal(1_000)) is None


def test_of_two_deltas_as_near_it_takes_the_earlier_expiration_then_the_lower_strike(
    chain: Chain, put: OptionMark
) -> None:
    later = replace(put, expiration=put.expiration + timedelta(days=7))
    lower = replace(put, strike=put.strike - 1)
    alike = replace(chain, options=(later, put, lower))
    assert rule.chosen(alike, DAY, CASH) == lower


@pytest.mark.parametrize("days", [19, 46])
def test_it_sells_nothing_too_near_or_too_far(chain: Chain, put: OptionMark, days: int) -> None:
    far = replace(put, expiration=DAY + timedelta(days=days))
    assert rule.chosen(replace(chain, options=(far,)), DAY, CASH) is None


def test_it_sells_nothing_that_nobody_bids_for(chain: Chain, put: OptionMark) -> None:
    worthless = replace(put, bid=Decimal(0))
    assert rule.chosen(replace(chain, options=(worthless,)), DAY, CASH) is None


def test_a_record_that_differs_says_where() -> None:
    expected = rule.reference()
    off = [*expected[:3], expected[3]._replace(cash=Decimal(1)), *expected[4:]]
    assert rule.difference(expected, expected) is None
    assert str(rule.difference(off, expected)).startswith("line 4 is ")
    assert rule.difference(expected[:-1], expected) == (
        "24 lines were played, but the reference has 25"
    )
