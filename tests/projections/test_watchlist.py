"""The watchlist and what scans found, as they are asked for."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.event_store import EventStore
from domain import opportunity, refusals, watchlist
from projections import answers, questions, symbols
from projections.projector import Projector
from projections.questions import OpportunityFilter, Slice
from tests.domain.desk import Desk
from tests.domain.finds import FOUND, found
from tests.projections import ledger

TUESDAY = FOUND.day + timedelta(days=1)
SEVERAL = [
    found(strike=Decimal(140), score=3.0),
    found(strike=Decimal(145), score=11.0, direction="call", profile="moderate"),
    found(symbol="SPY", strike=Decimal(500), score=1.0, day=TUESDAY),
]


@pytest.fixture
def scanned(log: EventStore) -> EventStore:
    """A log in which something was found on two days."""
    for each in SEVERAL:
        ledger.come_upon(log, opportunity.Find(each))
    return log


async def strikes(log: EventStore, part: Slice, **wanted: Any) -> list[int]:
    """Which opportunities are shown, by their strikes."""
    with ledger.projected(log) as asked:
        page = await questions.all_opportunities(asked, OpportunityFilter(**wanted), part)
    return [int(questions.decoded(body, answers.Opportunity).strike) for body in page.items]


async def test_the_newest_day_comes_first_and_in_it_the_best(scanned: EventStore) -> None:
    assert await strikes(scanned, Slice()) == [500, 145, 140]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({"symbol": "aapl"}, [145, 140]),
        ({"direction": "put"}, [500, 140]),
        ({"profile": "moderate"}, [145]),
        ({"first": TUESDAY}, [500]),
        ({"last": FOUND.day}, [145, 140]),
        ({"first": FOUND.day, "last": FOUND.day, "direction": "call"}, [145]),
    ],
)
async def test_opportunities_are_found_by_what_is_known_of_them(
    scanned: EventStore, wanted: dict[str, Any], shown: list[int]
) -> None:
    assert await strikes(scanned, Slice(), **wanted) == shown


async def test_what_was_read_is_not_among_the_unread(log: EventStore) -> None:
    ledger.come_upon(log)
    ledger.come_upon(log, opportunity.Find(SEVERAL[0]))
    ledger.come_upon(log, opportunity.Read())
    assert await strikes(log, Slice(), unread=True) == [140]
    assert await strikes(log, Slice(), unread=False) == [142]


async def test_opportunities_are_sorted_as_asked(scanned: EventStore) -> None:
    assert await strikes(scanned, Slice(sort="strike")) == [140, 145, 500]
    with pytest.raises(refusals.Invalid, match="sort"):
        await strikes(scanned, Slice(sort="delta"))


async def test_an_opportunity_is_shown_with_all_that_was_found(log: EventStore) -> None:
    stream = ledger.come_upon(log)
    with ledger.projected(log) as asked:
        page = await questions.all_opportunities(asked, OpportunityFilter(), Slice())
    told = questions.decoded(page.items[0], answers.Opportunity)
    assert (told.id, told.is_read, told.version) == (stream, False, 1)
    for field in FOUND.__struct_fields__:
        assert getattr(told, field) == getattr(FOUND, field), field


async def test_the_list_has_what_is_watched_now(log: EventStore) -> None:
    for symbol in ("SPY", "AAPL", "BRK.B"):
        ledger.list_symbol(log, watchlist.Watch(symbol=symbol))
    ledger.list_symbol(log, watchlist.Unwatch(symbol="SPY"))
    with ledger.projected(log) as asked:
        page = await questions.watched(asked, Slice())
    shown = [questions.decoded(body, answers.Watched) for body in page.items]
    assert [(each.symbol, each.version) for each in shown] == [("AAPL", 2), ("BRK.B", 3)]


def test_what_is_watched_is_priced_like_what_is_held(
    log: EventStore, written: sqlite3.Connection, link: Path
) -> None:
    ledger.found_portfolio(log)
    Desk("60000", log=log)
    ledger.list_symbol(log, watchlist.Watch(symbol="AAPL"))
    ledger.list_symbol(log, watchlist.Watch(symbol="SPY"))
    ledger.list_symbol(log, watchlist.Unwatch(symbol="SPY"))
    Projector(log, written).advance()
    assert symbols.held(link) == {"XYZ", "AAPL"}
