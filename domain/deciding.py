"""What an order leads to: facts, or a refusal that says why not.

An order is legal when the whole history stays legal with its facts in place. A fact that
cannot stand is refused by its own law; one that would break a later fact names that fact.
"""

from __future__ import annotations

from typing import assert_never

from domain import (
    commands,
    facts,
    lawful,
    moments,
    orders,
    trade_orders,
    wheel_orders,
)
from domain.story import Story


def decide(story: Story, order: orders.Order) -> list[facts.Recorded]:
    """The facts an order leads to, not stored yet (position 0). Raises a refusals.Refusal."""
    drafts = _drafts(story, order)
    recorded = [_recorded(story, order, draft, n) for n, draft in enumerate(drafts, 1)]
    lawful.uphold(story, recorded)
    return recorded


def _recorded(story: Story, order: orders.Order, draft: orders.Draft, n: int) -> facts.Recorded:
    """Versions go on from the story's; what is known later is recorded later."""
    command = order.command
    learned = moments.learned(order.now, story.recorded_at)
    notes = command.notes if isinstance(command.notes, str) else None
    return facts.Recorded(
        0,
        story.wheel_id,
        story.version + n,
        learned,
        draft.at,
        command.source,
        order.command_id,
        command.external_id if n == 1 else None,
        draft.fact,
        notes if n == 1 or isinstance(draft.fact, facts.OptionSold) else None,
    )


def _drafts(story: Story, order: orders.Order) -> list[orders.Draft]:
    match order.command:
        case commands.StartWheel() as command:
            return wheel_orders.start(story, order, command)
        case commands.ConfigureWheel() as command:
            return wheel_orders.configure(story, order, command)
        case commands.ArchiveWheel() as command:
            return wheel_orders.archive(story, order, command)
        case commands.ReopenWheel():
            orders.started(story)
            return [orders.Draft(facts.WheelReopened(**orders.of_wheel(story)), orders.when(order))]
        case commands.SellOption() as command:
            return wheel_orders.sell(story, order, command)
        case commands.TradeShares() as command:
            return wheel_orders.trade_shares(story, order, command)
        case commands.ReceiveDividend() as command:
            return wheel_orders.dividend(story, order, command)
        case commands.ApplySplit() as command:
            return wheel_orders.split(story, order, command)
        case commands.VoidFact() as command:
            return wheel_orders.void(story, order, command)
        case commands.Expire() as command:
            return trade_orders.expire(story, order, command)
        case commands.Close() as command:
            return trade_orders.close(story, order, command)
        case commands.Assign() as command:
            return trade_orders.assign(story, order, command)
        case commands.Roll() as command:
            return trade_orders.roll(story, order, command)
        case commands.CorrectTrade() as command:
            return trade_orders.correct(story, order, command)
        case commands.VoidTrade() as command:
            return trade_orders.void(story, order, command)
        case _:
            assert_never(order.command)
