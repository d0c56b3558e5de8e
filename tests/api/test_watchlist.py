"""The watchlist, its scans, and what they find, as they are asked for over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from domain import facts, market
from tests.api import house as houses
from tests.api.client import Client
from tests.api.waiting import PATIENCE, until
from tests.domain import finds

_NUMBERS = count()


@pytest.fixture
def symbol() -> str:
    """One that nobody has watched yet."""
    return f"S{next(_NUMBERS)}"


@pytest.fixture
def scanner(house: houses.House) -> Iterator[None]:
    with houses.scanning(house, find):
        yield


async def find(symbol: str, profile: facts.Profile) -> list[facts.OpportunityFound]:
    if symbol == "NONE":
        raise market.Throttled(symbol)
    second = finds.found(symbol=symbol, strike=Decimal(140), score=1.0, rank=2)
    return [*await finds.find(symbol, profile), second]


def scanned(client: Client, *symbols: str, **headers: str) -> Any:
    """The scan of some symbols, once it has ended and the views have what it found."""
    begun = client.post("/watchlist/scan", {"symbols": symbols}, headers)
    assert begun.status == 200
    scan = until(lambda: ended(client, begun.data["id"]))
    until(lambda: client.get("/health").data["parts"]["views"]["position"] == client.head())
    return scan


def ended(client: Client, scan: str) -> Any:
    last = client.get("/watchlist/scan").data
    return last if last["id"] == scan and last["finished_at"] else None


def watched(client: Client, **query: Any) -> list[str]:
    return [each["symbol"] for each in client.get("/watchlist", page_size=500, **query).data]


def test_a_symbol_is_watched_with_what_is_said_of_it(client: Client, symbol: str) -> None:
    said = {"symbol": symbol.lower(), "notes": "cheap", "profile": "defensive"}
    made = client.post("/watchlist", said)
    assert (made.status, made.headers["location"]) == (201, f"/api/v1/watchlist/{symbol}")
    shown = client.get(made.headers["location"])
    assert shown.data == made.data
    assert shown.headers["etag"] == made.headers["etag"] == f'"{made.data["version"]}"'
    assert (made.data["symbol"], made.data["notes"], made.data["profile"]) == (
        symbol,
        "cheap",
        "defensive",
    )


def test_the_same_symbol_twice_is_a_conflict(client: Client, symbol: str) -> None:
    client.post("/watchlist", {"symbol": symbol})
    again = client.post("/watchlist", {"symbol": symbol.lower()})
    assert (again.status, again.code) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"symbol": ""},
        {"symbol": "A B"},
        {"symbol": "*"},
        {"symbol": "ELEVENCHARS"},
        {"symbol": "AAPL", "profile": "bold"},
        {"symbol": "AAPL", "colour": "red"},
    ],
)
def test_what_cannot_be_watched_is_refused(client: Client, body: dict[str, Any]) -> None:
    refused = client.post("/watchlist", body)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")


def test_a_symbol_is_taken_off(client: Client, symbol: str) -> None:
    client.post("/watchlist", {"symbol": symbol})
    gone = client.delete(f"/watchlist/{symbol.lower()}")
    assert (gone.status, gone.data["symbol"], gone.data["is_watched"]) == (200, symbol, False)
    assert symbol not in watched(client)
    assert client.get(f"/watchlist/{symbol}").code == "NOT_FOUND"


def test_what_is_not_watched_is_not_found(client: Client, symbol: str) -> None:
    assert client.delete(f"/watchlist/{symbol}").status == 404


def test_the_list_can_be_asked_as_of_before(
    client: Client, house: houses.House, symbol: str
) -> None:
    client.post("/watchlist", {"symbol": symbol})
    then = house.watch.now().isoformat()
    client.delete(f"/watchlist/{symbol}")
    assert symbol not in watched(client)
    assert symbol in watched(client, as_of=then)
    assert symbol in watched(client, known_at=then)
    assert client.get(f"/watchlist/{symbol}", as_of=then).data["is_watched"]


def test_an_order_on_the_list_is_answered_once(client: Client, symbol: str) -> None:
    key = {"Idempotency-Key": f"watch-{symbol}"}
    first, again = (client.post("/watchlist", {"symbol": symbol}, key) for _ in range(2))
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"


def test_an_order_on_one_symbol_does_not_make_one_on_another_stale(
    client: Client, symbol: str
) -> None:
    version = client.post("/watchlist", {"symbol": symbol}).headers["etag"]
    client.post("/watchlist", {"symbol": f"{symbol}.B"})
    stale = client.delete(f"/watchlist/{symbol}", {"If-Match": '"9999"'})
    assert (stale.status, stale.code) == (409, "CONFLICT")
    assert client.delete(f"/watchlist/{symbol}", {"If-Match": version}).status == 200


def test_a_rehearsal_watches_nothing(client: Client, symbol: str) -> None:
    told = client.post("/watchlist", {"symbol": symbol}, dry_run=True).data
    assert [each["name"] for each in told["changes"]] == ["SymbolWatched"]
    assert symbol not in watched(client)


# --- scans -----------------------------------------------------------------------------------


def test_without_a_scanner_nothing_is_scanned(client: Client) -> None:
    for reply in (client.post("/watchlist/scan"), client.get("/watchlist/scan")):
        assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")
        assert reply.error["details"] == {"part": "scanner"}


@pytest.mark.usefixtures("scanner")
def test_a_scan_tells_what_it_found_and_what_failed(client: Client, symbol: str) -> None:
    scan = scanned(client, symbol, "none", symbol)
    assert (scan["status"], scan["symbols"], scan["done"], scan["found"]) == (
        "succeeded",
        [symbol, "NONE"],
        2,
        2,
    )
    assert scan["failed"] == [
        {
            "symbol": "NONE",
            "code": "EXTERNAL_API_ERROR",
            "message": "the provider was asked too often",
        }
    ]


@pytest.mark.usefixtures("scanner")
def test_a_scan_without_symbols_is_of_all_that_are_watched(client: Client, symbol: str) -> None:
    client.post("/watchlist", {"symbol": symbol})
    begun = client.post("/watchlist/scan").data
    until(lambda: ended(client, begun["id"]))
    assert begun["symbols"] == watched(client)


@pytest.mark.usefixtures("scanner")
def test_the_same_key_is_the_same_scan_and_no_other(client: Client, symbol: str) -> None:
    key = {"Idempotency-Key": f"scan-{symbol}"}
    scan = scanned(client, symbol, **key)
    assert client.post("/watchlist/scan", {"symbols": [symbol]}, key).data == scan
    other = client.post("/watchlist/scan", {"symbols": ["SPY"]}, key)
    assert (other.status, other.code) == (409, "CONFLICT")


def test_a_second_scan_has_to_wait_for_the_first(house: houses.House, client: Client) -> None:
    may_end = threading.Event()

    async def slow(_: str, __: facts.Profile) -> list[facts.OpportunityFound]:
        await asyncio.to_thread(may_end.wait, PATIENCE)
        return []

    with houses.scanning(house, slow):
        first = client.post("/watchlist/scan", {"symbols": ["SPY"]}).data
        second = client.post("/watchlist/scan", {"symbols": ["SPY"]})
        assert (second.status, second.code) == (409, "CONFLICT")
        assert second.error["details"] == {"id": first["id"], "status": "running", "done": 0}
        may_end.set()
        until(lambda: ended(client, first["id"]))


@pytest.mark.usefixtures("scanner")
@pytest.mark.parametrize(
    "body", [{"symbols": []}, {"symbols": ["A B"]}, {"symbols": "SPY"}, {"symbol": "SPY"}]
)
def test_what_cannot_be_scanned_is_refused(client: Client, body: dict[str, Any]) -> None:
    refused = client.post("/watchlist/scan", body)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")


# --- opportunities ---------------------------------------------------------------------------


@pytest.mark.usefixtures("scanner")
def test_what_was_found_is_listed_the_best_first(client: Client, symbol: str) -> None:
    scan = scanned(client, symbol)
    found = client.get("/opportunities", symbol=symbol.lower()).data
    assert [(each["rank"], each["score"]) for each in found] == [(1, 9.5), (2, 1)]
    assert {each["scan_id"] for each in found} == {scan["id"]}
    day = finds.FOUND.day.isoformat()
    assert len(client.get("/opportunities", symbol=symbol, **{"from": day, "to": day}).data) == 2
    assert client.get("/opportunities", symbol=symbol, **{"from": "2026-03-03"}).data == []
    assert client.get("/opportunities", symbol=symbol, direction="call").data == []


@pytest.mark.usefixtures("scanner")
def test_a_contract_is_found_once_a_day(client: Client, symbol: str) -> None:
    assert [scanned(client, symbol)["found"] for _ in range(2)] == [2, 0]
    assert client.get("/opportunities", symbol=symbol).body["pagination"]["total_items"] == 2


@pytest.mark.usefixtures("scanner")
def test_what_was_read_is_no_longer_unread(
    client: Client, house: houses.House, symbol: str
) -> None:
    scanned(client, symbol)
    best, other = client.get("/opportunities", symbol=symbol, unread=True).data
    before = house.watch.now().isoformat()
    read = client.post(f"/opportunities/{best['id']}/read", headers={"If-Match": '"1"'})
    assert (read.data["is_read"], read.headers["etag"]) == (True, '"2"')
    assert client.get("/opportunities", symbol=symbol, unread=True).data == [other]
    assert client.get("/opportunities", symbol=symbol, unread=False).data == [read.data]
    then = client.get("/opportunities", symbol=symbol, unread=True, known_at=before).data
    assert then == [best, other]


@pytest.mark.usefixtures("scanner")
def test_who_reads_again_changes_nothing(client: Client, symbol: str) -> None:
    scanned(client, symbol)
    (best, _) = client.get("/opportunities", symbol=symbol).data
    first, again = (client.post(f"/opportunities/{best['id']}/read").data for _ in range(2))
    assert (first["version"], again["version"]) == (2, 2)


def test_an_opportunity_that_nobody_knows_is_not_found(client: Client) -> None:
    nobody = "5a1f8f0e-4a3c-5c55-9d4e-0e6f3f6b8d11"
    assert client.post(f"/opportunities/{nobody}/read").status == 404


def test_an_unknown_sort_is_refused_with_those_that_are_known(client: Client) -> None:
    refused = client.get("/opportunities", sort="beauty")
    assert (refused.status, "score" in refused.error["details"]["constraint"]) == (400, True)
