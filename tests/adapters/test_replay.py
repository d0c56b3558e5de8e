"""The recorded market: what was known by then, and nothing that came later."""

import csv
import logging
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from adapters import replay
from domain import calendar, market

SPY_2021 = Path(__file__).parents[2] / "data" / "spy_2021"
QUOTES, BARS = SPY_2021 / "quotes.csv.gz", SPY_2021 / "bars.csv"
HERE = Path(__file__).parent
SPLIT, YAHOO = HERE / "recordings/lean_aapl_split.parquet", HERE / "recordings/yahoo_spy.parquet"
TDA = HERE / "schwab/data/tda_msft.json"

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
    return replay.Replay(lambda: calendar.close_at(LAST), SPY_2021)


def _at(instant: datetime) -> replay.Replay:
    return replay.Replay(lambda: instant, BARS)


def _written(path: Path, text: str) -> replay.Replay:
    path.write_text(text, encoding="utf-8")
    return replay.Replay(lambda: calendar.close_at(LAST), path)


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
    bare = replay.Replay(lambda: calendar.open_at(TUESDAY), QUOTES)
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
    published = _written(tmp_path / "published.csv", PUBLISHED)
    call, put = published.chain_at("SPY", calendar.close_at(MONDAY), None, None).options
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


# --- freshness -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passed", "state"),
    [
        (timedelta(0), "live"),
        (timedelta(minutes=15), "live"),
        (timedelta(minutes=16), "delayed"),
        (timedelta(hours=9), "delayed"),
        (timedelta(days=3), "stale"),
    ],
)
def test_what_was_taken_within_a_session_ages_by_the_quarter_of_an_hour(
    passed: timedelta, state: str
) -> None:
    taken = datetime(2024, 6, 14, 15, 28, 47, 574531, UTC)
    spy = replay.Replay(lambda: taken, YAHOO)
    chain, quote = spy.chain_at("SPY", taken + passed, None, None), spy.quote_at("SPY", taken)
    assert (chain.as_of, chain.state) == (taken, state)
    assert (quote.last, quote.as_of, quote.state) == (Decimal("541.65"), taken, "live")


@pytest.mark.parametrize(
    ("instant", "state"),
    [
        (datetime(2020, 8, 28, 20, 0, tzinfo=UTC), "live"),
        (datetime(2020, 8, 31, 13, 29, tzinfo=UTC), "live"),
        (datetime(2020, 8, 31, 13, 30, tzinfo=UTC), "stale"),
    ],
)
def test_what_was_taken_at_the_close_is_live_until_the_next_opening(
    instant: datetime, state: str
) -> None:
    assert replay.Replay(lambda: instant, TDA).quote_at("MSFT", instant).state == state


# --- other people's recordings ---------------------------------------------------------------


def test_the_chains_before_and_after_a_split_are_both_there() -> None:
    apple = replay.Replay(lambda: NIGHT, SPLIT)
    friday, monday = (
        apple.chain_at("AAPL", calendar.close_at(date(2014, 6, day)), None, None) for day in (6, 9)
    )
    assert (friday.underlying.last, monday.underlying.last) == (Decimal("645.57"), Decimal("93.7"))
    old, new = _mark(friday, "645"), _mark(monday, "92.14")
    assert (old.bid, old.ask, old.open_interest) == (Decimal("11.55"), Decimal("11.8"), 1659)
    assert (new.bid, new.open_interest, new.implied_volatility) == (Decimal("0.66"), None, None)


NIGHT = datetime(2014, 6, 10, 1, tzinfo=UTC)


def _mark(chain: market.Chain, strike: str) -> market.OptionMark:
    """The first put to end at that strike."""
    return next(
        option
        for option in chain.options
        if option.strike == Decimal(strike) and option.direction == "put"
    )


def test_a_chain_of_yahoos_comes_with_its_volatilities() -> None:
    at = datetime(2024, 6, 14, 15, 30, tzinfo=UTC)
    chain = replay.Replay(lambda: at, YAHOO).chain_at("SPY", at, None, None)
    call = chain.options[0]
    assert (call.expiration, call.strike) == (date(2024, 6, 28), Decimal(534))
    assert (call.bid, call.ask, call.volume) == (Decimal("9.17"), Decimal("9.35"), 82)
    assert (call.implied_volatility, call.vega) == pytest.approx((0.1186, 0.3619), rel=1e-3)
    assert (call.direction, call.theta) == ("call", None)


