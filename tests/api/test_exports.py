"""Exports: what is read back from a file is what the API tells."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import polars as pl
import pytest

from tests.api.client import Client, Desk

D = Decimal
FORMATS = ("csv", "json", "parquet")
Row = dict[str, Any]


def exported(client: Client, **query: Any) -> httpx.Response:
    answered = client.http.get("/api/v1/performance/export", params=query)
    assert answered.status_code == 200, answered.text
    return answered


def rows(client: Client, form: str, **query: Any) -> list[Row]:
    """An export's rows, read back by whoever reads such files."""
    content = exported(client, format=form, **query).content
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode())))
    if form == "json":
        found: list[Row] = json.loads(content, parse_float=Decimal)
        return found
    return pl.read_parquet(io.BytesIO(content)).to_dicts()


def total(found: list[Row], field: str) -> Decimal:
    return sum((D(each[field]) for each in found), D(0))


@pytest.fixture
def life(desk: Desk) -> str:
    """Some trades that ended and some that did not, a dividend, a gain and a voided slip."""
    wheel = desk.wheel("LIFE")
    desk.act(desk.sell(wheel, fees=D("0.65")), "assign", effective_at="2026-01-12")
    call = desk.sell(wheel, direction="call", strike=105, opened_at="2026-01-14", fees=0)
    desk.act(call, "expire", stock_price_at_expiry=106)
    slip = desk.sell(wheel, strike=90, opened_at="2026-02-23", expiration_date="2026-03-20")
    desk.client.delete(f"/trades/{slip}", reason="a slip of the pen")
    desk.sell(wheel, strike=80, opened_at="2026-02-24", expiration_date="2026-03-20", fees=0)
    return wheel


@pytest.mark.parametrize("form", FORMATS)
def test_performance_read_back_sums_to_what_is_told(desk: Desk, life: str, form: str) -> None:
    told = desk.performance(life, policy="us_tax")
    found = rows(desk.client, form, what="performance", wheel_id=life, policy="us_tax")
    for field in ("option_income", "stock_gain", "dividends", "realized_pnl"):
        assert total(found, field) == told[field]


def test_an_export_of_the_past_is_of_what_was_known_then(desk: Desk, life: str) -> None:
    as_of = {"as_of": "2026-01-13"}
    told = desk.performance(life, **as_of)
    (trade,) = rows(desk.client, "csv", wheel_id=life, **as_of)
    assert (trade["outcome"], D(trade["net_premium"])) == ("assigned", told["net_premium"])


def test_trades_read_back_are_those_that_stand(desk: Desk, life: str) -> None:
    told = desk.client.get(f"/wheels/{life}/trades", sort="opened_at").data
    standing = [each for each in told if each["outcome"] != "voided"]
    found = rows(desk.client, "json", wheel_id=life)
    assert [str(each["id"]) for each in found] == [each["id"] for each in standing]
    assert [D(each["net_premium"]) for each in found] == [each["net_premium"] for each in standing]
    assert total(found, "total_premium") == desk.performance(life)["premium_collected"]


def test_the_old_header_is_the_old_tools(desk: Desk, life: str) -> None:
    text = exported(desk.client, wheel_id=life, header="old").text
    assert text.splitlines()[0] == (
        "id,symbol,direction,strike,expiration_date,premium_per_share,contracts,total_premium,"
        "opened_at,closed_at,outcome,price_at_expiry,net_premium"
    )
    _, call, _ = csv.DictReader(io.StringIO(text))
    assert (call["outcome"], call["price_at_expiry"]) == ("called_away", "106.00")


def test_a_note_is_no_formula_in_a_spreadsheet_and_a_loss_is_a_number(desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel, fees=0)
    desk.client.put(f"/trades/{trade}", {"notes": "=1+1"})
    desk.act(trade, "close", price_per_share=6, fees=0)
    (row,) = rows(desk.client, "csv", portfolio_id=desk.portfolio)
    assert (row["notes"], row["net_premium"]) == ("'=1+1", "-450.00")


def test_snapshots_read_back_have_their_prices(desk: Desk) -> None:
    wheel = desk.wheel()
    desk.client.post(f"/wheels/{wheel}/snapshots", {"price": D("101.5")})
    (row,) = rows(desk.client, "parquet", what="snapshots", wheel_id=wheel)
    assert row["price"] == D("101.5")


def test_a_file_has_a_name_and_a_type(desk: Desk, life: str) -> None:
    answered = exported(desk.client, what="performance", format="parquet", wheel_id=life)
    today = date(2026, 3, 2)
    name = f"wheelwright-performance-{today}.parquet"
    assert answered.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answered.headers["content-type"] == "application/vnd.apache.parquet"


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("what", {"what": "secrets"}),
        ("format", {"format": "xls"}),
        ("header", {"header": "old", "format": "json"}),
        ("header", {"header": "old", "what": "performance"}),
        ("header", {"header": "odd"}),
        ("policy", {"policy": "creative"}),
        ("columns", {"columns": "id"}),
    ],
)
def test_what_cannot_be_exported_is_refused(
    client: Client, field: str, query: dict[str, Any]
) -> None:
    error = client.get("/performance/export", **query).error
    assert (error["code"], error["details"]["field"]) == ("VALIDATION_ERROR", field)


def test_whom_there_is_not_is_not_found(client: Client) -> None:
    nobody = "00000000-0000-0000-0000-000000000077"
    assert client.get("/performance/export", wheel_id=nobody).code == "NOT_FOUND"
