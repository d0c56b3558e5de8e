"""The cases whose figures are known beforehand, recorded and asked for over HTTP."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.api.client import Client, Desk

POLICIES = ("cash", "close", "us_tax")
SPY = Path(__file__).parents[2] / "data/spy_2021/reference.csv"

D = Decimal


@pytest.fixture
def g1(desk: Desk) -> str:
    """The golden case G1 of the ledger's design, from its first trade to flat."""
    wheel = desk.wheel("XYZ", capital_allocated=20_000)
    puts = desk.sell(wheel, contracts=2, fees=D("1.30"))
    desk.act(puts, "assign", contracts=1, effective_at="2026-01-08")
    desk.act(puts, "close", price_per_share=D("0.40"), effective_at="2026-01-09")
    call = desk.sell(
        wheel, direction="call", strike=105, premium_per_share=D("1.20"), opened_at="2026-01-12"
    )
    dividend = {"amount_per_share": D("0.50"), "ex_date": "2026-01-20"}
    desk.client.post(f"/wheels/{wheel}/dividends", dividend | {"effective_at": "2026-02-03"})
    desk.act(call, "expire", stock_price_at_expiry=D("106.10"))
    return wheel


@pytest.mark.parametrize(
    ("policy", "option", "stock"),
    [("cash", "377.40", "500.00"), ("close", "377.40", "500.00"), ("us_tax", "108.70", "768.70")],
)
def test_g1_comes_to_927_40_under_every_policy(
    desk: Desk, g1: str, policy: str, option: str, stock: str
) -> None:
    told = desk.performance(g1, policy=policy)
    parts = (told["option_income"], told["stock_gain"], told["dividends"])
    assert parts == (D(option), D(stock), D("50.00"))
    assert told["realized_pnl"] == told["total_pnl"] == D("927.40")


def test_g1_leaves_its_gain_in_cash(client: Client, g1: str) -> None:
    wheel = client.get(f"/wheels/{g1}").data
    assert (wheel["state"], wheel["cash"], wheel["shares"]) == ("cash", D("20927.40"), 0)
    (cycle,) = client.get(f"/wheels/{g1}/cycles").data
    assert (cycle["total"], cycle["ended_at"]) == (D("927.40"), "2026-02-20T21:00:00Z")


@pytest.mark.parametrize("policy", POLICIES)
def test_the_months_of_g1_sum_to_the_whole(desk: Desk, g1: str, policy: str) -> None:
    months = [("2026-01-01", "2026-01-31"), ("2026-02-01", "2026-02-28")]
    told = [desk.performance(g1, policy=policy, **{"from": a, "to": b}) for a, b in months]
    assert sum(each["realized_pnl"] for each in told) == D("927.40")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_put_bought_back_dearer_is_a_loss(desk: Desk, policy: str) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel, premium_per_share=1, fees=0)
    desk.act(trade, "close", price_per_share=6, fees=0, effective_at="2026-01-09")
    told = desk.performance(wheel, policy=policy)
    assert told["realized_pnl"] == D("-500.00")
    assert (told["winning_trades"], told["losing_trades"]) == (0, 1)


@pytest.mark.parametrize("policy", POLICIES)
def test_each_lot_called_away_gains_its_own_amount(desk: Desk, policy: str) -> None:
    wheel = desk.wheel()
    desk.act(desk.sell(wheel, contracts=2, fees=0), "assign", effective_at="2026-01-08")
    for strike in (105, 110):
        call = desk.sell(wheel, direction="call", strike=strike, opened_at="2026-01-12", fees=0)
        desk.act(call, "assign", effective_at="2026-02-02")
    told = desk.performance(wheel, policy=policy)
    premiums = told["option_income"] + told["stock_gain"]
    assert premiums == told["realized_pnl"] == D("2100.00")
    assert policy == "us_tax" or told["stock_gain"] == D("1500.00")


@pytest.mark.parametrize("policy", POLICIES)
def test_shares_brought_in_gain_over_their_basis(desk: Desk, policy: str) -> None:
    wheel = desk.wheel("OLD", shares=100, cost_basis=50)
    call = desk.sell(wheel, direction="call", strike=110, premium_per_share=D("0.01"), fees=1)
    desk.act(call, "assign", effective_at="2026-02-02")
    assert desk.performance(wheel, policy=policy)["realized_pnl"] == D("6000.00")


def test_the_spy_year_of_2021_ends_with_55_958_42(desk: Desk) -> None:
    wheel = desk.wheel("SPY", capital_allocated=50_000)
    trade = ""
    with SPY.open() as file:
        for row in csv.DictReader(file):
            trade = recorded(desk, wheel, trade, row)
            assert desk.client.get(f"/wheels/{wheel}").data["cash"] == D(row["cash"])
    whole = desk.client.get(f"/wheels/{wheel}").data
    assert whole["cash"] == D("55958.42")


def recorded(desk: Desk, wheel: str, trade: str, row: dict[str, Any]) -> str:
    """Record a row of the reference; the trade it is about."""
    if row["event"].startswith("sell"):
        return desk.sell(
            wheel,
            direction=row["type"],
            strike=D(row["strike"]),
            expiration_date=row["expiration"],
            premium_per_share=D(row["price"]),
            opened_at=row["date"],
            fees=D("0.66"),
        )
    ended = desk.act(trade, "expire", stock_price_at_expiry=D(row["underlying_close"]))
    assert row["event"].endswith(ended["outcome"].removesuffix("_worthless").replace("_", ""))
    return trade
