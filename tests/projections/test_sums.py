"""Figures by day and added up: the parts are the whole, whatever is asked for."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from benchmarks import big_ledger
from domain import facts, policies
from projections import sums, views
from projections.sums import Scope, Span
from tests.domain.desk import PORTFOLIO, Desk, Memory, usd
from tests.projections import ledger

JANUARY = Span(date(2026, 1, 1), date(2026, 1, 31))
ALWAYS = Span()
BYS: list[sums.By] = ["symbol", "portfolio", "wheel"]


@pytest.fixture(scope="module")
def many() -> Iterator[views.Views]:
    """Thirty wheels of two portfolios, with all that befalls them."""
    log = Memory()
    log.append(list(big_ledger.history(30 * big_ledger.A_LIFE, seed=5)))
    with ledger.projected(log) as opened:
        yield opened


def scopes(desk: Desk) -> list[Scope]:
    return [
        Scope(),
        Scope(wheel_id=desk.wheel_id),
        Scope(portfolio_id=PORTFOLIO),
        Scope(symbol="xyz"),
        Scope(portfolio_id=PORTFOLIO, symbol="XYZ"),
    ]


@pytest.mark.parametrize("policy", policies.POLICIES)
async def test_days_of_income_sum_to_the_whole(
    asked: views.Views, desk: Desk, policy: policies.Policy
) -> None:
    for scope in scopes(desk):
        for span in (ALWAYS, JANUARY, Span(last=date(2025, 1, 1))):
            days = await sums.income_days(asked, scope, policy, span)
            whole = await sums.income_sum(asked, scope, policy, span)
            assert whole.total == sum((each.total for each in days), usd(0))
            assert whole.option == sum((each.option for each in days), usd(0))


@pytest.mark.parametrize("policy", policies.POLICIES)
async def test_a_wheels_income_is_what_the_policy_books(
    asked: views.Views, desk: Desk, policy: policies.Policy
) -> None:
    booked = desk.income(policy)
    whole = await sums.income_sum(asked, Scope(wheel_id=desk.wheel_id), policy, ALWAYS)
    assert whole.total == policies.total(booked)
    days = await sums.income_days(asked, Scope(wheel_id=desk.wheel_id), policy, ALWAYS)
    assert {each.date for each in days} == {each.date for each in booked}


async def test_trades_are_counted_where_they_were_opened_and_where_they_ended(
    asked: views.Views, desk: Desk
) -> None:
    scope = Scope(wheel_id=desk.wheel_id)
    call, put = await sums.activity_sum(asked, scope, ALWAYS)
    assert (call.direction, call.trades, put.trades, put.ended) == ("call", 1, 2, 0)
    one_day = Span(date(2026, 1, 12), date(2026, 1, 12))
    assert [each.trades for each in await sums.activity_sum(asked, scope, one_day)] == [1]
    ended = await sums.activity_days(asked, Scope(symbol="ABC"), ALWAYS)
    assert [(each.date, each.trades, each.ended, each.wins) for each in ended] == [
        (date(2026, 1, 5), 1, 1, 1)
    ]


async def test_what_is_unknown_comes_to_nothing(asked: views.Views) -> None:
    nobody = Scope(portfolio_id=UUID(int=7))
    assert (await sums.income_sum(asked, nobody, "cash", ALWAYS)).total == 0
    assert await sums.activity_sum(asked, nobody, ALWAYS) == []
    assert await sums.capital_at(asked, nobody, date(2026, 1, 5)) == (usd(0), usd(0))
    assert await sums.tied_days(asked, nobody, JANUARY) == 0


async def test_a_portfolio_and_a_symbol_are_one_wheel(asked: views.Views, desk: Desk) -> None:
    assert desk.wheel_id == facts.wheel_stream(PORTFOLIO, "XYZ")
    both = Scope(portfolio_id=PORTFOLIO, symbol="xyz")
    alone = Scope(wheel_id=desk.wheel_id)
    for scope in (both, Scope(desk.wheel_id, PORTFOLIO, "XYZ")):
        assert await sums.capital_days(asked, scope, None) == await sums.capital_days(
            asked, alone, None
        )


async def test_capital_is_what_came_in_and_what_is_tied_up(asked: views.Views, desk: Desk) -> None:
    wheel = desk.wheel
    found = await sums.capital_at(asked, Scope(wheel_id=desk.wheel_id), desk.now.date())
    assert found == (wheel.capital + wheel.in_kind, wheel.collateral_in_use + wheel.basis)


@pytest.mark.parametrize("by", BYS)
async def test_the_parts_are_the_whole(many: views.Views, by: sums.By) -> None:
    span = Span(date(2022, 2, 1), date(2022, 9, 30))
    whole = await sums.income_sum(many, Scope(), "close", span)
    parts = await sums.income_by(many, by, Scope(), "close", span)
    assert sum((each.total for _, each in parts), usd(0)) == whole.total
    for direction in await sums.activity_sum(many, Scope(), span):
        counted = [
            each
            for _, each in await sums.activity_by(many, by, Scope(), span)
            if each.direction == direction.direction
        ]
        assert sum(each.trades for each in counted) == direction.trades
        assert sum((each.net for each in counted), usd(0)) == direction.net


@pytest.mark.parametrize("by", BYS)
async def test_each_part_is_what_is_told_of_it_alone(many: views.Views, by: sums.By) -> None:
    for key, told in await sums.income_by(many, by, Scope(), "cash", ALWAYS):
        alone = {
            "symbol": lambda key: Scope(symbol=key),
            "portfolio": lambda key: Scope(portfolio_id=UUID(key)),
            "wheel": lambda key: Scope(wheel_id=UUID(key)),
        }[by](key)
        assert await sums.income_sum(many, alone, "cash", ALWAYS) == told


async def test_a_portfolios_symbols_are_its_wheels(many: views.Views) -> None:
    ((key, _), *_) = await sums.income_by(many, "portfolio", Scope(), "cash", ALWAYS)
    scope = Scope(portfolio_id=UUID(key))
    symbols = await sums.income_by(many, "symbol", scope, "cash", ALWAYS)
    wheels = await sums.income_by(many, "wheel", scope, "cash", ALWAYS)
    assert sorted(each.total for _, each in symbols) == sorted(each.total for _, each in wheels)


@pytest.mark.parametrize("first", [None, date(2022, 2, 1), date(2022, 6, 15)])
async def test_dollar_days_are_what_was_tied_up_day_by_day(
    many: views.Views, first: date | None
) -> None:
    span, scope = Span(first, date(2022, 7, 4)), Scope()
    assert span.last is not None
    day, total = first or date(2021, 12, 1), Decimal(0)
    while day <= span.last:
        total += (await sums.capital_at(many, scope, day))[1]
        day += timedelta(days=1)
    assert await sums.tied_days(many, scope, span) == total
