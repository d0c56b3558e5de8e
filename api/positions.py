"""Positions: open options at the market's last word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.positions import Position, WheelRisk
from domain import calendar, facts, market, money, refusals, risk, rules
from projections import answers, questions, views
from projections.snapshots import Moneyness

STALE_AFTER = timedelta(minutes=15)
_RANK = {"HIGH": 0, "MEDIUM": 1, "LOW": 2, None: 3}
SORTS = (
    "symbol",
    "strike",
    "expiration",
    "dte_calendar",
    "dte_trading",
    "risk_level",
    "moneyness",
    "premium_collected",
    "current_price",
)


class PositionController(Controller):
    """Positions and risk."""

    path = "/"
    tags = ("Positions",)

    @get("/positions/open")
    async def open_positions(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        risk_level: FromQuery[Literal["LOW", "MEDIUM", "HIGH"] | None] = None,
        dte_min: Annotated[int | None, QueryParameter(description="Calendar days.")] = None,
        dte_max: Annotated[int | None, QueryParameter(description="Calendar days.")] = None,
        symbol: FromQuery[str | None] = None,
        portfolio_id: FromQuery[UUID | None] = None,
    ) -> Reply[Page[Position]]:
        """List the open positions of all portfolios, the next to expire first."""
        streams = None
        if portfolio_id is not None and not clocks.is_now:
            streams = await office.streams_of(portfolio_id)
        among = questions.OpenFilter(portfolio_id=portfolio_id, symbol=symbol)
        async with office.views(clocks, streams) as source:
            return await _paged(
                office, clocks, part, source, among, _Wanted(risk_level, dte_min, dte_max)
            )

    @get("/portfolios/{portfolio_id:uuid}/positions")
    async def positions_of_portfolio(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        portfolio_id: FromPath[UUID],
        risk_level: FromQuery[Literal["LOW", "MEDIUM", "HIGH"] | None] = None,
        dte_min: Annotated[int | None, QueryParameter(description="Calendar days.")] = None,
        dte_max: Annotated[int | None, QueryParameter(description="Calendar days.")] = None,
        symbol: FromQuery[str | None] = None,
    ) -> Reply[Page[Position]]:
        """List a portfolio's open positions, the next to expire first."""
        streams = None if clocks.is_now else await office.streams_of(portfolio_id)
        among = questions.OpenFilter(portfolio_id=portfolio_id, symbol=symbol)
        async with office.views(clocks, streams) as source:
            await questions.portfolio(source, portfolio_id)
            return await _paged(
                office, clocks, part, source, among, _Wanted(risk_level, dte_min, dte_max)
            )

    @get("/wheels/{wheel_id:uuid}/position")
    async def position(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[Position]]:
        """A wheel's most endangered open option; without one, its shares or its cash."""
        wheel, found = await _of_wheel(office, clocks, wheel_id)
        shown = found[0] if found else await _nothing_open(office, clocks, wheel)
        return Reply(Answer(shown, office.clock.now()))

    @get("/wheels/{wheel_id:uuid}/risk")
    async def risk(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[WheelRisk]]:
        """A wheel's risk: every open option at the last price, and its active alerts."""
        wheel, found = await _of_wheel(office, clocks, wheel_id)
        streams = [
            facts.alert_stream(each.trade_id, rule.name)
            for each in found
            if each.trade_id is not None
            for rule in rules.RULES
        ]
        async with office.views(clocks, streams) as source:
            active = await questions.all_alerts(
                source,
                {"wheel_id": wheel_id.hex, "status": "active"},
                questions.Slice(page_size=500),
            )
        shown = WheelRisk(
            wheel_id=wheel.id,
            symbol=wheel.symbol,
            state=wheel.state,
            risk_level=found[0].risk_level if found else None,
            risk_icon=found[0].risk_icon if found else None,
            collateral_in_use=wheel.collateral_in_use,
            positions=found,
            alerts=active.items,
        )
        return Reply(Answer(shown, office.clock.now()))


async def _of_wheel(
    office: Office, clocks: When, wheel_id: UUID
) -> tuple[answers.Wheel, list[Position]]:
    """A wheel and its positions, the most endangered first."""
    async with office.views(clocks, [wheel_id]) as source:
        wheel = questions.decoded(await questions.wheel(source, wheel_id), answers.Wheel)
        found = await questions.open_options(source, questions.OpenFilter(wheel_id))
    told = await _told(office, clocks, found)
    return wheel, sorted(told, key=lambda each: (_RANK[each.risk_level], each.dte_calendar))


class _Wanted(msgspec.Struct, frozen=True):
    """Which positions are asked for."""

    risk_level: str | None
    dte_min: int | None
    dte_max: int | None

    def holds(self, each: Position) -> bool:
        """Whether a position is among them."""
        days = each.dte_calendar
        assert days is not None
        return (
            (self.risk_level is None or each.risk_level == self.risk_level)
            and (self.dte_min is None or days >= self.dte_min)
            and (self.dte_max is None or days <= self.dte_max)
        )


