"""Symbols as they are written and as they are spoken on the bus; faults by name."""

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest

from domain import market


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("aapl", "AAPL"),
        ("BRK.b", "BRK.B"),
        ("BF-B", "BF-B"),
        ("7203", "7203"),
        ("A" * 10, "A" * 10),
    ],
)
def test_a_symbol_is_written_in_upper_case(given: str, written: str) -> None:
    assert market.valid_symbol(given) == written


@pytest.mark.parametrize(
    "given",
    [
        "",
        "A" * 11,
        "A*",
        ">",
        "A B",
        "A_B",
        "A/B",
        ".A",
        "-A",
        "AAPL\n",
        " AAPL",
        "straße",
        "\uff21",
    ],
)
def test_what_is_no_symbol_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="no symbol"):
        market.valid_symbol(given)


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "BF-B", "A.B.C"])
def test_a_token_names_its_symbol(symbol: str) -> None:
    token = market.subject_token(symbol)
    assert "." not in token
    assert market.symbol_of(token) == symbol


@pytest.mark.parametrize("symbol", ["", "*", ">", "A.>", "A B", "A\t", "A_B", "A\x00", "$A"])
def test_what_means_something_to_the_bus_is_no_token(symbol: str) -> None:
    with pytest.raises(ValueError, match="token"):
        market.subject_token(symbol)


@pytest.mark.parametrize(
    "fault",
    [
        market.UnknownSymbol,
        market.NoData,
        market.ProviderDown,
        market.Throttled,
        market.ReauthRequired,
        market.Unreadable,
    ],
)
def test_every_fault_is_a_market_fault_that_names_its_symbol(
    fault: type[market.UnknownSymbol],
) -> None:
    raised = fault("AAPL")
    assert isinstance(raised, market.MarketFault)
    assert raised.symbol == "AAPL"
    assert str(raised).startswith("AAPL: ")


def test_a_chain_survives_being_written_down_and_read() -> None:
    instant = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)
    quote = market.Quote("AAPL", Decimal("190.10"), None, None, instant, "test", "live")
    mark = market.OptionMark(
        symbol="AAPL",
        direction="put",
        strike=Decimal(185),
        expiration=date(2026, 3, 20),
        bid=Decimal("1.10"),
        ask=Decimal("1.15"),
        last=None,
        implied_volatility=0.25,
        delta=-0.3,
        gamma=None,
        theta=None,
        vega=None,
        open_interest=100,
        volume=None,
    )
    chain = market.Chain("AAPL", quote, (mark,), instant, "test", "live")
    assert msgspec.json.decode(msgspec.json.encode(chain), type=market.Chain) == chain