def test_a_chain_of_schwabs_is_played_as_any_other() -> None:
    at = datetime(2020, 8, 29, tzinfo=UTC)
    chain = replay.Replay(lambda: at, TDA).chain_at("MSFT", at, None, None)
    assert (chain.source, chain.underlying.last) == ("replay", Decimal("228.59"))
    assert chain.options


ADJUSTED = """\
underlying,underlying_last,optionroot,type,expiration,quotedate,strike,bid,ask
SPY,368.79,SPY210129P00345000,put,2021-01-29,2021-01-04,345.0,2.76,2.78
SPY,368.79,SPY1210129P00345000,put,2021-01-29,2021-01-04,345.0,9.76,9.78
"""


def test_an_adjusted_contract_is_left_out(tmp_path: Path) -> None:
    found = _written(tmp_path / "adjusted.csv", ADJUSTED)
    (option,) = found.chain_at("SPY", calendar.close_at(MONDAY), None, None).options
    assert option.bid == Decimal("2.76")


def test_yahoos_contracts_of_another_size_are_left_out(tmp_path: Path) -> None:
    mini = tmp_path / "mini.parquet"
    pl.read_parquet(YAHOO).with_columns(
        contract_size=pl.when(pl.col("optiontype") == "C").then(10).otherwise(100)
    ).write_parquet(mini)
    at = datetime(2024, 6, 14, 15, 30, tzinfo=UTC)
    chain = replay.Replay(lambda: at, mini).chain_at("SPY", at, None, None)
    assert {option.direction for option in chain.options} == {"put"}


ACTIONS = """\
symbol,ex_date,kind,value,close_before_ex
AAPL,2014-05-08,dividend,3.29,592.33
AAPL,2014-06-09,split,6.999997,
USO,2020-04-29,split,0.125,
AAPL,2014-08-07,dividend,0.47,94.96
"""


async def test_of_corporate_actions_the_dividends_are_told(tmp_path: Path) -> None:
    found = _written(tmp_path / "actions.csv", ACTIONS)
    dividends = await found.ex_dividends("aapl", date(2014, 1, 1), date(2014, 12, 31))
    assert [(each.symbol, each.ex_date.month, each.amount) for each in dividends] == [
        ("AAPL", 5, Decimal("3.29")),
        ("AAPL", 8, Decimal("0.47")),
    ]


WITH_HOURS = """\
\ufeffsymbol,date,qtr,eps_est,eps,release_time
AAPL,21/07/2009,Jun-09,NULL,NULL,post
AAPL,02/02/2012,Dec-11,NULL,NULL,pre
AAPL,19/10/2012,Sep-12,NULL,0.45,NULL
"""
WITHOUT = "stock,earnings_date,fiscal_date_ending\nAAPL,2025-01-30,2024-12-31\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            WITH_HOURS,
            [
                (date(2009, 7, 21), "amc"),
                (date(2012, 2, 2), "bmo"),
                (date(2012, 10, 19), ""),
            ],
        ),
        (WITHOUT, [(date(2025, 1, 30), "")]),
    ],
)
async def test_earnings_are_told_with_the_hour_where_it_was_written_down(
    tmp_path: Path, text: str, expected: list[tuple[date, str]]
) -> None:
    found = _written(tmp_path / "earnings.csv", text)
    earnings = await found.earnings("AAPL", date(2009, 1, 1), date(2025, 12, 31))
    assert [(each.day, each.hour) for each in earnings] == expected
    assert await found.earnings("AAPL", date(2010, 1, 1), date(2010, 12, 31)) == ()


async def test_where_no_earnings_were_recorded_nobody_knows(spy: replay.Replay) -> None:
    with pytest.raises(market.NoData):
        await spy.earnings("SPY", MONDAY, LAST)


# --- volatilities ----------------------------------------------------------------------------


async def test_recorded_chains_tell_the_volatilities_of_their_days(spy: replay.Replay) -> None:
    found = await spy.volatilities("SPY", MONDAY, LAST)
    assert [each.day for each in found] == list(calendar.sessions(MONDAY, LAST))
    assert all(0.08 < each.volatility < 0.4 for each in found)


async def test_a_session_that_runs_has_no_volatility_yet() -> None:
    running = calendar.close_at(TUESDAY) - timedelta(seconds=1)
    found = await replay.Replay(lambda: running, QUOTES).volatilities("SPY", MONDAY, LAST)
    assert [each.day for each in found] == [MONDAY]


async def test_chains_without_volatilities_imply_them() -> None:
    apple = replay.Replay(lambda: NIGHT, SPLIT)
    friday, monday = await apple.volatilities("AAPL", date(2014, 6, 1), date(2014, 6, 30))
    assert friday.volatility == pytest.approx(0.22, abs=0.03)
    assert monday.volatility == pytest.approx(0.22, abs=0.03)


