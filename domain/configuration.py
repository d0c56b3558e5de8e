"""The settings stream: which portfolio is the default, and which keys were given values.

What a key accepts, and which keys may be changed here, the settings themselves know; this is
what was said, and by whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never
from uuid import UUID

import msgspec

from domain import commands, facts, moments


class Configuration(msgspec.Struct, frozen=True):
    """What was said so far; of each key the last fact that named it.

    `version` counts the stream's facts; `changed` is that of the last change of a key, `chosen`
    that of the last choice of a portfolio: neither makes an order on the other stale.
    """

    default_portfolio: UUID | None = None
    said: Mapping[str, facts.Recorded] = {}
    version: int = 0
    changed: int = 0
    chosen: int = 0
    recorded_at: datetime | None = None

    @property
    def values(self) -> dict[str, str]:
        """The keys that have a value here, as text."""
        changes = ((key, _change(recorded, key)) for key, recorded in self.said.items())
        return {key: value for key, value in changes if value is not None}


def _change(recorded: facts.Recorded, key: str) -> str | None:
    assert isinstance(recorded.fact, facts.ConfigurationChanged)
    return recorded.fact.changes[key]


def evolve(state: Configuration, recorded: facts.Recorded) -> Configuration:
    """Fold one fact in."""
    then = msgspec.structs.replace(
        state, version=recorded.version, recorded_at=recorded.recorded_at
    )
    fact = recorded.fact
    assert isinstance(fact, facts.SettingsFact)
    match fact:
        case facts.DefaultPortfolioChosen():
            return msgspec.structs.replace(
                then, default_portfolio=fact.portfolio_id, chosen=recorded.version
            )
        case facts.ConfigurationChanged():
            said = {**state.said, **dict.fromkeys(fact.changes, recorded)}
            return msgspec.structs.replace(then, said=said, changed=recorded.version)
        case _:
            assert_never(fact)


def told(stream: list[facts.Recorded]) -> Configuration:
    """The state after a stream's facts."""
    state = Configuration()
    for recorded in stream:
        state = evolve(state, recorded)
    return state


def choose_default(
    state: Configuration,
    command: commands.ChooseDefault,
    portfolio_id: UUID,
    *,
    now: datetime,
    command_id: UUID,
) -> list[facts.Recorded]:
    """The choice of a default portfolio; nothing when it is the default already."""
    if state.default_portfolio == portfolio_id:
        return []
    fact = facts.DefaultPortfolioChosen(portfolio_id=portfolio_id)
    return [_recorded(state, fact, command, now, command_id)]


def change(
    state: Configuration,
    command: commands.ChangeConfiguration,
    before: Mapping[str, str | None],
    *,
    now: datetime,
    command_id: UUID,
) -> list[facts.Recorded]:
    """The change of keys, without those that have their value already; perhaps nothing is left.

    `before` has what counts now for each key of the command.
    """
    values = state.values
    changes = {key: value for key, value in command.texts().items() if value != values.get(key)}
    if not changes:
        return []
    fact = facts.ConfigurationChanged(
        changes=changes, before={key: before[key] for key in changes}, reason=command.reason
    )
    return [_recorded(state, fact, command, now, command_id)]


def _recorded(
    state: Configuration,
    fact: facts.SettingsFact,
    command: commands.Command,
    now: datetime,
    command_id: UUID,
) -> facts.Recorded:
    learned = moments.learned(now, state.recorded_at)
    return facts.Recorded(
        0,
        facts.SETTINGS_STREAM,
        state.version + 1,
        learned,
        learned,
        command.source,
        command_id,
        command.external_id,
        fact,
        command.notes,
    )
