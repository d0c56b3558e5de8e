"""What a job may be told beside when it runs: its settings, a struct for each job.

Whoever configures a job asks here whether its settings can be meant; the chore asks again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from domain import commands, refusals

WIDEST_MARGIN: Final = 1_000
_PLACE: Final = re.compile(r" - at `\$\.?(?P<field>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<field>[^`]*)`")


S = TypeVar("S", bound="JobSettings")


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a job that has none."""


class Scan(JobSettings, frozen=True, kw_only=True):
    """`symbols` to scan; None for all that are watched."""

    symbols: Annotated[tuple[str, ...], Meta(min_length=1, max_length=1_000)] | None = None

    def __post_init__(self) -> None:
        for each in self.symbols or ():
            commands.symbol_of(each)


class Expirations(JobSettings, frozen=True, kw_only=True):
    """Whether what has expired is recorded by itself.

    What closes no more than `margin` (USD per share) away from its strike is left to a person.
    """

    auto_expire: bool = False
    margin: Decimal = Decimal("0.01")

    def __post_init__(self) -> None:
        if not (self.margin.is_finite() and 0 <= self.margin <= WIDEST_MARGIN):
            why = f"must be from 0 to {WIDEST_MARGIN}"
            raise refusals.Invalid("settings.margin", self.margin, why)


class Rollup(JobSettings, frozen=True, kw_only=True):
    """How many `days` back a wheel that has changed is reckoned anew.

    Further, where no run has succeeded since.
    """

    days: Annotated[int, Meta(ge=1, le=36_500)] = 1


class Checkpoint(JobSettings, frozen=True, kw_only=True):
    """Whether the `full` chain is read, and not only what came since the last checkpoint."""

    full: bool = False


class Backup(JobSettings, frozen=True, kw_only=True):
    """How many backups to `keep`, the newest."""

    keep: Annotated[int, Meta(ge=1, le=10_000)] = 14


SETTINGS: Final[Mapping[str, type[JobSettings]]] = {
    "price_refresh": JobSettings,
    "risk_monitoring": JobSettings,
    "daily_snapshot": JobSettings,
    "opportunity_scanning": Scan,
    "expiration_review": Expirations,
    "performance_rollup": Rollup,
    "ledger_checkpoint": Checkpoint,
    "backup": Backup,
}
"""By job."""


def check(job: str, said: Mapping[str, Any]) -> None:
    """Raises refusals.Invalid, which names the setting, for what such a job cannot be told."""
    meant(said, SETTINGS[job])


def meant(said: Mapping[str, Any], kind: type[S]) -> S:
    """The settings as they are meant. Raises refusals.Invalid, which names the setting."""
    try:
        return msgspec.convert(dict(said), kind)
    except msgspec.ValidationError as error:
        why = str(error)
    if unknown := _UNKNOWN.search(why):
        field = unknown["field"]
        raise refusals.Invalid(f"settings.{field}", said.get(field), "is no setting of this job")
    place = _PLACE.search(why)
    field = place["field"] if place else ""
    value = said.get(re.split(r"[.\[]", field)[0])
    raise refusals.Invalid(
        f"settings.{field}".rstrip("."), value, f"cannot be meant: {_PLACE.sub('', why)}"
    )
