"""What the watch asks of the read models: what is open, and which alerts there ever were."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from adapters.event_store import EventStore
from domain import facts, login
from projections import alerts, open_options
from projections.projector import Projector
from tests.domain.desk import Desk, usd
from tests.projections import ledger


@pytest.fixture
def held(log: EventStore, written: sqlite3.Connection) -> Desk:
    """Two puts open, an alert raised on one of them."""
    desk = Desk("60000", log=log)
    ledger.raise_alert(log, desk, desk.put("100", "1.50", 3, fees=usd("1.95")))
    desk.put("95", "0.70")
    Projector(log, written).advance()
    return desk


def test_an_open_option_comes_with_the_net_premium_on_what_is_open(held: Desk, link: Path) -> None:
    found = open_options.changed(link, 0).wheels[held.wheel_id]
    assert sorted((each.strike, each.multiplier, each.premium) for each in found) == [
        (Decimal(95), Decimal(100), Decimal(70)),
        (Decimal(100), Decimal(100), Decimal("448.05")),
    ]


def test_after_a_split_the_multiplier_is_told(
    held: Desk, log: EventStore, written: sqlite3.Connection, link: Path
) -> None:
    held.splits(3, 2)
    Projector(log, written).advance()
    found = open_options.changed(link, 0).wheels[held.wheel_id]
    assert {each.multiplier for each in found} == {Decimal(150)}


def test_the_alerts_that_there_ever_were_come_with_the_options(held: Desk, link: Path) -> None:
    found = open_options.changed(link, 0)
    strikes = {each.trade_id: each.strike for each in found.wheels[held.wheel_id]}
    assert [(strikes[trade], rule) for trade, rule in found.alerts] == [(Decimal(100), "itm")]


def test_of_wheels_that_have_not_changed_nothing_is_told(held: Desk, link: Path) -> None:
    position = open_options.changed(link, 0).position
    assert open_options.changed(link, position) == open_options.Changes(position, {}, [])


def test_without_views_there_is_nothing_and_nobody_is_further(link: Path) -> None:
    assert open_options.changed(link, 7) == open_options.Changes(7, {})


def test_an_alert_about_no_trade_stands_beside_the_others(
    held: Desk, log: EventStore, written: sqlite3.Connection, link: Path
) -> None:
    told = facts.AlertRaised(
        symbol=login.SYMBOL, rule=login.RULE, severity="MEDIUM", message="log in again"
    )
    stream = facts.alert_stream(None, login.RULE)
    recorded = facts.Recorded(0, stream, 1, held.now, held.now, "risk", UUID(int=3), None, told)
    log.append([recorded])
    Projector(log, written).advance()
    of_trades = [each for each, _ in open_options.changed(link, 0).alerts]
    assert sorted(rule for _, rule in alerts.active(link)) == ["itm", "token_expiring"]
    assert (None, login.RULE) in alerts.active(link)
    assert len(of_trades) == 1
