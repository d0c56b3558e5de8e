"""What happens to a wheel: the lifecycle row by row, lots, parts, splits, cycles."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from domain import commands, facts, wheel
from tests.domain.desk import EXPIRY, Desk, everywhere, sale, usd

Step = commands.WheelCommand | tuple[facts.Direction, commands.TradeCommand]


def expire(price: str) -> commands.Expire:
    return commands.Expire(stock_price_at_expiry=Decimal(price), effective_at="2026-02-20")


def shares(action: Literal["buy", "sell", "transfer_in"]) -> commands.TradeShares:
    return commands.TradeShares(action=action, shares=100, price=usd(99))


PUT, CALL = sale("put"), sale("call", "110")
BUY, SELL, TRANSFER = shares("buy"), shares("sell"), shares("transfer_in")
ROLL = commands.Roll(
    close_price=usd("0.50"),
    strike=usd(105),
    premium_per_share=usd(2),
    expiration_date=date(2026, 3, 20),
)
CLOSE = commands.Close(price_per_share=usd("0.50"))
BACK, SOLD, EXPIRED, ASSIGNED = (
    "OptionBoughtBack",
    "OptionSold",
    "OptionExpired",
    "OptionAssigned",
)

LIFECYCLE: list[tuple[list[Step], Step, list[str], wheel.State]] = [
    ([], PUT, [SOLD], "cash_put_open"),
    ([], BUY, ["SharesBought"], "shares"),
    ([], TRANSFER, ["SharesTransferredIn"], "shares"),
    ([PUT], PUT, [SOLD], "cash_put_open"),
    ([PUT], ("put", expire("100.01")), [EXPIRED], "cash"),
    ([PUT], ("put", expire("99.99")), [ASSIGNED], "shares"),
    ([PUT], ("put", commands.Assign()), [ASSIGNED], "shares"),
    ([PUT], ("put", CLOSE), [BACK], "cash"),
    ([PUT], ("put", ROLL), [BACK, SOLD], "cash_put_open"),
    ([PUT], BUY, ["SharesBought"], "shares_put_open"),
    ([BUY], SELL, ["SharesSold"], "cash"),
    ([BUY], PUT, [SOLD], "shares_put_open"),
    ([BUY], CALL, [SOLD], "shares_call_open"),
    ([BUY, CALL], ("call", expire("109.99")), [EXPIRED], "shares"),
    ([BUY, CALL], ("call", expire("110.01")), [ASSIGNED], "cash"),
    ([BUY, CALL], ("call", commands.Assign()), [ASSIGNED], "cash"),
    ([BUY, CALL], ("call", CLOSE), [BACK], "shares"),
    ([BUY, CALL], ("call", ROLL), [BACK, SOLD], "shares_call_open"),
    ([BUY, CALL], BUY, ["SharesBought"], "shares_call_open"),
    ([BUY, CALL], PUT, [SOLD], "shares_put_call_open"),
    ([BUY, PUT], ("put", expire("101")), [EXPIRED], "shares"),
    ([BUY, PUT], ("put", expire("99")), [ASSIGNED], "shares"),
    ([BUY, PUT], SELL, ["SharesSold"], "cash_put_open"),
    ([BUY, PUT, CALL], ("put", CLOSE), [BACK], "shares_call_open"),
    ([BUY, PUT, CALL], ("put", expire("99")), [ASSIGNED], "shares_call_open"),
    ([BUY, PUT, CALL], ("call", CLOSE), [BACK], "shares_put_open"),
    ([BUY, PUT, CALL], ("call", commands.Assign()), [ASSIGNED], "cash_put_open"),
    ([BUY, BUY, PUT, CALL], ("call", commands.Assign()), [ASSIGNED], "shares_put_open"),
    ([PUT], commands.ArchiveWheel(force=True), ["WheelArchived"], "cash_put_open"),
    ([commands.ArchiveWheel()], commands.ReopenWheel(), ["WheelReopened"], "cash"),
]


def take(desk: Desk, step: Step) -> list[str]:
    """Carry one step out; a step on a trade means the newest open one of its kind."""
    if not isinstance(step, tuple):
        return [each.name for each in desk.does(step)]
    direction, command = step
    if isinstance(command, commands.Expire):
        desk.on("2026-02-20")
    open_trades = reversed(desk.wheel.open_trades)
    trade = next(each for each in open_trades if desk.trade(each).direction == direction)
    return [each.name for each in desk.does(command, trade)]


@pytest.mark.parametrize(("given", "when", "then", "state"), LIFECYCLE)
def test_the_lifecycle_is_this_table(
    given: list[Step], when: Step, then: list[str], state: wheel.State
) -> None:
    desk = Desk("50000")
    for step in given:
        take(desk, step)
    assert take(desk, when) == then
    assert desk.wheel.state == state


def test_the_golden_case() -> None:
    desk = golden()
    assert desk.wheel.cash == usd("20927.40")
    assert desk.totals() == everywhere("927.40")
    assert desk.wheel.cycles[0].total == usd("927.40")


def golden() -> Desk:
    """G1 of the ledger's design."""
    desk = Desk("20000")
    puts = desk.put("100", "1.50", 2, fees=usd("1.30"))
    desk.assigned(puts, 1)
    desk.closes(puts, "0.40", fees=usd("0.65"))
    call = desk.call("105", "1.20", fees=usd("0.65"))
    desk.does(
        commands.ReceiveDividend(amount_per_share=usd("0.50"), ex_date=desk.now.date(), shares=100)
    )
    desk.assigned(call)
    return desk