# --- directories -----------------------------------------------------------------------------


async def test_every_recording_of_a_directory_is_read_and_others_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (BARS, QUOTES, SPLIT, TDA, SPY_2021 / "README.md", SPY_2021 / "reference.csv"):
        shutil.copy(path, tmp_path)
    (tmp_path / "actions.csv").write_text(ACTIONS, encoding="utf-8")
    (tmp_path / "other.json").write_text("[1]", encoding="utf-8")
    with caplog.at_level(logging.INFO):
        found = replay.Replay(lambda: calendar.close_at(LAST), tmp_path)
    quotes = await found.quotes(["SPY", "AAPL", "MSFT", "USO"])
    assert [type(each) for each in quotes.values()] == [market.Quote] * 3 + [market.UnknownSymbol]
    left = {record.getMessage().split()[0] for record in caplog.records}
    assert left == {"README.md", "reference.csv", "other.json"}


def test_a_contract_that_two_files_tell_of_is_there_once(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(PUBLISHED, encoding="utf-8")
    close = calendar.close_at(MONDAY)
    chain = replay.Replay(lambda: close, tmp_path).chain_at("SPY", close, None, None)
    assert len(chain.options) == 2


# --- files that cannot be played -------------------------------------------------------------

BARS_OF = "symbol,date,open,high,low,close,volume\n"
OPTIONS = "underlying,underlying_last,type,expiration,quotedate,strike,bid,ask\n"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("bars.csv", "symbol,date,open,high,low,volume\n", "not a recording: .* bars .*close"),
        ("bars.csv", "", "not a recording"),
        (
            "bars.csv",
            BARS_OF + "SPY,2021-01-04,x,1,1,1,1\n",
            "line 2",
        ),
        (
            "bars.csv",
            BARS_OF + "SPY,2021-01-04,0,1,1,1,1\n",
            "line 2",
        ),
        ("bars.csv", BARS_OF + "SPY,2021-01-04,1\n", "line 2"),
        (
            "bars.csv",
            BARS_OF + "S Y,2021-01-04,1,1,1,1,1\n",
            "line 2",
        ),
        ("o.csv", OPTIONS + "SPY,1,straddle,2021-01-29,2021-01-04,1,1,1\n", "line 2"),
        ("a.csv", "symbol,ex_date,kind,value\nSPY,2021-01-04,gift,1\n", "line 2: .*gift"),
        ("e.csv", "symbol,date,release_time\nSPY,2021-01-04,pre\n", "line 2"),
        ("e.csv", "symbol,date,release_time\nSPY,04/01/2021,noon\n", "line 2: .*noon"),
        ("b.csv.gz", "symbol", "gzip"),
        ("c.json", '{"symbol":', "c.json"),
        ("c.json", "{}", "not a recording"),
        ("c.json", "[]", "not a recording"),
        (
            "c.json",
            '{"symbol":"A","status":"SUCCESS","callExpDateMap":1,"putExpDateMap":{}}',
            "c.json",
        ),
        ("c.json.gz", "{}", "gzip"),
        ("p.parquet", "PAR1", "p.parquet"),
        ("notes.txt", "hello", "not a recording"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(market.Unreadable, match=complaint):
        _written(tmp_path / name, text)


def test_a_parquet_file_of_something_else_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(market.Unreadable, match="not a recording"):
        replay.Replay(lambda: NIGHT, path)


def test_a_parquet_file_with_a_price_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "priceless.parquet"
    pl.read_parquet(YAHOO).with_columns(spot_price=pl.lit(0.0)).write_parquet(path)
    with pytest.raises(market.Unreadable, match=r"priceless\.parquet: .*no price"):
        replay.Replay(lambda: NIGHT, path)


def test_a_directory_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(market.Unreadable, match="no recording"):
        replay.Replay(lambda: NIGHT, tmp_path)


def test_a_recording_that_is_broken_spoils_its_directory(tmp_path: Path) -> None:
    shutil.copy(BARS, tmp_path)
    (tmp_path / "more.csv").write_text(OPTIONS + "SPY,1\n", encoding="utf-8")
    with pytest.raises(market.Unreadable, match=r"more\.csv: line 2"):
        replay.Replay(lambda: NIGHT, tmp_path)


@pytest.mark.parametrize("name", ["absent.csv", "absent.csv.gz", "absent.json", "absent.parquet"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(market.Unreadable, match="absent"):
        replay.Replay(lambda: NIGHT, tmp_path / name)
