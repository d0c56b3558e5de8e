"""One process of a plugin, from its errand to what became of it."""

from __future__ import annotations

import signal
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import uuid4

import msgspec

from adapters import confined, errand
from adapters.run_notes import Note
from adapters.shelf import Found
from domain import facts, plugin, ports, refusals, schedule
from workers.proxy import Proxy

MODULE: Final = "plugin"
INSPECT_WITHIN: Final = 30.0
UNKEPT: Final = "the process that keeps it was killed while it ran"
TOO_HEAVY: Final = "it and what it has started took more memory than it may"
_SAID_TOO_LITTLE: Final = "it ended without a word"


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended."""

    outcome: facts.PluginOutcome
    error: str | None
    output: str


async def inspected(found: Found, place: str, clock: ports.Clock) -> facts.PluginRegistered:
    """What a plugin at a place tells of itself, or why it cannot be loaded."""
    if found.fault is not None:
        return _registered(found, None, found.fault)
    now = clock.now()
    given = errand.Errand(
        task="inspect",
        plugin=found.name,
        origin=place,
        memory_mb=plugin.MEMORY,
        run_id=uuid4(),
        now=now,
        due_at=now,
    )
    heard, ended = await _sent(given, INSPECT_WITHIN, None, confined.Leash())
    if isinstance(heard, errand.Told):
        fault = _never_due(heard, now)
        return _registered(found, None if fault else heard, fault)
    verdict = _verdict(heard, ended, None, INSPECT_WITHIN)
    return _registered(found, None, verdict.error or verdict.outcome)


def _never_due(told: errand.Told, now: datetime) -> str | None:
    """Why the schedule that a plugin has of itself cannot be meant, if it cannot."""
    if told.schedule is None:
        return None
    try:
        schedule.check(told.schedule, told.market_hours, now)
    except refusals.Invalid as refusal:
        return f"its default schedule cannot be meant: {refusal.message}"
    return None


def _registered(
    found: Found, told: errand.Told | None, fault: str | None
) -> facts.PluginRegistered:
    return facts.PluginRegistered(
        plugin=found.name,
        origin=found.origin,
        digest=found.digest,
        plugin_version=told.version if told else "",
        description=told.description if told else "",
        default_schedule=told.schedule if told else None,
        default_market_hours=told.market_hours if told else "any",
        config_schema=told.config_schema if told else "{}",
        wants=told.wants if told else (),
        fault=fault,
    )


async def ran(given: errand.Errand, seconds: int, proxy: Proxy, leash: confined.Leash) -> Outcome:
    """Run a plugin, and answer what it asks. Never raises for what the plugin does."""
    heard, ended = await _sent(given, seconds, proxy, leash)
    if ended.late and leash.why is not None:
        return Outcome("failed", leash.why, ended.output)
    verdict = _verdict(heard, ended, proxy.refused, seconds)
    return Outcome(verdict.outcome, verdict.error, ended.output)


def recorded(note: Note, ended: Outcome, now: datetime, alerts: int = 0) -> facts.PluginRan:
    """What is to be recorded of a run that has ended."""
    return facts.PluginRan(
        **msgspec.structs.asdict(note),
        finished_at=max(now, note.started_at),
        outcome=ended.outcome,
        error=ended.error,
        output=ended.output,
        alerts=alerts,
    )


async def _sent(
    given: errand.Errand, seconds: float, proxy: Proxy | None, leash: confined.Leash
) -> tuple[errand.Told | errand.Finished | None, confined.Ended]:
    """The last word of a process, if it had one, and how it ended."""
    last: list[errand.Told | errand.Finished] = []

    async def answer(said: bytes) -> bytes | None:
        try:
            word = errand.word(said)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            last.append(errand.Finished("failed", "it said what cannot be read"))
            return None
        if isinstance(word, errand.Ask):
            return None if proxy is None else errand.line(await proxy.answer(word))
        last.append(word)
        return None

    ended = await confined.run(
        [MODULE],
        seconds,
        given.run_id,
        errand.line(given),
        answer,
        longest=errand.LONGEST_WORD,
        memory_mb=given.memory_mb,
        leash=leash,
    )
    return (last[-1] if last else None), ended


def _verdict(
    heard: errand.Told | errand.Finished | None,
    ended: confined.Ended,
    refused: str | None,
    seconds: float,
) -> Outcome:
    """What is said of it: what it was refused goes before what it says itself."""
    output = ended.output
    if ended.late:
        return Outcome("timed_out", f"not done within {seconds:.0f} s", output)
    if refused is not None:
        return Outcome("refused", refused, output)
    if ended.unkept:
        return Outcome("failed", UNKEPT, output)
    if isinstance(heard, errand.Finished):
        return Outcome(heard.outcome, heard.error, output)
    if ended.heavy:
        return Outcome("out_of_memory", TOO_HEAVY, output)
    if ended.status < 0:
        return Outcome("failed", f"ended by {_named(-ended.status)}", output)
    return Outcome("failed", f"{_SAID_TOO_LITTLE}, with status {ended.status}", output)


def _named(number: int) -> str:
    with suppress(ValueError):  # those between the first and the last of real time have no name
        return signal.Signals(number).name
    return f"signal {number}"
