"""The ledger over HTTP: its events from both ends, what verifying finds, and how it leaves."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters import event_store, ledger_file
from adapters.settings import Settings
from tests.api.client import Client, Desk, Reply
from tests.api.house import House

NOBODY = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def wheel(desk: Desk) -> str:
    """A wheel with six events."""
    made = desk.wheel()
    trade = desk.sell(made, strike=50, contracts=3)
    for price in ("0.50", "0.40", "0.30"):
        desk.act(trade, "close", price_per_share=price, contracts=1, effective_at="2026-01-07")
    desk.client.put(f"/trades/{trade}", {"notes": "as planned"})
    return made


def positions(answered: Reply) -> list[int]:
    assert answered.status == 200, answered.body
    return [each["position"] for each in answered.body["data"]]


def versions(answered: Reply) -> list[int]:
    assert answered.status == 200, answered.body
    return [each["version"] for each in answered.body["data"]]


# --- events ---------------------------------------------------------------------------------


def test_the_last_things_that_happened_come_first_when_asked_so(client: Client, wheel: str) -> None:
    head = client.head()
    newest = client.get("/ledger/events", order="desc", limit=3)
    assert positions(newest) == [head, head - 1, head - 2]
    assert newest.body["next_before"] == head - 2
    assert newest.body["next_after"] is None


@pytest.mark.parametrize("narrowed", [{}, {"stream": True}, {"type": "OptionBoughtBack"}])
def test_both_directions_tell_the_same(
    client: Client, wheel: str, narrowed: dict[str, Any]
) -> None:
    query = {name: wheel if value is True else value for name, value in narrowed.items()}
    forth, back = [], []
    after: int | None = 0
    while after is not None:
        page = client.get("/ledger/events", after=after, limit=2, **query)
        forth += positions(page)
        after = page.body["next_after"]
    before: int | None = client.head() + 1
    while before is not None:
        page = client.get("/ledger/events", before=before, limit=2, order="desc", **query)
        back += positions(page)
        before = page.body["next_before"]
    assert forth == back[::-1]
    assert len(forth) >= 3


def test_a_stream_is_narrowed_to_a_type(client: Client, wheel: str) -> None:
    bought = client.get("/ledger/events", stream=wheel, type="OptionBoughtBack")
    assert versions(bought) == [3, 4, 5]
    assert versions(client.get("/ledger/events", stream=wheel, type="WheelArchived")) == []


def test_a_wheels_events_are_paged_by_version(client: Client, wheel: str) -> None:
    first = client.get(f"/wheels/{wheel}/events", limit=4)
    assert (versions(first), first.body["next_after"], first.body["head"]) == ([1, 2, 3, 4], 4, 6)
    rest = client.get(f"/wheels/{wheel}/events", after=4)
    assert (versions(rest), rest.body["next_after"]) == ([5, 6], None)
    newest = client.get(f"/wheels/{wheel}/events", order="desc", limit=2)
    assert (versions(newest), newest.body["next_before"]) == ([6, 5], 5)


def test_only_a_wheel_has_a_wheels_events(client: Client, desk: Desk) -> None:
    for other in (NOBODY, desk.portfolio):
        assert client.get(f"/wheels/{other}/events").code == "NOT_FOUND"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/ledger/events", {"order": "sideways"}, "order"),
        ("/ledger/events", {"before": -1}, "before"),
        ("/ledger/events", {"known_at": "2026-01-01"}, "known_at"),
        ("/ledger/verify", {"position": 1}, "hash"),
        ("/ledger/verify", {"hash": "00" * 32}, "position"),
        ("/ledger/verify", {"position": 1, "hash": "zz"}, "hash"),
        ("/ledger/verify", {"position": 0, "hash": "00" * 32}, "position"),
        ("/ledger/checkpoints", {"limit": 0}, "limit"),
        ("/ledger/export", {"after": 2**40}, "after"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: Client, path: str, query: dict[str, Any], field: str
) -> None:
    refused = client.get(path, **query)
    assert (refused.code, refused.error["details"]["field"]) == ("VALIDATION_ERROR", field)


# --- verification ---------------------------------------------------------------------------


def test_what_was_found_whole_is_a_checkpoint_and_the_next_check_goes_on_there(
    client: Client, desk: Desk
) -> None:
    full = client.get("/ledger/verify", full=True).data
    assert (full["ok"], full["since"], full["checked"]) == (True, 0, full["head"])
    newest = client.get("/ledger/checkpoints", limit=1).body["data"][0]
    assert (newest["position"], newest["hash"]) == (full["head"], full["head_hash"])
    desk.wheel()
    more = client.get("/ledger/verify").data
    assert (more["since"], more["checked"], more["head"]) == (full["head"], 1, full["head"] + 1)


def test_nothing_new_is_no_new_checkpoint(client: Client, desk: Desk) -> None:
    head = client.get("/ledger/verify").data["head"]
    again = client.get("/ledger/verify").data
    assert (again["ok"], again["checked"], again["head"]) == (True, 0, head)
    listed = client.get("/ledger/checkpoints").body["data"]
    assert [each["position"] for each in listed].count(head) == 1


def test_checkpoints_are_paged_from_the_newest_back(client: Client, desk: Desk) -> None:
    for _ in range(2):
        desk.wheel()
        client.get("/ledger/verify")
    page = client.get("/ledger/checkpoints", limit=1).body
    older = client.get("/ledger/checkpoints", limit=1, before=page["next_before"]).body
    assert older["data"][0]["position"] < page["data"][0]["position"] == page["next_before"]


def test_a_checkpoint_kept_elsewhere_is_checked_from_the_first_event(
    client: Client, desk: Desk
) -> None:
    kept = client.get("/ledger/verify").data
    desk.wheel()
    checked = client.get("/ledger/verify", position=kept["head"], hash=kept["head_hash"]).data
    assert (checked["ok"], checked["since"], checked["head"]) == (True, 0, kept["head"] + 1)
    other = client.get("/ledger/verify", position=kept["head"], hash="ab" * 32).data
    assert (other["ok"], other["first_bad_position"]) == (False, kept["head"])


def test_a_hash_is_what_was_written_down(client: Client, desk: Desk) -> None:
    desk.wheel()
    kept = client.get("/ledger/verify").data
    copied = f" {kept['head_hash'].upper()}\n"
    assert client.get("/ledger/verify", position=kept["head"], hash=copied).data["ok"]


def test_what_is_missing_since_a_checkpoint_is_missed(client: Client, desk: Desk) -> None:
    beyond = client.head() + 10
    missed = client.get("/ledger/verify", position=beyond, hash="ab" * 32).data
    assert (missed["ok"], missed["first_bad_position"]) == (False, beyond)
    assert missed["why"] == "the row is missing"


# --- export ---------------------------------------------------------------------------------


def test_an_export_makes_the_same_ledger_elsewhere(
    client: Client, wheel: str, tmp_path: Path
) -> None:
    verified = client.get("/ledger/verify", full=True).data
    exported = client.http.get("/api/v1/ledger/export")
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(exported.content)
    end = ledger_file.begin_anew(file, Settings(data_dir=tmp_path / "elsewhere"))
    assert (end.head, end.hash) == (verified["head"], verified["head_hash"])


def test_the_tail_of_an_export_goes_on_where_the_last_one_ended(client: Client, desk: Desk) -> None:
    first = client.http.get("/api/v1/ledger/export").content.splitlines()
    end = msgspec.json.decode(first[-1])
    desk.wheel()
    begin, *tail, _ = client.http.get(
        "/api/v1/ledger/export", params={"after": end["head"]}
    ).content.splitlines()
    assert (begin.count(end["hash"].encode()), len(tail)) == (1, 1)
    assert client.get("/ledger/export", after=client.head() + 1).code == "VALIDATION_ERROR"


# --- last: from here on the ledger is not what was recorded ----------------------------------


def test_a_ledger_that_was_changed_is_found_out_and_not_exported(
    client: Client, house: House
) -> None:
    head = client.get("/ledger/verify").data["head"]
    with closing(sqlite3.connect(house.settings.event_store_path)) as connection, connection:
        connection.execute("UPDATE stored_events SET topic='WheelArchived' WHERE rowid=2")
    assert client.get("/ledger/verify").data["ok"]  # it began behind the last checkpoint
    full = client.get("/ledger/verify", full=True).data
    assert (full["ok"], full["first_bad_position"], full["checked"]) == (False, 2, 1)
    assert client.get("/ledger/checkpoints").body["data"][0]["position"] == head
    refused = client.get("/ledger/export")
    assert (refused.code, "position 2" in refused.error["message"]) == ("SERVICE_UNAVAILABLE", True)
    with closing(event_store.open_to_read(house.settings.event_store_path)) as log:
        assert log.checkpoints(1)[0].position == head
