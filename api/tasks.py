"""Orders on a wheel, made ready for the desk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from api import desk
from api.envelope import Reply
from api.office import Office
from domain import commands, deciding, facts, orders, ports, rules
from domain.story import Story
from projections import answers, radius

Show = Callable[[Story, datetime], desk.Shown]


async def carried_out(
    office: Office,
    asked: desk.Asked,
    wheel_id: UUID,
    command: commands.WheelCommand | commands.TradeCommand,
    show: Show,
    *,
    portfolio_id: UUID | None = None,
    trade_id: UUID | None = None,
    fact_version: int | None = None,
) -> Reply[Any]:
    """Carry out an order on a wheel, or on one of its trades."""

    def decide(story: Story, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        order = orders.Order(
            command, now, command_id, office.tariff, portfolio_id, trade_id, fact_version
        )
        recorded = deciding.decide(story, order)
        office.remember(recorded)
        return recorded

    def version(story: Story) -> int:
        trade = None if trade_id is None else story.wheel.trades.get(trade_id)
        return story.version if trade is None else trade.touched

    async def reach(before: Story, after: Story, now: datetime) -> radius.Radius:
        return await _reached(office, before, after, now)

    task = desk.Task(
        wheel_id,
        desk.WHEEL,
        command,
        decide,
        show,
        version,
        subject=str(trade_id or fact_version or ""),
        reach=reach,
    )
    return await office.desk.carry_out(task, asked)


async def _reached(office: Office, before: Story, after: Story, now: datetime) -> radius.Radius:
    """The radius between two stories; what a long one takes, it takes beside the event loop."""
    touched = await asyncio.to_thread(radius.touched, before, after)
    raised = await asyncio.to_thread(_raised, office.log, touched)
    return await asyncio.to_thread(radius.of, before, after, raised, now)


def _raised(log: ports.Log, touched: Iterable[UUID]) -> list[facts.Recorded]:
    """Every time that an alert was raised on some trades."""
    return [
        each
        for trade_id in touched
        for rule in rules.RULES
        for each in log.stream(facts.alert_stream(trade_id, rule.name))
        if isinstance(each.fact, facts.AlertRaised)
    ]


def the_wheel(story: Story, _: datetime) -> desk.Shown:
    """Answer with the wheel."""
    shown = answers.wheel(story)
    return desk.Shown(shown, story.version, f"/api/v1/wheels/{story.wheel_id}")


def the_trade(trade_id: UUID) -> Show:
    """Answer with a trade, voided or not."""

    def show(story: Story, now: datetime) -> desk.Shown:
        return _shown(story, trade_id, now)

    return show


def the_newest_trade(story: Story, now: datetime) -> desk.Shown:
    """Answer with the trade that was recorded last."""
    newest = max(story.wheel.trades.values(), key=lambda trade: trade.version)
    return _shown(story, newest.id, now)


def _shown(story: Story, trade_id: UUID, now: datetime) -> desk.Shown:
    trade = story.wheel.trades.get(trade_id)
    voided = trade is None
    found = trade or story.voided_trades[trade_id]
    shown = answers.trade(story, found, now, voided=voided)
    return desk.Shown(shown, shown.version, f"/api/v1/trades/{trade_id}")
