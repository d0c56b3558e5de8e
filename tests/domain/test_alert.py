"""The life of an alert."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain import alert, facts, refusals

NOON = datetime(2026, 1, 5, 17, 0, tzinfo=UTC)
LATER = "2026-01-05T18:00:00Z"

TOLD = facts.AlertRaised(
    portfolio_id=UUID(int=1),
    wheel_id=UUID(int=2),
    trade_id=UUID(int=3),
    symbol="AAPL",
    rule="itm",
    severity="HIGH",
    message="in the money",
    direction="put",
    strike=Decimal(150),
    expiration_date=NOON.date(),
)
RAISE = alert.Raise(TOLD)
CLEAR = alert.Clear("moved away", Decimal(151))
SEEN = alert.Acknowledge()
MUTE = alert.Mute(until=LATER)
DISMISS = alert.Dismiss()


def recorded(fact: facts.Fact, version: int, at: datetime = NOON) -> facts.Recorded:
    stream = facts.alert_stream(TOLD.trade_id, TOLD.rule)
    return facts.Recorded(version, stream, version, at, at, "risk", UUID(int=9), None, fact)


def after(*commands: alert.Command) -> alert.Alert:
    """The alert once these commands have been carried out."""
    state = alert.QUIET
    for each in commands:
        for fact in alert.decide(state, each, NOON):
            state = alert.evolve(state, recorded(fact, state.version + 1))
    return state


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        ([], RAISE, ["AlertRaised"]),
        ([RAISE], RAISE, []),
        ([RAISE, SEEN], RAISE, []),
        ([RAISE, MUTE], RAISE, []),
        ([RAISE, CLEAR], RAISE, ["AlertRaised"]),
        ([], CLEAR, []),
        ([RAISE], CLEAR, ["AlertCleared"]),
        ([RAISE, SEEN, MUTE], CLEAR, ["AlertCleared"]),
        ([RAISE, CLEAR], CLEAR, []),
        ([RAISE, SEEN, MUTE], DISMISS, ["AlertCleared"]),
        ([RAISE, DISMISS], CLEAR, []),
        ([RAISE, DISMISS], RAISE, ["AlertRaised"]),
        ([RAISE], SEEN, ["AlertAcknowledged"]),
        ([RAISE, SEEN], SEEN, []),
        ([RAISE, SEEN, CLEAR, RAISE], SEEN, ["AlertAcknowledged"]),
        ([RAISE], MUTE, ["AlertMuted"]),
        ([RAISE, MUTE], MUTE, []),
        ([RAISE, MUTE], alert.Mute(until="2026-01-05T19:00:00Z"), ["AlertMuted"]),
        ([RAISE, MUTE, CLEAR, RAISE], MUTE, []),
    ],
)
def test_what_an_order_leads_to(
    given: list[alert.Command], when: alert.Command, then: list[str]
) -> None:
    decided = alert.decide(after(*given), when, NOON)
    assert [facts.name_of(type(each)) for each in decided] == then


@pytest.mark.parametrize("given", [[], [RAISE, CLEAR]])
@pytest.mark.parametrize("when", [SEEN, MUTE, DISMISS])
def test_nobody_answers_an_alert_that_is_not_raised(
    given: list[alert.Command], when: alert.Command
) -> None:
    with pytest.raises(refusals.OutOfTurn):
        alert.decide(after(*given), when, NOON)


@pytest.mark.parametrize(
    "until",
    [
        "2026-01-05T16:59:59Z",
        "2026-01-05T17:00:00Z",
        "2026-01-05T12:00:00-05:00",
        "2026-01-05T18:00:00",
        "2026-01-04",
        "2200-01-02",
        "9999-12-31T23:59:59-14:00",
        "tomorrow",
        "",
    ],
)
def test_silence_ends_at_an_instant_that_is_still_to_come(until: str) -> None:
    with pytest.raises(refusals.Invalid):
        alert.decide(after(RAISE), alert.Mute(until=until), NOON)


def test_silence_is_kept_in_utc() -> None:
    [muted] = alert.decide(after(RAISE), alert.Mute(until="2026-01-05T13:00:00-05:00"), NOON)
    assert muted == facts.AlertMuted(
        portfolio_id=UUID(int=1),
        wheel_id=UUID(int=2),
        trade_id=UUID(int=3),
        symbol="AAPL",
        rule="itm",
        severity="HIGH",
        until=datetime(2026, 1, 5, 18, 0, tzinfo=UTC),
    )


def test_silence_until_a_date_lasts_to_the_end_of_that_day_in_new_york() -> None:
    [muted] = alert.decide(after(RAISE), alert.Mute(until="2026-01-05"), NOON)
    assert isinstance(muted, facts.AlertMuted)
    assert muted.until.isoformat() == "2026-01-06T04:59:59.999999+00:00"


def test_an_alert_remembers_when_it_was_raised() -> None:
    history = [recorded(TOLD, 1, NOON), recorded(alert.decide(after(RAISE), SEEN, NOON)[0], 2)]
    assert alert.fold(history).raised_at == NOON


def test_what_is_muted_stays_silent_when_it_is_raised_again() -> None:
    assert after(RAISE, MUTE, CLEAR, RAISE).muted_until == datetime(2026, 1, 5, 18, 0, tzinfo=UTC)


def test_a_cleared_alert_still_tells_what_it_was_about() -> None:
    state = after(RAISE, CLEAR)
    assert (state.is_active, state.told, state.raised_at) == (False, TOLD, NOON)


@pytest.mark.parametrize(
    "unlawful",
    [
        [facts.AlertCleared(**alert._whose(after(RAISE)), reason="")],
        [facts.AlertAcknowledged(**alert._whose(after(RAISE)))],
        [TOLD, TOLD],
        [facts.WheelArchived(portfolio_id=UUID(int=1), symbol="AAPL")],
    ],
)
def test_what_is_recorded_can_be_read_however_it_came_about(unlawful: list[facts.Fact]) -> None:
    history = [recorded(fact, version) for version, fact in enumerate(unlawful, 1)]
    assert alert.fold(history).version == len(history)


class Lifecycle(RuleBasedStateMachine):
    """Whatever the watch and the people do, in whatever order, the story makes sense."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[facts.Recorded] = []
        self.now = NOON

    def order(self, command: alert.Command) -> None:
        state = alert.fold(self.history)
        for fact in alert.decide(state, command, self.now):
            assert isinstance(fact, facts.AlertFact)
            assert alert.law(state, fact) is None
            self.history.append(recorded(fact, len(self.history) + 1, self.now))

    @rule(minutes=st.integers(0, 60))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(command=st.sampled_from([RAISE, CLEAR]))
    def the_watch_speaks(self, command: alert.Command) -> None:
        self.order(command)

    @rule()
    def somebody_has_seen_it(self) -> None:
        self.answered(SEEN)

    @rule(minutes=st.integers(-10, 60))
    def somebody_wants_silence(self, minutes: int) -> None:
        until = self.now + timedelta(minutes=minutes)
        if minutes <= 0:
            with pytest.raises(refusals.Invalid):
                self.order(alert.Mute(until=until.isoformat()))
        else:
            self.answered(alert.Mute(until=until.isoformat()))

    def answered(self, command: alert.Command) -> None:
        if alert.fold(self.history).is_active:
            self.order(command)
        else:
            with pytest.raises(refusals.OutOfTurn):
                self.order(command)

    @invariant()
    def it_is_raised_and_cleared_in_turns(self) -> None:
        turns = [
            type(each.fact)
            for each in self.history
            if isinstance(each.fact, facts.AlertRaised | facts.AlertCleared)
        ]
        pair = [facts.AlertRaised, facts.AlertCleared]
        assert turns == (pair * len(turns))[: len(turns)]

    @invariant()
    def it_is_active_from_its_raising_to_its_clearing(self) -> None:
        turns = [
            each.fact
            for each in self.history
            if isinstance(each.fact, facts.AlertRaised | facts.AlertCleared)
        ]
        raised = bool(turns) and isinstance(turns[-1], facts.AlertRaised)
        assert alert.fold(self.history).is_active is raised

    @invariant()
    def nobody_has_seen_what_was_only_just_raised(self) -> None:
        just_raised = bool(self.history) and isinstance(self.history[-1].fact, facts.AlertRaised)
        assert not (just_raised and alert.fold(self.history).acknowledged)


TestLifecycle = Lifecycle.TestCase
