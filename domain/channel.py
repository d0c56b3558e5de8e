"""The channels over which somebody is told of alerts.

──ChannelConfigured──▶ configured ──ChannelRemoved──▶ gone, and perhaps configured again
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import commands, facts, hours, moments, refusals

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
LONGEST_WAIT: Final = 7 * 24 * 60
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_URL_AT_MOST: Final = 2_000


class Setup(commands.Command, frozen=True, kw_only=True):
    """What a channel sends, and when. Of a list that is empty everything counts.

    `cleared` sends also that an alert is over, to who was told of it. What is HIGH neither waits
    for quiet hours nor for a digest, unless `high_passes` is false.
    """

    enabled: bool = True
    severities: tuple[facts.Severity, ...] = ()
    rules: tuple[Name, ...] = ()
    portfolios: tuple[UUID, ...] = ()
    symbols: tuple[Name, ...] = ()
    cleared: bool = True
    high_passes: bool = True
    quiet: facts.Quiet | None = None
    digest: facts.Digest | None = None
    escalation: facts.Escalation | None = None


class Add(Setup, frozen=True, kw_only=True):
    """Set up a channel; `url` is Apprise's, a secret, and is never told again."""

    name: str
    url: str


class Change(Setup, frozen=True, kw_only=True):
    """Set a channel up anew; without a `url` it keeps the one that it has."""

    url: str | None = None


class Remove(commands.Command, frozen=True, kw_only=True):
    """Send nothing over this channel any more, and forget its URL."""


