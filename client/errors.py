"""What can go wrong when something is asked.

Failed
├── Refused              the API answered that it would not: status, code, message, details
│   ├── Invalid          400  a field whose value cannot be meant; `field` names it
│   ├── Unauthorized     401  who asks is not known
│   ├── Unknown          404  nothing is known under that name
│   ├── Conflict         409  something else got there first
│   ├── InvalidState     409  the order makes sense, but not as things stand
│   ├── Passing          429, 502, 503  not now: asked again a few times before it is raised
│   └── Broken           500  a fault of the service; its log has it under `request_id`
├── Unreachable          no whole answer came; asked again a few times before it is raised
└── Unreadable           an answer came that is not what was promised
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from api.shapes.envelope import Failure

_RETRY_AFTER = "Retry-After"


class Failed(Exception):
    """Root of the tree.

    `idempotency_key` is the key that a command went out with: sent again with the same one,
    it is carried out once, whatever became of the first.
    """

    idempotency_key: str | None = None


class Refused(Failed):
    """The API answered that it would not."""

    def __init__(self, response: httpx.Response, failure: Failure) -> None:
        super().__init__(f"{failure.error.code}: {failure.error.message}")
        self.status = response.status_code
        self.code = failure.error.code
        self.message = failure.error.message
        self.details: dict[str, Any] = failure.error.details
        self.request_id = response.headers.get("X-Request-ID")

    @property
    def field(self) -> str | None:
        """The field that is not right, where it is a field."""
        return self.details.get("field")


class Invalid(Refused):
    """A field whose value cannot be meant."""


class Unauthorized(Refused):
    """Who asks is not known."""


class Unknown(Refused):
    """Nothing is known under that name."""


class Conflict(Refused):
    """Something else got there first."""


class InvalidState(Refused):
    """The order makes sense, but not as things stand."""


class Passing(Refused):
    """Not now; `retry_after` are the seconds that the API asks to wait, where it says so."""

    def __init__(self, response: httpx.Response, failure: Failure) -> None:
        super().__init__(response, failure)
        said = response.headers.get(_RETRY_AFTER, "")
        self.retry_after = int(said) if said.isdecimal() else None


class Broken(Refused):
    """A fault of the service."""


class Unreachable(Failed):
    """No whole answer came: a connection refused, broken or too slow, or bytes that were spoilt."""


class Unreadable(Failed):
    """An answer came that is not what was promised: perhaps of another version, or a proxy's."""


_BY_CODE = {
    "VALIDATION_ERROR": Invalid,
    "UNAUTHORIZED": Unauthorized,
    "NOT_FOUND": Unknown,
    "CONFLICT": Conflict,
    "INVALID_STATE": InvalidState,
}
_BY_STATUS = {429: Passing, 500: Broken, 502: Passing, 503: Passing}
_decoder = msgspec.json.Decoder(Failure)


def of(response: httpx.Response) -> Failed:
    """The error that an answer tells of; one that is not ours may come from a proxy."""
    try:
        failure = _decoder.decode(response.content)
    except (msgspec.MsgspecError, UnicodeError):
        if response.status_code in _BY_STATUS:
            return _BY_STATUS[response.status_code](response, _nameless(response))
        return Unreadable(f"{response.status_code} without a word of ours")
    kind = _BY_STATUS.get(response.status_code) or _BY_CODE.get(failure.error.code, Refused)
    return kind(response, failure)


def _nameless(response: httpx.Response) -> Failure:
    told = {"code": "UNKNOWN", "message": f"status {response.status_code}", "details": {}}
    epoch = "1970-01-01T00:00:00Z"
    return msgspec.convert({"error": told, "timestamp": epoch}, Failure)
