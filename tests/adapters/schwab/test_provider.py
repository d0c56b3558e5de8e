"""What Schwab answers becomes what the market says, or the fault that kept it from saying it."""

from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from adapters.schwab import answers, provider
from domain import market
from tests.adapters.schwab import fake
from tests.adapters.schwab.conftest import ACCOUNT, DATA, NOW, House, said
from tests.adapters.schwab.fake import Asked, Reply

NVDA: dict[str, Any] = msgspec.json.decode((DATA / "quote_nvda.json").read_bytes())
AAPL: dict[str, Any] = msgspec.json.decode((DATA / "chain_aapl.json").read_bytes())
TODAY = date(2025, 1, 16)


def quoted(**entries: Any) -> Reply:
    return Reply(body=msgspec.json.encode(NVDA | entries))


def window(asked: Asked) -> tuple[date, date]:
    first, last = (date.fromisoformat(asked.query[name]) for name in ("fromDate", "toDate"))
    return first, last


def chain_of(asked: Asked, *, truncated: bool = False) -> Reply:
    """The part of AAPL's chain that expires in the window asked for."""
    first, last = window(asked)
    inside = {
        day: strikes
        for day, strikes in AAPL["putExpDateMap"].items()
        if first <= date.fromisoformat(day[:10]) <= last
    }
    share = {"quoteTime": 1737061199000, "last": 228.4}
    told = AAPL | {
        "putExpDateMap": inside,
        "underlying": share,
        "isChainTruncated": truncated,
        "accountNumber": ACCOUNT,
    }
    return Reply(body=msgspec.json.encode(told))


