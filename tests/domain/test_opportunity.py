"""The life of an opportunity."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain import facts, opportunity, refusals
from tests.domain.finds import FOUND, NOON, found

FIND = opportunity.Find(FOUND)
READ = opportunity.Read()


def recorded(fact: facts.Fact, version: int) -> facts.Recorded:
    stream = facts.opportunity_stream(FOUND)
    return facts.Recorded(version, stream, version, NOON, NOON, "x", UUID(int=9), None, fact)


def after(*commands: opportunity.Command) -> opportunity.Opportunity:
    """The opportunity once these commands have been carried out."""
    state = opportunity.NOTHING
    for each in commands:
        for fact in opportunity.decide(state, each):
            state = opportunity.evolve(state, recorded(fact, state.version + 1))
    return state


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        ([], FIND, ["OpportunityFound"]),
        ([FIND], FIND, []),
        ([FIND], opportunity.Find(found(bid=Decimal("0.70"), rank=3)), []),
        ([FIND, READ], FIND, []),
        ([FIND], READ, ["OpportunityRead"]),
        ([FIND, READ], READ, []),
    ],
)
def test_what_a_command_leads_to(
    given: list[opportunity.Command], when: opportunity.Command, then: list[str]
) -> None:
    decided = opportunity.decide(after(*given), when)
    assert [facts.name_of(type(each)) for each in decided] == then


def test_nobody_reads_what_was_never_found() -> None:
    with pytest.raises(refusals.OutOfTurn):
        opportunity.decide(opportunity.NOTHING, READ)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score", float("nan")),
        ("delta", float("inf")),
        ("strike", Decimal("NaN")),
        ("ask", Decimal("Infinity")),
        ("expiration_date", date(2026, 3, 1)),
    ],
)
def test_a_find_that_makes_no_sense_is_not_written_down(field: str, value: Any) -> None:
    with pytest.raises(refusals.Invalid, match=field):
        opportunity.decide(opportunity.NOTHING, opportunity.Find(found(**{field: value})))


def test_what_is_read_says_of_which_contract_and_day() -> None:
    [read] = opportunity.decide(after(FIND), READ)
    assert read == facts.OpportunityRead(
        day=FOUND.day,
        symbol="AAPL",
        direction="put",
        strike=Decimal("142.50"),
        expiration_date=date(2026, 3, 13),
    )


@pytest.mark.parametrize(
    "other",
    [
        {"day": date(2026, 3, 3)},
        {"symbol": "AAP"},
        {"direction": "call"},
        {"strike": Decimal(145)},
        {"expiration_date": date(2026, 3, 20)},
    ],
)
def test_another_contract_or_another_day_is_another_opportunity(other: dict[str, Any]) -> None:
    assert facts.opportunity_stream(found(**other)) != facts.opportunity_stream(FOUND)


def test_the_same_contract_is_the_same_however_it_is_written_and_whatever_it_is_worth() -> None:
    same = found(strike=Decimal("142.5000"), bid=Decimal("0.01"), scan_id=UUID(int=8), rank=9)
    assert facts.opportunity_stream(same) == facts.opportunity_stream(FOUND)
    hundred = [found(strike=Decimal(strike)) for strike in ("100", "1E+2", "100.00")]
    assert len({facts.opportunity_stream(each) for each in hundred}) == 1


@pytest.mark.parametrize(
    "unlawful",
    [
        opportunity.decide(after(FIND), READ),
        [FOUND, FOUND],
        [facts.WheelArchived(portfolio_id=UUID(int=1), symbol="AAPL")],
    ],
)
def test_what_is_recorded_can_be_read_however_it_came_about(unlawful: list[facts.Fact]) -> None:
    history = [recorded(fact, version) for version, fact in enumerate(unlawful, 1)]
    assert opportunity.fold(history).version == len(history)


class Lifecycle(RuleBasedStateMachine):
    """However often it is scanned and read, the story makes sense."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[facts.Recorded] = []
        self.scans = 0

    def order(self, command: opportunity.Command) -> None:
        state = opportunity.fold(self.history)
        for fact in opportunity.decide(state, command):
            assert opportunity.law(state, fact) is None
            self.history.append(recorded(fact, len(self.history) + 1))

    @rule(bid=st.decimals("0.05", "9.99", places=2), minutes=st.integers(0, 300))
    def it_is_scanned(self, bid: Decimal, minutes: int) -> None:
        self.scans += 1
        at = NOON + timedelta(minutes=minutes)
        self.order(opportunity.Find(found(bid=bid, price_as_of=at, scan_id=UUID(int=self.scans))))

    @rule()
    def somebody_reads_it(self) -> None:
        if self.scans:
            self.order(READ)
        else:
            with pytest.raises(refusals.OutOfTurn):
                self.order(READ)

    @invariant()
    def it_is_told_once_as_it_was_found_first(self) -> None:
        finds = [e.fact for e in self.history if isinstance(e.fact, facts.OpportunityFound)]
        assert len(finds) == min(self.scans, 1)
        assert all(each.scan_id == UUID(int=1) for each in finds)

    @invariant()
    def it_stays_read(self) -> None:
        reads = [e for e in self.history if isinstance(e.fact, facts.OpportunityRead)]
        assert opportunity.fold(self.history).is_read is (len(reads) == 1)


TestLifecycle = Lifecycle.TestCase