def test_a_put_bought_back_dearer_is_a_loss() -> None:
    desk = Desk()
    desk.closes(desk.put("100", "1.00"), "6.00")
    assert desk.totals() == everywhere("-500")


def test_shares_called_away_at_two_prices_gain_at_both() -> None:
    desk = Desk()
    desk.assigned(desk.put("100", "1.00", 2))
    lower, higher = desk.call("105", "1.00"), desk.call("110", "1.00")
    desk.assigned(lower)
    desk.assigned(higher)
    assert desk.wheel.cycles[0].stock_gain == usd(1_500)


def test_shares_transferred_in_are_a_contribution_at_their_basis() -> None:
    desk = Desk(None, shares=100, cost_basis=usd(50))
    desk.assigned(desk.call("110", "0.01"))
    assert desk.wheel.cycles[0].stock_gain == usd(6_000)
    assert desk.wheel.cash == usd(11_001)
    assert desk.wheel.in_kind == usd(5_000)


def test_a_notice_of_thursday_changes_wednesday_but_not_what_was_known_of_it() -> None:
    desk = Desk("50000")
    puts = desk.put("100", "1.00", 5)
    wednesday = datetime(2026, 1, 14, 17, 0, tzinfo=UTC)
    desk.on("2026-01-15")
    desk.assigned(puts, 2, effective_at="2026-01-13")
    assert desk.then(wednesday).shares == 200
    assert desk.then(wednesday, known_at=wednesday).shares == 0
    assert desk.then(desk.now, known_at=wednesday).shares == 0


def test_what_is_not_assigned_stays_open_and_keeps_its_part_of_the_premium() -> None:
    desk = Desk("50000")
    puts = desk.put("100", "1.00", 5, fees=usd("3.25"))
    desk.assigned(puts, 2)
    desk.closes(puts, "0.25", 1)
    trade = desk.trade(puts)
    assert (trade.open_contracts, trade.outcome, desk.wheel.state) == (2, "open", "shares_put_open")
    assert trade.premium_left == usd("198.70")
    assert [(each.outcome, each.contracts) for each in trade.closings] == [
        ("assigned", 2),
        ("closed_early", 1),
    ]


def test_a_trade_closed_in_parts_has_the_outcome_of_the_last() -> None:
    desk = Desk()
    puts = desk.put("100", "1.00", 2)
    desk.closes(puts, "0.25", 1)
    desk.on("2026-02-20")
    desk.expires(puts, "104")
    assert desk.trade(puts).outcome == "expired_worthless"


def test_an_amount_is_spread_in_cents_with_the_remainder_on_the_last_part() -> None:
    desk = Desk("50000")
    puts = desk.put("100", "1.00", 3, fees=usd("0.65"))
    for _ in range(3):
        desk.closes(puts, "0", 1)
    parts = [each.premium for each in desk.trade(puts).closings]
    assert parts == [usd("99.78"), usd("99.78"), usd("99.79")]


