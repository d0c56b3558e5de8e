"""Why an order was not carried out, in the words of the trade.

Refusal
├── Invalid              the order itself makes no sense: a field, its value, what was expected
├── Unknown              nothing is known under that name
├── Conflict             something else got there first
│   ├── Exists           the thing to be made is there already
│   ├── Stale            the version named is no longer the current one
│   └── KeyReused        an idempotency key came back with another order
├── Refused              the order makes sense, but not for this wheel as it stands
│   ├── OutOfTurn        not in this state, or not yet
│   ├── MoreThanOpen     more contracts than are open
│   ├── MoreThanHeld     more shares than are held
│   ├── Undersecured     a put that the wheel's cash does not secure
│   ├── Uncovered        a call that the wheel's shares do not cover
│   ├── AppliedBefore    the same split, or the same statement row, a second time
│   └── BreaksLater      legal by itself, but a later fact could then not have happened
├── Unavailable          a part of the service that the order needs does not answer
├── Unanswered           somebody outside of it does not: the market's provider
├── Misuse               who asks is not known
└── TooMany              who asks has asked too often
"""

from __future__ import annotations

from typing import Any

_SHOWN = 100


class Refusal(Exception):
    """Root of the tree: a message for people, details for programs."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Invalid(Refusal):
    """A field whose value cannot be meant."""

    def __init__(self, field: str, value: object, constraint: str) -> None:
        super().__init__(
            f"{field} {constraint}", field=field, value=_short(value), constraint=constraint
        )


class Unknown(Refusal):
    """Nothing is known under that name."""

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"no {kind} {name}", kind=kind, id=str(name))


class Conflict(Refusal):
    """Something else got there first."""


class Exists(Conflict):
    """The thing to be made is there already."""


class Stale(Conflict):
    """The version named is no longer the current one."""


class KeyReused(Conflict):
    """An idempotency key came back with another order."""


class Refused(Refusal):
    """The order makes sense, but not for this wheel as it stands."""


class OutOfTurn(Refused):
    """Not in this state, or not yet."""


class MoreThanOpen(Refused):
    """More contracts than are open."""

    def __init__(self, trade_id: object, asked: int, open_contracts: int) -> None:
        super().__init__(
            f"{asked} contracts asked for, {open_contracts} open",
            trade_id=str(trade_id),
            asked=asked,
            open=open_contracts,
        )


class MoreThanHeld(Refused):
    """More shares than are held."""

    def __init__(self, asked: object, held: int) -> None:
        super().__init__(f"{asked} shares asked for, {held} held", asked=str(asked), held=held)


class Undersecured(Refused):
    """A put that the wheel's cash does not secure."""


class Uncovered(Refused):
    """A call that the wheel's shares do not cover."""


class AppliedBefore(Refused):
    """The same split, or the same statement row, a second time."""


class BreaksLater(Refused):
    """Legal by itself, but a later fact could then not have happened."""


class Unavailable(Refusal):
    """A part of the service that the order needs does not answer."""


class Unanswered(Refusal):
    """Somebody outside of the service, whom the order needs, does not answer."""


class Misuse(Refusal):
    """Who asks is not known."""


class TooMany(Refusal):
    """Who asks has asked too often, and may again after some seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"too many requests; try again in {retry_after} s", retry_after=retry_after
        )
        self.retry_after = retry_after


def _short(value: object) -> object:
    """Echo small plain values as they are, anything else as a short text."""
    if value is None or (isinstance(value, bool | int) and abs(value) < 10**12):
        return value
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
