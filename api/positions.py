"""Positions: open options at the market's last word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
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
from domain import calendar, estimates, facts, freshness, mark, market, money, refusals, risk, rules
from projections import answers, questions, views
from projections.prices import Prices
from projections.snapshots import Moneyness

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


class _Scene(msgspec.Struct, frozen=True):
    """Whence positions are seen: the prices and the provider as they were at an instant."""

    prices: Prices
    provider: market.Provider | None
    at: datetime

    @property
    def answering(self) -> bool:
        """Whether the provider serves prices, as far as anybody has said."""
        return self.provider is None or self.provider.state in {"live", "delayed"}


async def _scene(office: Office, clocks: When, symbols: Collection[str]) -> _Scene:
    prices = await office.prices_at(clocks, symbols)
    provider = office.provider if clocks.is_now else None
    return _Scene(prices, provider, clocks.told_at(office.clock.now()))


async def _told(
    office: Office, clocks: When, options: Sequence[questions.OpenOption]
) -> list[Position]:
    """Positions at the last prices that were known then."""
    scene = await _scene(office, clocks, {each.symbol for each in options})
    marks = [scene.prices.mark(each.symbol, each.contract, each.split_on) for each in options]
    reckoned = estimates.figures(marks, office.settings.risk_free_rate)
    return [
        _position(option, scene, seen, figures)
        for option, seen, figures in zip(options, marks, reckoned, strict=True)
    ]


def _position(
    option: questions.OpenOption, scene: _Scene, seen: mark.Mark | None, figures: estimates.Figures
) -> Position:
    today = calendar.trading_day(scene.at)
    quote = scene.prices.quote(option.symbol, option.split_on)
    assessed = _assessed(option, quote, today)
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
        moneyness=None if assessed is None else _moneyness(assessed),
        risk_level=None if assessed is None else assessed.level,
        risk_icon=None if assessed is None else assessed.icon,
        premium_collected=money.cents(option.premium),
        unrealized_pnl=_unrealized(option, seen),
        mark_state=_mark_state(seen, scene),
        **_option_prices(seen),
        **msgspec.structs.asdict(figures),
        **_share_price(quote, scene),
    )


def _unrealized(option: questions.OpenOption, seen: mark.Mark | None) -> Decimal | None:
    """What the option has brought less what buying it back would cost."""
    cost = None if seen is None else seen.cost(option.contracts)
    return None if cost is None else money.cents(option.premium - cost)


def _mark_state(seen: mark.Mark | None, scene: _Scene) -> market.PriceState:
    if seen is None:
        return "missing"
    within, answering = freshness.MARK_STALE_AFTER, scene.answering
    return freshness.worth(seen.state, seen.as_of, scene.at, within, answering=answering)


def _option_prices(seen: mark.Mark | None) -> dict[str, Any]:
    """What the market says of the option, in dollars per share."""
    said = None if seen is None else seen.said
    return {
        "bid": _price(None if said is None else said.bid),
        "ask": _price(None if said is None else said.ask),
        "option_mid": _price(None if seen is None else seen.mid),
        "extrinsic": _price(None if seen is None else seen.extrinsic),
        "mark_as_of": None if seen is None else seen.as_of,
    }


def _price(price: Decimal | None) -> Decimal | None:
    return None if price is None else money.price(price)


def _share_price(quote: market.Quote | None, scene: _Scene) -> dict[str, Any]:
    """What a position says of its share's price, and of who says it."""
    at = scene.at
    age = None if quote is None else max(int((at - quote.as_of).total_seconds()), 0)
    return {
        "current_price": None if quote is None else money.price(quote.last),
        "price_as_of": None if quote is None else quote.as_of,
        "price_age_seconds": age,
        "price_source": None if quote is None else quote.source,
        "price_state": freshness.price_state(quote, at, answering=scene.answering),
        "provider_state": None if scene.provider is None else scene.provider.state,
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


async def _nothing_open(office: Office, clocks: When, wheel: answers.Wheel) -> Position:
    scene = await _scene(office, clocks, [wheel.symbol])
    async with office.views(clocks, [wheel.id]) as source:
        split_on = await questions.split_on(source, wheel.id)
    quote = scene.prices.quote(wheel.symbol, split_on)
    unrealized: Decimal | None = Decimal("0.00")
    if wheel.shares:
        unrealized = None
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
        mark_state=None,
        **_option_prices(None),
        **msgspec.structs.asdict(estimates.UNKNOWN),
        **_share_price(quote, scene),
    )
