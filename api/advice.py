"""Advice: what is worth selling, and what an open option can be rolled into."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from adapters import survey
from adapters.counter import Counter
from api import desk, errors
from api.envelope import Reply
from api.office import Office
from api.shapes import advice as shapes
from api.shapes.envelope import Answer
from domain import calendar, facts, freshness, market, money, recommendation, refusals, rolling
from domain.outlook import Outlook
from domain.story import Story
from projections import answers, questions, sums

MOST: Final = 50
MOST_DTE: Final = 90
AHEAD: Final = timedelta(days=3 * 366)
"""The farthest expirations that are listed anywhere are not three years ahead."""
AT_ONCE: Final = 4
MOST_WHEELS: Final = 500
Dte = Annotated[int | None, QueryParameter(ge=1, le=MOST_DTE)]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST)]
_EVERYTHING = shapes.Asked()


class AdviceController(Controller):
    """Advice."""

    path = "/"
    tags = ("Advice",)

    @get("/wheels/{wheel_id:uuid}/recommend", opt={"market": True})
    async def recommend(
        self,
        office: NamedDependency[Office],
        wheel_id: FromPath[UUID],
        direction: FromQuery[market.Direction | None] = None,
        profile: FromQuery[facts.Profile | None] = None,
        max_dte: Dte = None,
        expiration_date: FromQuery[date | None] = None,
        ranking: FromQuery[recommendation.Ranking] = "income",
        limit: Limit = 5,
        allow_below_basis: FromQuery[bool] = False,
        explain: FromQuery[bool] = False,
    ) -> Reply[Answer[shapes.Recommended]]:
        """What is worth selling in a wheel now, the best first, and why the rest is not.

        Calls where there are a hundred shares that no call covers, else puts, unless `direction`
        says which. Nothing is recommended on a price that is stale or missing: that
        is a 502 which names the state.
        """
        asked = shapes.Asked(
            direction=direction,
            profile=profile,
            max_dte=max_dte,
            expiration_date=expiration_date,
            ranking=ranking,
            limit=limit,
            allow_below_basis=allow_below_basis,
            explain=explain,
        )
        _ahead(asked, office)
        shown = await _recommended(office, await _story(office, wheel_id), asked)
        return Reply(Answer(shown, office.clock.now()))

    @post("/wheels/recommend/batch", status_code=200, opt={"records": False, "market": True})
    async def recommend_batch(
        self,
        office: NamedDependency[Office],
        data: JSONBody[shapes.Asked] = _EVERYTHING,
    ) -> Reply[Answer[shapes.Batch]]:
        """What is worth selling in several wheels; each has its recommendations, or its error."""
        _checked(data)
        _ahead(data, office)
        results = await _outcomes(office, data)
        failed = sum(each.error is not None for each in results)
        shown = shapes.Batch(results=results, succeeded=len(results) - failed, failed=failed)
        return Reply(Answer(shown, office.clock.now()))

    @get("/trades/{trade_id:uuid}/roll-candidates", opt={"market": True})
    async def roll_candidates(
        self,
        office: NamedDependency[Office],
        trade_id: FromPath[UUID],
        max_dte: Annotated[
            int | None,
            QueryParameter(
                ge=1,
                le=365,
                description="Calendar days to the new expiration at most; "
                "without it 45 more than the option has.",
            ),
        ] = None,
        limit: Limit = 10,
    ) -> Reply[Answer[shapes.RollAdvice]]:
        """What an open option can be rolled into, beside closing it now and taking assignment.

        Rolls are at the bid and the ask, net of both fees, to a later expiration and no nearer
        strike; those that would cost money are left out.
        """
        shown = await _rolls(office, trade_id, max_dte, limit)
        return Reply(Answer(shown, office.clock.now()))


# --- recommendations --------------------------------------------------------------------------


async def _story(office: Office, wheel_id: UUID) -> Story:
    story = await office.desk.latest(desk.WHEEL, wheel_id)
    if not story.wheel.started:
        raise refusals.Unknown("wheel", wheel_id)
    return story


def _since_split(chain: market.Chain, split_on: date | None) -> None:
    """Raise market.StalePrice for a chain of before the last split: its strikes are others."""
    if freshness.before_split(min(chain.as_of, chain.underlying.as_of), split_on):
        raise market.StalePrice(chain.symbol, f"no price is known since the split of {split_on}")


async def _recommended(office: Office, story: Story, asked: shapes.Asked) -> shapes.Recommended:
    wheel, now = story.wheel, office.clock.now()
    if not wheel.is_active:
        raise refusals.OutOfTurn("the wheel is archived", expected="an active wheel")
    means = await _means(office, story)
    terms = _terms(office, story, means, asked)
    today = calendar.trading_day(now)
    last = terms.expiration or today + timedelta(days=terms.max_dte)
    chain, outlook = await survey.surveyed(
        Counter(office.bus, office.clock), wheel.symbol, last, office.settings.risk_free_rate, now
    )
    _since_split(chain, wheel.split_on)
    advice = await asyncio.to_thread(
        recommendation.recommended, chain, outlook, terms, means, office.tariff, now
    )
    return shapes.Recommended(
        wheel_id=story.wheel_id,
        symbol=wheel.symbol,
        direction=terms.direction,
        profile=terms.profile,
        ranking=terms.ranking,
        max_dte=terms.max_dte,
        free_collateral=None if means.collateral is None else money.cents(means.collateral),
        uncovered_shares=means.shares,
        context=_context(chain, outlook),
        considered=advice.considered,
        recommendations=[
            shapes.Recommendation(wheel_id=story.wheel_id, **shapes.plain(each))
            for each in advice.recommendations
        ],
        rejected=dict(advice.rejected),
        rejections=list(advice.rejections) if asked.explain else [],
    )


async def _means(office: Office, story: Story) -> recommendation.Means:
    """What the wheel can sell with, and what the portfolio has in its symbol."""
    wheel = story.wheel
    assert wheel.portfolio_id is not None
    shown = answers.wheel(story)
    async with office.live.look() as views:
        totals = await questions.totals(views, sums.Scope(portfolio_id=wheel.portfolio_id))
    free = max(wheel.cash - wheel.collateral_in_use, money.ZERO)
    return recommendation.Means(
        collateral=None if wheel.collateral == "margin" else free,
        shares=max(wheel.shares - int(wheel.shares_promised), 0),
        basis=shown.adjusted_cost_basis,
        in_symbol=wheel.basis + wheel.collateral_in_use,
        capital=totals.cash + totals.basis,
    )


def _terms(
    office: Office, story: Story, means: recommendation.Means, asked: shapes.Asked
) -> recommendation.Terms:
    covers = means.shares >= recommendation.MULTIPLIER
    return recommendation.Terms(
        direction=asked.direction or ("call" if covers else "put"),
        profile=asked.profile or story.wheel.profile,
        max_dte=asked.max_dte or office.settings.max_dte,
        expiration=asked.expiration_date,
        ranking=asked.ranking,
        limit=asked.limit,
        allow_below_basis=asked.allow_below_basis,
    )


def _context(chain: market.Chain, outlook: Outlook) -> shapes.Context:
    reports = outlook.earnings or ()
    return shapes.Context(
        current_price=money.price(chain.underlying.last),
        price_as_of=chain.underlying.as_of,
        price_source=chain.underlying.source,
        price_state=chain.underlying.state,
        volatility=shapes.Volatility(
            rv20=_figure(outlook.rv20),
            rv60=_figure(outlook.rv60),
            atm=_figure(outlook.atm),
            forecast=_figure(outlook.forecast),
            iv_rank=_figure(outlook.iv_rank),
            iv_percentile=_figure(outlook.iv_percentile),
            iv_days=outlook.iv_days,
        ),
        earnings=shapes.Earnings(
            known=outlook.earnings is not None,
            dates=[each.day for each in reports],
            source=reports[0].source if reports else None,
            fetched_at=reports[0].fetched_at if reports else None,
        ),
        ex_dividends=list(outlook.dividends),
    )


def _figure(estimate: float | None) -> float | None:
    return None if estimate is None else round(estimate, 6)


# --- several ----------------------------------------------------------------------------------


def _checked(asked: shapes.Asked) -> None:
    """What the type of a body cannot say."""
    if not 1 <= asked.limit <= MOST:
        raise refusals.Invalid("limit", asked.limit, f"must be from 1 to {MOST}")
    if asked.max_dte is not None and not 1 <= asked.max_dte <= MOST_DTE:
        raise refusals.Invalid("max_dte", asked.max_dte, f"must be from 1 to {MOST_DTE}")
    for field in ("wheel_ids", "symbols"):
        if len(getattr(asked, field) or ()) > MOST_WHEELS:
            raise refusals.Invalid(field, None, f"must be at most {MOST_WHEELS}")


def _ahead(asked: shapes.Asked, office: Office) -> None:
    """A date that is beyond any listing would have the market reckoned up to it."""
    today = calendar.trading_day(office.clock.now())
    wanted = asked.expiration_date
    if wanted is not None and not today <= wanted <= today + AHEAD:
        raise refusals.Invalid(
            "expiration_date", wanted, f"must be from today ({today}) to {today + AHEAD}"
        )


class _Wanted(msgspec.Struct, frozen=True):
    """A wheel that was named, or a name that is none."""

    wheel_id: UUID | None
    symbol: str | None
    refusal: refusals.Refusal | None = None


async def _outcomes(office: Office, asked: shapes.Asked) -> list[shapes.Outcome]:
    hands = asyncio.Semaphore(AT_ONCE)

    async def one(wanted: _Wanted) -> shapes.Outcome:
        async with hands:
            return await _outcome(office, wanted, asked)

    return list(await asyncio.gather(*map(one, await _wheels(office, asked))))


async def _outcome(office: Office, wanted: _Wanted, asked: shapes.Asked) -> shapes.Outcome:
    symbol, recommended, error = wanted.symbol, None, None
    try:
        if wanted.refusal is not None or wanted.wheel_id is None:
            raise wanted.refusal or refusals.Unknown("wheel", wanted.symbol)
        story = await _story(office, wanted.wheel_id)
        symbol = story.wheel.symbol
        recommended = await _recommended(office, story, asked)
    except (refusals.Refusal, market.MarketFault) as reason:
        _, error = errors.told(reason)
    return shapes.Outcome(
        wheel_id=wanted.wheel_id, symbol=symbol, recommended=recommended, error=error
    )


async def _wheels(office: Office, asked: shapes.Asked) -> Sequence[_Wanted]:
    """The wheels that were named: by id, and by symbol; else all active ones."""
    named = [_Wanted(each, None) for each in dict.fromkeys(asked.wheel_ids or ())]
    if asked.wheel_ids is not None and asked.symbols is None:
        return named
    async with office.live.look() as views:
        if asked.portfolio_id is not None:
            await questions.portfolio(views, asked.portfolio_id)
        among = questions.WheelFilter(portfolio_id=asked.portfolio_id, is_active=True)
        part = questions.Slice(page_size=MOST_WHEELS)
        found = await questions.all_wheels(views, among, part)
    active = [questions.decoded(bytes(each), answers.Wheel) for each in found.items]
    if asked.symbols is None:
        return [_Wanted(each.id, each.symbol) for each in active]
    for symbol in dict.fromkeys(each.upper() for each in asked.symbols):
        here = [_Wanted(each.id, symbol) for each in active if each.symbol == symbol]
        named += here or [_Wanted(None, symbol, refusals.Unknown("active wheel", symbol))]
    return _once(named)


def _once(named: Sequence[_Wanted]) -> list[_Wanted]:
    """Each wheel in its first place only: it may have been named by its id and by its symbol."""
    found: dict[UUID | str | None, _Wanted] = {}
    for each in named:
        found.setdefault(each.wheel_id or each.symbol, each)
    return list(found.values())


# --- rolls ------------------------------------------------------------------------------------


async def _rolls(
    office: Office, trade_id: UUID, max_dte: int | None, limit: int
) -> shapes.RollAdvice:
    story = await _story(office, await office.wheel_of(trade_id))
    now = office.clock.now()
    held = _held(story, trade_id)
    today = calendar.trading_day(now)
    if held.expiration < today or now >= calendar.close_at(held.expiration):
        raise refusals.OutOfTurn("the option has expired", expected="an option before expiration")
    last = (
        max(held.expiration, today + timedelta(days=max_dte))
        if max_dte
        else (held.expiration + rolling.AHEAD)
    )
    chain, outlook = await survey.surveyed(
        Counter(office.bus, office.clock), held.symbol, last, office.settings.risk_free_rate, now
    )
    _since_split(chain, story.wheel.split_on)
    advice = await asyncio.to_thread(
        rolling.advised, chain, outlook, held, office.tariff, now, last=last, limit=limit
    )
    return shapes.RollAdvice(
        trade_id=trade_id,
        wheel_id=story.wheel_id,
        symbol=held.symbol,
        direction=held.direction,
        strike=money.price(held.strike),
        expiration_date=held.expiration,
        contracts=held.contracts,
        context=_context(chain, outlook),
        considered=advice.considered,
        rolls=list(advice.rolls),
        left_out=dict(advice.left_out),
        close_now=advice.close_now,
        take_assignment=advice.take_assignment,
    )


def _held(story: Story, trade_id: UUID) -> rolling.Open:
    trade = story.wheel.trades.get(trade_id)
    if trade is None or not trade.open_contracts:
        raise refusals.OutOfTurn("the trade is not open", expected="an open trade")
    if trade.multiplier != Decimal(recommendation.MULTIPLIER):
        raise refusals.OutOfTurn(
            "an adjusted contract has no listed market to roll in", expected="100 shares a contract"
        )
    return rolling.Open(
        symbol=story.wheel.symbol,
        direction=trade.direction,
        strike=trade.strike,
        expiration=trade.expiration_date,
        contracts=trade.open_contracts,
        premium=trade.premium_left,
        basis=answers.wheel(story).adjusted_cost_basis,
    )
