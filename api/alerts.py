"""Alerts: what asks for attention, and what somebody has said about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api import desk
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from domain import alert as alerts
from domain import facts, refusals
from projections import answers, questions

_ACKNOWLEDGE = alerts.Acknowledge()
_DISMISS = alerts.Dismiss()
Word = alerts.Acknowledge | alerts.Mute | alerts.Dismiss
"""What a person can say of an alert."""


class AlertController(Controller):
    """Alerts."""

    path = "/alerts"
    tags = ("Alerts",)

    @get()
    async def list_alerts(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        status: FromQuery[Literal["active", "cleared"] | None] = None,
        severity: FromQuery[Literal["LOW", "MEDIUM", "HIGH"] | None] = None,
        symbol: FromQuery[str | None] = None,
        rule: FromQuery[str | None] = None,
        wheel_id: FromQuery[UUID | None] = None,
        portfolio_id: FromQuery[UUID | None] = None,
        trade_id: FromQuery[UUID | None] = None,
    ) -> Reply[Page[answers.Alert]]:
        """List alerts, the newest first."""
        where = {
            "status": status,
            "severity": severity,
            "symbol": symbol and symbol.upper(),
            "rule": rule,
            "wheel_id": wheel_id and wheel_id.hex,
            "portfolio_id": portfolio_id and portfolio_id.hex,
            "trade_id": trade_id and trade_id.hex,
        }
        streams = None if clocks.is_now else await office.alerts()
        async with office.views(clocks, streams) as views:
            found = await questions.all_alerts(views, where, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @post("/{alert_id:uuid}/acknowledge", status_code=200)
    async def acknowledge(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        alert_id: FromPath[UUID],
        data: JSONBody[alerts.Acknowledge] = _ACKNOWLEDGE,
    ) -> Reply[Answer[answers.Alert]]:
        """Say that an alert has been seen."""
        return await office.desk.carry_out(task(alert_id, data), asked)

    @post("/{alert_id:uuid}/clear", status_code=200)
    async def clear(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        alert_id: FromPath[UUID],
        data: JSONBody[alerts.Dismiss] = _DISMISS,
    ) -> Reply[Answer[answers.Alert]]:
        """End an alert by hand; it is raised again when its reason begins anew."""
        return await office.desk.carry_out(task(alert_id, data), asked)

    @post("/{alert_id:uuid}/mute", status_code=200)
    async def mute(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        alert_id: FromPath[UUID],
        data: JSONBody[alerts.Mute],
    ) -> Reply[Answer[answers.Alert]]:
        """Hear no more of an alert before an instant."""
        return await office.desk.carry_out(task(alert_id, data), asked)


def task(alert_id: UUID, command: Word) -> desk.Task[alerts.Alert]:
    """What somebody says of one alert."""

    def decide(state: alerts.Alert, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        if not state.version:
            raise refusals.Unknown("alert", alert_id)
        return [
            _recorded(alert_id, state, fact, now, command_id, command)
            for fact in alerts.decide(state, command, now)
        ]

    def show(state: alerts.Alert, _: datetime) -> desk.Shown:
        return desk.Shown(answers.alert(alert_id, state), state.version)

    return desk.Task(alert_id, desk.ALERT, command, decide, show, lambda state: state.version)


def _recorded(
    alert_id: UUID,
    state: alerts.Alert,
    fact: Any,
    now: datetime,
    command_id: UUID,
    command: Word,
) -> facts.Recorded:
    learned = now if state.raised_at is None else max(now, state.raised_at)
    return facts.Recorded(
        0,
        alert_id,
        state.version + 1,
        learned,
        learned,
        command.source,
        command_id,
        command.external_id,
        fact,
        command.notes,
    )
