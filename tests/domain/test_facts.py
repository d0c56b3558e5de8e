"""Facts as they are kept: exact, readable for ever, and nothing read that was not written."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given

from domain import alert, facts, job, opportunity, portfolio, watchlist
from domain.story import told
from tests.domain import anything
from tests.domain.desk import Desk, everywhere

LIFE = Path(__file__).with_name("history.jsonl")
AT = datetime(2026, 1, 5, 15, 0, 0, 123_456, tzinfo=UTC)
SOLD = facts.Recorded(
    7,
    UUID(int=2),
    3,
    AT,
    AT,
    "api",
    UUID(int=4),
    None,
    facts.SharesBought(portfolio_id=UUID(int=1), symbol="BRK.B", shares=3, price=Decimal("1.10")),
)


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A stored row as the fixture keeps it."""

    position: int
    stream_id: UUID
    version: int
    name: str
    state: msgspec.Raw


def life() -> list[facts.Recorded]:
    """One life as stored; lines are added, never edited."""
    rows = [msgspec.json.decode(line, type=Line) for line in LIFE.read_bytes().splitlines()]
    return [
        facts.decode(row.position, row.stream_id, row.version, row.name, bytes(row.state))
        for row in rows
    ]


def stream(kind: str) -> list[facts.Recorded]:
    return [each for each in life() if each.kind == kind]


def alerts(*, about_a_trade: bool) -> list[facts.Recorded]:
    return [
        each
        for each in stream("alert")
        if isinstance(each.fact, facts.OfAlert)
        and (each.fact.trade_id is not None) is about_a_trade
    ]


def back(recorded: facts.Recorded, state: bytes | None = None) -> facts.Recorded:
    """Write and read again."""
    return facts.decode(
        recorded.position,
        recorded.stream_id,
        recorded.version,
        recorded.name,
        facts.encode(recorded) if state is None else state,
    )


@given(anything.recorded(kind for kinds in facts.STREAM_KINDS.values() for kind in kinds))
def test_every_fact_comes_back_as_it_was_written(recorded: facts.Recorded) -> None:
    again = back(recorded)
    assert again == recorded
    assert repr(again.fact) == repr(recorded.fact)


def test_what_is_stored_is_plain_exact_json() -> None:
    assert facts.encode(SOLD) == (
        b'{"recorded_at":"2026-01-05T15:00:00.123456Z",'
        b'"effective_at":"2026-01-05T15:00:00.123456Z","source":"api",'
        b'"command_id":"00000000-0000-0000-0000-000000000004",'
        b'"data":{"type":"SharesBought","portfolio_id":"00000000-0000-0000-0000-000000000001",'
        b'"symbol":"BRK.B","shares":3,"price":"1.10","fees":"0"}}'
    )


def test_a_field_that_is_not_known_is_not_dropped_in_silence() -> None:
    row = json.loads(facts.encode(SOLD))
    row["data"]["colour"] = "red"
    with pytest.raises(msgspec.ValidationError, match="colour"):
        back(SOLD, json.dumps(row).encode())
    del row["data"]["colour"]
    row["mood"] = "good"
    with pytest.raises(msgspec.ValidationError, match="mood"):
        back(SOLD, json.dumps(row).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", 1.1), ("shares", "3"), ("shares", 3.5), ("symbol", None), ("type", "SharesSold")],
)
def test_a_value_of_another_kind_is_no_fact(field: str, value: Any) -> None:
    row = json.loads(facts.encode(SOLD))
    row["data"][field] = value
    if field == "price":
        row["data"][field] = [value]
    with pytest.raises(msgspec.ValidationError):
        back(SOLD, json.dumps(row).encode())


def test_a_name_that_nobody_gave_is_no_fact() -> None:
    with pytest.raises(KeyError):
        facts.decode(1, UUID(int=2), 1, "SharesDreamt", facts.encode(SOLD))


def test_a_tag_is_the_name_that_is_stored() -> None:
    for kinds in facts.STREAM_KINDS.values():
        for kind in kinds:
            assert facts.name_of(kind) == kind.__name__
    assert len(set(facts.NAMES)) == len(facts.NAMES)


def test_one_wheel_has_one_stream_in_a_portfolio() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert facts.wheel_stream(one, "XYZ") == UUID("41cc5d78-2e8b-5495-8897-9904b50465e5")
    assert facts.wheel_stream(other, "XYZ") != facts.wheel_stream(one, "XYZ")