class Test(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send a test message over a channel."""

    channel: str


class Address(msgspec.Struct, frozen=True):
    """Where a channel leads: the name under which its URL is kept, and the kind of URL."""

    key: str
    service: str


class Order(msgspec.Struct, frozen=True):
    """What is asked of a channel; its setup is without a URL, as orders are kept."""

    channel: str
    setup: Setup | Remove
    address: Address | None = None
    is_new: bool = False


class Channel(msgspec.Struct, frozen=True):
    """A channel as it was set up last; `since` is when it was set up first, or again.

    `version` is that of the channels' last fact about it.
    """

    told: facts.ChannelConfigured
    since: datetime
    changed_at: datetime
    version: int
    is_there: bool = True
    notes: str | None = None


class Channels(msgspec.Struct, frozen=True):
    """Every channel that there ever was; `version` counts the facts."""

    known: Mapping[str, Channel] = {}
    version: int = 0
    recorded_at: datetime | None = None

    @property
    def there(self) -> list[Channel]:
        """Those that are not removed, by name."""
        found = (each for each in self.known.values() if each.is_there)
        return sorted(found, key=lambda each: each.told.channel)

    def find(self, name: str) -> Channel | None:
        """A channel that is there."""
        found = self.known.get(name)
        return found if found is not None and found.is_there else None

    def uses(self, address: str) -> bool:
        """Whether a URL is still that of a channel."""
        return any(each.told.address == address for each in self.there)


NONE: Final = Channels()


def fold(stream: Iterable[facts.Recorded], channels: Channels = NONE) -> Channels:
    """The channels that a stream's facts lead to."""
    for recorded in stream:
        channels = evolve(channels, recorded)
    return channels


def evolve(channels: Channels, recorded: facts.Recorded) -> Channels:
    """Fold one fact in. Never refuses: what happened, happened."""
    channel = _channel(channels, recorded)
    known = channels.known
    if channel is not None:
        known = {**known, channel.told.channel: channel}
    return Channels(known, recorded.version, recorded.recorded_at)


def _channel(channels: Channels, recorded: facts.Recorded) -> Channel | None:
    """The channel that a fact leaves, if it leaves one."""
    at, version = recorded.recorded_at, recorded.version
    match recorded.fact:
        case facts.ChannelConfigured(channel=name) as told:
            before = channels.find(name)
            since = at if before is None else before.since
            return Channel(told, since, at, version, notes=recorded.notes)
        case facts.ChannelRemoved(channel=name) if before := channels.known.get(name):
            return replace(before, changed_at=at, version=version, is_there=False)
        case _:  # a stranger in the stream means nothing to the channels
            return None


def law(channels: Channels, fact: facts.ChannelFact) -> refusals.Refusal | None:
    """Why this fact could not happen to these channels, if it could not."""
    match fact:
        case facts.ChannelConfigured():
            return _senseless(channels, fact)
        case facts.ChannelRemoved(channel=name) if channels.find(name) is None:
            return refusals.Unknown("channel", name)
        case facts.ChannelRemoved(channel=name):
            return _needed(channels, name)
        case _:
            assert_never(fact)


def _needed(channels: Channels, name: str) -> refusals.Refusal | None:
    for each in channels.there:
        told = each.told
        if told.channel != name and told.escalation is not None and told.escalation.to == name:
            return refusals.OutOfTurn(
                f"{told.channel} escalates to {name}", expected="no channel that escalates to it"
            )
    return None


def _senseless(channels: Channels, fact: facts.ChannelConfigured) -> refusals.Refusal | None:
    try:
        _check_quiet(fact.quiet)
        _check_digest(fact.digest)
        _check_escalation(channels, fact)
    except refusals.Invalid as refusal:
        return refusal
    return None


def _check_quiet(quiet: facts.Quiet | None) -> None:
    if quiet is None:
        return
    start, end = hours.wall("quiet.start", quiet.start), hours.wall("quiet.end", quiet.end)
    if start == end:
        raise refusals.Invalid("quiet.end", quiet.end, "must be another time than quiet.start")
    hours.zone("quiet.zone", quiet.zone)


def _check_digest(digest: facts.Digest | None) -> None:
    if digest is None:
        return
    hours.zone("digest.zone", digest.zone)
    if digest.every == "hourly" and digest.at is not None:
        raise refusals.Invalid("digest.at", digest.at, "must be left out of an hourly digest")
    if digest.every == "daily":
        hours.wall("digest.at", digest.at or "")


def _check_escalation(channels: Channels, fact: facts.ChannelConfigured) -> None:
    escalation = fact.escalation
    if escalation is None:
        return
    if not 1 <= escalation.after_minutes <= LONGEST_WAIT:
        raise refusals.Invalid(
            "escalation.after_minutes",
            escalation.after_minutes,
            f"must be from 1 to {LONGEST_WAIT}",
        )
    if escalation.to == fact.channel:
        raise refusals.Invalid("escalation.to", escalation.to, "must be another channel")
    if channels.find(escalation.to) is None:
        raise refusals.Invalid("escalation.to", escalation.to, "must be a channel that there is")


def named(text: str) -> str:
    """A channel's name, if it can be one; raises refusals.Invalid."""
    if not _NAME.fullmatch(text):
        raise refusals.Invalid(
            "name", text, "must be 1 to 40 small letters, digits, hyphens or underscores"
        )
    return text


def checked_url(url: str) -> str:
    """A URL of bearable length; raises refusals.Invalid, which never tells it."""
    if not 1 <= len(url) <= _URL_AT_MOST:
        raise refusals.Invalid("url", None, f"must be 1 to {_URL_AT_MOST} characters")
    return url


def decide(
    channels: Channels, order: Order, *, now: datetime, command_id: UUID
) -> list[facts.Recorded]:
    """The fact that an order leads to, not stored yet (position 0).

    Raises refusals.Exists for a new channel that is there, refusals.Unknown for one that is not,
    refusals.Invalid for hours, zones and escalations that cannot be meant, and refusals.OutOfTurn
    for removing one to which another escalates.
    """
    fact = _fact(channels, order)
    if refusal := law(channels, fact):
        raise refusal
    learned = moments.learned(now, channels.recorded_at)
    return [
        facts.Recorded(
            0,
            facts.CHANNELS_STREAM,
            channels.version + 1,
            learned,
            learned,
            order.setup.source,
            command_id,
            order.setup.external_id,
            fact,
            order.setup.notes,
        )
    ]


def _fact(channels: Channels, order: Order) -> facts.ChannelFact:
    before = channels.find(order.channel)
    if order.is_new and before is not None:
        raise refusals.Exists(f"there is a channel {order.channel} already", name=order.channel)
    if before is None and not order.is_new:
        raise refusals.Unknown("channel", order.channel)
    match order.setup:
        case Remove():
            return facts.ChannelRemoved(channel=order.channel)
        case Setup() as setup:
            return _configured(order.channel, setup, order.address or _address(before))
        case _:
            assert_never(order.setup)


def _address(before: Channel | None) -> Address:
    assert before is not None
    return Address(before.told.address, before.told.service)


def _configured(channel: str, setup: Setup, address: Address) -> facts.ChannelConfigured:
    return facts.ChannelConfigured(
        channel=channel,
        service=address.service,
        address=address.key,
        enabled=setup.enabled,
        severities=tuple(dict.fromkeys(setup.severities)),
        rules=tuple(dict.fromkeys(setup.rules)),
        portfolios=tuple(dict.fromkeys(setup.portfolios)),
        symbols=tuple(dict.fromkeys(map(commands.symbol_of, setup.symbols))),
        cleared=setup.cleared,
        high_passes=setup.high_passes,
        quiet=setup.quiet,
        digest=setup.digest,
        escalation=setup.escalation,
    )