def test_the_oldest_lot_leaves_first() -> None:
    desk = Desk("50000")
    desk.buys(100, "90", effective_at="2026-01-02")
    desk.buys(100, "95")
    desk.sells(150, "100")
    assert [lot.shares_left for lot in desk.wheel.lots] == [0, 50]
    assert desk.wheel.cycles[-1].stock_gain == usd(1_250)


def test_a_lot_recorded_late_leaves_in_its_turn() -> None:
    desk = Desk("50000")
    desk.buys(100, "95")
    desk.buys(100, "90", effective_at="2026-01-02")
    desk.sells(100, "100")
    assert desk.wheel.basis == usd(9_500)


def test_a_lots_basis_leaves_in_cents_and_none_of_it_is_lost() -> None:
    desk = Desk()
    desk.buys(3, "33.333333", fees=usd("0.01"))
    bases = []
    for _ in range(3):
        before = desk.wheel.basis
        desk.sells(1, "40")
        bases.append(before - desk.wheel.basis)
    assert bases == [usd("33.33"), usd("33.33"), usd("33.35")]


def test_a_roll_is_one_order_whose_legs_know_each_other() -> None:
    desk = Desk()
    old = desk.put("100", "1.00")
    new = desk.rolls(old, "0.40", "95", "1.10", fees=usd("1.01"))
    assert (desk.trade(old).outcome, desk.trade(old).rolled_to) == ("rolled", new)
    assert desk.trade(new).rolled_from == old
    assert [desk.trade(old).closings[0].fees, desk.trade(new).fees] == [usd("0.50"), usd("0.51")]
    assert desk.wheel.cash == usd("20168.99")


def test_a_part_can_be_rolled_while_the_rest_stays() -> None:
    desk = Desk("30000")
    old = desk.put("100", "1.00", 3)
    new = desk.rolls(old, "0.40", "90", "1.10", contracts=2)
    assert desk.trade(old).open_contracts == 1
    assert desk.trade(new).contracts == 2


def test_a_dividend_is_paid_on_the_shares_held_into_the_ex_date() -> None:
    desk = Desk()
    desk.buys(100, "50", effective_at="2026-01-02")
    desk.on("2026-01-20")
    desk.sells(60, "50")
    paid = commands.ReceiveDividend(amount_per_share=usd("0.505"), ex_date=date(2026, 1, 12))
    (received,) = desk.does(paid)
    assert isinstance(received.fact, facts.DividendReceived)
    assert received.fact.shares == 100
    assert desk.wheel.cycles[-1].dividends == usd("50.5")


def test_apples_split_of_2014_multiplies_contracts_and_divides_strikes() -> None:
    desk = Desk("100000", symbol="AAPL", now=datetime(2014, 6, 2, 15, tzinfo=UTC))
    desk.buys(100, "630.00")
    call = desk.call("645.57", "9.10", expiration_date=date(2014, 7, 19))
    desk.splits(7, 1)
    trade = desk.trade(call)
    assert (trade.open_contracts, trade.strike, trade.multiplier) == (7, usd("92.22"), usd(100))
    assert (desk.wheel.shares, desk.wheel.basis) == (700, usd(63_000))
    assert trade.total_premium == usd(910)
    desk.assigned(call)
    assert (desk.wheel.shares, desk.wheel.cycles[0].stock_gain) == (0, usd(1_554))


def test_an_odd_split_changes_what_a_contract_delivers() -> None:
    desk = Desk()
    desk.buys(100, "90")
    call = desk.call("100", "1.00")
    desk.splits(3, 2)
    trade = desk.trade(call)
    assert (trade.open_contracts, trade.strike, trade.multiplier) == (1, usd("66.67"), usd(150))
    assert (desk.wheel.shares, desk.wheel.basis) == (150, usd(9_000))
    desk.assigned(call)
    assert (desk.wheel.shares, desk.wheel.state) == (0, "cash")


def test_a_reverse_split_pays_the_fraction_in_cash() -> None:
    desk = Desk()
    desk.buys(100, "10")
    put = desk.put("8", "0.20")
    desk.splits(1, 8, cash_in_lieu=usd("39.50"))
    trade = desk.trade(put)
    assert (trade.open_contracts, trade.strike, trade.multiplier) == (1, usd(64), usd("12.5"))
    assert (desk.wheel.shares, desk.wheel.basis) == (12, usd(1_000))
    assert desk.wheel.cycles[0].stock_gain == usd("39.50")
    assert trade.collateral == usd(800)