def test_the_stored_life_has_every_fact() -> None:
    assert {each.name for each in life()} == set(facts.NAMES)


def test_what_is_written_today_is_what_was_written_then() -> None:
    for line, recorded in zip(LIFE.read_bytes().splitlines(), life(), strict=True):
        row = msgspec.json.decode(line, type=Line)
        if msgspec.json.decode(row.state).get("schema", 1) == facts.schema_of(row.name):
            assert facts.encode(recorded) == bytes(row.state)


def test_an_old_shape_is_read_as_the_new_one() -> None:
    old = next(line for line in LIFE.read_bytes().splitlines() if b'"premium":' in line)
    row = msgspec.json.decode(old, type=Line)
    assert b'"multiplier"' not in bytes(row.state)
    sold = life()[row.position - 1]
    assert isinstance(sold.fact, facts.OptionSold)
    assert (sold.fact.premium_per_share, sold.fact.multiplier) == (Decimal("1.50"), 100)
    assert json.loads(facts.encode(sold))["schema"] == 2
    assert back(sold) == sold


def test_the_stored_wheel_stands_where_it_stood() -> None:
    facts_of_wheel = stream("wheel")
    story = told(facts_of_wheel[0].stream_id, facts_of_wheel)
    state = story.wheel
    assert (state.state, state.shares, state.is_active) == ("shares", 40, True)
    assert (state.cash, state.basis) == (Decimal("34875.10"), Decimal("1962.90"))
    assert (state.capital, state.in_kind) == (Decimal(25_000), Decimal(9_525))
    outcomes = [(trade.outcome, str(trade.net_premium)) for trade in state.trades.values()]
    assert outcomes == [
        ("rolled", "258.05"),
        ("expired_worthless", "89.35"),
        ("called_away", "248.70"),
    ]
    assert [trade.outcome for trade in story.voided_trades.values()] == ["open"]


def test_the_stored_wheels_books_come_to_what_they_came_to() -> None:
    facts_of_wheel = stream("wheel")
    desk = Desk()
    desk.story = told(facts_of_wheel[0].stream_id, facts_of_wheel)
    assert desk.totals() == everywhere("2313.00")


def test_the_stored_portfolio_and_alert_are_what_they_were() -> None:
    income = stream("portfolio")
    state = portfolio.fold(income[0].stream_id, income)
    assert (state.name, state.description, state.is_active) == ("Income", "puts on ETFs", True)
    heard = alert.fold(alerts(about_a_trade=True))
    assert (heard.is_active, heard.acknowledged, heard.version) == (False, True, 4)


def test_an_alert_about_no_trade_is_one_for_all() -> None:
    login = alerts(about_a_trade=False)
    heard = alert.fold(login)
    assert {each.stream_id for each in login} == {facts.alert_stream(None, "token_expiring")}
    assert (heard.is_active, heard.version, heard.told and heard.told.symbol) == (
        False,
        2,
        "SCHWAB",
    )


def test_the_stored_watchlist_and_opportunity_are_what_they_were() -> None:
    listed = watchlist.fold(stream("watchlist"))
    assert [(each.symbol, each.profile) for each in listed.watched] == [("XYZ", "moderate")]
    history = stream("opportunity")
    state = opportunity.fold(history)
    assert (state.is_read, state.version) == (True, 2)
    assert state.found is not None
    assert facts.opportunity_stream(state.found) == history[0].stream_id


def test_the_stored_job_and_its_run_are_what_they_were() -> None:
    setup, run = stream("job")
    state = job.fold(job.Job("daily_snapshot"), [setup])
    assert (state.id, state.setup) == (setup.stream_id, job.standard("daily_snapshot"))
    assert isinstance(run.fact, facts.JobRan)
    assert run.stream_id == run.fact.run_id
    assert run.stream_id == facts.run_stream("daily_snapshot", None, run.fact.due_at)
    assert (run.fact.outcome, run.fact.done, run.fact.items[0].item) == ("succeeded", 1, "ABC")


def test_the_stored_life_is_in_one_order() -> None:
    recorded = life()
    assert [each.position for each in recorded] == list(range(1, len(recorded) + 1))
    by_stream = sorted(recorded, key=lambda each: each.stream_id)
    for _, each_stream in groupby(by_stream, key=lambda each: each.stream_id):
        versions = [each.version for each in each_stream]
        assert versions == list(range(1, len(versions) + 1))
