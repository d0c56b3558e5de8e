"""A portfolio: a name over some wheels.

─PortfolioCreated─▶ active ─PortfolioArchived─▶ archived ─PortfolioRestored─▶ active
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import assert_never
from uuid import UUID

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from domain import commands, facts, moments, money, refusals


class Portfolio(msgspec.Struct, frozen=True):
    """A portfolio as it stands."""

    id: UUID
    version: int = 0
    name: str = ""
    description: str | None = None
    default_capital: Decimal = money.ZERO
    is_active: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Archive(commands.Command, frozen=True, kw_only=True):
    """Put a portfolio away."""


class Restore(commands.Command, frozen=True, kw_only=True):
    """Bring an archived portfolio back."""


Order = commands.OpenPortfolio | commands.ChangePortfolio | Archive | Restore


def fold(portfolio_id: UUID, stream: Iterable[facts.Recorded]) -> Portfolio:
    """The portfolio that its facts lead to."""
    portfolio = Portfolio(portfolio_id)
    for recorded in stream:
        portfolio = evolve(portfolio, recorded)
    return portfolio


def evolve(portfolio: Portfolio, recorded: facts.Recorded) -> Portfolio:
    """Fold one fact in. Never refuses."""
    dated = replace(portfolio, version=recorded.version, updated_at=recorded.recorded_at)
    match recorded.fact:
        case facts.PortfolioCreated() as fact:
            return replace(_described(dated, fact), created_at=recorded.recorded_at)
        case facts.PortfolioChanged() as fact:
            return _described(dated, fact)
        case facts.PortfolioArchived():
            return replace(dated, is_active=False)
        case facts.PortfolioRestored():
            return replace(dated, is_active=True)
        case _:
            return dated


def _described(
    portfolio: Portfolio, fact: facts.PortfolioCreated | facts.PortfolioChanged
) -> Portfolio:
    return replace(
        portfolio,
        name=fact.portfolio_name,
        description=fact.description,
        default_capital=fact.default_capital,
    )


def decide(
    portfolio: Portfolio, order: Order, *, now: datetime, command_id: UUID
) -> list[facts.Recorded]:
    """The facts an order leads to, not stored yet (position 0)."""
    fact = _fact(portfolio, order)
    if fact is None:
        return []
    at = now
    if order.effective_at is not None:
        at = moments.happened("effective_at", order.effective_at, now)
    learned = moments.learned(now, portfolio.updated_at)
    return [
        facts.Recorded(
            0,
            portfolio.id,
            portfolio.version + 1,
            learned,
            at,
            order.source,
            command_id,
            order.external_id,
            fact,
            order.notes,
        )
    ]


def _fact(portfolio: Portfolio, order: Order) -> facts.PortfolioFact | None:
    if not isinstance(order, commands.OpenPortfolio) and not portfolio.version:
        raise refusals.Unknown("portfolio", portfolio.id)
    match order:
        case commands.OpenPortfolio():
            return _opened(portfolio, order)
        case commands.ChangePortfolio():
            return _changed(portfolio, order)
        case Archive():
            if not portfolio.is_active:
                raise refusals.OutOfTurn("the portfolio is archived already")
            return facts.PortfolioArchived(portfolio_id=portfolio.id)
        case Restore():
            if portfolio.is_active:
                raise refusals.OutOfTurn("the portfolio is not archived")
            return facts.PortfolioRestored(portfolio_id=portfolio.id)
        case _:
            assert_never(order)


def _opened(portfolio: Portfolio, order: commands.OpenPortfolio) -> facts.PortfolioCreated:
    if portfolio.version:
        raise refusals.Exists(f"portfolio {portfolio.id} exists")
    return facts.PortfolioCreated(
        portfolio_id=portfolio.id,
        portfolio_name=_named(order.name),
        description=order.description,
        default_capital=money.entered("default_capital", order.default_capital, least=money.ZERO),
    )


def _named(name: str) -> str:
    if not name.strip():
        raise refusals.Invalid("name", name, "must not be blank")
    return name.strip()


def _changed(
    portfolio: Portfolio, order: commands.ChangePortfolio
) -> facts.PortfolioChanged | None:
    name, text, capital = order.name, order.description, order.default_capital
    fact = facts.PortfolioChanged(
        portfolio_id=portfolio.id,
        portfolio_name=portfolio.name if name is UNSET else _named(name),
        description=portfolio.description if text is UNSET else text,
        default_capital=portfolio.default_capital
        if capital is UNSET
        else money.entered("default_capital", capital, least=money.ZERO),
    )
    same = (portfolio.name, portfolio.description, portfolio.default_capital)
    if (fact.portfolio_name, fact.description, fact.default_capital) == same:
        return None
    return fact
