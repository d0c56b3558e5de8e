"""The simulated market: the same however it is asked, and as unkind as its script."""

import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from adapters import simulated
from adapters.simulation import script, sessions
from adapters.simulation.paths import Paths
from adapters.simulation.symbols import profile
from domain import calendar, market

NOON = datetime(2026, 3, 11, 16, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 15, 16, 0, tzinfo=UTC)
SYMBOLS = ("SPY", "AAPL", "BRK.B", "ZZ1")


def _market(at: datetime = NOON, *acts: script.Act, seed: int = 7) -> simulated.Simulated:
    return simulated.Simulated(lambda: at, seed=seed, script=script.Script(acts))


# --- the same market, however it is asked ----------------------------------------------------


def test_a_seed_means_the_same_prices_in_every_process() -> None:
    fresh = _market()
    lasts = {symbol: str(fresh.quote_at(symbol, NOON).last) for symbol in SYMBOLS}
    assert lasts == {"SPY": "490.17", "AAPL": "173.89", "BRK.B": "91.78", "ZZ1": "18.05"}


def test_the_order_of_the_questions_changes_nothing() -> None:
    start = datetime(2024, 12, 20, tzinfo=UTC)
    questions = [(s, start + timedelta(hours=7 * n)) for s in SYMBOLS for n in range(120)]
    shuffled = random.Random(3).sample(questions, len(questions))
    forwards, backwards = _market(), _market()
    answers = {question: forwards.quote_at(*question) for question in questions}
    assert {question: backwards.quote_at(*question) for question in shuffled} == answers


def test_another_seed_is_another_market() -> None:
    assert _market(seed=1).quote_at("SPY", NOON) != _market(seed=2).quote_at("SPY", NOON)


def test_a_window_of_a_chain_is_a_part_of_the_whole() -> None:
    first, last = date(2026, 3, 20), date(2026, 4, 10)
    whole = _market().chain_at("AAPL", NOON, None, None)
    part = _market().chain_at("AAPL", NOON, first, last)
    assert part.options == tuple(o for o in whole.options if first <= o.expiration <= last)


# --- quotes ----------------------------------------------------------------------------------


async def test_a_symbol_that_fails_spoils_no_other() -> None:
    quotes = await _market().quotes(["AAPL", "NO SUCH", "SPY"])
    kinds = [type(answer) for answer in quotes.values()]
    assert kinds == [market.Quote, market.UnknownSymbol, market.Quote]


def test_a_quote_in_trading_hours_is_of_this_instant() -> None:
    quote = _market().quote_at("AAPL", NOON)
    assert (quote.as_of, quote.state, quote.source) == (NOON, "live", "simulated")


def test_outside_trading_hours_the_last_close_stands() -> None:
    friday = calendar.close_at(date(2026, 3, 13))
    quotes = [_market().quote_at("AAPL", at) for at in (friday, SUNDAY)]
    assert quotes[0] == quotes[1]
    assert quotes[1].as_of == friday


def test_a_bid_lies_below_and_an_ask_above_the_last_price() -> None:
    quote = _market().quote_at("AAPL", NOON)
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.last < quote.ask
    assert quote.last == quote.last.quantize(Decimal("0.01"))


def test_before_the_first_session_there_is_no_data() -> None:
    with pytest.raises(market.NoData):
        _market().quote_at("AAPL", datetime(1999, 12, 31, 18, tzinfo=UTC))


def test_the_first_session_can_be_quoted_from_its_open() -> None:
    assert _market().quote_at("AAPL", calendar.open_at(sessions.EPOCH)).last > 0


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_price_stays_within_reach_of_its_reference(symbol: str) -> None:
    about, paths = profile(symbol), Paths(7)
    days = calendar.sessions(date(2000, 1, 3), date(2029, 12, 31))[::20]
    prices = [paths.price(symbol, calendar.close_at(day))[0] for day in days]
    assert about.price / 20 < min(prices) <= max(prices) < about.price * 20


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("year", [2000, 2012, 2025])
def test_a_year_begins_where_the_one_before_ended(symbol: str, year: int) -> None:
    around = calendar.sessions(date(year, 12, 20), date(year + 1, 1, 10))
    before = max(day for day in around if day.year == year)
    after = min(day for day in around if day.year > year)
    (_, _, _, closed), _ = Paths(7).bar(symbol, before)
    (opened, _, _, _), _ = Paths(7).bar(symbol, after)
    assert 0.93 < opened / closed < 1.07


def test_the_market_is_about_as_volatile_as_it_is_said_to_be() -> None:
    paths = Paths(7)
    days = calendar.sessions(date(2000, 1, 3), date(2025, 12, 31))
    closes = np.log([paths.price("SPY", calendar.close_at(day))[0] for day in days])
    assert 0.12 < float(np.std(np.diff(closes))) * math.sqrt(252) < 0.28


