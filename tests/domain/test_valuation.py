"""Marks: what a wheel held at an instant, and what the market said of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import facts, mark, market, refusals, valuation
from tests.domain.desk import EXPIRY, MONDAY, Desk, usd

PRICES = st.decimals("0.01", "999999", places=2)


def quote(price: str, as_of: datetime, state: market.PriceState = "live") -> market.Quote:
    return market.Quote("XYZ", Decimal(price), None, None, as_of, "simulated", state)


def marked(
    desk: Desk,
    heard: market.Quote | None = None,
    state: valuation.Valuation = valuation.UNMARKED,
    board: mark.Board | None = None,
    **said: Any,
) -> facts.Recorded:
    command = valuation.MarkPosition(**said)
    board = board or {}
    at = valuation.effective_at(desk.story, command, heard, board, desk.now)
    mids = mark.mids(board, at)
    (recorded,) = valuation.decide(
        state, desk.story, command, heard, mids, at=at, now=desk.now, command_id=UUID(int=1)
    )
    return recorded


def fact(recorded: facts.Recorded) -> facts.PositionMarked:
    assert isinstance(recorded.fact, facts.PositionMarked)
    return recorded.fact


def option(recorded: facts.Recorded) -> facts.MarkedOption:
    (only,) = fact(recorded).options
    return only


def test_a_mark_is_whole_in_itself() -> None:
    desk = Desk()
    put = desk.put("100", "1.50", 2)
    desk.buys(10, "99")
    mids = (valuation.OptionPrice(trade_id=put, mid=usd("3.25")),)
    told = fact(marked(desk, price=usd("97.50"), options=mids))
    assert (told.state, told.shares, told.basis) == ("shares_put_open", 10, usd("990.00"))
    assert (told.cash, told.collateral) == (usd("19310.00"), usd("20000.00"))
    (only,) = told.options
    assert (only.moneyness, only.risk_level) == (usd("-2.5000"), "HIGH")
    assert (only.mid, only.intrinsic, only.extrinsic) == (usd("3.25"), usd("2.50"), usd("0.75"))
    assert (only.premium, only.multiplier, only.contracts) == (usd("300.00"), usd("100"), 2)


def test_the_last_price_heard_counts_where_none_is_given() -> None:
    desk = Desk()
    heard = quote("101", desk.now - timedelta(seconds=5), "delayed")
    told = fact(marked(desk, heard))
    assert (str(told.price), told.price_source, told.price_state) == ("101", "simulated", "delayed")
    assert told.price_as_of == heard.as_of


def test_a_given_price_is_said_to_be() -> None:
    told = fact(marked(Desk(), quote("101", MONDAY), price=usd("99")))
    assert (str(told.price), told.price_source, told.price_state) == ("99", valuation.GIVEN, "live")


@pytest.mark.parametrize(
    "heard", [None, quote("100", MONDAY, "missing"), quote("NaN", MONDAY), quote("0", MONDAY)]
)
def test_without_a_price_there_is_no_mark(heard: market.Quote | None) -> None:
    with pytest.raises(refusals.OutOfTurn, match="no price of XYZ"):
        marked(Desk(), heard)


def test_a_price_of_later_says_nothing_of_then() -> None:
    desk = Desk()
    desk.now += timedelta(hours=3)
    with pytest.raises(refusals.OutOfTurn, match="later than the mark"):
        marked(desk, quote("100", desk.now), effective_at=MONDAY.isoformat())


def test_a_mark_is_of_the_instant_of_its_price() -> None:
    desk = Desk()
    heard = quote("100", desk.now + timedelta(minutes=5))
    desk.now += timedelta(days=2)
    assert marked(desk, heard).effective_at == heard.as_of


def test_what_came_after_the_price_is_in_the_mark() -> None:
    desk = Desk()
    heard = quote("100", desk.now)
    desk.now += timedelta(seconds=30)
    put = desk.put("95", "1.00")
    told = marked(desk, heard)
    assert option(told).trade_id == put
    assert told.effective_at == desk.trade(put).opened_at


def test_a_late_mark_takes_the_wheel_as_it_stood_then() -> None:
    desk = Desk()
    desk.put("100", "1.50")
    then = desk.now.isoformat()
    desk.on("2026-01-09")
    desk.buys(7, "99")
    told = fact(marked(desk, price=usd("98"), effective_at=then))
    assert (told.shares, told.state, len(told.options)) == (0, "cash_put_open", 1)


def test_an_option_without_a_mid_takes_the_markets() -> None:
    desk = Desk()
    puts = [desk.put(strike, "1.50") for strike in ("90", "95")]
    board = {
        contract: mark.Mark(
            contract=contract, price=usd("98"), mid=usd("1.25"), as_of=desk.now, state="live"
        )
        for contract in (desk.trade(each).contract for each in puts)
    }
    desk.now += timedelta(minutes=1)
    given = (valuation.OptionPrice(trade_id=puts[0], mid=usd("1.40")),)
    told = marked(desk, quote("98", MONDAY), board=board, options=given)
    assert [each.mid for each in fact(told).options] == [usd("1.40"), usd("1.25")]
    assert told.effective_at == board[desk.trade(puts[1]).contract].as_of


def test_a_mark_of_another_contract_says_nothing() -> None:
    desk = Desk()
    desk.put("95", "1.50")
    other = mark.Contract("put", usd("94"), EXPIRY)
    said = mark.Mark(contract=other, price=usd("98"), mid=usd(1), as_of=desk.now, state="live")
    desk.now += timedelta(minutes=1)
    told = marked(desk, quote("98", MONDAY), board={other: said})
    assert option(told).mid is None
    assert told.effective_at < said.as_of


@pytest.mark.parametrize("mid", ["-0.01", "NaN", "1e13"])
def test_an_options_price_that_cannot_be_meant_is_refused(mid: str) -> None:
    desk = Desk()
    mids = (valuation.OptionPrice(trade_id=desk.put("100", "1.50"), mid=Decimal(mid)),)
    with pytest.raises(refusals.Invalid):
        marked(desk, price=usd("98"), options=mids)


def test_only_open_options_have_a_price_and_each_has_one() -> None:
    desk = Desk()
    put = desk.put("100", "1.50")
    mid = valuation.OptionPrice(trade_id=put, mid=usd("1"))
    stranger = valuation.OptionPrice(trade_id=UUID(int=5), mid=usd("1"))
    for mids in ((mid, mid), (stranger,)):
        with pytest.raises(refusals.Invalid):
            marked(desk, price=usd("98"), options=mids)


def test_a_wheel_that_was_never_started_is_unknown() -> None:
    desk = Desk()
    desk.story = type(desk.story)(desk.wheel_id)
    with pytest.raises(refusals.Unknown):
        marked(desk, price=usd("98"))


def test_the_same_row_of_a_statement_is_marked_once() -> None:
    desk = Desk()
    first = marked(desk, price=usd("98"), external_id="row 7")
    state = valuation.evolve(valuation.UNMARKED, first)
    with pytest.raises(refusals.AppliedBefore):
        marked(desk, state=state, price=usd("98"), external_id="row 7")


def test_marks_are_recorded_one_after_the_other() -> None:
    desk, state = Desk(), valuation.UNMARKED
    told = []
    for _ in range(3):
        told.append(marked(desk, state=state, price=usd("98")))
        state = valuation.evolve(state, told[-1])
    assert [each.version for each in told] == [1, 2, 3]
    assert len({each.recorded_at for each in told}) == 3


@given(price=PRICES, strike=PRICES, mid=st.decimals(0, 9999, places=2))
def test_a_mid_is_intrinsic_and_extrinsic_value(
    price: Decimal, strike: Decimal, mid: Decimal
) -> None:
    desk = Desk(capital="99999900")
    put = desk.put(str(strike), "0.01", fees=usd("0"))
    mids = (valuation.OptionPrice(trade_id=put, mid=mid),)
    seen = option(marked(desk, price=price, options=mids))
    assert seen.extrinsic is not None
    assert seen.intrinsic + seen.extrinsic == mid
    assert seen.intrinsic == max(strike - price, 0)
