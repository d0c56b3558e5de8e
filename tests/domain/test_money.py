"""Exact money: what may enter, how it is spread, how it is shown."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import money, refusals

FIGURES = st.decimals(0, 10**12 - 1, places=6, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("text", ["0.000001", "999999999999.999999", "1", "1E+3", "100.000000000"])
def test_a_figure_of_twelve_and_six_digits_may_enter(text: str) -> None:
    assert money.entered("price", Decimal(text)) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NaN", "must be a finite number"),
        ("sNaN", "must be a finite number"),
        ("-Infinity", "must be a finite number"),
        ("1e400", "must have at most 12 digits before and 6 after the point"),
        ("1234567890123", "must have at most 12 digits before and 6 after the point"),
        ("1e-7", "must have at most 12 digits before and 6 after the point"),
        ("1e-400", "must have at most 12 digits before and 6 after the point"),
        ("1e724924257732501", "must have at most 12 digits before and 6 after the point"),
        ("1e-724924257732501", "must have at most 12 digits before and 6 after the point"),
        (f"1.{'0' * 40}1", "must have at most 12 digits before and 6 after the point"),
        ("0", "must be greater than 0"),
        ("-1", "must be greater than 0"),
    ],
)
def test_any_other_is_refused_with_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        money.entered("price", Decimal(text))
    assert refused.value.details["constraint"] == said


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"1.5{'0' * 40}", "1.500000"),
        (f"0.00{'0' * 400}", "0.000000"),
        ("0E-99999999", "0.000000"),
        ("1.50", "1.50"),
        ("1E+3", "1E+3"),
    ],
)
def test_a_figure_is_kept_as_it_came_but_for_zeros_behind_the_sixth_digit(
    text: str, kept: str
) -> None:
    assert str(money.entered("fees", Decimal(text), least=money.ZERO)) == kept


def test_a_figure_that_may_be_nothing_may_be_nothing() -> None:
    assert money.entered("fees", Decimal("0.00"), least=money.ZERO) == 0
    with pytest.raises(refusals.Invalid, match="at least 0"):
        money.entered("fees", Decimal("-0.01"), least=money.ZERO)


@pytest.mark.parametrize(("count", "may"), [(0, False), (1, True), (7, True), (8, False)])
def test_a_count_is_within_its_limits(count: int, may: bool) -> None:
    try:
        assert money.counted("contracts", count, most=7) == count
    except refusals.Invalid:
        assert not may
    else:
        assert may


def test_an_amount_beyond_what_is_kept_exactly_is_refused() -> None:
    assert money.notional("price", money.LARGEST - 1) == money.LARGEST - 1
    with pytest.raises(refusals.Invalid):
        money.notional("price", money.LARGEST)


@given(FIGURES, st.lists(st.integers(1, 1_000), min_size=1, max_size=8))
def test_parts_are_whole_cents_and_sum_to_the_whole(total: Decimal, counts: list[int]) -> None:
    of, left, parts = sum(counts), total, list[Decimal]()
    for n, count in enumerate(counts, 1):
        parts.append(money.part(total, count, of, left if n == len(counts) else None))
        left -= parts[-1]
    assert sum(parts) == total
    assert all(each == money.cents(each) for each in parts[:-1])


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0.005", "0.01"), ("-0.005", "-0.01"), ("1.004999", "1.00"), ("7", "7.00")],
)
def test_an_amount_is_shown_in_whole_cents_half_up(amount: str, shown: str) -> None:
    assert str(money.cents(Decimal(amount))) == shown


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("100", "100.00"),
        ("1E+2", "100.00"),
        ("1.5", "1.50"),
        ("0.125", "0.125"),
        ("0.1250", "0.125"),
        ("0.120000", "0.12"),
    ],
)
def test_a_price_is_shown_as_recorded_with_two_decimals_at_least(price: str, shown: str) -> None:
    assert str(money.price(Decimal(price))) == shown


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=Decimal("1e60")))
def test_no_amount_is_too_large_to_be_shown(amount: Decimal) -> None:
    assert abs(money.cents(amount) - amount) <= Decimal("0.005")
