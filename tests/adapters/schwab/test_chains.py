"""A chain is read as it was meant, whatever Schwab wrote for what it does not know."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.schwab import chains
from domain import market
from tests.adapters.schwab.conftest import DATA

AAPL = (DATA / "chain_aapl.json").read_bytes()
MSFT = (DATA / "tda_msft.json").read_bytes()


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The chain of AAPL after a change."""
    said = msgspec.json.decode(AAPL)
    change(said)
    return msgspec.json.encode(said)


def with_first(**fields: Any) -> market.Chain:
    """The chain of AAPL, with these fields of its first contract."""

    def change(said: dict[str, Any]) -> None:
        said["putExpDateMap"]["2025-01-17:1"]["222.5"][0].update(fields)

    return chains.decoded(altered(change))


def with_fields(**fields: Any) -> market.Chain:
    return chains.decoded(altered(lambda said: said.update(fields)))


def test_a_contract_is_read_with_all_that_is_said_of_it() -> None:
    assert chains.decoded(AAPL).options[0] == market.OptionMark(
        symbol="AAPL",
        direction="put",
        strike=Decimal("222.5"),
        expiration=date(2025, 1, 17),
        bid=Decimal("0.3"),
        ask=Decimal("0.33"),
        last=Decimal("0.31"),
        implied_volatility=0.41286,
        delta=-0.123,
        gamma=0.04,
        theta=-0.315,
        vega=0.025,
        open_interest=6832,
        volume=12126,
    )


def test_the_share_has_the_price_that_the_chain_was_reckoned_with() -> None:
    newest = datetime(2025, 1, 16, 21, 0, 0, 82_000, tzinfo=UTC)
    chain = chains.decoded(AAPL)
    assert (chain.source, chain.state, chain.as_of) == ("schwab", "live", newest)
    assert chain.underlying == market.Quote(
        "AAPL", Decimal("228.375"), None, None, newest, "schwab", "live"
    )


def test_a_share_that_is_quoted_beside_its_chain_keeps_its_bid_and_ask() -> None:
    quoted = {"bid": 228.3, "ask": 228.45, "last": 228.4, "quoteTime": 1737061199000}
    underlying = with_fields(underlying=quoted).underlying
    assert (underlying.bid, underlying.ask) == (Decimal("228.3"), Decimal("228.45"))
    assert underlying.as_of == datetime(2025, 1, 16, 20, 59, 59, tzinfo=UTC)


def test_options_are_in_order_calls_before_puts() -> None:
    options = chains.decoded(MSFT).options
    order = [(mark.expiration, mark.strike, mark.direction) for mark in options]
    assert order == sorted(order)
    assert [direction for _, strike, direction in order if strike == 225] == ["call", "put"]


def test_an_expiration_in_milliseconds_is_a_new_york_date() -> None:
    assert {mark.expiration for mark in chains.decoded(MSFT).options} == {
        date(2020, 9, 18),
        date(2020, 12, 18),
    }


def test_an_expiration_late_in_the_evening_in_utc_is_still_that_day_in_new_york() -> None:
    assert with_first(expirationDate="2025-01-18T03:00:00+0000").options[0].expiration == date(
        2025, 1, 17
    )


def test_greeks_that_are_not_numbers_are_not_known() -> None:
    (mark,) = (each for each in chains.decoded(MSFT).options if each.strike == 80)
    assert (mark.implied_volatility, mark.delta, mark.gamma, mark.theta) == (None,) * 4
    assert mark.vega == pytest.approx(0.129)


@pytest.mark.parametrize("said", [-999, -999.0, "NaN", "-999.0", "Infinity", "", None])
@pytest.mark.parametrize("name", ["delta", "gamma", "theta", "vega", "volatility"])
def test_what_schwab_writes_for_unknown_is_not_known(name: str, said: object) -> None:
    mark = with_first(**{name: said}).options[0]
    field = "implied_volatility" if name == "volatility" else name
    assert getattr(mark, field) is None


