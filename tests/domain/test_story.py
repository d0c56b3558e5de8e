"""A wheel's whole life, kept ready for the next fact."""

from uuid import UUID

import pytest

from domain import history, wheel
from domain.story import Story, continued, told
from projections import books
from tests.domain.desk import Desk, usd


@pytest.fixture
def desk() -> Desk:
    """A life with a late fact, a correction and a void in it."""
    desk = Desk("50000")
    puts = desk.put("100", "1.50", 3)
    desk.buys(100, "99")
    desk.call("110", "1.00")
    desk.on("2026-01-15")
    desk.assigned(puts, 1, effective_at="2026-01-13")
    desk.corrects(puts, premium_per_share=usd("1.55"))
    desk.voids(desk.put("90", "0.70"))
    desk.splits(2, 1)
    return desk


def test_a_story_told_fact_by_fact_is_the_story_told_anew(desk: Desk) -> None:
    story = Story(desk.wheel_id)
    for n, each in enumerate(desk.stream, 1):
        story = story.then(each)
        assert story == told(desk.wheel_id, desk.stream[:n])


def test_a_story_can_be_continued_from_anywhere(desk: Desk) -> None:
    whole = told(desk.wheel_id, desk.stream)
    for n in range(len(desk.stream)):
        begun = told(desk.wheel_id, desk.stream[:n])
        assert continued(begun, desk.stream[n:]) == whole


def test_books_kept_fact_by_fact_are_the_books_written_anew(desk: Desk) -> None:
    kept = books.opened(desk.wheel_id, [])
    for n, each in enumerate(desk.stream, 1):
        kept = kept.then(each)
        assert kept == books.opened(desk.wheel_id, desk.stream[:n])


def test_the_line_leads_to_the_wheel(desk: Desk) -> None:
    assert wheel.fold(desk.story.line) == desk.story.wheel
    assert list(desk.story.line) == history.timeline(desk.story.entries.values())


def test_a_fact_that_comes_last_is_folded_on_and_nothing_else() -> None:
    desk = Desk()
    desk.put("100", "1.00")
    before = desk.story
    desk.buys(1, "1")
    assert desk.story.line[:-1] == before.line
    assert all(a is b for a, b in zip(desk.story.line, before.line, strict=False))


def test_a_story_of_nothing_is_a_wheel_that_was_never_started() -> None:
    story = told(UUID(int=1), [])
    assert (story.version, story.recorded_at, story.wheel.started) == (0, None, False)


def test_voided_trades_are_remembered_as_they_stood_by_themselves(desk: Desk) -> None:
    (voided,) = desk.story.voided_trades.values()
    assert (voided.strike, voided.open_contracts, voided.total_premium) == (usd(90), 1, usd(70))
