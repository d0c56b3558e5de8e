"""Several legitimate books of one history: when an amount counts, and that they agree."""

from collections import defaultdict
from decimal import Decimal

import pytest

from domain import commands, money, policies, refusals
from tests.domain.desk import Desk, everywhere, usd

Told = list[tuple[str, str, str, Decimal]]


def told(desk: Desk, policy: policies.Policy) -> Told:
    """Each amount's day, kind, rule and USD."""
    return [
        (f"{each.date:%m-%d}", each.kind, each.rule, each.amount) for each in desk.income(policy)
    ]


@pytest.fixture
def desk() -> Desk:
    """Two puts, one assigned and one bought back, a call, a dividend, called away: G1 by day."""
    desk = Desk("20000")
    puts = desk.put("100", "1.50", 2, fees=usd("1.30"))
    desk.on("2026-01-12")
    desk.assigned(puts, 1)
    desk.on("2026-01-13")
    desk.closes(puts, "0.40", fees=usd("0.65"))
    desk.on("2026-01-14")
    call = desk.call("105", "1.20", fees=usd("0.65"))
    desk.on("2026-02-20")
    desk.expires(call, "106")
    return desk


def test_cash_counts_when_cash_moved(desk: Desk) -> None:
    assert told(desk, "cash") == [
        ("01-05", "option", "premium_received", usd("298.70")),
        ("01-13", "option", "bought_back", usd("-40.65")),
        ("01-14", "option", "premium_received", usd("119.35")),
        ("02-20", "stock", "shares_left", usd(500)),
    ]


def test_close_counts_when_contracts_end(desk: Desk) -> None:
    assert told(desk, "close") == [
        ("01-12", "option", "option_assigned", usd("149.35")),
        ("01-13", "option", "option_closed", usd("108.70")),
        ("02-20", "option", "option_assigned", usd("119.35")),
        ("02-20", "stock", "shares_left", usd(500)),
    ]


def test_us_tax_moves_premiums_into_basis_and_proceeds(desk: Desk) -> None:
    assert desk.wheel.lots[0].tax_basis == usd("9850.65")
    assert told(desk, "us_tax") == [
        ("01-13", "option", "option_closed", usd("108.70")),
        ("02-20", "stock", "shares_left_net_of_premiums", usd("768.70")),
    ]


def test_they_agree_once_flat(desk: Desk) -> None:
    assert desk.totals() == everywhere("877.40")
    assert desk.wheel.cash - desk.wheel.capital == usd("877.40")


def test_what_is_open_has_yet_to_bring_what_its_policy_has_not_counted() -> None:
    desk = Desk("20000")
    put = desk.put("100", "1.50", 2, fees=usd("1.30"))
    desk.assigned(put, 1)
    state, left = desk.wheel, desk.trade(put).premium_left
    cost, value = usd("40.00"), usd("9950.00")
    option = {p: policies.unrealized_on_option(p, left, cost) for p in policies.POLICIES}
    assert option == {"cash": usd("-40"), "close": usd("109.35"), "us_tax": usd("109.35")}
    shares = {
        p: policies.unrealized_on_shares(p, value, state.basis, state.tax_basis)
        for p in policies.POLICIES
    }
    assert shares == {"cash": usd("-50"), "close": usd("-50"), "us_tax": usd("99.35")}
    together = {p: desk.totals()[p] + option[p] + shares[p] for p in policies.POLICIES}
    assert together == everywhere("208.70")


def test_an_expired_option_counts_on_its_day_but_for_cash() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.on("2026-02-20")
    desk.expires(put, "101")
    assert told(desk, "cash") == [("01-05", "option", "premium_received", usd(100))]
    for policy in ("close", "us_tax"):
        assert told(desk, policies.named(policy)) == [
            ("02-20", "option", "option_expired", usd(100))
        ]


def test_assignment_fees_belong_to_the_shares_under_every_policy() -> None:
    desk = Desk()
    put = desk.put("100", "1.00")
    desk.assigned(put, fees=usd(5))
    assert (desk.wheel.basis, desk.wheel.lots[0].tax_basis) == (usd(10_005), usd(9_905))
    desk.assigned(desk.call("100", "1.00"), fees=usd(7))
    assert desk.totals() == everywhere("188")


def test_a_dividend_counts_on_its_day_under_every_policy() -> None:
    desk = Desk()
    desk.buys(100, "90")
    desk.does(
        commands.ReceiveDividend(amount_per_share=usd("0.50"), ex_date=desk.now.date(), shares=100)
    )
    for policy in policies.POLICIES:
        assert told(desk, policy) == [("01-05", "dividend", "dividend", usd(50))]


def test_shares_from_several_lots_gain_by_lot_in_cents() -> None:
    desk = Desk()
    desk.buys(1, "10")
    desk.buys(2, "20")
    desk.sells(3, "33.333333")
    parts = [(each.lot, each.amount) for each in desk.income("cash")]
    assert parts == [(2, usd("23.33")), (3, usd("26.67"))]


def test_a_day_is_a_new_york_day() -> None:
    desk = Desk()
    desk.on("2026-01-31", hour=23)
    desk.put("100", "1.00")
    assert told(desk, "cash")[0][0] == "01-31"


def test_every_amount_has_a_rule_that_explains_it(desk: Desk) -> None:
    rules = {each.rule for policy in policies.POLICIES for each in desk.income(policy)}
    assert rules <= set(policies.RULES)


def test_months_sum_to_the_whole(desk: Desk) -> None:
    for policy in policies.POLICIES:
        months: dict[int, Decimal] = defaultdict(lambda: money.ZERO)
        for each in desk.income(policy):
            months[each.date.month] += each.amount
        assert sum(months.values()) == usd("877.40")


def test_a_policy_has_a_name_or_is_none() -> None:
    assert policies.named("us_tax") == "us_tax"
    with pytest.raises(refusals.Invalid, match="cash, close, us_tax"):
        policies.named("creative")