# --- history ---------------------------------------------------------------------------------


async def test_bars_hold_what_was_quoted() -> None:
    provider, day = _market(SUNDAY), date(2026, 3, 11)
    (bar,) = await provider.history("AAPL", day, day)
    minutes = [calendar.open_at(day) + timedelta(minutes=n) for n in range(391)]
    lasts = [provider.quote_at("AAPL", at).last for at in minutes]
    assert (bar.open, bar.close) == (lasts[0], lasts[-1])
    assert (bar.high, bar.low) == (max(lasts), min(lasts))


async def test_history_ends_with_the_last_session_that_has_closed() -> None:
    bars = await _market().history("AAPL", date(2026, 3, 5), date(2026, 12, 31))
    assert [bar.day.day for bar in bars] == [5, 6, 9, 10]


async def test_history_reaches_years_back() -> None:
    bars = await _market().history("AAPL", date(2023, 3, 11), date(2026, 3, 11))
    assert len(bars) > 750


async def test_dividends_come_once_a_quarter_for_those_that_pay() -> None:
    year = date(2026, 1, 1), date(2026, 12, 31)
    assert len(await _market().ex_dividends("KO", *year)) == 4
    assert await _market().ex_dividends("TSLA", *year) == ()


# --- earnings --------------------------------------------------------------------------------


@pytest.mark.parametrize(("symbol", "hour"), [("TSLA", "bmo"), ("AAPL", "amc")])
async def test_a_company_reports_once_a_quarter_now_and_ahead(symbol: str, hour: str) -> None:
    found = await _market().earnings(symbol, date(2026, 1, 1), date(2027, 12, 31))
    assert len(found) == 8
    assert {(each.symbol, each.hour, each.source) for each in found} == {
        (symbol, hour, "simulated")
    }
    assert all(calendar.is_session(each.day) for each in found)


async def test_an_index_never_reports() -> None:
    assert await _market().earnings("SPY", date(2026, 1, 1), date(2027, 12, 31)) == ()


async def test_a_day_of_earnings_is_found_by_asking_for_that_day() -> None:
    for symbol in ("AAPL", "TSLA"):
        (first, *_) = await _market().earnings(symbol, NOON.date(), date(2026, 12, 31))
        assert await _market().earnings(symbol, first.day, first.day) == (first,)


