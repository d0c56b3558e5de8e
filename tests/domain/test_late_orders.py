"""Orders about the past are judged by the trade as it stood then."""

from datetime import date
from uuid import UUID

from domain import commands, refusals
from tests.domain.desk import Desk, usd


def expired(price: str) -> commands.Expire:
    return commands.Expire(stock_price_at_expiry=usd(price))


def a_put_and_a_later_split(
    numerator: int, denominator: int, strike: str = "90"
) -> tuple[Desk, UUID]:
    desk = Desk("60000")
    put = desk.put(strike, "1.00", expiration_date=date(2026, 1, 16))
    desk.on("2026-02-02")
    desk.splits(numerator, denominator)
    return desk, put


def test_a_put_that_was_in_the_money_is_assigned_though_an_odd_split_came_since() -> None:
    desk, put = a_put_and_a_later_split(3, 2)
    desk.does(expired("80"), put)
    assert desk.trade(put).outcome == "assigned"


def test_a_put_that_was_out_of_the_money_is_worthless_though_a_reverse_split_came_since() -> None:
    desk, put = a_put_and_a_later_split(1, 10, strike="9")
    desk.does(expired("12"), put)
    assert desk.trade(put).outcome == "expired_worthless"


def test_what_expired_before_a_split_expires_with_the_contracts_it_had() -> None:
    desk, put = a_put_and_a_later_split(2, 1)
    desk.does(expired("95"), put)
    assert (desk.trade(put).open_contracts, desk.wheel.is_flat) == (0, True)


def test_a_note_does_not_hide_a_later_correction_from_the_version() -> None:
    desk = Desk()
    put = desk.put("90", "1.00")
    desk.does(commands.CorrectTrade(notes="mine"), put)
    noted = desk.trade(put).touched
    desk.corrects(put, strike=usd("91"))
    assert desk.trade(put).touched > noted


def test_a_roll_at_the_same_strike_is_secured_by_its_own_credit() -> None:
    desk = Desk("10000")
    rolled = desk.rolls(desk.put("100", "1.50"), "4.00", "100", "4.80")
    assert desk.trade(rolled).open_contracts == 1


def test_a_closing_keeps_what_it_brought_when_a_split_follows() -> None:
    desk = Desk("60000")
    put = desk.put("90", "1.50", contracts=2)
    desk.closes(put, "0.40", 1)
    before = desk.trade(put).closings[0].cost
    desk.splits(3, 2)
    assert desk.trade(put).closings[0].cost == before


def test_an_option_cannot_be_bought_back_after_its_last_day() -> None:
    desk = Desk()
    put = desk.put("90", "1.00", expiration_date=date(2026, 1, 16))
    desk.on("2026-03-02")
    order = commands.Close(price_per_share=usd("0.10"), effective_at="2026-02-02")
    assert isinstance(desk.refused(order, put), refusals.OutOfTurn)


def test_a_forgotten_trade_is_imported_whatever_was_sold_since() -> None:
    desk = Desk("10000")
    desk.on("2026-03-02")
    desk.put("100", "1.00", expiration_date=date(2026, 3, 20))
    desk.does(
        commands.SellOption(
            direction="put",
            strike=usd("95"),
            expiration_date=date(2026, 1, 16),
            premium_per_share=usd("1.00"),
            opened_at="2026-01-06",
            source="import:statement",
        )
    )
    assert len(desk.wheel.open_trades) == 2


def test_a_dividend_before_any_cycle_belongs_to_the_first() -> None:
    desk = Desk()
    desk.does(
        commands.ReceiveDividend(amount_per_share=usd("0.5"), ex_date=date(2026, 1, 2), shares=10)
    )
    assert [cycle.total for cycle in desk.wheel.cycles] == [usd(5)]


def test_cash_moves_in_whole_cents() -> None:
    desk = Desk("100")
    for _ in range(3):
        order = commands.ReceiveDividend(
            amount_per_share=usd("0.235"), ex_date=date(2026, 1, 2), shares=1
        )
        desk.does(order)
    assert desk.wheel.cash == usd("100.72")


def test_less_than_a_contract_of_then_did_not_end_then() -> None:
    desk = Desk("50000")
    put = desk.put("100", "1.50", 2)
    sold = desk.now
    desk.on("2026-01-12")
    desk.splits(2, 1)
    desk.closes(put, "0.50", 3)
    late = commands.Close(price_per_share=usd("0.50"), effective_at=sold.isoformat())
    refused = desk.refused(late, put)
    assert isinstance(refused, refusals.OutOfTurn)
    assert "less than a contract" in refused.message
