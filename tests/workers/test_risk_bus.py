"""What the watch hears, over a real bus."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters import bus, envelope
from domain import market, subjects
from tests.conftest import Join, NatsServer, soon
from workers import risk as worker

MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
MARKS = market.HeldMarks(
    symbol="BRK.B",
    price=Decimal("490.50"),
    options=(
        market.OptionMark(
            "BRK.B",
            "put",
            Decimal(480),
            datetime(2026, 2, 20, tzinfo=UTC).date(),
            Decimal("4.10"),
            Decimal("4.30"),
            *[None] * 8,
        ),
    ),
    dividend=market.Dividend("BRK.B", datetime(2026, 1, 9, tzinfo=UTC).date(), Decimal("0.10")),
    earnings=None,
    as_of=MONDAY,
    source="test",
    state="live",
)
PROVIDER = market.Provider(
    source="schwab",
    state="live",
    since=MONDAY,
    as_of=MONDAY,
    login=market.Login(MONDAY, MONDAY.replace(day=12)),
)
QUOTE = market.Quote("BRK.B", Decimal("490.50"), None, None, MONDAY, "test", "live")
KEPT = {"marks.BRK_B": envelope.plain(MARKS), "provider": envelope.plain(PROVIDER)}


@pytest.mark.parametrize("kept_before", [True, False])
async def test_prices_marks_and_the_provider_are_heard_as_they_are_kept(
    server: NatsServer, join: Join, kept_before: bool
) -> None:
    prices, connected = await join("prices"), await join("risk")
    heard: asyncio.Queue[worker.Heard] = asyncio.Queue()
    if kept_before:
        await keep_all(prices)
    await worker._listen(connected, heard, asyncio.Event())
    if not kept_before:
        await keep_all(prices)
    awaited: list[worker.Heard] = [MARKS, PROVIDER, QUOTE]
    while awaited:  # what is kept while we begin to listen may be told twice
        came = await soon(heard.get())
        awaited = [each for each in awaited if each != came]


async def keep_all(prices: bus.Bus) -> None:
    await prices.put_all(subjects.MARKET_BUCKET, KEPT)
    await prices.put_quote(QUOTE)
