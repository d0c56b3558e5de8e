"""The life of a notification: what is planned, and what becomes of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from domain import channel, facts, notification, permit

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
NIGHT = NOON + timedelta(hours=12)
MORNING = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
QUIET = facts.Quiet(start="22:00", end="07:00")
ALERT = UUID(int=1)
STREAM = UUID(int=7)


def way(**said: Any) -> channel.Channel:
    order = channel.Order("mail", channel.Setup(**said), channel.Address("0", "json"), is_new=True)
    told = channel.decide(channel.NONE, order, now=NOON, command_id=UUID(int=9))
    return channel.fold(told).there[0]


def raised(**said: Any) -> facts.AlertRaised:
    return facts.AlertRaised(
        **{"symbol": "XYZ", "rule": "itm", "severity": "MEDIUM", "message": "look"} | said
    )


def recorded(fact: facts.Fact, position: int = 5, at: datetime = NOON) -> facts.Recorded:
    return facts.Recorded(position, ALERT, position, at, at, "risk", UUID(int=3), None, fact)


def cleared() -> facts.AlertCleared:
    return facts.AlertCleared(symbol="XYZ", rule="itm", severity="MEDIUM", reason="OTM")


def plan(
    over: channel.Channel, *facts_: facts.Fact, now: datetime = NOON
) -> facts.NotificationPlanned | None:
    """What is planned of the last of an alert's facts."""
    stream = [recorded(fact, n, now) for n, fact in enumerate(facts_, 5)]
    return notification.planned(over, stream[-1], notification.standing(stream), now)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"severities": ("HIGH",)}, False),
        ({"severities": ("HIGH", "MEDIUM")}, True),
        ({"rules": ("near_strike",)}, False),
        ({"symbols": ("XYZ",)}, True),
        ({"symbols": ("ABC",)}, False),
        ({"portfolios": (UUID(int=1),)}, False),
    ],
)
def test_a_channel_is_told_of_what_it_is_for(said: dict[str, Any], wanted: bool) -> None:
    assert (plan(way(**said), raised()) is not None) == wanted


def test_what_is_muted_seen_or_over_is_not_told() -> None:
    whose: dict[str, Any] = {"symbol": "XYZ", "rule": "itm", "severity": "MEDIUM"}
    first = recorded(raised())
    for fact in (
        facts.AlertAcknowledged(**whose),
        facts.AlertMuted(**whose, until=NOON + timedelta(hours=1)),
        cleared(),
    ):
        standing = notification.standing([first, recorded(fact, 6)])
        assert notification.planned(way(), first, standing, NOON) is None


def test_what_was_raised_before_the_channel_was_set_up_is_not_told() -> None:
    old = recorded(raised(), at=NOON - timedelta(seconds=1))
    assert notification.planned(way(), old, notification.standing([old]), NOON) is None


def test_quiet_hours_hold_back_what_is_not_high() -> None:
    held = plan(way(quiet=QUIET), raised(), now=NIGHT)
    urgent = plan(way(quiet=QUIET), raised(severity="HIGH"), now=NIGHT)
    silent = plan(way(quiet=QUIET, high_passes=False), raised(severity="HIGH"), now=NIGHT)
    dues = [each and each.due for each in (held, urgent, silent)]
    assert dues == [MORNING, NIGHT, MORNING]


def test_a_digest_that_falls_into_quiet_hours_waits_for_their_end() -> None:
    gathered = plan(way(quiet=QUIET, digest=facts.Digest(every="hourly")), raised(), now=NIGHT)
    assert gathered is not None
    assert (gathered.gathered, gathered.due) == (True, MORNING)


def test_an_end_is_told_only_where_it_is_wanted() -> None:
    over = plan(way(severities=("HIGH",)), raised(), cleared())
    assert over is not None
    assert (over.alert, over.message) == ("cleared", "XYZ itm is over: OTM")
    assert plan(way(cleared=False), raised(), cleared()) is None


