"""A chain is read as it was meant, whatever Schwab wrote for what it does not know."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from adapters.schwab import chains
from domain import market

DATA = Path(__file__).parent / "data"
Contract = dict[str, Any]


def body(name: str) -> bytes:
    return (DATA / name).read_bytes()


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The chain of AAPL after a change."""
    said = msgspec.json.decode(body("chain_aapl.json"))
    change(said)
    return msgspec.json.encode(said)


def first_of(said: dict[str, Any]) -> Contract:
    strikes = next(iter(said["putExpDateMap"].values()))
    contract: Contract = next(iter(strikes.values()))[0]
    return contract


def with_first(**fields: Any) -> market.Chain:
    """The chain of AAPL whose first contract has these fields."""
    return chains.decoded(altered(lambda said: first_of(said).update(fields)))


def test_a_contract_is_read_with_all_that_is_said_of_it() -> None:
    mark = chains.decoded(body("chain_aapl.json")).options[0]
    assert mark == market.OptionMark(
        symbol="AAPL",
        direction="put",
        strike=Decimal("222.5"),
        expiration=date(2025, 1, 17),
        bid=Decimal("0.23"),
        ask=Decimal("0.24"),
        last=Decimal("0.24"),
        implied_volatility=0.0,
        delta=0.0,
        gamma=0.0,
        theta=0.0,
        vega=0.0,
        open_interest=0,
        volume=0,
    )
