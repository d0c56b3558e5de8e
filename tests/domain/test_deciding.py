"""What is refused, and what is said about it: coverage, limits, the past, corrections."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import commands, facts, fees, refusals
from tests.domain.desk import EXPIRY, Desk, everywhere, sale, usd

THE_DAY = "2026-02-20"
VOID = commands.VoidTrade(reason="never happened")


def expire(price: str, **more: Any) -> commands.Expire:
    return commands.Expire(stock_price_at_expiry=Decimal(price), **more)


def close(price: str = "0.50", **more: Any) -> commands.Close:
    return commands.Close(price_per_share=Decimal(price), **more)


def correct(**changes: Any) -> commands.CorrectTrade:
    return commands.CorrectTrade(**{"reason": "a slip of the pen"} | changes)


def shareholder(shares: int = 100) -> Desk:
    return Desk("20000", shares=shares, cost_basis=usd(90))


# --- coverage -------------------------------------------------------------------------------


def test_a_put_must_be_secured_by_cash() -> None:
    refusal = Desk("9999").refused(sale("put"))
    assert isinstance(refusal, refusals.Undersecured)
    assert refusal.details == {
        "needed": "10000.00",
        "cash": "9999.00",
        "collateral_in_use": "0",
    }


def test_open_puts_have_pledged_their_cash() -> None:
    desk = Desk("19000")
    desk.put("100", "1.00")
    assert isinstance(desk.refused(sale("put")), refusals.Undersecured)
    desk.put("91", "1.00")


def test_a_margin_wheel_needs_no_cash_for_its_puts() -> None:
    desk = Desk("100", collateral="margin")
    desk.put("100", "1.00")
    desk.does(commands.ConfigureWheel(capital_allocated=usd(0)))
    assert desk.wheel.cash == 100


def test_a_call_must_be_covered_by_shares() -> None:
    refusal = shareholder(199).refused(sale("call", contracts=2))
    assert isinstance(refusal, refusals.Uncovered)
    assert refusal.message == "200 shares needed to cover, 199 held"


def test_margin_covers_no_call() -> None:
    refusal = Desk("100000", collateral="margin").refused(sale("call"))
    assert isinstance(refusal, refusals.Uncovered)


@pytest.mark.parametrize("source", ["import:statement", "migration:wheels.json"])
@pytest.mark.parametrize("direction", ["put", "call"])
def test_the_past_that_an_import_brings_is_not_asked_for_coverage(
    source: str, direction: facts.Direction
) -> None:
    desk = Desk("1")
    desk.does(sale(direction, source=source))
    assert len(desk.wheel.open_trades) == 1


def test_not_even_an_import_closes_more_than_is_open() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    refusal = desk.refused(close(contracts=2, source="import:statement"), put)
    assert isinstance(refusal, refusals.MoreThanOpen)


def test_closing_is_never_refused_for_lack_of_cash() -> None:
    desk = Desk("10000")
    desk.closes(desk.put("100", "1.00"), "500.00")
    assert desk.wheel.cash == usd(-39_900)


def test_a_withdrawal_leaves_what_open_puts_need() -> None:
    desk = Desk("20000")
    desk.put("100", "1.00")
    refusal = desk.refused(commands.ConfigureWheel(capital_allocated=usd("9899.99")))
    assert isinstance(refusal, refusals.Undersecured)
    desk.does(commands.ConfigureWheel(capital_allocated=usd(9_900)))


def test_shares_under_a_call_are_not_sold() -> None:
    desk = shareholder()
    desk.call("110", "1.00")
    refusal = desk.refused(commands.TradeShares(action="sell", shares=1, price=usd(95)))
    assert isinstance(refusal, refusals.Uncovered)
    assert refusal.message == "would leave the call sold 2026-01-05 uncovered"


# --- limits ---------------------------------------------------------------------------------


def test_more_shares_than_are_held_are_not_sold() -> None:
    refusal = shareholder(50).refused(commands.TradeShares(action="sell", shares=51, price=usd(95)))
    assert isinstance(refusal, refusals.MoreThanHeld)


def test_a_trade_that_ended_does_not_end_again() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.closes(put, "0.50")
    for command in (close(), expire("100"), commands.Assign()):
        assert desk.refused(command, put).message == "the trade is closed_early, not open"


def test_a_trade_that_nobody_knows_is_unknown() -> None:
    assert isinstance(Desk().refused(close(), UUID(int=7)), refusals.Unknown)


def test_a_wheel_is_started_once() -> None:
    refusal = Desk().refused(commands.StartWheel(symbol="XYZ", capital_allocated=usd(1)))
    assert isinstance(refusal, refusals.Exists)


@pytest.mark.parametrize(
    "command",
    [
        sale("put"),
        commands.ConfigureWheel(profile="moderate"),
        commands.ArchiveWheel(),
        commands.ReopenWheel(),
        commands.TradeShares(action="buy", shares=1, price=usd(1)),
        commands.ReceiveDividend(amount_per_share=usd(1), ex_date=date(2026, 1, 2)),
        commands.ApplySplit(numerator=2, denominator=1),
    ],
)
def test_a_wheel_that_was_not_started_is_unknown(command: commands.WheelCommand) -> None:
    desk = Desk()
    desk.story = type(desk.story)(desk.wheel_id)
    assert isinstance(desk.refused(command), refusals.Unknown)


def test_an_archived_wheel_opens_nothing_but_ends_what_is_open() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    assert isinstance(desk.refused(commands.ArchiveWheel()), refusals.OutOfTurn)
    desk.does(commands.ArchiveWheel(force=True))
    assert desk.refused(sale("put")).message == "the wheel is archived"
    desk.closes(put, "0.50")
    assert desk.wheel.state == "cash"


def test_the_active_is_not_reopened_nor_the_archived_archived() -> None:
    desk = Desk()
    assert isinstance(desk.refused(commands.ReopenWheel()), refusals.OutOfTurn)
    desk.does(commands.ArchiveWheel())
    assert isinstance(desk.refused(commands.ArchiveWheel()), refusals.OutOfTurn)


NOT_MONEY = ["NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1000000000000"]
NOT_POSITIVE = ["0", "-0.01", "-1e11"]
TOO_FINE = ["0.0000001", "1.1234567"]


@pytest.mark.parametrize("figure", NOT_MONEY + NOT_POSITIVE + TOO_FINE)
def test_a_figure_that_cannot_be_meant_is_refused(figure: str) -> None:
    desk = shareholder()
    amount = Decimal(figure)
    put = desk.put("100", "1.00")
    orders: list[tuple[str, Any, UUID | None]] = [
        ("strike", sale("put", figure), None),
        ("premium_per_share", sale("put", premium=figure), None),
        ("price", commands.TradeShares(action="buy", shares=1, price=amount), None),
        (
            "amount_per_share",
            commands.ReceiveDividend(amount_per_share=amount, ex_date=date(2026, 1, 2)),
            None,
        ),
        ("strike", correct(strike=amount), put),
        ("premium_per_share", correct(premium_per_share=amount), put),
    ]
    for field, order, trade in orders:
        assert _field(desk.refused(order, trade)) == field


@pytest.mark.parametrize("figure", [*NOT_MONEY, "-0.01", *TOO_FINE])
def test_a_figure_that_may_be_nothing_may_not_be_less(figure: str) -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    amount = Decimal(figure)
    orders: list[tuple[str, Any, UUID | None]] = [
        ("fees", sale("put", fees=amount), None),
        ("price_per_share", close(figure), put),
        ("stock_price_at_expiry", expire(figure), put),
        ("stock_price", commands.Assign(stock_price=amount), put),
        ("capital_allocated", commands.ConfigureWheel(capital_allocated=amount), None),
        (
            "cash_in_lieu",
            commands.ApplySplit(numerator=2, denominator=1, cash_in_lieu=amount),
            None,
        ),
    ]
    for field, order, trade in orders:
        assert _field(desk.refused(order, trade)) == field


def _field(refusal: refusals.Refusal) -> object:
    assert isinstance(refusal, refusals.Invalid)
    return refusal.details["field"]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (sale("put", contracts=0), "contracts"),
        (sale("put", contracts=-1), "contracts"),
        (sale("put", contracts=1_000_001), "contracts"),
        (sale("put", multiplier=0), "multiplier"),
        (sale("put", "999999999999", contracts=1_000_000), "strike"),
        (sale("put", "1", "999999999999", 1_000_000), "premium_per_share"),
        (sale("put", expiration_date=date(2026, 1, 4)), "expiration_date"),
        (sale("put", expiration_date=date(2047, 1, 4)), "expiration_date"),
        (sale("put", opened_at="2026-01-06"), "opened_at"),
        (sale("put", opened_at="1900-01-06"), "opened_at"),
        (sale("put", opened_at="2026-01-02T10:00"), "opened_at"),
        (sale("put", opened_at="2026-01-02", effective_at="2025-12-31"), "effective_at"),
        (commands.TradeShares(action="buy", shares=0, price=usd(1)), "shares"),
        (commands.TradeShares(action="buy", shares=10**9, price=usd(10**7)), "price"),
        (commands.ApplySplit(numerator=0, denominator=1), "numerator"),
        (commands.ApplySplit(numerator=1, denominator=-1), "denominator"),
        (commands.ApplySplit(numerator=3, denominator=3), "numerator"),
        (
            commands.ReceiveDividend(amount_per_share=usd(1), ex_date=date(2026, 3, 1), shares=1),
            "ex_date",
        ),
    ],
)
def test_an_order_that_makes_no_sense_names_its_field(
    order: commands.WheelCommand, field: str
) -> None:
    assert _field(Desk().refused(order)) == field


def test_a_dividend_needs_shares_to_be_paid_on() -> None:
    paid = commands.ReceiveDividend(amount_per_share=usd(1), ex_date=date(2026, 1, 2))
    assert Desk().refused(paid).message == "no shares were held into 2026-01-02"


def test_what_the_broker_takes_is_reckoned_by_the_day_of_the_trade() -> None:
    dear = fees.Tariff(usd("0.65"), date(2026, 1, 1))
    desk = Desk("50000", tariff=fees.Schedule((fees.Tariff(usd("0.10")), dear)))
    old = desk.put("100", "1.00", 2, opened_at="2025-12-30")
    new = desk.put("100", "1.00", 2)
    desk.closes(new, "0.50")
    assert [desk.trade(old).fees, desk.trade(new).fees] == [usd("0.20"), usd("1.30")]
    assert desk.trade(new).closings[0].fees == usd("1.30")


# --- expiry ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "price", "outcome"),
    [
        ("put", "99.99", "assigned"),
        ("put", "99.995", "expired_worthless"),
        ("put", "100.00", "expired_worthless"),
        ("put", "100.01", "expired_worthless"),
        ("put", "0", "assigned"),
        ("call", "99.99", "expired_worthless"),
        ("call", "100.00", "expired_worthless"),
        ("call", "100.005", "expired_worthless"),
        ("call", "100.01", "called_away"),
    ],
)
def test_a_cent_in_the_money_is_exercised(
    direction: facts.Direction, price: str, outcome: str
) -> None:
    desk = shareholder()
    trade = desk.put("100", "1.00") if direction == "put" else desk.call("100", "1.00")
    desk.on(THE_DAY)
    desk.expires(trade, price)
    assert desk.trade(trade).outcome == outcome


@pytest.mark.parametrize(
    ("price", "assigned", "outcome"),
    [("100", True, "assigned"), ("99", False, "expired_worthless")],
)
def test_what_the_broker_did_goes_before_the_rule(price: str, assigned: bool, outcome: str) -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.on(THE_DAY)
    desk.expires(put, price, assigned=assigned)
    assert desk.trade(put).outcome == outcome


@pytest.mark.parametrize(
    ("day", "before", "close"),
    [
        (EXPIRY, "2026-02-20T20:59:59.999999Z", "2026-02-20T21:00:00Z"),
        (date(2026, 11, 27), "2026-11-27T17:59:59.999999Z", "2026-11-27T18:00:00Z"),
        (date(2026, 7, 17), "2026-07-17T19:59:59.999999Z", "2026-07-17T20:00:00Z"),
    ],
)
def test_nothing_expires_before_the_close_not_even_on_a_half_day(
    day: date, before: str, close: str
) -> None:
    desk = Desk()
    put = desk.put("100", "1.00", expiration_date=day)
    desk.now = datetime.fromisoformat(before)
    refusal = desk.refused(expire("101"), put)
    assert refusal.details["expected"] == f"at or after {close}"
    desk.now = datetime.fromisoformat(close)
    desk.expires(put, "101")


def test_what_is_recorded_late_ended_when_it_expired() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.on("2026-04-01")
    desk.expires(put, "101")
    assert desk.trade(put).closings[0].at == datetime(2026, 2, 20, 21, 0, tzinfo=UTC)


# --- the past -------------------------------------------------------------------------------


def test_a_sale_of_shares_in_the_past_names_the_call_that_it_would_uncover() -> None:
    desk = shareholder()
    desk.on("2026-03-04", hour=11)
    desk.call("110", "1.00", expiration_date=date(2026, 3, 20))
    sold = commands.TradeShares(action="sell", shares=100, price=usd(95), effective_at="2026-02-02")
    refusal = desk.refused(sold)
    assert isinstance(refusal, refusals.BreaksLater)
    assert refusal.message == "would leave the call sold 2026-03-04 uncovered"
    assert (refusal.details["fact"], refusal.details["version"]) == ("OptionSold", 2)


def test_a_put_sold_in_the_past_names_the_put_that_it_would_leave_unsecured() -> None:
    desk = Desk("10000")
    desk.on("2026-01-07", hour=11)
    desk.put("100", "1.00")
    refusal = desk.refused(sale("put", opened_at="2026-01-06"))
    assert isinstance(refusal, refusals.BreaksLater)
    assert refusal.message == "would leave the put sold 2026-01-07 unsecured"


def test_an_ending_in_the_past_names_the_ending_that_it_would_rob() -> None:
    desk = Desk()
    put = desk.put("100", "1.00", 2)
    desk.on("2026-01-20")
    desk.closes(put, "0.50", 1)
    refusal = desk.refused(close(contracts=2, effective_at="2026-01-10"), put)
    assert isinstance(refusal, refusals.BreaksLater)
    assert refusal.message.startswith("would break the OptionBoughtBack of 2026-01-20")
    desk.closes(put, "0.40", 1, effective_at="2026-01-10")
    assert desk.trade(put).open_contracts == 0


def test_an_assignment_in_the_past_may_leave_what_follows_as_it_was() -> None:
    desk = Desk("50000")
    put = desk.put("100", "1.00", 2)
    desk.on("2026-01-20")
    desk.closes(put, "0.50", 1)
    desk.assigned(put, 1, effective_at="2026-01-13")
    assert [each.outcome for each in desk.trade(put).closings] == ["assigned", "closed_early"]


def test_nothing_ends_before_it_was_sold() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    refusal = desk.refused(close(effective_at="2026-01-02"), put)
    assert isinstance(refusal, refusals.OutOfTurn)


def test_trades_from_before_the_wheel_was_set_up_here_may_be_entered() -> None:
    desk = Desk()
    put = desk.put("100", "1.00", opened_at="2025-03-03", expiration_date=date(2025, 3, 21))
    desk.expires(put, "101")
    assert desk.trade(put).closings[0].at.date() == date(2025, 3, 21)


# --- corrections and voids ------------------------------------------------------------------


def test_a_correction_needs_a_reason_and_something_to_change() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    assert _field(desk.refused(correct(strike=usd(99), reason=None), put)) == "reason"
    assert _field(desk.refused(correct(), put)) == "body"


def test_a_corrected_premium_is_as_if_it_had_been_right_at_once() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.closes(put, "0.50")
    desk.corrects(put, premium_per_share=usd("1.10"), fees=usd("0.65"))
    assert desk.totals() == everywhere("59.35")


def test_a_correction_that_would_leave_its_put_unsecured_is_refused() -> None:
    desk = Desk("10000")
    put = desk.put("100", "1.00")
    assert isinstance(desk.refused(correct(contracts=2), put), refusals.Undersecured)


def test_a_correction_that_would_break_what_followed_names_it() -> None:
    desk = Desk("20000")
    put = desk.put("100", "1.00", 2)
    desk.on("2026-01-06", hour=11)
    desk.assigned(put)
    refusal = desk.refused(correct(contracts=1), put)
    assert isinstance(refusal, refusals.BreaksLater)
    assert refusal.message.startswith("would break the OptionAssigned of 2026-01-06")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"strike": usd("999999999999"), "contracts": 1_000_000}, "strike"),
        ({"premium_per_share": usd("999999999999"), "contracts": 1_000_000}, "premium_per_share"),
        ({"expiration_date": date(2099, 1, 1)}, "expiration_date"),
        ({"expiration_date": date(2025, 1, 1)}, "expiration_date"),
        ({"opened_at": "2026-03-01"}, "opened_at"),
        ({"contracts": 0}, "contracts"),
        ({"fees": usd(-1)}, "fees"),
    ],
)
def test_a_correction_makes_no_more_of_a_sale_than_could_have_been_sold(
    changes: dict[str, Any], field: str
) -> None:
    desk = Desk("20000", collateral="margin")
    put = desk.put("100", "1.00")
    assert _field(desk.refused(correct(**changes), put)) == field


def test_a_corrected_closing_is_the_last_one() -> None:
    desk = Desk()
    put = desk.put("100", "1.00", 2)
    desk.closes(put, "0.50", 1)
    desk.closes(put, "0.50", 1)
    desk.corrects(put, close_price=usd("0.25"), closed_at="2026-01-05T15:03:30Z")
    assert [each.price for each in desk.trade(put).closings] == [usd("0.50"), usd("0.25")]
    assert desk.totals() == everywhere("125")


def test_a_corrected_closing_is_no_dearer_than_a_closing_could_be() -> None:
    desk = Desk("20000", collateral="margin")
    put = desk.put("1", "1.00", 1_000_000)
    desk.closes(put, "0.50")
    assert _field(desk.refused(correct(close_price=usd("999999999999")), put)) == "close_price"


def test_what_is_open_has_no_closing_to_correct() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    assert isinstance(desk.refused(correct(close_price=usd(1)), put), refusals.OutOfTurn)


def test_a_buy_back_has_no_price_at_expiry_to_correct() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.closes(put, "0.50")
    refusal = desk.refused(correct(stock_price_at_expiry=usd(101)), put)
    assert isinstance(refusal, refusals.Invalid)


def test_a_voided_trade_never_happened_nor_what_ended_it() -> None:
    desk = Desk()
    put = desk.put("100", "1.00", 2)
    desk.closes(put, "0.50", 1)
    desk.assigned(put, 1)
    desk.voids(put)
    assert (desk.wheel.cash, desk.wheel.state) == (usd(20_000), "cash")
    assert put not in desk.wheel.trades
    assert put in desk.story.voided_trades


def test_a_voided_trade_is_known_but_out_of_turn() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.voids(put)
    for command in (close(), expire("1"), correct(strike=usd(1)), VOID):
        assert desk.refused(command, put).message == "the trade is voided"


def test_a_trade_whose_shares_are_under_a_call_is_not_voided() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.assigned(put)
    desk.call("110", "1.00")
    refusal = desk.refused(VOID, put)
    assert isinstance(refusal, refusals.BreaksLater)
    assert refusal.message == "would leave the call sold 2026-01-05 uncovered"


# --- twice ----------------------------------------------------------------------------------


def test_a_statements_row_is_recorded_once() -> None:
    desk = Desk("50000")
    desk.put("100", "1.00", external_id="fill-1")
    refusal = desk.refused(sale("put", external_id="fill-1"))
    assert isinstance(refusal, refusals.AppliedBefore)
    assert refusal.details == {"external_id": "fill-1"}


def test_a_statements_row_is_recorded_once_in_either_order() -> None:
    desk = Desk("50000")
    desk.put("100", "1.00", external_id="fill-1")
    refusal = desk.refused(sale("put", external_id="fill-1", opened_at="2026-01-02"))
    assert isinstance(refusal, refusals.AppliedBefore)


def test_a_statements_row_may_come_again_when_it_was_voided() -> None:
    desk = Desk()
    desk.voids(desk.put("100", "1.00", external_id="fill-1"))
    desk.put("100", "1.00", external_id="fill-1")


def test_two_equal_fills_stay_two_fills() -> None:
    desk = Desk("50000")
    desk.put("100", "1.00", external_id="file:1")
    desk.put("100", "1.00", external_id="file:2")
    assert len(desk.wheel.open_trades) == 2


@pytest.mark.parametrize(
    ("again", "when"),
    [((2, 1), None), ((4, 2), None), ((2, 1), "2026-01-05T14:00:00Z")],
)
def test_the_same_split_is_applied_once_a_day(again: tuple[int, int], when: str | None) -> None:
    desk = shareholder()
    desk.splits(2, 1)
    numerator, denominator = again
    split = commands.ApplySplit(numerator=numerator, denominator=denominator, effective_at=when)
    assert isinstance(desk.refused(split), refusals.AppliedBefore)
    desk.on("2026-01-06")
    desk.splits(2, 1)
    assert desk.wheel.shares == 400


# --- splits that cannot be ------------------------------------------------------------------


def _one_dollar_put(desk: Desk) -> None:
    desk.put("1", "0.10")


def _one_call(desk: Desk) -> None:
    desk.call("100", "1.00")


@pytest.mark.parametrize(
    ("given", "ratio"),
    [
        (_one_dollar_put, (1_000, 1)),
        (_one_call, (1, 101)),
        (_one_call, (1, 10_000)),
    ],
)
def test_a_split_that_would_leave_no_contract_is_refused(
    given: Callable[[Desk], None], ratio: tuple[int, int]
) -> None:
    desk = shareholder()
    given(desk)
    refusal = desk.refused(commands.ApplySplit(numerator=ratio[0], denominator=ratio[1]))
    assert isinstance(refusal, refusals.OutOfTurn)
    assert "sold 2026-01-05 with a strike of" in refusal.message


def test_splits_do_not_make_more_shares_than_can_be_counted() -> None:
    desk = shareholder(10**6)
    desk.splits(10_000, 1)
    desk.on("2026-01-06")
    refusal = desk.refused(commands.ApplySplit(numerator=10_000, denominator=1))
    assert isinstance(refusal, refusals.OutOfTurn)


def test_a_split_in_the_past_that_would_break_a_later_sale_names_it() -> None:
    desk = shareholder()
    desk.on("2026-01-07")
    desk.call("100", "1.00")
    split = commands.ApplySplit(numerator=1, denominator=2, effective_at="2026-01-06")
    refusal = desk.refused(split)
    assert refusal.message == "would leave the call sold 2026-01-07 uncovered"
