"""The configuration: every key with its value and where that comes from, and how it is changed.

A change is a fact in the ledger's settings stream, so that all processes find it at their next
start and everybody can read who changed what. Here it counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from litestar import Controller, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from adapters import keys, settings
from api import desk
from api.envelope import Reply
from api.office import Office
from api.shapes.envelope import Answer
from api.shapes.system import Changed, Config, Setting, Value
from domain import commands, configuration, facts, refusals

_EXACT = 2**53


class ConfigController(Controller):
    """The configuration."""

    path = "/config"
    tags = ("System",)

    @get()
    async def config(self, office: NamedDependency[Office]) -> Reply[Answer[Config]]:
        """Every key: its value, where that comes from, and whether it can be changed here."""
        state = configuration.told(await office.stream(facts.SETTINGS_STREAM))
        shown = _shown(office.layers, state)
        return Reply(Answer(shown, office.clock.now()), headers={"ETag": f'"{state.changed}"'})

    @put()
    async def change_config(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        data: JSONBody[commands.ChangeConfiguration],
    ) -> Reply[Answer[Config]]:
        """Change keys, all or none; null takes back what was said here before."""
        reply = await office.desk.carry_out(_task(office.layers, data), asked)
        if not asked.dry_run:
            state = await office.desk.state(desk.SETTINGS, facts.SETTINGS_STREAM)
            office.configure(office.layers.overlaid(state.values))
        return reply


def _task(
    layers: settings.Layers, command: commands.ChangeConfiguration
) -> desk.Task[configuration.Configuration]:
    def decide(
        state: configuration.Configuration, now: datetime, command_id: UUID
    ) -> list[facts.Recorded]:
        before = layers.overlaid(state.values)
        _check(before, command)
        current = before.settings()
        texts = {key: settings.as_text(getattr(current, key)) for key in command.changes}
        return configuration.change(state, command, texts, now=now, command_id=command_id)

    def show(state: configuration.Configuration, _: datetime) -> desk.Shown:
        return desk.Shown(_shown(layers, state), state.changed)

    return desk.Task(
        facts.SETTINGS_STREAM, desk.SETTINGS, command, decide, show, lambda state: state.changed
    )


def _check(layers: settings.Layers, command: commands.ChangeConfiguration) -> None:
    """Refuse the whole command when any of it cannot be meant, or would not count."""
    if command.effective_at is not None:
        raise refusals.Invalid(
            "effective_at", command.effective_at, "must be left out: settings count from now on"
        )
    for key, value in command.changes.items():
        _check_key(layers, key, value)
    said = {**layers.ledger, **command.texts()}
    try:
        layers.told({key: text for key, text in said.items() if text is not None}).settings()
    except settings.Misconfigured as error:
        shown = settings.without_secret(error.key, command.changes.get(error.key))
        raise refusals.Invalid(error.key, shown, f"must be {error.expected}") from error


def _check_key(layers: settings.Layers, key: str, value: str | float | bool | None) -> None:
    if key not in keys.KEYS:
        can = (name for name, known in keys.KEYS.items() if known.changeable)
        raise refusals.Invalid(key, None, f"is no key; those to change here: {', '.join(can)}")
    variable = settings.variable(key)
    if not keys.KEYS[key].changeable:
        raise refusals.Invalid(
            key,
            settings.without_secret(key, value),
            f"is not changed here, but in the settings file or by {variable}, before a start",
        )
    if isinstance(value, float) and abs(value) > _EXACT:
        raise refusals.Invalid(key, value, "must be written as text, as it has so many digits")
    if key in layers.environment:
        raise refusals.OutOfTurn(
            f"{key} is set by {variable} in the environment, which wins; unset that first",
            field=key,
            variable=variable,
        )


def _shown(layers: settings.Layers, state: configuration.Configuration) -> Config:
    overlaid = layers.overlaid(state.values)
    values, defaults = overlaid.settings(), settings.Settings()
    return Config(
        [
            Setting(
                key=key,
                value=_value(key, getattr(values, key)),
                default=_value(key, getattr(defaults, key)),
                source=overlaid.source(key),
                description=known.means,
                accepts=settings.accepts(key),
                variable=settings.variable(key),
                secret=key in settings.HIDDEN,
                changeable=known.changeable,
                restart=list(known.restart),
                changed=_changed(state.said, key),
            )
            for key, known in keys.KEYS.items()
        ],
        state.changed,
    )


def _value(key: str, value: Any) -> Value:
    """As JSON has it; a Decimal stays one, and is written as the number that it is."""
    match settings.without_secret(key, value):
        case tuple() as several:
            return list(several)
        case None | bool() | int() | float() | str() as plain:
            return plain
        case Decimal() as number:
            return cast("float", number)
        case other:
            return str(other)


def _changed(said: Mapping[str, facts.Recorded], key: str) -> Changed | None:
    recorded = said.get(key)
    if recorded is None:
        return None
    assert isinstance(recorded.fact, facts.ConfigurationChanged)
    return Changed(
        at=recorded.recorded_at,
        source=recorded.source,
        value=recorded.fact.changes[key],
        before=recorded.fact.before[key],
        reason=recorded.fact.reason,
        notes=recorded.notes,
        version=recorded.version,
        position=recorded.position or None,
        request_id=recorded.request_id,
    )