async def _paged(
    office: Office,
    clocks: When,
    part: questions.Slice,
    source: views.Views,
    among: questions.OpenFilter,
    wanted: _Wanted,
) -> Reply[Page[Position]]:
    """Only the page's positions are read, unless all must be told to choose or to sort."""
    if part.sort is None and wanted == _Wanted(None, None, None):
        found = await questions.open_options(source, among, part)
        page = await _told(office, clocks, found)
        total = await questions.count_open(source, among)
    else:
        every = await questions.open_options(source, among)
        told = [each for each in await _told(office, clocks, every) if wanted.holds(each)]
        page = _sorted(told, part.sort)[part.offset : part.offset + part.page_size]
        total = len(told)
    return page_of(page, total, part.page, part.page_size, office.clock.now())


def _sorted(told: list[Position], sort: str | None) -> list[Position]:
    for term in reversed((sort or "expiration").split(",")):
        field = term.strip().removeprefix("-")
        if field not in SORTS:
            raise refusals.Invalid("sort", term, f"must be among {', '.join(SORTS)}")
        told = sorted(told, key=_key(field), reverse=term.strip().startswith("-"))
    return told


def _key(field: str) -> Any:
    if field == "risk_level":
        return lambda each: _RANK[each.risk_level]
    if field == "moneyness":
        return lambda each: (each.moneyness is None, each.moneyness and each.moneyness.pct)
    return lambda each: (getattr(each, field) is None, getattr(each, field))


async def _told(
    office: Office, clocks: When, options: Sequence[questions.OpenOption]
) -> list[Position]:
    """Positions at the last price that was known then."""
    quotes = await office.quotes_at(clocks, {each.symbol for each in options})
    at = clocks.told_at(office.clock.now())
    return [_position(each, quotes.get(each.symbol), at) for each in options]


def _position(option: questions.OpenOption, quote: market.Quote | None, at: datetime) -> Position:
    today = calendar.trading_day(at)
    seen = _assessed(option, quote, today)
    return Position(
        wheel_id=option.wheel_id,
        trade_id=option.trade_id,
        portfolio_id=option.portfolio_id,
        symbol=option.symbol,
        state=option.state,
        direction=option.direction,
        contracts=option.contracts,
        strike=money.price(option.strike),
        expiration=option.expiration_date,
        dte_calendar=calendar.dte_calendar(today, option.expiration_date),
        dte_trading=calendar.dte_trading(today, option.expiration_date),
        moneyness=None if seen is None else _moneyness(seen),
        risk_level=None if seen is None else seen.level,
        risk_icon=None if seen is None else seen.icon,
        premium_collected=money.cents(option.premium),
        unrealized_pnl=None,
        **_market(quote, at),
    )


def _market(quote: market.Quote | None, at: datetime) -> dict[str, Any]:
    """What a position says of its price; an option has no mark of its own yet."""
    return {
        "current_price": None if quote is None else money.price(quote.last),
        "option_mid": None,
        "delta": None,
        "probability_itm": None,
        "extrinsic": None,
        "price_as_of": None if quote is None else quote.as_of,
        "price_source": None if quote is None else quote.source,
        "price_state": price_state(quote, at),
        "last_updated": at,
    }


def _assessed(
    option: questions.OpenOption, quote: market.Quote | None, today: date
) -> risk.Assessment | None:
    if quote is None:
        return None
    watched = risk.OpenOption(
        option.wheel_id,
        option.trade_id,
        option.portfolio_id,
        option.symbol,
        option.direction,
        option.strike,
        option.expiration_date,
        option.contracts,
    )
    return risk.assess(watched, quote.last, today)


def _moneyness(seen: risk.Assessment) -> Moneyness:
    return Moneyness(is_itm=seen.is_itm, is_otm=seen.is_otm, pct=seen.pct, label=seen.label)


def price_state(quote: market.Quote | None, now: datetime) -> market.PriceState:
    """What a price is worth: a live one that has not moved on while the market is open is stale."""
    if quote is None:
        return "missing"
    newest = now if calendar.is_open(now) else calendar.close_at(calendar.last_close(now))
    if quote.state == "live" and quote.as_of < newest - STALE_AFTER:
        return "stale"
    return quote.state


async def _nothing_open(office: Office, clocks: When, wheel: answers.Wheel) -> Position:
    at = clocks.told_at(office.clock.now())
    quote = (await office.quotes_at(clocks, [wheel.symbol])).get(wheel.symbol)
    unrealized = Decimal("0.00")
    if wheel.shares:
        unrealized = None  # type: ignore[assignment]
        if quote is not None and wheel.cost_basis is not None:
            unrealized = money.cents((quote.last - wheel.cost_basis) * wheel.shares)
    return Position(
        wheel_id=wheel.id,
        trade_id=None,
        portfolio_id=wheel.portfolio_id,
        symbol=wheel.symbol,
        state=wheel.state,
        direction=None,
        contracts=0,
        strike=None,
        expiration=None,
        dte_calendar=None,
        dte_trading=None,
        moneyness=None,
        risk_level=None,
        risk_icon=None,
        premium_collected=Decimal("0.00"),
        unrealized_pnl=unrealized,
        **_market(quote, at),
    )
