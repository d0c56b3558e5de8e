"""Where refusals become HTTP: the one table of codes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, Final

from litestar import Request
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotAuthorizedException,
    NotFoundException,
    ValidationException,
)

from api.envelope import Reply
from api.shapes.envelope import Failure, Fault
from domain import market, ports, refusals

_logger = logging.getLogger(__name__)
Handler = Callable[[Request[Any, Any, Any], Any], Reply[Failure]]
_CODES: tuple[tuple[type[refusals.Refusal], int, str], ...] = (
    (refusals.Invalid, 400, "VALIDATION_ERROR"),
    (refusals.Misuse, 401, "UNAUTHORIZED"),
    (refusals.TooMany, 429, "RATE_LIMITED"),
    (refusals.Unknown, 404, "NOT_FOUND"),
    (refusals.Conflict, 409, "CONFLICT"),
    (refusals.Refused, 409, "INVALID_STATE"),
    (refusals.Unanswered, 502, "EXTERNAL_API_ERROR"),
    (refusals.Unavailable, 503, "SERVICE_UNAVAILABLE"),
)


def _noted(handler: Handler) -> Handler:
    """The same handler, with the code of its answer noted for the count of commands."""

    def answer(request: Request[Any, Any, Any], error: Any) -> Reply[Failure]:
        reply = handler(request, error)
        request.scope.setdefault("state", {})["outcome"] = reply.content.error.code
        return reply

    return answer


def told(reason: refusals.Refusal | market.MarketFault) -> tuple[int, Fault]:
    """The status of an answer that is refused, and what it says."""
    if isinstance(reason, market.MarketFault):
        return 502, Fault("EXTERNAL_API_ERROR", f"{reason.symbol}: {reason.why}", _stands(reason))
    status, code = next((status, code) for kind, status, code in _CODES if isinstance(reason, kind))
    return status, Fault(code, reason.message, reason.details)


def _stands(fault: market.MarketFault) -> dict[str, Any]:
    unsaid = "unreadable" if isinstance(fault, market.Unreadable) else "missing"
    details: dict[str, Any] = {
        "symbol": fault.symbol,
        "state": fault.state or unsaid,
        "why": fault.why,
    }
    if isinstance(fault, market.Throttled) and fault.retry_after is not None:
        details["retry_after"] = math.ceil(fault.retry_after)
    return details


_SENT: Final = {"first": "from", "last": "to"}
"""Parameters of questions under the name that is sent, where ours is another."""


def _parts(fault: Fault) -> tuple[str, str, dict[str, Any]]:
    return fault.code, fault.message, fault.details


def _again(fault: Fault) -> dict[str, str] | None:
    """When to ask again, where that is known."""
    after = fault.details.get("retry_after")
    return None if after is None else {"Retry-After": str(after)}


class Errors:
    """Exception handlers that tell the time by the one clock."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock

    def handlers(self) -> dict[Any, Any]:
        """For Litestar."""
        return {
            refusals.Refusal: _noted(self.refused),
            market.MarketFault: _noted(self.unanswered),
            HTTPException: _noted(self.http),
            Exception: _noted(self.unexpected),
        }

    def refused(self, _: Request[Any, Any, Any], refusal: refusals.Refusal) -> Reply[Failure]:
        """A refusal in its own words."""
        status, fault = told(refusal)
        return self._reply(status, *_parts(fault), _again(fault))

    def unanswered(self, _: Request[Any, Any, Any], fault: market.MarketFault) -> Reply[Failure]:
        """What the market's provider did not say, and the state that it is in."""
        status, shown = told(fault)
        return self._reply(status, *_parts(shown), _again(shown))

    def http(self, request: Request[Any, Any, Any], error: HTTPException) -> Reply[Failure]:
        """What the framework refuses before any of our code."""
        match error:
            case ValidationException():
                return self._invalid(error)
            case NotFoundException():
                return self._reply(404, "NOT_FOUND", f"nothing at {request.url.path}", {})
            case MethodNotAllowedException():
                message = f"{request.method} is not for {request.url.path}"
                return self._reply(
                    405, "METHOD_NOT_ALLOWED", message, {}, dict(error.headers or {})
                )
            case NotAuthorizedException():
                return self._reply(401, "UNAUTHORIZED", error.detail, {}, dict(error.headers or {}))
            case InternalServerException() if "disconnect" in error.detail:
                why = {"field": "body", "value": None, "constraint": "must be sent whole"}
                return self._reply(400, "VALIDATION_ERROR", "body must be sent whole", why)
            case _ if error.status_code < 500:  # noqa: PLR2004  the client's fault
                why = {"field": "body", "value": None, "constraint": error.detail}
                return self._reply(400, "VALIDATION_ERROR", error.detail, why)
            case _:
                return self.unexpected(request, error)

    def _invalid(self, error: ValidationException) -> Reply[Failure]:
        first: dict[str, Any] = {}
        if isinstance(error.extra, list) and error.extra and isinstance(error.extra[0], dict):
            first = error.extra[0]
        field, why = str(first.get("key", "body")), str(first.get("message", error.detail))
        if field == "data":
            field, why = "body", "must be given as JSON"
        elif first.get("source") == "query":
            field = _SENT.get(field, field)
        return self._reply(
            400,
            "VALIDATION_ERROR",
            f"{field} {why}",
            {"field": field, "value": None, "constraint": why},
        )

    def unexpected(self, request: Request[Any, Any, Any], error: Exception) -> Reply[Failure]:
        """A fault of ours: the log has it all, the answer only where to look."""
        request_id = request.scope.get("state", {}).get("request_id", "")
        _logger.error("request %s failed", request_id, exc_info=error)
        return self._reply(
            500,
            "INTERNAL_ERROR",
            "an internal error; the log has it under the request id",
            {"request_id": request_id},
        )

    def _reply(
        self,
        status: int,
        code: str,
        message: str,
        details: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Reply[Failure]:
        return Reply(
            Failure(Fault(code, message, details), self._clock.now()),
            status_code=status,
            headers=headers,
            media_type="application/json",
        )
