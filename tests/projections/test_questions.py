"""The read side's questions: pages, filters, counts, sums."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import refusals
from projections import answers, questions, views
from projections.questions import OpenFilter, Slice, TradeFilter, WheelFilter
from projections.sums import Scope
from tests.domain.desk import PORTFOLIO, Desk, usd

ALL = Slice()


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


@pytest.mark.parametrize(
    "wanted",
    [
        TradeFilter(outcome="open"),
        TradeFilter(direction="put", closed_to=date(2026, 1, 31)),
        TradeFilter(symbol="XYZ", expiring_from=date(2026, 1, 1)),
        TradeFilter(),
    ],
)
@pytest.mark.parametrize("sort", questions.TRADES_BY)
async def test_a_list_backwards_is_the_list_from_its_end(
    asked: views.Views, desk: Desk, wanted: TradeFilter, sort: str
) -> None:
    there, back = [
        await questions.all_trades(asked, wanted, Slice(sort=each), desk.now)
        for each in (sort, f"-{sort}")
    ]
    assert there.items == back.items[::-1]
    assert len(there.items) == there.total


@pytest.mark.parametrize("sort", ["opened_at", "closed_at", "net_premium", "strike"])
async def test_the_ids_of_a_page_are_found_without_reading_a_body(
    asked: views.Views, sort: str
) -> None:
    plan = await asked.rows(
        f"EXPLAIN QUERY PLAN SELECT id FROM trades ORDER BY {sort} DESC, id DESC LIMIT 50"  # noqa: S608  a sort of ours
    )
    assert [row[3].split(" USING ")[1].split(" trades_by_")[0] for row in plan] == [
        "COVERING INDEX"
    ]


async def test_totals_are_those_of_the_wheels(asked: views.Views) -> None:
    whole = await questions.totals(asked, Scope())
    found = await questions.all_wheels(asked, WheelFilter(), ALL)
    shown_ = [shown(body, answers.Wheel) for body in found.items]
    assert whole.wheels == whole.active == len(shown_)
    assert whole.cash == sum(each.cash for each in shown_)
    held = sum((each.cost_basis or usd(0)) * each.shares for each in shown_)
    assert abs(whole.basis - held) < usd("0.05")  # that of a share is shown rounded
    assert whole.collateral_in_use == sum(each.collateral_in_use for each in shown_)
    assert await questions.totals(asked, Scope(symbol="none")) == questions.Totals(
        0, 0, 0, usd(0), usd(0), usd(0), usd(0)
    )


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
