"""The life of the channels, and their hours."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain import channel, facts, hours, refusals

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
SOMEWHERE = channel.Address("0123", "json")
NIGHT = facts.Quiet(start="22:00", end="07:00")


def decided(state: channel.Channels, order: channel.Order) -> list[facts.Recorded]:
    return channel.decide(state, order, now=NOON, command_id=UUID(int=9))


def add(name: str, **said: Any) -> channel.Order:
    return channel.Order(name, channel.Setup(**said), SOMEWHERE, is_new=True)


def change(name: str, **said: Any) -> channel.Order:
    return channel.Order(name, channel.Setup(**said))


def remove(name: str) -> channel.Order:
    return channel.Order(name, channel.Remove())


def after(*orders: channel.Order) -> channel.Channels:
    state = channel.NONE
    for order in orders:
        state = channel.fold(decided(state, order), state)
    return state


def test_a_change_without_an_address_keeps_the_one_there_is() -> None:
    [way] = after(add("mail"), change("mail", symbols=("brk.b", "BRK.B"))).there
    assert (way.told.address, way.told.symbols, way.version) == ("0123", ("BRK.B",), 2)


def test_a_channel_that_comes_back_is_for_what_is_raised_from_then_on() -> None:
    state = after(add("mail"), change("mail"), remove("mail"), add("mail"))
    [way] = state.there
    assert way.since == NOON + timedelta(microseconds=3)


def test_a_name_is_used_once_and_unknown_ones_are_not_found() -> None:
    with pytest.raises(refusals.Exists):
        decided(after(add("mail")), add("mail"))
    for order in (change("mail"), remove("mail")):
        with pytest.raises(refusals.Unknown):
            decided(channel.NONE, order)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("quiet.start", {"quiet": facts.Quiet(start="24:00", end="07:00")}),
        ("quiet.end", {"quiet": facts.Quiet(start="22:00", end="22:00")}),
        ("quiet.zone", {"quiet": facts.Quiet(start="22:00", end="07:00", zone="Mars/Base")}),
        ("quiet.zone", {"quiet": facts.Quiet(start="22:00", end="07:00", zone="../etc")}),
        ("digest.at", {"digest": facts.Digest(every="daily")}),
        ("digest.at", {"digest": facts.Digest(every="hourly", at="08:00")}),
        ("digest.zone", {"digest": facts.Digest(every="hourly", zone="")}),
        ("escalation.to", {"escalation": facts.Escalation(after_minutes=5, to="nobody")}),
        ("escalation.to", {"escalation": facts.Escalation(after_minutes=5, to="new")}),
        ("escalation.after_minutes", {"escalation": facts.Escalation(after_minutes=0, to="mail")}),
        ("symbol", {"symbols": ("A B",)}),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(field: str, said: dict[str, Any]) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        decided(after(add("mail")), add("new", **said))
    assert refused.value.details["field"] == field


def test_a_channel_that_another_escalates_to_is_not_removed() -> None:
    escalation = facts.Escalation(after_minutes=5, to="phone")
    state = after(add("phone"), add("mail", escalation=escalation))
    with pytest.raises(refusals.OutOfTurn, match="mail escalates to phone"):
        decided(state, remove("phone"))


# --- hours -----------------------------------------------------------------------------------


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02 21:59", None),
        ("2026-03-02 22:00", "2026-03-03 07:00"),
        ("2026-03-03 06:59", "2026-03-03 07:00"),
        ("2026-03-03 07:00", None),
        ("2026-03-08 01:30", "2026-03-08 07:00"),
        ("2026-11-01 01:30", "2026-11-01 07:00"),
    ],
)
def test_quiet_hours_go_past_midnight_and_over_changes_of_the_clocks(
    at: str, until: str | None
) -> None:
    found = hours.quiet_until(NIGHT, new_york(at).astimezone(UTC))
    assert found == (until and new_york(until))


def test_an_hour_that_comes_twice_is_quiet_until_its_end_comes_first() -> None:
    quiet = facts.Quiet(start="00:00", end="01:30")
    first, second = (new_york("2026-11-01 01:29").replace(fold=fold) for fold in (0, 1))
    assert hours.quiet_until(quiet, first.astimezone(UTC)) == datetime(
        2026, 11, 1, 5, 30, tzinfo=UTC
    )
    assert hours.quiet_until(quiet, second.astimezone(UTC)) is None


def test_a_year_of_daily_digests_has_one_a_day_whatever_the_clocks_do() -> None:
    digest, now = facts.Digest(every="daily", at="02:30"), new_york("2026-01-01 00:00")
    seen = [now.astimezone(UTC)]
    while len(seen) <= 365:
        seen.append(hours.next_digest(digest, seen[-1]))
    days = [each.astimezone(ZoneInfo("America/New_York")).date() for each in seen[1:]]
    assert len(set(days)) == 365
    assert (days[0].isoformat(), days[-1].isoformat()) == ("2026-01-01", "2026-12-31")


def test_an_hourly_digest_comes_at_the_full_hour_ahead() -> None:
    digest = facts.Digest(every="hourly")
    assert hours.next_digest(digest, NOON) == NOON + timedelta(hours=1)
    assert hours.next_digest(digest, NOON + timedelta(minutes=59)) == NOON + timedelta(hours=1)