@pytest.mark.parametrize("symbol", ["AAPL", "TSLA"])
async def test_options_that_outlive_a_report_are_dearer(symbol: str) -> None:
    reports = await _market().earnings(symbol, date(2026, 4, 1), date(2026, 12, 31))
    first = reports[0]
    night = first.day if first.hour == "amc" else calendar.previous_session(first.day)
    eve, dawn = (calendar.close_at(day) for day in (night, calendar.next_session(night)))
    near = [
        _market(at).chain_at(symbol, at, first.day, first.day + timedelta(days=9))
        for at in (eve, dawn)
    ]
    before, after = (chain.options[len(chain.options) // 2].implied_volatility for chain in near)
    assert before is not None
    assert after is not None
    assert before > 1.15 * after


# --- chains ----------------------------------------------------------------------------------


async def test_every_expiration_is_a_session_ahead() -> None:
    days = await _market(datetime(2026, 6, 10, 15, tzinfo=UTC)).expirations("AAPL")
    assert date(2026, 6, 18) in days
    assert all(calendar.is_session(day) for day in days)
    assert list(days) == sorted(set(days))


async def test_an_expiration_is_listed_until_its_close() -> None:
    friday = date(2026, 3, 13)
    close = calendar.close_at(friday)
    assert friday in await _market(close - timedelta(seconds=1)).expirations("AAPL")
    assert friday not in await _market(close).expirations("AAPL")


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_options_are_priced_without_arbitrage(symbol: str) -> None:
    chain = _market().chain_at(symbol, NOON, None, None)
    for option in chain.options:
        assert option.bid is not None
        assert option.ask is not None
        assert 0 <= option.bid < option.ask
        sign = 1 if option.direction == "call" else -1
        assert option.ask >= sign * (chain.underlying.last - option.strike)


def test_a_put_is_worth_more_at_a_higher_strike_and_at_a_later_date() -> None:
    chain = _market().chain_at("AAPL", NOON, None, None)
    puts = {(o.expiration, o.strike): o.last or 0 for o in chain.options if o.direction == "put"}
    march, april = date(2026, 3, 20), date(2026, 4, 17)
    strikes = [strike for day, strike in puts if day == march]
    ladder = [puts[march, strike] for strike in strikes]
    assert ladder == sorted(ladder)
    assert all(puts[march, s] <= puts[april, s] for s in strikes if (april, s) in puts)


def test_a_chain_reaches_two_and_a_half_deviations_to_either_side() -> None:
    chain = _market().chain_at("AAPL", NOON, None, None)
    deltas = [abs(option.delta or 0.0) for option in chain.options]
    assert min(deltas) < 0.02
    assert max(deltas) > 0.98


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_prices_are_on_ticks(symbol: str) -> None:
    for option in _market().chain_at(symbol, NOON, None, None).options:
        assert option.ask is not None
        tick = Decimal("0.05") if option.ask > 4 else Decimal("0.01")
        assert option.ask % tick == 0


@pytest.mark.parametrize("price", ["0.01", "3.00", "9999.00", "250000.00"])
def test_no_price_is_too_odd_for_a_chain(price: str) -> None:
    last_second = calendar.close_at(date(2026, 3, 13)) - timedelta(seconds=1)
    since = datetime.min.replace(tzinfo=UTC)
    driven = _market(last_second, script.Forced(symbol="ZZ1", since=since, price=Decimal(price)))
    chain = driven.chain_at("ZZ1", last_second, None, None)
    assert chain.underlying.last == Decimal(price)
    assert all(math.isfinite(option.delta or 0.0) for option in chain.options)


# --- the script ------------------------------------------------------------------------------


def test_a_scripted_price_holds_from_its_instant_on() -> None:
    act = script.Price(symbol="AAPL", since=NOON, price=Decimal("123.45"))
    scripted, before = _market(NOON, act), NOON - timedelta(seconds=1)
    assert scripted.quote_at("AAPL", before) == _market().quote_at("AAPL", before)
    assert scripted.quote_at("AAPL", NOON).last == Decimal("123.45")


def test_a_scripted_price_on_a_sunday_is_of_the_sunday() -> None:
    act = script.Price(symbol="AAPL", since=SUNDAY, price=Decimal("123.45"))
    assert _market(SUNDAY, act).quote_at("AAPL", SUNDAY + timedelta(hours=1)).as_of == SUNDAY


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (script.Gap(symbol="AAPL", since=NOON, change=Decimal("-0.1")), Decimal("90.00")),
        (script.Split(symbol="AAPL", since=NOON, ratio=Decimal(4)), Decimal("25.00")),
        (script.Gap(symbol="SPY", since=NOON, change=Decimal("-0.1")), Decimal("100.00")),
    ],
)
def test_gaps_and_splits_change_the_price_of_their_symbol(
    act: script.Act, expected: Decimal
) -> None:
    fixed = script.Price(symbol="AAPL", since=NOON - timedelta(hours=1), price=Decimal(100))
    assert _market(NOON, act, fixed).quote_at("AAPL", NOON).last == expected


def test_a_halt_holds_the_price_and_nobody_bids() -> None:
    halted = _market(NOON, script.Halt(symbol="AAPL", since=NOON))
    quote = halted.quote_at("AAPL", NOON + timedelta(hours=2))
    assert quote.last == _market().quote_at("AAPL", NOON).last
    assert (quote.bid, quote.ask, quote.as_of, quote.state) == (None, None, NOON, "stale")


def test_a_stale_provider_repeats_itself_until_it_recovers() -> None:
    later = NOON + timedelta(hours=1)
    stale = _market(NOON, script.Stale(symbol=None, since=NOON, until=later))
    states = [stale.quote_at("AAPL", at).state for at in (NOON, later)]
    assert states == ["stale", "live"]
    assert stale.chain_at("AAPL", NOON + timedelta(minutes=5), None, None).as_of == NOON


@pytest.mark.parametrize(
    "fault",
    [market.Throttled, market.ProviderDown, market.ReauthRequired, market.UnknownSymbol],
)
async def test_a_scripted_failure_ends_every_question(
    fault: Callable[[str], market.MarketFault],
) -> None:
    failing = _market(NOON, script.Failure(symbol="AAPL", since=NOON, fault=fault))
    quotes = await failing.quotes(["AAPL", "SPY"])
    assert isinstance(quotes["AAPL"], market.MarketFault)
    assert isinstance(quotes["SPY"], market.Quote)
    with pytest.raises(market.MarketFault, match="AAPL"):
        await failing.chain("AAPL", None, None)


def test_a_chain_can_come_without_greeks() -> None:
    blind = _market(NOON, script.NoGreeks(symbol="AAPL", since=NOON))
    option = blind.chain_at("AAPL", NOON, None, None).options[0]
    assert (option.delta, option.implied_volatility) == (None, None)
    assert option.bid is not None
