"""Exports read back: by csv, by json and by polars, with the figures that went in."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import policies
from projections import exports, rebuild, sheets, sums
from projections.exports import Order
from tests.domain.desk import Desk, Memory, usd
from tests.projections import ledger

FORMATS = sheets.FORMATS
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
Row = dict[str, Any]
Exported = Callable[..., list[Row]]


def read(content: bytes, form: str) -> list[Row]:
    """The rows of a file, as those find them who read such files."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    if form == "json":
        found: list[Row] = json.loads(content, parse_float=Decimal)
        return found
    return pl.read_parquet(io.BytesIO(content)).to_dicts()


def total(found: list[Row], field: str) -> Decimal:
    return sum((Decimal(each[field]) for each in found), Decimal(0))


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Path]:
    """A desk with some history, and the views of it."""
    log = Memory()
    desk = ledger.lively(log)
    path = tmp_path_factory.mktemp("exports") / "views.db"
    rebuild.rebuild(log, path)
    return desk, path


@pytest.fixture
def exported(lively: tuple[Desk, Path]) -> Exported:
    def export(what: exports.What, form: sheets.Format, **said: Any) -> list[Row]:
        out = io.BytesIO()
        exports.export(Order(str(lively[1]), what, form, NOW, **said), out)
        return read(out.getvalue(), form)

    return export


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("policy", policies.POLICIES)
def test_performance_sums_to_the_books(
    lively: tuple[Desk, Path], exported: Exported, form: str, policy: policies.Policy
) -> None:
    desk, _ = lively
    of_wheel = sums.Scope(wheel_id=desk.wheel_id)
    found = exported("performance", form, policy=policy, scope=of_wheel)
    assert total(found, "realized_pnl") == policies.total(desk.income(policy))
    assert {each["policy"] for each in found} == {policy}
    fields = ("option_income", "stock_gain", "dividends")
    assert sum(total(found, field) for field in fields) == total(found, "realized_pnl")


@pytest.mark.parametrize("form", FORMATS)
def test_trades_are_those_that_stand(
    lively: tuple[Desk, Path], exported: Exported, form: str
) -> None:
    desk, _ = lively
    found = exported("trades", form, scope=sums.Scope(wheel_id=desk.wheel_id))
    told = {each["id"]: Decimal(each["net_premium"]) for each in found}
    assert told == {str(each.id): each.net_premium for each in desk.wheel.trades.values()}


@pytest.mark.parametrize("form", FORMATS)
def test_a_span_is_of_new_york_days(exported: Exported, form: str) -> None:
    day = date(2026, 1, 12)
    (trade,) = exported("trades", form, span=sums.Span(day, day))
    assert Decimal(trade["strike"]) == 45
    late = exported("performance", form, span=sums.Span(first=day))
    assert {str(each["date"]) for each in late} == {"2026-01-12"}


def test_scopes_narrow_what_is_exported(exported: Exported) -> None:
    assert {each["symbol"] for each in exported("trades", "csv")} == {"XYZ", "ABC"}
    of_symbol = sums.Scope(symbol="ABC")
    for what in ("trades", "performance"):
        assert {each["symbol"] for each in exported(what, "csv", scope=of_symbol)} == {"ABC"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("what", exports.WHATS)
def test_an_empty_export_is_a_file_of_its_kind(
    exported: Exported, what: exports.What, form: str
) -> None:
    assert exported(what, form, span=sums.Span(last=date(1990, 1, 1))) == []


def test_what_expired_without_a_word_lacks_evidence(exported: Exported) -> None:
    lacking = {
        each["expiration_date"]: each["evidence_missing"]
        for each in exported("trades", "json")
        if each["outcome"] == "open"
    }
    assert lacking == {"2026-02-20": True, "2026-03-20": False}


def test_parquet_has_money_as_decimals_and_days_as_dates(lively: tuple[Desk, Path]) -> None:
    out = io.BytesIO()
    exports.export(Order(str(lively[1]), "trades", "parquet", NOW), out)
    schema = pl.read_parquet(out.getvalue()).schema
    assert schema["total_premium"] == pl.Decimal(38, 2)
    assert schema["strike"] == pl.Decimal(38, 6)
    assert schema["expiration_date"] == pl.Date()
    assert schema["contracts"] == pl.Int64()
    assert schema["opened_at"] == pl.Datetime("us", "UTC")


def test_the_old_header_is_the_old_tools(exported: Exported) -> None:
    found = exported("trades", "csv", header="old")
    assert ",".join(found[0]) == (
        "id,symbol,direction,strike,expiration_date,premium_per_share,contracts,total_premium,"
        "opened_at,closed_at,outcome,price_at_expiry,net_premium"
    )


def test_an_order_reaches_the_process_that_carries_it_out() -> None:
    order = Order("views.db", "trades", "csv", NOW, sums.Scope(symbol="X"), "close")
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


TABLE: sheets.Columns = {"text": "text", "amount": "amount", "price": "price", "day": "date"}
ROWS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
        | st.sampled_from(["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", '=HYPERLINK("a","b")']),
        st.none() | st.decimals(-(10**15), 10**15, places=2),
        st.none() | st.decimals(0, 10**12, places=6),
        st.none() | st.dates(date(1980, 1, 1), date(2090, 1, 1)),
    ),
    max_size=20,
)


def written(rows: list[tuple[Any, ...]], form: sheets.Format) -> list[Row]:
    out = io.BytesIO()
    sheets.write(TABLE, rows, form, out)
    return read(out.getvalue(), form)


@given(ROWS)
def test_csv_gives_back_what_is_no_formula(rows: list[tuple[Any, ...]]) -> None:
    for (text, amount, price, day), told in zip(rows, written(rows, "csv"), strict=True):
        assert not told["text"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert told["text"].removeprefix("'") == text.removeprefix("'")
        numbers = [Decimal(each) if each else None for each in (told["amount"], told["price"])]
        assert numbers == [amount, price]
        assert told["day"] == (day.isoformat() if day else "")


@given(ROWS)
def test_parquet_gives_back_every_value(rows: list[tuple[Any, ...]]) -> None:
    assert [tuple(each.values()) for each in written(rows, "parquet")] == rows


@given(ROWS)
def test_json_gives_back_every_value(rows: list[tuple[Any, ...]]) -> None:
    for (text, amount, price, day), told in zip(rows, written(rows, "json"), strict=True):
        numbers = (told["amount"], told["price"])
        assert numbers == (amount, price)
        assert (told["text"], told["day"]) == (text, day.isoformat() if day else None)


def test_a_table_longer_than_a_chunk_is_whole() -> None:
    rows = [("x", usd(n), None, None) for n in range(12_345)]
    for form in FORMATS:
        assert total(written(rows, form), "amount") == sum(range(12_345))
