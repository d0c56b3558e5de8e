"""The recorded market: what was known by then, and nothing that came later."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters import replay
from domain import calendar, market

SPY_2021 = Path(__file__).parents[2] / "data" / "spy_2021"
QUOTES, BARS = SPY_2021 / "quotes.csv.gz", SPY_2021 / "bars.csv"

MONDAY, TUESDAY = date(2021, 1, 4), date(2021, 1, 5)
LAST = date(2021, 12, 31)

# The shape that the options were published in, and a price with more digits than a float has.
PUBLISHED = """\
underlying,underlying_last,optionroot,type,expiration,quotedate,strike,last,bid,ask,volume,\
openinterest,impliedvol,delta,gamma,theta,vega,optionalias
SPY,368.79,X,put,2021-01-29,2021-01-04,345.0,2.71,2.76,2.78,7424,48199,0.28,-0.17,0.9,-0.1,0.2,X
SPY,368.79,X,call,2021-01-29,2021-01-04,345.0,,1.10000000000000000001,,,,NaN,,,,,X
"""


@pytest.fixture(scope="module")
def spy() -> replay.Replay:
    return replay.Replay(lambda: calendar.close_at(LAST), QUOTES, BARS)


def _at(instant: datetime) -> replay.Replay:
    return replay.Replay(lambda: instant, None, BARS)


# --- quotes ----------------------------------------------------------------------------------


def test_the_close_is_the_price_from_the_close_on(spy: replay.Replay) -> None:
    quote = spy.quote_at("SPY", calendar.close_at(MONDAY))
    assert (quote.last, quote.as_of, quote.state) == (
        Decimal("368.79"),
        calendar.close_at(MONDAY),
        "live",
    )


def test_overnight_the_close_stands(spy: replay.Replay) -> None:
    bell = calendar.open_at(TUESDAY)
    assert spy.quote_at("SPY", bell - timedelta(seconds=1)).last == Decimal("368.79")


def test_while_a_session_runs_its_open_is_all_that_is_known(spy: replay.Replay) -> None:
    quote = spy.quote_at("SPY", calendar.close_at(TUESDAY) - timedelta(seconds=1))
    assert (quote.last, quote.as_of, quote.state) == (
        Decimal("368.1"),
        calendar.open_at(TUESDAY),
        "delayed",
    )


def test_without_bars_a_running_session_shows_the_close_before() -> None:
    bare = replay.Replay(lambda: calendar.open_at(TUESDAY), QUOTES, None)
    quote = bare.quote_at("SPY", calendar.open_at(TUESDAY))
    assert (quote.last, quote.state) == (Decimal("368.79"), "delayed")


def test_after_the_recording_the_last_price_is_stale(spy: replay.Replay) -> None:
    quote = spy.quote_at("SPY", datetime(2022, 2, 1, 15, tzinfo=UTC))
    assert (quote.last, quote.as_of, quote.state) == (
        Decimal("474.96"),
        calendar.close_at(LAST),
        "stale",
    )


def test_before_the_recording_there_is_no_data(spy: replay.Replay) -> None:
    with pytest.raises(market.NoData):
        spy.quote_at("SPY", calendar.open_at(MONDAY) - timedelta(seconds=1))


async def test_a_symbol_that_was_not_recorded_spoils_no_other(spy: replay.Replay) -> None:
    quotes = await spy.quotes(["QQQ", "SPY"])
    assert isinstance(quotes["QQQ"], market.UnknownSymbol)
    assert isinstance(quotes["SPY"], market.Quote)


# --- chains ----------------------------------------------------------------------------------


def test_a_chain_is_the_one_quoted_at_the_last_close(spy: replay.Replay) -> None:
    chain = spy.chain_at("SPY", calendar.close_at(TUESDAY) - timedelta(seconds=1), None, None)
    assert (chain.as_of, chain.state) == (calendar.close_at(MONDAY), "delayed")
    assert (len(chain.options), chain.underlying.last) == (20, Decimal("368.79"))


async def test_a_window_leaves_out_what_expires_outside_it(spy: replay.Replay) -> None:
    first, last = date(2022, 1, 20), date(2022, 1, 31)
    chain = await spy.chain("SPY", first, last)
    found = {option.expiration for option in chain.options}
    assert found
    assert found == {day for day in await spy.expirations("SPY") if first <= day <= last}


def test_a_symbol_without_options_has_no_chain() -> None:
    with pytest.raises(market.NoData):
        _at(calendar.close_at(LAST)).chain_at("SPY", calendar.close_at(LAST), None, None)


def test_the_published_shape_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text(PUBLISHED, encoding="utf-8")
    close = calendar.close_at(MONDAY)
    call, put = replay.Replay(lambda: close, path, None).chain_at("SPY", close, None, None).options
    assert (put.bid, put.gamma, put.open_interest) == (Decimal("2.76"), 0.9, 48199)
    assert call.bid == Decimal("1.10000000000000000001")
    assert (call.ask, call.implied_volatility, call.delta, call.volume) == (None, None, None, None)


def test_the_shipped_recording_holds_what_the_reference_run_sold(spy: replay.Replay) -> None:
    with (SPY_2021 / "reference.csv").open(encoding="utf-8", newline="") as file:
        sold = [row for row in csv.DictReader(file) if row["event"] == "sell_put"]
    for row in sold:
        close = calendar.close_at(date.fromisoformat(row["date"]))
        expiration = date.fromisoformat(row["expiration"])
        chain = spy.chain_at("SPY", close, expiration, expiration)
        puts = {o.strike: (o.bid, o.delta) for o in chain.options if o.direction == "put"}
        assert puts[Decimal(row["strike"])] == (Decimal(row["price"]), float(row["delta"]))
        assert chain.underlying.last == Decimal(row["underlying_close"])
    assert len(sold) == 13


# --- history ---------------------------------------------------------------------------------


async def test_history_ends_with_the_last_session_that_has_closed() -> None:
    running = _at(calendar.close_at(date(2021, 1, 7)) - timedelta(seconds=1))
    bars = await running.history("SPY", date(2020, 1, 1), LAST)
    assert [bar.day.day for bar in bars] == [4, 5, 6]
    assert bars[0].low == Decimal("364.82")


async def test_dividends_are_told_with_their_ex_dates(spy: replay.Replay) -> None:
    dividends = await spy.ex_dividends("SPY", MONDAY, LAST)
    assert [each.ex_date.month for each in dividends] == [3, 6, 9, 12]


# --- files that cannot be played -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("symbol,date,open,high,low,volume\n", "no column close"),
        ("symbol,date,open,high,low,close,volume\nSPY,2021-01-04,x,1,1,1,1\n", "line 2"),
        ("symbol,date,open,high,low,close,volume\nSPY,2021-01-04,1\n", "line 2"),
        ("", "no column"),
    ],
)
def test_a_file_that_makes_no_sense_is_named_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(market.Unreadable, match=f"bars.csv: {complaint}"):
        replay.Replay(lambda: calendar.close_at(LAST), None, path)


@pytest.mark.parametrize("name", ["absent.csv", "absent.csv.gz"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(market.Unreadable, match="absent"):
        replay.Replay(lambda: calendar.close_at(LAST), tmp_path / name, None)