async def test_a_quote_is_read_with_all_that_is_said_of_it(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    assert await schwab.quotes(["NVDA"]) == {
        "NVDA": market.Quote(
            symbol="NVDA",
            last=Decimal("123.2291"),
            bid=Decimal("123.2"),
            ask=Decimal("123.22"),
            as_of=datetime(2025, 1, 31, 0, 59, 59, 972_000, tzinfo=UTC),
            source="schwab",
            state="live",
        )
    }


async def test_symbols_are_asked_for_as_schwab_writes_them(
    house: House, schwab: provider.Schwab
) -> None:
    index = msgspec.json.decode((DATA / "quote_spx.json").read_bytes())
    house.fake.tell(fake.QUOTES, quoted(**index, **{"BRK/B": NVDA["NVDA"]}))
    answered = await schwab.quotes(["BRK.B", "spx"])
    assert house.fake.asked[-1].query["symbols"] == "BRK/B,$SPX"
    assert [getattr(answered[each], "symbol", None) for each in ("BRK.B", "spx")] == [
        "BRK.B",
        "SPX",
    ]


async def test_a_symbol_that_fails_never_spoils_the_others(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(
        fake.QUOTES,
        quoted(
            BAD={"quote": {"lastPrice": "much"}},
            DARK={"quote": {"lastPrice": 0}},
            errors={"invalidSymbols": ["ZZZZ", "BRK/Z"]},
        ),
    )
    asked = ["NVDA", "ZZZZ", "BRK.Z", "BAD", "DARK", "GONE", "no symbol"]
    kinds = {symbol: type(each) for symbol, each in (await schwab.quotes(asked)).items()}
    assert kinds == {
        "NVDA": market.Quote,
        "ZZZZ": market.UnknownSymbol,
        "BRK.Z": market.UnknownSymbol,
        "BAD": market.Unreadable,
        "DARK": market.NoData,
        "GONE": market.NoData,
        "no symbol": market.UnknownSymbol,
    }


async def test_a_quote_that_is_not_of_this_moment_is_delayed(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, quoted(NVDA=NVDA["NVDA"] | {"realtime": False}))
    answered = (await schwab.quotes(["NVDA"]))["NVDA"]
    assert isinstance(answered, market.Quote)
    assert answered.state == "delayed"


async def test_a_fault_is_told_of_every_symbol_that_it_kept_from_an_answer(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, Reply(429, headers=(("Retry-After", "30"),)))
    answered = await schwab.quotes(["NVDA", "AAPL"])
    assert {symbol: str(fault)[:4] for symbol, fault in answered.items()} == {
        "NVDA": "NVDA",
        "AAPL": "AAPL",
    }
    assert [getattr(fault, "retry_after", 0) for fault in answered.values()] == [30, 30]


async def test_many_symbols_are_asked_for_in_several_questions(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    answered = await schwab.quotes([f"A{n}" for n in range(450)])
    assert (len(answered), house.fake.count(fake.QUOTES)) == (450, 3)


async def test_nobody_asked_about_is_not_asked(house: House, schwab: provider.Schwab) -> None:
    assert await schwab.quotes([]) == {}
    assert house.fake.asked == []


async def test_a_chain_is_asked_for_by_its_window(house: House, schwab: provider.Schwab) -> None:
    house.fake.tell(fake.CHAINS, chain_of)
    chain = await schwab.chain("AAPL", None, date(2025, 1, 24))
    assert {mark.expiration for mark in chain.options} == {date(2025, 1, 17), date(2025, 1, 24)}
    assert [window(asked) for asked in house.fake.asked] == [(TODAY, date(2025, 1, 24))]


async def test_what_expires_outside_the_window_is_left_out(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.CHAINS, said("chain_aapl.json"))
    chain = await schwab.chain("AAPL", date(2025, 1, 20), date(2025, 1, 24))
    assert {mark.expiration for mark in chain.options} == {date(2025, 1, 24)}


async def test_a_long_window_is_asked_for_by_a_few_expirations_at_a_time(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.EXPIRATIONS, said("expirations_spy.json"))
    house.fake.tell(fake.CHAINS, chain_of)
    await schwab.chain("AAPL", date(2025, 7, 22), None)
    windows = [window(each) for each in house.fake.asked if each.path == fake.CHAINS]
    assert windows[0] == (date(2025, 7, 22), date(2025, 7, 29))
    assert windows[-1] == (date(2027, 12, 17), date(2027, 12, 17))
    assert len(windows) == 6


async def test_a_truncated_chain_is_asked_for_in_halves(
    house: House, schwab: provider.Schwab
) -> None:
    def answer(asked: Asked) -> Reply:
        first, last = window(asked)
        return chain_of(asked, truncated=last - first > timedelta(days=4))

    house.fake.tell(fake.CHAINS, answer)
    chain = await schwab.chain("AAPL", TODAY, date(2025, 1, 24))
    assert len(chain.options) == 6
    assert house.fake.count(fake.CHAINS) == 3


async def test_a_day_that_stays_truncated_is_unreadable(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.CHAINS, lambda asked: chain_of(asked, truncated=True))
    with pytest.raises(market.Unreadable) as raised:
        await schwab.chain("AAPL", TODAY, date(2025, 1, 24))
    assert type(raised.value) is market.Unreadable  # which other processes know by its name
    assert house.fake.count(fake.CHAINS) <= 5


async def test_bars_are_those_of_finished_sessions(house: House, schwab: provider.Schwab) -> None:
    body = (DATA / "history_spy.json").read_bytes()
    today = b'"datetime":%d' % (datetime(2025, 1, 16, 6, tzinfo=UTC).timestamp() * 1000)
    unfinished = b'"datetime":%d' % (datetime(2025, 1, 17, 6, tzinfo=UTC).timestamp() * 1000)
    body = body.replace(b'"datetime":1750222800000', today)
    body = body.replace(b'"datetime":1750395600000', unfinished)
    house.fake.tell(fake.HISTORY, Reply(body=body))
    assert await schwab.history("SPY", date(2025, 1, 2), date(2025, 2, 1)) == (
        market.Bar(
            symbol="SPY",
            day=TODAY,
            open=Decimal("598.44"),
            high=Decimal("601.22"),
            low=Decimal("596.47"),
            close=Decimal("597.44"),
            volume=76605029,
        ),
    )


async def test_bars_are_asked_for_by_the_new_york_day(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.HISTORY, said("history_spy.json"))
    await schwab.history("SPY", date(2025, 1, 2), date(2025, 2, 1))
    query = house.fake.asked[-1].query
    first, last = (int(query[name]) / 1000 for name in ("startDate", "endDate"))
    assert datetime.fromtimestamp(first, UTC) == datetime(2025, 1, 2, 5, tzinfo=UTC)
    assert NOW < datetime.fromtimestamp(last, UTC) < datetime(2025, 1, 17, 5, tzinfo=UTC)


async def test_there_are_no_bars_of_the_future(house: House, schwab: provider.Schwab) -> None:
    assert await schwab.history("SPY", date(2025, 1, 17), date(2025, 2, 1)) == ()
    assert house.fake.asked == []


async def test_expirations_are_those_of_contracts_that_are_what_they_seem(
    house: House, schwab: provider.Schwab
) -> None:
    days: dict[str, Any] = msgspec.json.decode((DATA / "expirations_spy.json").read_bytes())
    days["expirationList"][0]["standard"] = False
    house.fake.tell(fake.EXPIRATIONS, Reply(body=msgspec.json.encode(days)))
    found = await schwab.expirations("SPY")
    assert (found[0], found[-1], len(found)) == (date(2025, 7, 22), date(2027, 12, 17), 31)


async def test_the_last_dividend_and_the_next_are_known(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, said("quote_nvda.json"))
    found = await schwab.ex_dividends("NVDA", date(2024, 1, 1), date(2025, 12, 31))
    assert found == (
        market.Dividend("NVDA", date(2024, 12, 5), Decimal("0.01")),
        market.Dividend("NVDA", date(2025, 3, 5), Decimal("0.01")),
    )
    assert await schwab.ex_dividends("NVDA", TODAY, date(2025, 12, 31)) == found[1:]


async def test_what_pays_no_dividend_has_none(house: House, schwab: provider.Schwab) -> None:
    house.fake.tell(fake.QUOTES, said("quote_spx.json"))
    assert await schwab.ex_dividends("SPX", TODAY, date(2025, 12, 31)) == ()


async def test_the_dividends_of_an_unknown_symbol_are_not_none_but_unknown(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.QUOTES, quoted(errors={"invalidSymbols": ["ZZZZ"]}))
    with pytest.raises(market.UnknownSymbol):
        await schwab.ex_dividends("ZZZZ", TODAY, TODAY)


async def test_a_session_has_its_hours(house: House, schwab: provider.Schwab) -> None:
    house.fake.tell(fake.HOURS, said("hours_open.json"))
    assert await schwab.hours(date(2025, 7, 21)) == answers.Session(
        datetime(2025, 7, 21, 13, 30, tzinfo=UTC), datetime(2025, 7, 21, 20, 0, tzinfo=UTC)
    )


async def test_a_closed_day_has_no_hours_though_its_keys_are_others(
    house: House, schwab: provider.Schwab
) -> None:
    house.fake.tell(fake.HOURS, said("hours_closed.json"))
    assert await schwab.hours(date(2025, 7, 20)) is None


async def test_hours_of_nothing_are_unreadable(house: House, schwab: provider.Schwab) -> None:
    house.fake.tell(fake.HOURS, Reply(body=b"{}"))
    with pytest.raises(market.Unreadable):
        await schwab.hours(TODAY)


async def test_past_volatilities_are_not_known(schwab: provider.Schwab) -> None:
    assert await schwab.volatilities("AAPL", TODAY, TODAY) == ()


async def test_the_login_ends_a_week_after_a_person_made_it(
    house: House, stack: AsyncExitStack
) -> None:
    schwab = house.market()
    stack.push_async_callback(schwab.aclose)
    since = NOW - timedelta(days=1)
    assert schwab.login() == market.Login(since, since + timedelta(days=7))


async def test_the_limiter_lets_a_burst_through_and_no_more_than_schwab_allows() -> None:
    pace = provider.inquiry()._pace
    assert pace.max_rate + pace.max_rate / pace.time_period * 60 <= 120
    for _ in range(provider.BURST):
        assert pace.has_capacity()
        await pace.acquire()
    assert not pace.has_capacity()
