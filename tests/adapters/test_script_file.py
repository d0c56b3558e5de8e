"""A file that makes the simulated market do things, while everything runs."""

import json
import logging
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters import simulated
from domain import calendar, market

NOON = datetime(2026, 3, 11, 16, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
SUNDAY = datetime(2026, 3, 15, 16, 0, tzinfo=UTC)


class Stage:
    """A simulated market, its script and its clock."""

    def __init__(self, path: Path) -> None:
        self.path, self.now, self.written = path, NOON, 0
        self.market = simulated.Simulated(lambda: self.now, seed=7, script_file=path)
        self.free = simulated.Simulated(lambda: self.now, seed=7)

    def says(self, content: Any) -> None:
        """Write it as if a second after the last time: two writes can fall into one tick."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.path.write_text(text, encoding="utf-8")
        self.written += 1
        os.utime(self.path, (self.written, self.written))

    def quote(self, symbol: str = "AAPL", at: datetime | None = None) -> market.Quote:
        self.now = at or self.now
        return self.market.quote_at(symbol, self.now)

    def is_free(self, symbol: str = "AAPL") -> bool:
        return self.quote(symbol) == self.free.quote_at(symbol, self.now)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "script.json")


# --- prices ----------------------------------------------------------------------------------


def test_a_price_holds_while_it_is_named(stage: Stage) -> None:
    assert stage.is_free()
    stage.says({"AAPL": 99.504})
    assert (stage.quote().last, stage.is_free("SPY")) == (Decimal("99.50"), True)
    stage.says({})
    assert stage.is_free()


def test_a_price_is_of_the_instant_it_is_asked_for(stage: Stage) -> None:
    stage.says({"AAPL": "99.5"})
    quote = stage.quote(at=SUNDAY)
    assert (quote.last, quote.as_of, quote.state) == (Decimal("99.50"), SUNDAY, "live")


async def test_no_bar_knows_of_a_price_that_is_said_now(stage: Stage) -> None:
    day, answers = NOON.date() - timedelta(days=1), []
    for content in ({}, {"AAPL": 1}, {"AAPL": [["2026-01-01T00:00:00Z", 1]]}):
        stage.says(content)
        answers.append(await stage.market.history("AAPL", day, day))
    assert answers[0] == answers[1] == answers[2]


def test_a_list_tells_prices_by_the_hour(stage: Stage) -> None:
    stage.says({"AAPL": [[NOON.isoformat(), 1], ["2026-03-11T17:00:00", 2]]})
    before = NOON - timedelta(minutes=1)
    told = [stage.quote(at=at).last for at in (NOON, LATER - timedelta(minutes=1), LATER, SUNDAY)]
    assert told == [1, 1, 2, 2]
    assert stage.quote(at=before) == stage.free.quote_at("AAPL", before)


def test_a_price_that_cannot_be_is_not_said(stage: Stage) -> None:
    stage.says({"AAPL": 97.25, "SPY": -1, "T": 0, "KO": 1e9})
    assert stage.quote().last == Decimal("97.25")
    assert all(stage.is_free(symbol) for symbol in ("SPY", "T", "KO"))


# --- behaviour -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("down", market.ProviderDown),
        ("throttled", market.Throttled),
        ("unauthenticated", market.ReauthRequired),
        ("unknown", market.UnknownSymbol),
        ("unreadable", market.Unreadable),
    ],
)
async def test_a_fault_ends_every_question_about_its_symbol(
    stage: Stage, fault: str, kind: type[market.MarketFault]
) -> None:
    stage.says({"AAPL": {"fault": fault}})
    quotes = await stage.market.quotes(["AAPL", "SPY"])
    assert type(quotes["AAPL"]) is kind
    assert isinstance(quotes["SPY"], market.Quote)
    with pytest.raises(kind):
        await stage.market.earnings("AAPL", NOON.date(), SUNDAY.date())


def test_a_star_is_every_symbol(stage: Stage) -> None:
    stage.says({"*": {"fault": "down"}, "AAPL": 5})
    for symbol in ("AAPL", "SPY"):
        with pytest.raises(market.ProviderDown):
            stage.quote(symbol)


def test_what_is_said_of_a_symbol_is_said_after_what_is_said_of_all(stage: Stage) -> None:
    stage.says({"AAPL": 5, "*": 6})
    assert [stage.quote(symbol).last for symbol in ("AAPL", "SPY")] == [5, 6]


def test_a_fault_lasts_from_its_first_instant_until_its_last(stage: Stage) -> None:
    window = {"since": NOON.isoformat(), "until": LATER.isoformat()}
    stage.says({"AAPL": [{"fault": "down", **window}, {"price": 7, "since": LATER.isoformat()}]})
    before = NOON - timedelta(seconds=1)
    assert stage.quote(at=before).last == stage.free.quote_at("AAPL", before).last
    with pytest.raises(market.ProviderDown):
        stage.quote(at=LATER - timedelta(seconds=1))
    assert stage.quote(at=LATER).last == 7


def test_what_is_stale_stands_as_it_was_when_it_was_said(stage: Stage) -> None:
    stage.says({"AAPL": {"stale": True}})
    first = stage.quote()
    stage.says({"AAPL": {"stale": True}, "SPY": 5})
    assert stage.quote(at=LATER) == first
    assert (first.as_of, first.state) == (NOON, "stale")


def test_what_is_said_anew_begins_anew(stage: Stage) -> None:
    for at, content in ((NOON, {"AAPL": {"stale": True}}), (NOON, {}), (LATER, None)):
        stage.says(content if content is not None else {"AAPL": {"stale": True}})
        stage.quote(at=at)
    assert stage.quote().as_of == LATER


def test_in_a_halt_nobody_bids(stage: Stage) -> None:
    stage.says({"AAPL": {"halt": True, "price": 5}})
    quote = stage.quote()
    assert (quote.last, quote.state) == (Decimal(5), "stale")
    assert quote.bid is quote.ask is None


def test_a_chain_can_come_without_greeks(stage: Stage) -> None:
    stage.says({"AAPL": {"no_greeks": True}})
    options = stage.market.chain_at("AAPL", NOON, None, None).options
    assert {(option.delta, option.implied_volatility) for option in options} == {(None, None)}


@pytest.mark.parametrize(
    ("told", "factor"), [({"split": 4}, Decimal("0.25")), ({"gap": -0.1}, Decimal("0.9"))]
)
async def test_a_split_and_a_gap_are_told_by_the_bars_too(
    stage: Stage, told: dict[str, Any], factor: Decimal
) -> None:
    since = calendar.open_at(NOON.date())
    stage.says({"AAPL": told | {"since": since.isoformat()}})
    stage.now = SUNDAY
    days = NOON.date() - timedelta(days=1), NOON.date()
    before, after = await stage.market.history("AAPL", *days)
    whole = await stage.free.history("AAPL", *days)
    assert before == whole[0]
    assert after.close == pytest.approx(whole[1].close * factor, abs=Decimal("0.01"))


# --- files in a bad way ----------------------------------------------------------------------

BAD = [
    "",
    '{"AAPL": 98',
    '{"AAPL": {"fualt": "down"}}',
    '{"AAPL": {"fault": "tired"}}',
    '{"AAPL": {"price": 0}}',
    '{"AAPL": {"split": 0}}',
    '{"AAPL": {"gap": -1}}',
    '{"AAPL": [[1]]}',
    '{"AAPL": "NaN!"}',
    "[]",
    "\udcff",
]


@pytest.mark.parametrize("text", BAD)
def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(
    stage: Stage, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.says({"AAPL": 5})
    assert stage.quote().last == 5
    stage.path.write_bytes(text.encode(errors="surrogateescape"))
    with caplog.at_level(logging.WARNING):
        assert [stage.quote().last for _ in range(3)] == [5, 5, 5]
    assert len(caplog.records) == 1


def test_a_file_that_goes_away_changes_nothing(stage: Stage) -> None:
    stage.says({"AAPL": 5})
    assert stage.quote().last == 5
    stage.path.unlink()
    assert stage.quote().last == 5