def test_nobody_bids_is_a_bid_of_nothing_but_nobody_asks_is_no_ask() -> None:
    mark = with_first(bid=0.0, ask=0.0, last=0).options[0]
    assert (mark.bid, mark.ask, mark.last) == (Decimal(0), None, None)


@given(
    st.decimals(
        Decimal("0.0001"), Decimal("99999.9999"), places=4, allow_nan=False, allow_infinity=False
    )
)
def test_a_price_is_the_decimal_that_was_written(price: Decimal) -> None:
    marked = AAPL.replace(b'"bid":0.3,', b'"bid":%s,' % str(price).encode())
    assert marked != AAPL or price == Decimal("0.3")
    assert str(chains.decoded(marked).options[0].bid) == str(price)


@pytest.mark.parametrize(
    "fields",
    [
        {"nonStandard": True},
        {"mini": True},
        {"multiplier": 10.0},
        {"multiplier": None},
        {"settlementType": "A"},
        {"optionDeliverablesList": [{"symbol": "AAPL", "deliverableUnits": 28.0}]},
        {"optionDeliverablesList": [{"symbol": "T", "deliverableUnits": "100"}]},
        {
            "optionDeliverablesList": [
                {"symbol": "AAPL", "deliverableUnits": "100"},
                {"symbol": "USD", "deliverableUnits": "12.5"},
            ]
        },
    ],
)
def test_a_contract_that_is_not_what_it_seems_is_left_out(fields: dict[str, object]) -> None:
    assert len(with_first(**fields).options) == len(chains.decoded(AAPL).options) - 1


def test_a_delayed_chain_says_so_of_its_share_too() -> None:
    chain = with_fields(isDelayed=True)
    assert (chain.state, chain.underlying.state) == ("delayed", "delayed")


def test_a_part_is_not_taken_for_the_whole() -> None:
    with pytest.raises(chains.Truncated):
        with_fields(isChainTruncated=True)


def test_a_failed_chain_is_no_chain() -> None:
    with pytest.raises(market.NoData):
        with_fields(status="FAILED", putExpDateMap={}, underlyingPrice=0.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "PENDING"},
        {"putExpDateMap": {}},
        {"underlyingPrice": 0},
        {"underlyingPrice": "NaN"},
        {"underlyingPrice": 1e300},
        {"putExpDateMap": [1]},
        {"symbol": "A APL"},
    ],
)
def test_a_chain_that_makes_no_sense_is_unreadable(fields: dict[str, object]) -> None:
    with pytest.raises(market.Unreadable):
        with_fields(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"putCall": "STRADDLE"},
        {"strikePrice": 0},
        {"expirationDate": "soon"},
        {"expirationDate": 10**18},
        {"quoteTimeInLong": 10**18},
    ],
)
def test_a_contract_that_makes_no_sense_spoils_its_chain(fields: dict[str, object]) -> None:
    with pytest.raises(market.Unreadable):
        with_first(**fields)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_of_a_chain_is_unreadable(body: bytes) -> None:
    with pytest.raises(market.Unreadable):
        chains.decoded(body, "AAPL")


def test_the_chain_of_another_symbol_is_not_the_answer() -> None:
    with pytest.raises(market.Unreadable):
        chains.decoded(AAPL, "MSFT")


@pytest.mark.parametrize(
    ("written", "ours"), [("BRK/B", "BRK.B"), ("$SPX", "SPX"), ("$SPX.X", "SPX")]
)
def test_a_symbol_is_written_our_way(written: str, ours: str) -> None:
    chain = chains.decoded(AAPL.replace(b'"symbol":"AAPL"', b'"symbol":"%s"' % written.encode()))
    assert {chain.symbol, chain.underlying.symbol, *(mark.symbol for mark in chain.options)} == {
        ours
    }
    assert len(chain.options) == 9
