"""What can be done to an alert by a signed link in a message, without the bearer token.

To follow the link shows what it would do; only the button on that page does it. So neither the
preview that a messenger makes of a link, nor a scanner of mail, acts.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec.structs import replace

from api import alerts, desk
from api.envelope import Reply
from api.office import Office
from api.shapes.envelope import Answer
from api.shapes.notifications import Deed
from domain import alert, facts, notification, permit, refusals
from projections import answers

Until = Annotated[
    datetime | None, QueryParameter(description="Until when the link mutes, where it does.")
]
Raised = Annotated[
    int, QueryParameter(description="Where in the ledger the alert was raised of which it tells.")
]
Expires = Annotated[datetime, QueryParameter(description="Until when the link is valid.")]
Signature = Annotated[
    str, QueryParameter(description="That of the link: HMAC-SHA256, 64 digits.", max_length=64)
]
_SIGNED: Final = {"open": True, "signed": True}
_BY_LINK: Final = "by a signed link"
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Wheelwright</title></head>
<body><h1>{title}</h1><p>{message}</p>{form}</body></html>
"""
_FORM: Final = '<form method="post"><button type="submit">{what}</button></form>'


class DeedController(Controller):
    """Alerts, by signed links."""

    path = "/alerts"
    tags = ("Alerts",)

    @get("/{alert_id:uuid}/act", opt=_SIGNED)
    async def look(
        self,
        request: Request[Any, Any, Any],
        office: NamedDependency[Office],
        alert_id: FromPath[UUID],
        what: FromQuery[permit.Deed],
        raised: Raised,
        expires: Expires,
        signature: Signature,
        until: Until = None,
    ) -> Reply[Answer[Deed]]:
        """What a signed link would do; to a browser it is a page with a button that does it."""
        allowed = permit.Permit(alert_id, raised, what, expires, until)
        await _check(office, allowed, signature)
        shown = await _shown(office, allowed)
        if not _is_browser(request):
            return Reply(Answer(shown, office.clock.now()))
        form = _FORM.format(what=escape(what.capitalize()))
        return _page(shown.alert, shown.alert.message, form)

    @post("/{alert_id:uuid}/act", status_code=200, opt=_SIGNED | {"records": False})
    async def act(
        self,
        request: Request[Any, Any, Any],
        office: NamedDependency[Office],
        alert_id: FromPath[UUID],
        what: FromQuery[permit.Deed],
        raised: Raised,
        expires: Expires,
        signature: Signature,
        until: Until = None,
    ) -> Reply[Answer[Deed]]:
        """Do what a signed link says: acknowledge an alert, mute it, or clear it."""
        allowed = permit.Permit(alert_id, raised, what, expires, until)
        standing = await _check(office, allowed, signature)
        await office.desk.carry_out(_task(allowed, standing), desk.Asked())
        shown = await _shown(office, allowed)
        if not _is_browser(request):
            return Reply(Answer(shown, office.clock.now()))
        return _page(shown.alert, f"Done: {what}.", "")


async def _check(office: Office, allowed: permit.Permit, signature: str) -> alert.Alert:
    """The alert as it stands.

    Raises refusals.Misuse for a link that we did not sign, or that has expired, and
    refusals.OutOfTurn for one of an alert that was raised again since.
    """
    _check_instants(allowed)
    secret = await asyncio.to_thread(lambda: office.addresses.secret)
    if not permit.holds(allowed, signature, secret, office.clock.now()):
        raise refusals.Misuse("the link is not valid, or not any more")
    standing = notification.standing(await office.stream(allowed.alert_id))
    if standing.raised != allowed.raised:
        raise _earlier()
    return standing.state


def _check_instants(allowed: permit.Permit) -> None:
    for name in ("expires", "until"):
        instant = getattr(allowed, name)
        if instant is not None and instant.tzinfo is None:
            raise refusals.Invalid(name, instant, "must say its offset, as in 2026-01-31T14:30:00Z")
        try:
            _ = instant and instant.astimezone(UTC)
        except OverflowError:
            raise refusals.Invalid(name, instant, "must be an instant that UTC has") from None


def _earlier() -> refusals.OutOfTurn:
    return refusals.OutOfTurn(
        "this link is of an earlier alert, which has been raised again since",
        expected="a link of the newest message",
    )


def _task(allowed: permit.Permit, seen: alert.Alert) -> desk.Task[alert.Alert]:
    """What a link does, to the very alert that was looked at."""
    task = alerts.task(allowed.alert_id, _word(allowed))

    def decide(state: alert.Alert, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        if state.raised_at != seen.raised_at:
            raise _earlier()
        return task.decide(state, now, command_id)

    return replace(task, decide=decide)


async def _shown(office: Office, allowed: permit.Permit) -> Deed:
    state = await office.desk.latest(desk.ALERT, allowed.alert_id)
    if state.told is None:
        raise refusals.Unknown("alert", allowed.alert_id)
    return Deed(
        what=allowed.what,
        until=allowed.until,
        expires=allowed.expires.astimezone(UTC),
        alert=answers.alert(allowed.alert_id, state),
    )


def _word(allowed: permit.Permit) -> alerts.Word:
    """What somebody says who uses the link."""
    match allowed.what:
        case "acknowledge":
            return alert.Acknowledge(notes=_BY_LINK)
        case "mute":
            until = allowed.until or allowed.expires
            return alert.Mute(until=until.isoformat(), notes=_BY_LINK)
        case "clear":
            return alert.Dismiss(notes=_BY_LINK)


def _is_browser(request: Request[Any, Any, Any]) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _page(shown: answers.Alert, message: str, form: str) -> Reply[Any]:
    title = escape(f"{shown.severity} {shown.symbol} {shown.rule}")
    page = _PAGE.format(title=title, message=escape(message), form=form)
    return Reply(page.encode(), media_type="text/html")
