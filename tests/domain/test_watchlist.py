"""The life of the watchlist."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain import facts, refusals, watchlist

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
SYMBOLS = st.sampled_from(["AAPL", "BRK.B", "spy"])


def decided(state: watchlist.Watchlist, order: watchlist.Order) -> list[facts.Recorded]:
    return watchlist.decide(state, order, now=NOON, command_id=UUID(int=9))


def watch(symbol: str, **said: Any) -> watchlist.Watch:
    return watchlist.Watch(symbol=symbol, **said)


def unwatch(symbol: str) -> watchlist.Unwatch:
    return watchlist.Unwatch(symbol=symbol)


def after(*orders: watchlist.Order) -> watchlist.Watchlist:
    state = watchlist.EMPTY
    for order in orders:
        state = watchlist.fold(decided(state, order), state)
    return state


def test_a_symbol_is_kept_as_it_is_written_everywhere() -> None:
    [entry] = after(watch("brk.b", notes="cheap", profile="moderate")).watched
    assert (entry.symbol, entry.notes, entry.profile) == ("BRK.B", "cheap", "moderate")
    assert (entry.watched_at, entry.version) == (NOON, 1)


@pytest.mark.parametrize("symbol", ["A B", ".A", "*", "A>", "Ä", "ELEVENCHARS"])
def test_what_is_no_symbol_is_not_watched(symbol: str) -> None:
    with pytest.raises(refusals.Invalid, match="symbol"):
        decided(watchlist.EMPTY, watch(symbol))


def test_the_same_symbol_twice_is_refused_whatever_is_said_of_it() -> None:
    with pytest.raises(refusals.Exists):
        decided(after(watch("AAPL")), watch("aapl", profile="aggressive"))


@pytest.mark.parametrize("given", [[], [watch("AAPL"), unwatch("AAPL")], [watch("SPY")]])
def test_what_is_not_watched_cannot_be_taken_off(given: list[watchlist.Order]) -> None:
    with pytest.raises(refusals.Unknown):
        decided(after(*given), unwatch("AAPL"))


def test_a_symbol_that_comes_back_is_as_it_is_said_now() -> None:
    state = after(watch("AAPL", notes="old"), unwatch("aapl"), watch("AAPL", profile="defensive"))
    assert [(each.notes, each.profile, each.version) for each in state.watched] == [
        (None, "defensive", 3)
    ]


def test_what_is_taken_off_is_still_known_as_it_was() -> None:
    gone = after(watch("AAPL", notes="old"), unwatch("AAPL")).entries["AAPL"]
    assert (gone.notes, gone.is_watched, gone.version) == ("old", False, 2)


def test_it_may_have_been_watched_before_it_was_entered() -> None:
    [entry] = after(watch("AAPL", effective_at="2026-02-27T15:00:00Z")).watched
    assert entry.watched_at == datetime(2026, 2, 27, 15, 0, tzinfo=UTC)


def test_nothing_is_recorded_before_what_was_recorded_last() -> None:
    recorded = decided(after(watch("AAPL")), watch("SPY"))
    assert recorded[0].recorded_at == NOON + timedelta(microseconds=1)


def test_what_is_recorded_can_be_read_however_it_came_about() -> None:
    strange = [
        facts.SymbolUnwatched(symbol="AAPL"),
        facts.WheelArchived(portfolio_id=UUID(int=1), symbol="AAPL"),
    ]
    history = [
        facts.Recorded(n, UUID(int=1), n, NOON, NOON, "x", UUID(int=9), None, fact)
        for n, fact in enumerate(strange, 1)
    ]
    state = watchlist.fold(history)
    assert (state.version, state.watched) == (2, [])


class Lifecycle(RuleBasedStateMachine):
    """Whatever is put on and taken off, the list is what was last said of each symbol."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[facts.Recorded] = []
        self.expected: set[str] = set()

    def order(self, order: watchlist.Order) -> None:
        self.history += decided(watchlist.fold(self.history), order)

    @rule(symbol=SYMBOLS)
    def somebody_watches(self, symbol: str) -> None:
        if symbol.upper() in self.expected:
            with pytest.raises(refusals.Exists):
                self.order(watch(symbol))
        else:
            self.order(watch(symbol))
            self.expected.add(symbol.upper())

    @rule(symbol=SYMBOLS)
    def somebody_looks_away(self, symbol: str) -> None:
        if symbol.upper() not in self.expected:
            with pytest.raises(refusals.Unknown):
                self.order(unwatch(symbol))
        else:
            self.order(unwatch(symbol))
            self.expected.remove(symbol.upper())

    @invariant()
    def the_list_is_what_was_said(self) -> None:
        watched = watchlist.fold(self.history).watched
        assert [each.symbol for each in watched] == sorted(self.expected)

    @invariant()
    def versions_count_the_facts(self) -> None:
        assert [each.version for each in self.history] == list(range(1, len(self.history) + 1))


TestLifecycle = Lifecycle.TestCase
