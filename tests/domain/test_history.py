"""Two clocks: what had happened by an instant, as far as it was known by another."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import commands, facts, history, law, policies, refusals, wheel
from domain.story import told
from tests.domain import anything
from tests.domain.desk import MONDAY, Desk, sale, usd

HOUR = timedelta(hours=1)
OF = {"portfolio_id": UUID(int=1), "symbol": "XYZ"}


def bought(version: int, at: datetime, shares: int = 1) -> facts.Recorded:
    fact = facts.SharesBought(**OF, shares=shares, price=usd(1))  # type: ignore[arg-type]
    return recorded(version, at, fact)


def recorded(version: int, at: datetime, fact: facts.Fact) -> facts.Recorded:
    """A fact that was learned `version` hours after Monday."""
    learned = MONDAY + version * HOUR
    return facts.Recorded(0, UUID(int=2), version, learned, at, "api", UUID(int=3), None, fact)


def corrected(version: int, target: int, **changes: Any) -> facts.Recorded:
    fact = facts.FactCorrected(
        **OF,  # type: ignore[arg-type]
        fact_version=target,
        changes=changes,
        reason="a slip of the pen",
    )
    return recorded(version, MONDAY, fact)


def voided(version: int, target: int) -> facts.Recorded:
    fact = facts.FactVoided(**OF, fact_version=target, reason="never")  # type: ignore[arg-type]
    return recorded(version, MONDAY, fact)


def shares(stream: list[facts.Recorded], known_at: datetime | None = None) -> list[int]:
    """The shares of each purchase that stands, in the order of the timeline."""
    line = history.timeline(history.believed(stream, known_at).values())
    return [each.fact.shares for each in line if isinstance(each.fact, facts.SharesBought)]


def test_facts_stand_in_the_order_in_which_they_happened() -> None:
    late = [bought(1, MONDAY + 2 * HOUR, 1), bought(2, MONDAY, 2), bought(3, MONDAY, 3)]
    assert shares(late) == [2, 3, 1]


def test_the_start_comes_first_whatever_its_date() -> None:
    start = recorded(1, MONDAY + 9 * HOUR, facts.WheelStarted(**OF))  # type: ignore[arg-type]
    line = history.timeline(history.believed([start, bought(2, MONDAY)]).values(), MONDAY)
    assert [each.version for each in line] == [1, 2]


def test_a_correction_changes_the_fact_and_keeps_its_place() -> None:
    stream = [bought(1, MONDAY, 1), bought(2, MONDAY, 2), corrected(3, 1, shares=7)]
    assert shares(stream) == [7, 2]
    assert history.believed(stream)[1].amended_by == (3,)


def test_a_corrected_day_moves_the_fact() -> None:
    stream = [bought(1, MONDAY, 1), bought(2, MONDAY + HOUR, 2)]
    stream.append(corrected(3, 1, effective_at=(MONDAY + 2 * HOUR).isoformat()))
    assert shares(stream) == [2, 1]


def test_what_is_voided_does_not_stand_but_is_remembered() -> None:
    stream = [bought(1, MONDAY, 1), bought(2, MONDAY, 2), voided(3, 1)]
    assert shares(stream) == [2]
    assert history.believed(stream)[1].voided


def test_an_amendment_is_known_from_when_it_was_recorded() -> None:
    stream = [bought(1, MONDAY, 1), corrected(2, 1, shares=7), voided(3, 1)]
    believed = [shares(stream, MONDAY + hours * HOUR) for hours in (0, 1, 2, 3)]
    assert believed == [[], [1], [7], []]


@pytest.mark.parametrize("target", [0, 2, 3, 99])
def test_an_amendment_of_nothing_amends_nothing(target: int) -> None:
    assert shares([bought(1, MONDAY, 1), voided(2, target), corrected(3, target)]) == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"shares": "many"},
        {"shares": None},
        {"effective_at": "yesterday"},
        {"effective_at": "2026-01-05T15:00:00"},
        {"type": "SharesSold"},
    ],
)
def test_a_correction_that_cannot_be_meant_is_refused_but_readable(changes: dict[str, Any]) -> None:
    entry = history.entry(bought(1, MONDAY, 5))
    with pytest.raises(refusals.Invalid):
        history.corrected(entry, changes)
    assert shares([bought(1, MONDAY, 5), corrected(2, 1, **changes)]) == [5]


def test_the_two_clocks_are_independent() -> None:
    desk = Desk("50000")
    desk.on("2026-01-15")
    desk.buys(100, "50", effective_at="2026-01-13")
    told_on = {"thursday": desk.now, "wednesday": desk.now - timedelta(days=1)}
    held = {
        (as_of, known_at): desk.then(told_on[as_of], told_on[known_at]).shares
        for as_of in told_on
        for known_at in told_on
    }
    assert held == {
        ("thursday", "thursday"): 100,
        ("wednesday", "thursday"): 100,
        ("thursday", "wednesday"): 0,
        ("wednesday", "wednesday"): 0,
    }


def test_before_anything_was_known_there_was_no_wheel() -> None:
    desk = Desk()
    story = told(desk.wheel_id, desk.stream, known_at=MONDAY - HOUR)
    assert (story.version, story.wheel.started) == (0, False)


def test_what_was_answered_once_is_answered_again() -> None:
    desk = Desk("50000")
    put = desk.put("100", "1.00", 2)
    then, answered = desk.story.recorded_at, desk.wheel
    assert then is not None
    desk.corrects(put, premium_per_share=usd(2))
    desk.does(sale("put", opened_at="2026-01-02"))
    desk.voids(put)
    assert desk.then(then, known_at=then) == answered


def test_a_fact_is_learned_after_the_last_even_when_the_clock_stands_still() -> None:
    desk = Desk()
    desk.now = MONDAY
    (second,) = desk.does(commands.ConfigureWheel(profile="moderate"))
    assert second.recorded_at == MONDAY + timedelta(microseconds=1)
    assert second.effective_at == MONDAY


ANY_FACT = anything.recorded(facts.STREAM_KINDS["wheel"])


@given(st.lists(ANY_FACT | anything.CORRECTIONS.map(lambda fact: recorded(1, MONDAY, fact))))
def test_any_facts_in_any_order_can_be_read(some: list[facts.Recorded]) -> None:
    stream = [msgspec.structs.replace(each, version=n) for n, each in enumerate(some, 1)]
    line = history.timeline(history.believed(stream).values())
    assert isinstance(wheel.fold(line), wheel.Wheel)
    for policy in policies.POLICIES:
        assert policies.total(policies.income(policy, line)).is_finite()
    for each in line:
        broken = law.law(wheel.fold(line), each)
        assert broken is None or isinstance(broken, refusals.Refusal)
