"""Finnhub's calendar becomes dates with the hour at which they were fetched, or a fault."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from adapters import clock, finnhub, logs
from adapters.inquiry import Inquiry
from adapters.settings import Settings
from domain import market
from tests.adapters.schwab.fake import Fake, Reply, listening

NOW = datetime(2025, 1, 16, 21, 30, tzinfo=UTC)
FIRST, LAST = date(2025, 1, 1), date(2025, 3, 31)
CALENDAR = "/api/v1/calendar/earnings"
KEY = "finnhub-key-0123456789"


def calendar(*said: dict[str, Any]) -> Reply:
    return Reply(body=msgspec.json.encode({"earningsCalendar": said}))


def entry(day: str, hour: str | None = "amc", symbol: str = "AAPL") -> dict[str, Any]:
    return {"date": day, "hour": hour, "symbol": symbol, "quarter": 1, "epsActual": None}


@pytest.fixture(autouse=True)
def _overheard() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    heard = io.StringIO()
    logs.configure(Settings(finnhub_key=KEY, log_level="debug", log_files=False), "prices", heard)
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    assert KEY not in heard.getvalue()


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with listening() as opened:
        yield opened


@pytest.fixture
async def source(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[finnhub.Finnhub]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = Settings(finnhub_key=KEY, finnhub_url=f"{fake.url}/api/v1")
    asking = Inquiry("Finnhub", finnhub.inquiry()._pace, pause=lambda _: 0.0)
    opened = finnhub.Finnhub(settings, clock.standing_at(NOW), asking, timeout=5.0)
    yield opened
    await opened.aclose()


async def test_dates_are_given_in_order_with_when_they_were_fetched(
    fake: Fake, source: finnhub.Finnhub
) -> None:
    fake.tell(CALENDAR, calendar(entry("2025-01-30"), entry("2025-01-02", "bmo")))
    assert await source.earnings("AAPL", FIRST, LAST) == (
        market.Earning("AAPL", date(2025, 1, 2), "bmo", "finnhub", NOW),
        market.Earning("AAPL", date(2025, 1, 30), "amc", "finnhub", NOW),
    )


async def test_the_window_is_in_the_address_and_the_key_is_not(
    fake: Fake, source: finnhub.Finnhub
) -> None:
    fake.tell(CALENDAR, calendar())
    assert await source.earnings("aapl", FIRST, LAST) == ()
    (asked,) = fake.asked
    assert asked.query == {"symbol": "AAPL", "from": "2025-01-01", "to": "2025-03-31"}
    assert asked.headers["x-finnhub-token"] == KEY


@pytest.mark.parametrize("hour", ["", None])
async def test_an_hour_may_be_unknown(
    fake: Fake, source: finnhub.Finnhub, hour: str | None
) -> None:
    fake.tell(CALENDAR, calendar(entry("2025-01-30", hour)))
    (earning,) = await source.earnings("AAPL", FIRST, LAST)
    assert earning.hour == ""


async def test_other_symbols_and_other_days_are_left_out(
    fake: Fake, source: finnhub.Finnhub
) -> None:
    fake.tell(CALENDAR, calendar(entry("2025-01-30", symbol="AAPL.MX"), entry("2025-04-30")))
    assert await source.earnings("AAPL", FIRST, LAST) == ()


@pytest.mark.parametrize(
    ("reply", "kind", "calls"),
    [
        (Reply(401, b'{"error":"Invalid API key."}'), market.ReauthRequired, 1),
        (Reply(403), market.Unreadable, 1),
        (Reply(429), market.Throttled, 1),
        (Reply(502), market.ProviderDown, 3),
        (Reply(body=b"<html>"), market.Unreadable, 1),
        (Reply(body=b"{}"), market.Unreadable, 1),
        (
            Reply(body=b'{"earningsCalendar":[{"date":"soon","symbol":"AAPL"}]}'),
            market.Unreadable,
            1,
        ),
    ],
)
async def test_what_is_no_calendar_is_a_fault(
    fake: Fake, source: finnhub.Finnhub, reply: Reply, kind: type[market.MarketFault], calls: int
) -> None:
    fake.tell(CALENDAR, reply)
    with pytest.raises(kind):
        await source.earnings("AAPL", FIRST, LAST)
    assert len(fake.asked) == calls


async def test_a_key_that_was_refused_is_not_tried_again(
    fake: Fake, source: finnhub.Finnhub
) -> None:
    fake.tell(CALENDAR, Reply(401), calendar())
    for _ in range(3):
        with pytest.raises(market.ReauthRequired):
            await source.earnings("AAPL", FIRST, LAST)
    assert len(fake.asked) == 1


async def test_what_is_no_symbol_is_not_asked_about(fake: Fake, source: finnhub.Finnhub) -> None:
    with pytest.raises(market.UnknownSymbol):
        await source.earnings("no symbol", FIRST, LAST)
    assert fake.asked == []