def test_pauses_double_up_to_a_quarter_of_an_hour_give_or_take_half() -> None:
    for attempt in range(1, notification.ATTEMPTS):
        share = notification.pause(STREAM, attempt) / min(
            timedelta(seconds=5) * 2.0 ** (attempt - 1), timedelta(minutes=15)
        )
        assert 0.5 <= share <= 1.5


def test_after_many_attempts_it_is_given_up() -> None:
    life = Life()
    life.plan()
    for _ in range(notification.ATTEMPTS - 1):
        life.begin()
        life.fail()
        assert life.state.status == "waiting"
    life.begin()
    life.fail()
    assert (life.state.status, life.state.due) == ("failed", None)


@dataclass
class _Counted:
    sent: int = 0
    taken: int = 0


class Life(RuleBasedStateMachine):
    """Whatever fails and dies, in whatever order, nothing is told twice without saying so."""

    def __init__(self) -> None:
        super().__init__()
        self.state = notification.NOTHING
        self.counted = _Counted()

    def _record(self, fact: facts.Fact) -> None:
        entry = facts.Recorded(
            0, STREAM, self.state.version + 1, NOON, NOON, "notifier", UUID(int=3), None, fact
        )
        self.state = notification.evolve(self.state, entry)

    @precondition(lambda self: self.state.plan is None)
    @rule()
    def plan(self) -> None:
        planned = plan(way(), raised())
        assert planned is not None
        self._record(planned)

    @rule()
    def wait(self) -> None:
        """Nothing happens, as nothing may when it is over."""

    @precondition(
        lambda self: self.state.plan and self.state.status == "waiting" and not self.state.begun
    )
    @rule()
    def begin(self) -> None:
        self._record(notification.begun(self.state))
        self.counted.sent += 1

    @precondition(lambda self: self.state.begun)
    @rule(took=st.booleans())
    def die(self, took: bool) -> None:
        """The process ends before it has written down what became of it."""
        self.counted.taken += took
        self.begin()

    @precondition(lambda self: self.state.begun)
    @rule()
    def fail(self) -> None:
        self._record(notification.failed(self.state, STREAM, "it was not reached", NOON))

    @precondition(lambda self: self.state.begun)
    @rule()
    def deliver(self) -> None:
        self.counted.taken += 1
        self._record(notification.delivered(self.state))

    @precondition(
        lambda self: self.state.plan and self.state.status == "waiting" and not self.state.begun
    )
    @rule()
    def withdraw(self) -> None:
        self._record(notification.withdrawn(self.state, "the alert is over"))

    @invariant()
    def a_repeat_says_that_it_may_be_one(self) -> None:
        assert self.counted.taken <= 1 or self.state.unsure

    @invariant()
    def every_attempt_is_counted(self) -> None:
        assert self.state.attempts == self.counted.sent

    @invariant()
    def what_is_delivered_is_known_to_have_reached(self) -> None:
        assert self.state.status != "delivered" or self.state.reached


TestLife = Life.TestCase


# --- signed links ----------------------------------------------------------------------------


def test_a_permit_holds_for_what_it_says_and_nothing_else() -> None:
    secret = b"s" * 32
    day = timedelta(days=1)
    good = permit.Permit(ALERT, 5, "mute", NOON + day, NOON + day)
    signed = permit.signature(good, secret)
    assert permit.holds(good, signed, secret, NOON)
    others = [
        replace(good, alert_id=UUID(int=2)),
        replace(good, raised=6),
        replace(good, what="clear"),
        replace(good, expires=good.expires + timedelta(seconds=1)),
        replace(good, until=None),
    ]
    assert not any(permit.holds(each, signed, secret, NOON) for each in others)
    assert not permit.holds(good, signed, b"t" * 32, NOON)
    assert not permit.holds(good, signed, secret, good.expires)
    assert not permit.holds(good, "é", secret, NOON)
