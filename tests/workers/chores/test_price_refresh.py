"""The price worker is asked for a round, and what fails in it is told."""

from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from domain import market, refusals, subjects, watchlist
from tests.conftest import soon
from tests.domain.desk import PORTFOLIO
from tests.projections import ledger
from tests.workers.chores.yard import Yard, failed
from tests.workers.exchange import Exchange, Turned
from workers import chore, prices
from workers.chores import price_refresh
from workers.clerk import Clerk
from workers.standing import Standing


class Uneven(Exchange):
    """Fails for a symbol as often as it is told to."""

    def __init__(self, clock: Turned) -> None:
        super().__init__(clock)
        self.fails: dict[str, int] = {}
        self.rounds: list[list[str]] = []

    async def quotes(self, symbols: object) -> dict[str, market.Quote | market.MarketFault]:
        assert isinstance(symbols, list)
        self.rounds.append(symbols)
        return {each: self._said(each) for each in symbols}

    def _said(self, symbol: str) -> market.Quote | market.MarketFault:
        if self.fails.get(symbol, 0) > 0:
            self.fails[symbol] -= 1
            return market.Unreadable(symbol)
        return self._quote(symbol)


@pytest.fixture
async def exchange(yard: Yard) -> Uneven:
    """A price worker who answers; ABC and XYZ are held, SPY is watched."""
    clock = Turned()
    made = Uneven(clock)
    standing = Standing("test", clock, made.login)
    desk = prices.Desk(made, yard.prices, standing)
    await yard.answers(Clerk(made, None, yard.prices, clock, standing, desk.round).answer)
    for symbol in ("ABC", "XYZ"):
        yard.desk(symbol)
    ledger.list_symbol(yard.log, watchlist.Watch(symbol="SPY"))
    yard.project()
    return made


async def refreshed(yard: Yard, portfolio_id: UUID | None = None) -> chore.Done:
    due = yard.due("price_refresh", portfolio_id=portfolio_id)
    return await soon(price_refresh.run(yard.context, due))


async def test_what_is_held_and_watched_is_published_before_the_run_ends(
    yard: Yard, exchange: Uneven
) -> None:
    done = await refreshed(yard)
    assert (done.done, done.message) == (3, "3 of 3 symbols have a fresh price")
    quotes = await yard.context.bus.quotes()
    assert {each: quotes[each].last for each in quotes} == dict.fromkeys(
        ("ABC", "SPY", "XYZ"), Decimal("100.00")
    )


async def test_a_symbol_that_fails_is_asked_for_again_and_stops_no_other(
    yard: Yard, exchange: Uneven
) -> None:
    exchange.fails = {"ABC": 1}
    assert (await refreshed(yard)).failed == ()
    assert exchange.rounds == [["ABC", "SPY", "XYZ"], ["ABC"]]


async def test_a_symbol_that_keeps_failing_is_told_with_its_reason(
    yard: Yard, exchange: Uneven
) -> None:
    exchange.fails = {"ABC": 99}
    done = await refreshed(yard)
    assert done.done == 2
    assert failed(done) == {"ABC": "the provider's answer makes no sense"}
    assert len(exchange.rounds) == 3


async def test_only_a_portfolios_symbols_where_one_is_named(yard: Yard, exchange: Uneven) -> None:
    await refreshed(yard, PORTFOLIO)
    await refreshed(yard, UUID(int=99))
    assert exchange.rounds == [["ABC", "XYZ"]]


async def test_without_a_price_worker_the_run_fails(yard: Yard) -> None:
    yard.desk()
    yard.project()
    with pytest.raises(refusals.Unavailable, match="no prices can be asked for"):
        await refreshed(yard)


async def test_a_question_that_makes_no_sense_is_answered_so(yard: Yard, exchange: Uneven) -> None:
    body = await yard.context.bus.ask(subjects.MARKET_ASK, {"kind": "quotes"}, 5.0)
    answer = msgspec.json.decode(body, type=subjects.MarketAnswer)
    assert answer.fault == "Unreadable"
    assert "symbols" in answer.why


async def test_a_clerk_without_a_price_worker_says_so(yard: Yard) -> None:
    clock = Turned()
    standing = Standing("test", clock, lambda: None)
    await yard.answers(Clerk(Exchange(clock), None, yard.prices, clock, standing).answer)
    yard.desk()
    yard.project()
    with pytest.raises(market.ProviderDown, match="nobody makes rounds here"):
        await refreshed(yard)
