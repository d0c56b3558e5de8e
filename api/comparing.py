"""Symbols and portfolios beside each other: in the order of what they brought, or of any figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from api import figures
from api.office import Office, When
from api.shapes.performance import Compared, OfPortfolio, OfSymbol
from domain import refusals
from projections import answers, held, questions, sums, views

_ALL = questions.Slice(page_size=1_000_000)
_NO_INCOME = sums.Income(None, figures.NOTHING, figures.NOTHING, figures.NOTHING)
_NOT_SORTED_BY = frozenset(("policy", "first", "last", "portfolio_id"))
SORTS = tuple(each for each in ("name", *Compared.__struct_fields__) if each not in _NOT_SORTED_BY)


async def ranked(source: views.Views, over: figures.Over, top: int) -> dict[str, Any]:
    """The best and the worst symbols and portfolios by realized P&L, and how many there are."""
    everything = sums.Scope()
    by_symbol = await sums.income_by(source, "symbol", everything, over.policy, over.span)
    by_portfolio = await sums.income_by(source, "portfolio", everything, over.policy, over.span)
    names = {each.id: each.name for each in await _portfolios(source, is_active=None)}
    symbols = [OfSymbol(symbol=symbol, **figures.incomes(income)) for symbol, income in by_symbol]
    portfolios = [
        OfPortfolio(portfolio_id=of, name=names.get(of, ""), **figures.incomes(income))
        for of, income in ((UUID(key), income) for key, income in by_portfolio)
    ]
    symbols.sort(key=lambda each: (-each.realized_pnl, each.symbol))
    portfolios.sort(key=lambda each: (-each.realized_pnl, each.name))
    return {
        "symbols": len(symbols),
        "best_symbols": symbols[:top],
        "worst_symbols": symbols[::-1][:top],
        "portfolios": len(portfolios),
        "best_portfolios": portfolios[:top],
        "worst_portfolios": portfolios[::-1][:top],
    }


async def _portfolios(source: views.Views, *, is_active: bool | None) -> list[answers.Portfolio]:
    found = await questions.all_portfolios(source, _ALL, is_active=is_active)
    return list(found.items)


def portfolio_ids(given: Sequence[str] | None) -> list[UUID] | None:
    """The portfolios named, repeated or with commas; raises refusals.Invalid for what is no id."""
    if given is None:
        return None
    found = []
    for each in (text.strip() for texts in given for text in texts.split(",")):
        try:
            found.append(UUID(each))
        except ValueError as error:
            raise refusals.Invalid("portfolio_id", each, "must be a UUID") from error
    return list(dict.fromkeys(found))


async def compared(
    office: Office,
    source: views.Views,
    over: figures.Over,
    clocks: When,
    wanted: Sequence[UUID] | None,
) -> list[Compared]:
    """Each portfolio's performance; raises refusals.Unknown for one that there is not."""
    chosen = await _chosen(source, wanted)
    everything = sums.Scope()
    income = dict(await sums.income_by(source, "portfolio", everything, over.policy, over.span))
    activity: dict[str, list[sums.Activity]] = defaultdict(list)
    for key, each in await sums.activity_by(source, "portfolio", everything, over.span):
        activity[key].append(each)
    beginnings = await sums.beginning_by_portfolio(source)
    tied = await sums.tied_by_portfolio(source, figures.drawn(over, None))
    holds: dict[UUID, list[held.Held]] = defaultdict(list)
    for hold in await held.held(source, everything):
        holds[hold.portfolio_id].append(hold)
    symbols = {hold.symbol for some in holds.values() for hold in some}
    prices = await office.prices_at(clocks, symbols)
    found = []
    for portfolio in chosen:
        key = portfolio.id.hex
        days = figures.length(over.lived(beginnings.get(key)))
        earned = figures.Earned(
            income.get(key, _NO_INCOME),
            activity[key],
            days,
            tied.get(key, figures.NOTHING) if days else figures.NOTHING,
            figures.at_the_market(prices, holds[portfolio.id], over),
        )
        told = figures.told(over, earned)
        found.append(Compared(portfolio_id=portfolio.id, name=portfolio.name, **told))
    return found


async def _chosen(source: views.Views, wanted: Sequence[UUID] | None) -> list[answers.Portfolio]:
    if wanted is None:
        return await _portfolios(source, is_active=True)
    known = {each.id: each for each in await _portfolios(source, is_active=None)}
    for each in wanted:
        if each not in known:
            raise refusals.Unknown("portfolio", each)
    return [known[each] for each in wanted]


def arranged(found: Iterable[Compared], part: questions.Slice) -> list[Compared]:
    """One page of them, by name unless sorted otherwise; what has no figure comes last."""
    rows = list(found)
    for term in reversed((part.sort or "name").split(",")):
        field = term.strip().removeprefix("-")
        if field not in SORTS:
            raise refusals.Invalid("sort", term, f"must be among {', '.join(SORTS)}")
        told = [each for each in rows if getattr(each, field) is not None]
        told.sort(key=lambda each: getattr(each, field), reverse=term.strip().startswith("-"))
        rows = told + [each for each in rows if getattr(each, field) is None]
    return rows[part.offset : part.offset + part.page_size]
