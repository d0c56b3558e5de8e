"""The read side's questions: pages, filters, counts, sums."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import policies, refusals
from projections import answers, questions, views
from projections.questions import OpenFilter, Slice, Span, TradeFilter, WheelFilter
from tests.domain.desk import PORTFOLIO, Desk, Memory, usd
from tests.projections import ledger

ALL = Slice()
JANUARY = Span(date(2026, 1, 1), date(2026, 1, 31))


@pytest.fixture
def log() -> Memory:
    return Memory()


@pytest.fixture
def desk(log: Memory) -> Desk:
    return ledger.lively(log)


@pytest.fixture
async def asked(log: Memory, desk: Desk) -> AsyncIterator[views.Views]:
    async with views.past(log, None, None, None) as opened:
        yield opened


def shown(body: Any, kind: type[Any]) -> Any:
    return body if isinstance(body, kind) else msgspec.json.decode(body, type=kind)


async def test_a_page_is_a_part_of_the_whole(asked: views.Views, desk: Desk) -> None:
    found = [
        await questions.all_trades(asked, TradeFilter(), Slice(page, 2), desk.now)
        for page in (1, 2, 3, 4)
    ]
    assert [len(each.items) for each in found] == [2, 2, 1, 0]
    assert {each.total for each in found} == {5}


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (TradeFilter(symbol="xyz"), 4),
        (TradeFilter(symbol="ABC"), 1),
        (TradeFilter(outcome="voided"), 1),
        (TradeFilter(outcome="open"), 3),
        (TradeFilter(direction="call"), 1),
        (TradeFilter(portfolio_id=PORTFOLIO), 5),
        (TradeFilter(portfolio_id=UUID(int=7)), 0),
        (TradeFilter(opened_from=date(2026, 1, 12)), 1),
        (TradeFilter(opened_to=date(2026, 1, 5)), 4),
        (TradeFilter(closed_from=date(2026, 1, 1), closed_to=date(2026, 1, 5)), 1),
        (TradeFilter(expiring_from=date(2026, 3, 1)), 1),
    ],
)
async def test_trades_are_found_by_what_is_known_of_them(
    asked: views.Views, desk: Desk, wanted: TradeFilter, count: int
) -> None:
    assert (await questions.all_trades(asked, wanted, ALL, desk.now)).total == count


async def test_wheels_are_sorted_as_asked(asked: views.Views) -> None:
    found = await questions.all_wheels(asked, WheelFilter(), Slice(sort="-shares,symbol"))
    symbols = [shown(body, answers.Wheel).symbol for body in found.items]
    assert symbols == ["XYZ", "ABC"]


async def test_an_unknown_sort_lists_the_known(asked: views.Views) -> None:
    with pytest.raises(refusals.Invalid, match="symbol, state, profile"):
        await questions.all_wheels(asked, WheelFilter(), Slice(sort="colour"))


async def test_nothing_is_made_up(asked: views.Views, desk: Desk) -> None:
    nobody = UUID(int=77)
    for question in (
        questions.wheel(asked, nobody),
        questions.portfolio(asked, nobody),
        questions.trade(asked, nobody, desk.now),
        questions.lots(asked, nobody),
        questions.cycles(asked, nobody),
    ):
        with pytest.raises(refusals.Unknown):
            await question


async def test_past_its_expiration_a_trade_lacks_evidence(asked: views.Views, desk: Desk) -> None:
    before = await questions.open_trades(asked, desk.wheel_id, desk.now)
    desk.on("2026-02-20")
    after = await questions.open_trades(asked, desk.wheel_id, desk.now)
    lacking = [
        [shown(each, answers.Trade).evidence_missing for each in found] for found in (before, after)
    ]
    assert lacking == [[False, False, False], [True, True, False]]


@pytest.mark.parametrize("policy", policies.POLICIES)
async def test_months_of_income_sum_to_the_whole(
    asked: views.Views, desk: Desk, policy: policies.Policy
) -> None:
    whole = await questions.income(asked, policy, Span(), wheel_id=desk.wheel_id)
    january = await questions.income(asked, policy, JANUARY, wheel_id=desk.wheel_id)
    later = Span(date(2026, 2, 1))
    rest = await questions.income(asked, policy, later, wheel_id=desk.wheel_id)
    assert {kind: january[kind] + rest[kind] for kind in whole} == whole
    assert sum(whole.values()) == policies.total(desk.income(policy))


async def test_a_portfolios_income_is_its_wheels(asked: views.Views) -> None:
    wheels = await questions.wheels_of(asked, PORTFOLIO)
    sums: dict[str, Decimal] = dict.fromkeys(("option", "stock", "dividend"), usd(0))
    for wheel_id in wheels:
        for kind, amount in (
            await questions.income(asked, "cash", Span(), wheel_id=wheel_id)
        ).items():
            sums[kind] += amount
    assert sums == await questions.income(asked, "cash", Span(), portfolio_id=PORTFOLIO)


async def test_trades_are_counted_where_they_were_opened_and_where_they_ended(
    asked: views.Views, desk: Desk
) -> None:
    whole = await questions.tally(asked, Span(), wheel_id=desk.wheel_id)
    assert (whole.trades, whole.ended, whole.puts, whole.calls) == (3, 0, 2, 1)
    of_the_day = Span(date(2026, 1, 12), date(2026, 1, 12))
    some = await questions.tally(asked, of_the_day, wheel_id=desk.wheel_id)
    assert (some.trades, some.ended) == (1, 0)
    in_span = await questions.tally(asked, Span(date(2020, 1, 1)), wheel_id=desk.wheel_id)
    assert in_span == whole


async def test_the_chosen_portfolio_is_the_default(asked: views.Views) -> None:
    assert await questions.default_portfolio(asked) == PORTFOLIO
    assert (await questions.portfolio(asked, PORTFOLIO)).is_default


async def test_open_options_come_in_the_order_of_their_expiration(
    asked: views.Views, desk: Desk
) -> None:
    of_wheel = OpenFilter(wheel_id=desk.wheel_id)
    options = await questions.open_options(asked, of_wheel)
    assert await questions.count_open(asked, of_wheel) == len(options) == 3
    assert [each.expiration_date.month for each in options] == [2, 2, 3]
    assert {(each.direction, each.strike, each.contracts) for each in options} == {
        ("call", Decimal("52.50"), 2),
        ("put", Decimal(50), 1),
        ("put", Decimal(45), 1),
    }