def test_a_reverse_split_that_leaves_no_share_ends_their_basis_as_a_loss() -> None:
    desk = Desk()
    desk.buys(5, "10")
    desk.splits(1, 8, cash_in_lieu=usd("48.00"))
    assert desk.wheel.state == "cash"
    assert desk.totals() == everywhere("-2")


def test_lots_keep_their_whole_basis_through_a_reverse_split() -> None:
    desk = Desk()
    for price in ("10", "11", "12"):
        desk.buys(5, price)
    desk.splits(1, 8)
    assert [lot.shares_left for lot in desk.wheel.lots] == [0, 1, 0]
    assert desk.wheel.basis == usd(165)


def test_a_contract_may_be_of_another_size() -> None:
    desk = Desk("1000")
    put = desk.put("100", "1.00", multiplier=10)
    assert (desk.trade(put).total_premium, desk.wheel.collateral_in_use) == (usd(10), usd(1_000))
    desk.assigned(put)
    assert (desk.wheel.shares, desk.wheel.cash) == (10, usd(10))


def test_a_cycle_is_from_flat_to_flat() -> None:
    desk = Desk()
    desk.closes(desk.put("100", "1.00"), "0.50")
    desk.assigned(desk.put("100", "2.00"))
    desk.sells(100, "101")
    totals = [(cycle.number, cycle.total) for cycle in desk.wheel.cycles]
    assert totals == [(1, usd(50)), (2, usd(300))]
    assert desk.wheel.cycle is None


def test_a_roll_does_not_end_the_cycle() -> None:
    desk = Desk()
    desk.rolls(desk.put("100", "1.00"), "2.00", "95", "3.00")
    cycles = [(cycle.number, cycle.ended_at, cycle.total) for cycle in desk.wheel.cycles]
    assert cycles == [(1, None, usd(200))]


def test_a_dividend_paid_when_flat_belongs_to_the_last_cycle() -> None:
    desk = Desk()
    desk.buys(100, "50")
    desk.sells(100, "50")
    desk.does(
        commands.ReceiveDividend(amount_per_share=usd(1), ex_date=desk.now.date(), shares=100)
    )
    assert [cycle.total for cycle in desk.wheel.cycles] == [100]


def test_capital_comes_and_goes_without_being_income() -> None:
    desk = Desk("10000")
    desk.does(commands.ConfigureWheel(capital_allocated=usd(15_000)))
    desk.does(commands.ConfigureWheel(capital_allocated=usd(2_000), profile="defensive"))
    assert desk.wheel.cash == desk.wheel.capital == usd(2_000)
    assert desk.wheel.profile == "defensive"
    assert desk.totals() == everywhere("0")


def test_a_setting_that_is_as_before_is_no_fact() -> None:
    assert Desk("10000").does(commands.ConfigureWheel(capital_allocated=usd(10_000))) == []


def test_a_note_is_the_trades_own() -> None:
    desk = Desk()
    put = desk.put("100", "1.00", notes="earnings ahead")
    assert desk.trade(put).notes == "earnings ahead"
    desk.corrects(put, notes=None, reason=None)
    assert desk.trade(put).notes is None


STRAY: dict[str, Any] = {
    "portfolio_id": UUID(int=1),
    "symbol": "XYZ",
    "trade_id": UUID(int=9),
    "direction": "put",
    "strike": usd(1),
    "expiration_date": EXPIRY,
    "contracts": 1,
}


@pytest.mark.parametrize(
    "stray",
    [
        facts.OptionExpired(**STRAY, stock_price=usd(1)),
        facts.OptionAssigned(**STRAY),
        facts.OptionBoughtBack(**STRAY, price_per_share=usd(1)),
    ],
)
def test_what_ends_a_trade_that_nobody_knows_changes_nothing(stray: facts.WheelFact) -> None:
    desk = Desk()
    (last,) = desk.stream
    recorded = facts.Recorded(
        0, desk.wheel_id, 2, desk.now, desk.now, "api", last.command_id, None, stray
    )
    assert desk.story.then(recorded).wheel == desk.wheel
