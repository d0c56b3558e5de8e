"""What was configured, folded from the settings stream."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain import commands, configuration, facts

AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
ID = UUID(int=5)


def changed(
    state: configuration.Configuration, **changes: str | float | bool | None
) -> configuration.Configuration:
    """The state after a change, ordered at an instant that stands still."""
    command = commands.ChangeConfiguration(changes=changes)
    before = dict.fromkeys(changes, "before")
    for fact in configuration.change(state, command, before, now=AT, command_id=ID):
        state = configuration.evolve(state, fact)
    return state


def test_the_last_word_on_a_key_counts() -> None:
    state = changed(changed(configuration.Configuration(), a="1", b="2"), a="3")
    assert state.values == {"a": "3", "b": "2"}


def test_null_takes_a_word_back() -> None:
    state = changed(changed(configuration.Configuration(), a="1"), a=None)
    assert (state.values, state.version) == ({}, 2)


def test_what_has_its_value_already_is_no_change() -> None:
    state = changed(configuration.Configuration(), a="1")
    assert changed(state, a="1") == state
    assert changed(state, b=None) == state


def test_values_are_kept_as_the_environment_would_have_them() -> None:
    state = changed(configuration.Configuration(), a=0.65, b=300.0, c=True, d=1e-7, e=7)
    assert state.values == {"a": "0.65", "b": "300", "c": "true", "d": "1e-07", "e": "7"}


def test_only_what_changes_is_told_with_what_it_was_before() -> None:
    state = changed(configuration.Configuration(), a="1")
    fact = changed(state, a="1", b="2").said["b"].fact
    assert fact == facts.ConfigurationChanged(changes={"b": "2"}, before={"b": "before"})


def test_the_choice_of_a_portfolio_and_changes_of_keys_share_a_stream() -> None:
    state = changed(configuration.Configuration(), a="1")
    command = commands.ChooseDefault(portfolio_id=str(ID))
    (chosen,) = configuration.choose_default(state, command, ID, now=AT, command_id=ID)
    after = configuration.evolve(state, chosen)
    assert (after.version, after.changed, after.default_portfolio) == (2, 1, ID)
    assert after.values == {"a": "1"}
    assert configuration.choose_default(after, command, ID, now=AT, command_id=ID) == []


def test_later_is_later_although_the_clock_stands_still() -> None:
    state = changed(changed(configuration.Configuration(), a="1"), a="2")
    assert state.recorded_at == AT + timedelta(microseconds=1)
