"""The benchmarks still run, and measure what they say; how fast is not asked here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from adapters import event_store
from benchmarks import (
    __main__,
    baseline,
    big_ledger,
    client,
    commands,
    echo,
    figures,
    large,
    market,
    positions,
    replay,
    risk,
    table,
    trading,
)
from benchmarks.clerk import far_away
from benchmarks.figures import Aim, Line, Yardstick
from domain import columns, facts, history, law, story
from domain import wheel as wheels
from domain.risk import OpenOption

TINY = replace(figures.QUICK, spell=0.05, small=300, large=600)
LINE = Line(
    key="x",
    name="something",
    value=30.0,
    unit="/s",
    better="more",
    yardstick=Yardstick("something simpler", 120.0),
    aim=Aim("at least a quarter", met=True),
)


@pytest.mark.parametrize("part", [commands, risk, replay, market])
def test_a_part_that_needs_no_instance_yields_lines_with_their_yardsticks(
    part: object, tmp_path: Path
) -> None:
    lines = list(part.measure(tmp_path, TINY))  # type: ignore[attr-defined]
    assert lines
    assert all(line.value > 0 and line.ratio for line in lines)


def test_what_a_part_writes_under_a_big_ledger_is_removed(tmp_path: Path) -> None:
    list(replay.measure(tmp_path, TINY))
    assert not [each for each in tmp_path.rglob("views*") if each.is_file()]


def test_the_quick_run_measures_and_prints_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = __main__.main(["risk", "--quick", "--dir", str(tmp_path)])
    assert (status, list(tmp_path.iterdir())) == (0, [])
    assert "risk evaluations, 20 options a quote" in capsys.readouterr().out


# --- the big ledger --------------------------------------------------------------------------


def test_every_fact_of_the_big_ledger_is_legal() -> None:
    assert not list(_broken(big_ledger.history(20_000, seed=7)))


def _broken(log: Iterator[facts.Recorded]) -> Iterator[str]:
    """What the law has against the wheels' lives as they are believed in the end."""
    streams: defaultdict[UUID, list[facts.Recorded]] = defaultdict(list)
    for each in log:
        streams[each.stream_id].append(each)
    for stream_id, stream in streams.items():
        if stream[0].kind == "wheel":
            yield from _against(story.heard(stream_id, stream).line)


def _against(line: tuple[history.Entry, ...]) -> Iterator[str]:
    state = wheels.Wheel()
    for entry in line:
        if refusal := law.law(state, entry):
            yield f"{entry}: {refusal.message}"
        state = wheels.evolve(state, entry)


def test_the_big_ledger_holds_every_way_in_which_a_trade_ends() -> None:
    found = {each.name for each in big_ledger.history(10_000)}
    assert found >= {"OptionBoughtBack", "OptionExpired", "OptionAssigned", "FactVoided"}


def test_the_same_seed_gives_the_same_ledger() -> None:
    assert list(big_ledger.history(500, seed=3)) == list(big_ledger.history(500, seed=3))


def test_a_ledger_of_these_weeks_ends_before_today() -> None:
    today = date(2026, 3, 4)
    last = max(each.effective_at for each in big_ledger.history(2_000, 1, big_ledger.lately(today)))
    assert today - timedelta(days=30) < last.date() < today


def test_questions_are_put_to_a_ledger_with_its_views(tmp_path: Path) -> None:
    about = large.written(tmp_path, 400)
    assert about.trades > 100
    asked = large.questions(about, date(2026, 3, 4))
    assert f"trades?portfolio_id={about.portfolio_id}" in asked.values()
    assert len(about.traded) == positions.WHEELS_TO_TRADE


def test_a_ledger_is_as_long_as_was_asked_and_verifies(tmp_path: Path) -> None:
    with closing(event_store.open_sqlite(tmp_path / "ledger.db")) as log:
        big_ledger.write(log, 450)
        *_, last = log.verify()
    assert (last.checked, last.broken) == (450, None)


def test_replay_folds_every_wheel(tmp_path: Path) -> None:
    with closing(event_store.open_sqlite(tmp_path / "ledger.db")) as log:
        big_ledger.write(log, 1_000)
        assert replay.decoded(log) == 1_000
        assert replay.folded(log) == 1_000 // big_ledger.A_LIFE


# --- the market ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [market.by_formula, market.by_engine])
def test_quantlib_finds_what_we_find(
    way: Callable[[market.Quoted], list[tuple[float, ...]]],
) -> None:
    options = market.quoted(300)
    implied = options.implied()
    ours = options.greeks(implied)
    theirs = np.array(way(options)).T
    assert implied == pytest.approx(theirs[0], abs=2e-5)
    assert ours.delta == pytest.approx(theirs[1], abs=2e-4)
    assert ours.gamma == pytest.approx(theirs[2], abs=2e-4)
    assert ours.theta * 365 == pytest.approx(theirs[3], abs=2e-2)
    assert ours.vega * 100 == pytest.approx(theirs[4], abs=2e-2)
    assert ours.rho * 100 == pytest.approx(theirs[5], abs=2e-2)


# --- the load --------------------------------------------------------------------------------


def test_a_price_on_its_way_down_passes_one_strike_at_a_time_and_is_near_none() -> None:
    prices = [positions.ABOVE_ALL, *(price for _, price in positions.falling(["P000"], 10))]
    book = columns.book([_put(strike) for strike in positions.STRIKES])
    levels = [columns.evaluate(book, price).level.tolist() for price in prices]
    assert levels == [[2] * n + [0] * (10 - n) for n in range(11)]


def _put(strike: Decimal) -> OpenOption:
    return OpenOption(UUID(int=1), UUID(int=2), UUID(int=3), "P000", "put", strike, far_away(), 1)


def test_open_positions_are_as_many_as_were_asked(tmp_path: Path) -> None:
    watched = positions.seed(tmp_path, 20)
    with closing(event_store.open_sqlite(tmp_path / "ledger.db")) as log:
        sold = [each for each in log.after(0, 10_000) if each.name == "OptionSold"]
    assert {each.stream_id for each in sold} == set(watched.held)
    assert len(sold) == 20


async def test_the_light_client_asks_again_and_again_on_one_connection() -> None:
    with echo.serving() as port:
        async with client.connections(port, 1) as (connection,):
            answers = [
                await connection.get("/"),
                await connection.post("/", b"{}"),
                await connection.get("/"),
            ]
    assert answers == [b"{}"] * 3


async def test_a_pace_is_kept_however_long_each_takes() -> None:
    assert len(await trading.paced(_nothing, rate=200, seconds=0.1)) == 20


async def _nothing() -> None:
    pass


# --- figures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert figures.percentile([float(n) for n in range(100, 0, -1)], percent) == value


def test_a_ratio_is_told_beside_the_kept_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(baseline, "HERE", tmp_path)
    baseline.write("baseline", [LINE], "full")
    better = replace(LINE, value=60.0)
    Console(width=150).print(table.of([[better]], baseline.read("full")))
    assert re.search(r"0\.500 +0\.250", capsys.readouterr().out)


def test_a_part_measured_alone_leaves_the_other_lines_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "HERE", tmp_path)
    baseline.write("baseline", [LINE], "full")
    baseline.write("baseline", [replace(LINE, key="y")], "full")
    kept = baseline.read("full")
    assert kept is not None
    assert kept.lines.keys() == {"x", "y"}
    assert baseline.read("quick") is None
