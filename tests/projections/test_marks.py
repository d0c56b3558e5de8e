"""Marks in the views: each a row, live as after a rebuild; and the trend that they show."""

from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.event_store import EventStore
from domain import facts, ports, valuation
from projections import rebuild, snapshots, tables
from projections.projector import Projector
from tests.domain.desk import Desk, usd
from tests.projections import ledger


class Marker:
    """Marks a desk's wheel."""

    def __init__(self, desk: Desk, log: ports.Log | None = None) -> None:
        self.desk = desk
        self.log = log
        self.state = valuation.UNMARKED

    def marks(self, price: str, mids: dict[UUID, str] | None = None, **said: Any) -> facts.Recorded:
        command = valuation.MarkPosition(
            price=usd(price),
            options=tuple(
                valuation.OptionPrice(trade_id=each, mid=usd(mid))
                for each, mid in (mids or {}).items()
            ),
            **said,
        )
        now, story = self.desk.now, self.desk.story
        at = valuation.effective_at(story, command, None, {}, now)
        (recorded,) = valuation.decide(
            self.state, story, command, None, {}, at=at, now=now, command_id=UUID(int=7)
        )
        if self.log is not None:
            self.log.append([recorded])
        self.state = valuation.evolve(self.state, recorded)
        return recorded

    def trend(self, *marks: facts.Recorded) -> list[snapshots.Point]:
        days = [date(2026, 1, 5) + timedelta(days=n) for n in range(len(marks))]
        told = [snapshots.snapshot(each) for each in marks]
        return snapshots.trend(list(zip(days, told, strict=True)))


def test_marks_that_were_followed_equal_those_that_are_rebuilt(
    log: EventStore, tmp_path: Path
) -> None:
    link = tmp_path / "views.db"
    marker = Marker(ledger.lively(log), log)
    with closing(tables.create(tables.current(link))) as connection:
        projector = Projector(log, connection)
        projector.advance()
        for price, day in (("98", "2026-01-06"), ("97", "2026-01-05"), ("96", "2026-01-06")):
            marker.marks(price, effective_at=day)
            projector.advance()
        assert connection.execute("SELECT price FROM marks ORDER BY at, version").fetchall() == [
            (97.0,),
            (98.0,),
            (96.0,),
        ]
    done = rebuild.rebuild(log, link)
    assert done.before == done.after


def test_time_value_that_goes_is_decay() -> None:
    marker = Marker(Desk("50000"))
    put = marker.desk.put("100", "1.50", 2)
    first = marker.marks("102", {put: "1.50"})
    _, point = marker.trend(first, marker.marks("101", {put: "1.30"}))
    assert (point.time_value, point.time_decay, point.option_value) == (
        usd("260.00"),
        usd("-40.00"),
        usd("260.00"),
    )


def test_what_was_not_open_before_has_not_decayed() -> None:
    marker = Marker(Desk("50000"))
    put = marker.desk.put("100", "1.50")
    first = marker.marks("102", {put: "1.50"})
    new = marker.desk.put("95", "0.80")
    _, point = marker.trend(first, marker.marks("102", {put: "1.20", new: "0.80"}))
    assert (point.time_decay, point.time_value) == (usd("-30.00"), usd("200.00"))


def test_what_is_closed_in_part_decays_by_what_is_left() -> None:
    marker = Marker(Desk("50000"))
    put = marker.desk.put("100", "1.50", 3)
    first = marker.marks("102", {put: "1.50"})
    marker.desk.closes(put, "1.50", 2)
    _, point = marker.trend(first, marker.marks("102", {put: "1.20"}))
    assert point.time_decay == usd("-30.00")


def test_a_split_makes_another_contract() -> None:
    marker = Marker(Desk("50000"))
    put = marker.desk.put("100", "1.50")
    first = marker.marks("102", {put: "1.50"})
    marker.desk.splits(2, 1)
    _, point = marker.trend(first, marker.marks("51", {put: "0.70"}))
    assert (point.time_decay, point.time_value) == (None, usd("140.00"))


def test_the_most_endangered_option_comes_first() -> None:
    marker = Marker(Desk("50000"))
    marker.desk.put("80", "0.50")
    near = marker.desk.put("101", "2.50")
    shown = snapshots.snapshot(marker.marks("100"))
    assert (shown.options[0].trade_id, shown.risk_level) == (near, "HIGH")


def test_what_is_unrealized_adds_up() -> None:
    desk = Desk("50000")
    put = desk.put("100", "1.50", 2)
    desk.buys(100, "98")
    shown = snapshots.snapshot(Marker(desk).marks("97.50", {put: "2.75"}))
    assert (shown.share_value, shown.stock_unrealized) == (usd("9750.00"), usd("-50.00"))
    assert (shown.option_value, shown.option_unrealized) == (usd("550.00"), usd("-250.00"))
    assert shown.unrealized_pnl == usd("-300.00")


def test_a_wheel_of_cash_has_nothing_unrealized() -> None:
    shown = snapshots.snapshot(Marker(Desk()).marks("100"))
    assert (shown.unrealized_pnl, shown.option_value) == (usd(0), usd(0))
