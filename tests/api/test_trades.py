"""What may become of a trade, of a wheel and of a portfolio."""

from decimal import Decimal
from typing import Any

import pytest

from tests.api.client import Client, Desk

D = Decimal


def test_a_symbol_with_a_point_is_a_symbol(client: Client, desk: Desk) -> None:
    wheel = desk.wheel("brk.b")
    trade = client.get(f"/trades/{desk.sell(wheel)}").data
    assert trade["symbol"] == "BRK.B"
    found = client.get("/trades", symbol="brk.b", portfolio_id=desk.portfolio).data
    assert found == [trade]


def test_a_correction_needs_a_reason(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel())
    refused = client.put(f"/trades/{trade}", {"premium_per_share": 2})
    assert (refused.status, refused.error["details"]["field"]) == (400, "reason")


def test_a_correction_counts_from_the_first_day_on(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel)
    said = {"premium_per_share": D("1.60"), "reason": "the statement says so"}
    corrected = client.put(f"/trades/{trade}", said).data
    assert corrected["total_premium"] == D("160.00")
    assert client.get(f"/wheels/{wheel}").data["cash"] == D("20159.35")
    assert client.get(f"/wheels/{wheel}", as_of="2026-01-06").data["cash"] == D("20159.35")


def test_corrected_fees_are_whole_cents_as_those_recorded_are(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel)
    said = {"fees": D("1.005"), "reason": "the statement says so"}
    assert client.put(f"/trades/{trade}", said).data["fees"] == D("1.01")
    assert client.get(f"/wheels/{wheel}").data["cash"] == D("20148.99")


def test_a_figure_with_many_zeros_is_that_figure(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel(), premium_per_share=D(f"1.5{'0' * 40}"))
    closed = client.post(f"/trades/{trade}/close", {"price_per_share": D("0E-100000")}).data
    assert (closed["total_premium"], closed["close_price"]) == (150, 0)


def test_a_correction_that_a_later_fact_cannot_bear_names_it(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    put = desk.sell(wheel, contracts=2)
    desk.act(put, "assign", effective_at="2026-01-08")
    desk.sell(wheel, direction="call", strike=105, contracts=2, opened_at="2026-01-12")
    refused = client.put(f"/trades/{put}", {"contracts": 1, "reason": "only one"})
    assert (refused.status, refused.code) == (409, "INVALID_STATE")


def test_a_late_sale_of_shares_names_the_call_it_would_uncover(client: Client, desk: Desk) -> None:
    wheel = desk.wheel("OLD", shares=100, cost_basis=50)
    desk.sell(wheel, direction="call", strike=60, opened_at="2026-02-04")
    said = {"action": "sell", "shares": 100, "price": 55, "effective_at": "2026-01-20"}
    refused = client.post(f"/wheels/{wheel}/shares", said)
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert "would leave the call sold 2026-02-04 uncovered" in refused.error["message"]


def test_a_note_changes_nothing_but_the_note(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel())
    before = client.get(f"/trades/{trade}").data
    noted = client.put(f"/trades/{trade}", {"notes": "earnings week"}).data
    assert noted == before | {"notes": "earnings week", "version": noted["version"]}
    assert client.put(f"/trades/{trade}", {"notes": None}).data["notes"] is None


@pytest.mark.parametrize("in_body", [True, False])
def test_a_voided_trade_never_happened(client: Client, desk: Desk, in_body: bool) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel)
    desk.act(trade, "close", price_per_share=1)
    if in_body:
        voided = client.ask("DELETE", f"/trades/{trade}", {"reason": "another account"})
    else:
        voided = client.delete(f"/trades/{trade}", reason="another account")
    assert (voided.status, voided.data["outcome"]) == (200, "voided")
    assert client.get(f"/wheels/{wheel}").data["cash"] == D("20000.00")
    assert client.get(f"/trades/{trade}").data == voided.data


def test_a_trade_is_voided_only_with_a_reason(client: Client, desk: Desk) -> None:
    refused = client.delete(f"/trades/{desk.sell(desk.wheel())}")
    assert (refused.status, refused.error["details"]["field"]) == (400, "reason")


def test_a_trades_history_tells_all_that_was_ever_recorded(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel())
    client.put(f"/trades/{trade}", {"strike": 90, "reason": "typing error"})
    desk.act(trade, "close", price_per_share=1)
    client.delete(f"/trades/{trade}", reason="another account")
    told = [each["name"] for each in client.get(f"/trades/{trade}/history").data]
    assert told[:3] == ["OptionSold", "FactCorrected", "OptionBoughtBack"]
    assert set(told[3:]) == {"FactVoided"}


def test_a_history_tells_the_trade_as_it_was_believed(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel())
    said = {"strike": 90, "reason": "typing error", "external_id": "row 7"}
    client.put(f"/trades/{trade}", said)
    sold, corrected = client.get(f"/trades/{trade}/history").data
    assert (sold["after"]["strike"], corrected["after"]["strike"]) == (100, 90)
    assert corrected["changes"] == [{"field": "strike", "from": 100, "to": 90}]
    assert (corrected["reason"], corrected["external_id"], corrected["amends"]) == (
        "typing error",
        "row 7",
        sold["version"],
    )
    assert corrected["after"] == client.get(f"/trades/{trade}").data
    assert corrected["position"] > sold["position"]


def test_a_history_is_turned_back_by_both_clocks(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel())
    desk.act(trade, "close", price_per_share=1, effective_at="2026-01-20")
    path = f"/trades/{trade}/history"
    assert [each["name"] for each in client.get(path, as_of="2026-01-10").data] == ["OptionSold"]
    assert client.get(path, as_of="2026-01-04").status == 404
    assert client.get(path, known_at="2026-01-10").status == 404


@pytest.mark.parametrize(
    ("path", "query", "known"),
    [
        ("/trades", {"outcome": "foo"}, "expired_worthless"),
        ("/trades", {"direction": "up"}, "put, call"),
        ("/wheels", {"state": "bar"}, "cash_put_open"),
        ("/wheels", {"profile": "reckless"}, "defensive"),
        ("/wheels", {"is_active": "maybe"}, ""),
        ("/trades", {"sort": "strike,colour"}, "opened_at"),
        ("/wheels", {"sort": "-symbol,colour"}, "created_at"),
        ("/positions/open", {"risk_level": "NONE"}, "MEDIUM"),
        ("/alerts", {"status": "old"}, "cleared"),
    ],
)
def test_a_filter_that_cannot_be_meant_names_what_can(
    client: Client, path: str, query: dict[str, str], known: str
) -> None:
    refused = client.get(path, **query)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] == next(iter(query))
    assert known in refused.error["details"]["constraint"]


def test_lists_are_sorted_by_several_fields(client: Client, desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated=90_000)
    for strike, contracts in ((90, 1), (100, 2), (90, 3), (100, 1)):
        desk.sell(wheel, strike=strike, contracts=contracts)
    found = client.get(f"/wheels/{wheel}/trades", sort="-strike,contracts", direction="put").data
    assert [(each["strike"], each["contracts"]) for each in found] == [
        (100, 1),
        (100, 2),
        (90, 1),
        (90, 3),
    ]


def test_a_roll_links_the_old_trade_and_the_new(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    old = desk.sell(wheel)
    rolled = client.post(
        f"/trades/{old}/roll",
        {
            "close_price": D("0.80"),
            "strike": 95,
            "expiration_date": "2026-04-17",
            "premium_per_share": D("2.10"),
            "fees": D("1.31"),
        },
    )
    new = rolled.data
    assert (rolled.status, new["rolled_from"], new["fees"]) == (200, old, D("0.66"))
    ended = client.get(f"/trades/{old}").data
    assert (ended["outcome"], ended["rolled_to"]) == ("rolled", new["id"])
    assert client.get(f"/wheels/{wheel}").data["cash"] == D("20278.04")


@pytest.mark.parametrize("body", [None, {}, b"", b"{}"])
def test_an_order_with_nothing_to_say_needs_no_body(client: Client, desk: Desk, body: Any) -> None:
    trade = desk.sell(desk.wheel())
    assigned = client.post(f"/trades/{trade}/assign", body)
    assert (assigned.status, assigned.data["outcome"]) == (200, "assigned")


@pytest.mark.parametrize(
    ("price", "assigned", "outcome"),
    [
        ("99.99", None, "assigned"),
        ("100", None, "expired_worthless"),
        ("100", True, "assigned"),
        ("99", False, "expired_worthless"),
    ],
)
def test_a_put_expires_by_the_stocks_price_unless_told(
    desk: Desk, price: str, assigned: bool | None, outcome: str
) -> None:
    trade = desk.sell(desk.wheel())
    ended = desk.act(trade, "expire", stock_price_at_expiry=D(price), assigned=assigned)
    assert ended["outcome"] == outcome


def test_a_trade_past_its_expiration_is_no_silent_win(client: Client, desk: Desk) -> None:
    trade = client.get(f"/trades/{desk.sell(desk.wheel())}").data
    assert (trade["outcome"], trade["evidence_missing"]) == ("open", True)


def test_no_option_expires_before_its_day(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel(), expiration_date="2026-03-20")
    refused = client.post(f"/trades/{trade}/expire", {"stock_price_at_expiry": 99})
    assert (refused.status, refused.code) == (409, "INVALID_STATE")


def test_a_trade_closed_in_parts_tells_them(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel(capital_allocated=50_000), contracts=3)
    desk.act(trade, "close", contracts=1, price_per_share=1)
    ended = desk.act(trade, "expire", stock_price_at_expiry=101)
    assert [(e["outcome"], e["contracts"]) for e in ended["closings"]] == [
        ("closed_early", 1),
        ("expired_worthless", 2),
    ]
    assert ended["outcome"] == "expired_worthless"


def test_shares_of_two_lots_leave_the_oldest_first(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    desk.shares(wheel, "buy", 10, 50, effective_at="2026-01-05")
    desk.shares(wheel, "buy", 10, 60, effective_at="2026-01-06")
    desk.shares(wheel, "sell", 15, 70, effective_at="2026-01-07")
    lots = client.get(f"/wheels/{wheel}/lots").data
    assert [each["shares_left"] for each in lots if each["shares_left"]] == [5]
    assert desk.performance(wheel)["stock_gain"] == D("250.00")


def test_a_split_doubles_the_shares_and_is_refused_twice(client: Client, desk: Desk) -> None:
    wheel = desk.wheel("SPL", shares=100, cost_basis=50)
    once = {"numerator": 2, "denominator": 1, "effective_at": "2026-02-02"}
    done = client.post(f"/wheels/{wheel}/splits", once).data
    assert (done["shares"], done["cost_basis"]) == (200, D("25.00"))
    assert client.post(f"/wheels/{wheel}/splits", once).code == "INVALID_STATE"


# --- wheels and portfolios -------------------------------------------------------------------


def test_a_wheel_with_options_open_is_put_away_only_by_force(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    desk.sell(wheel, expiration_date="2026-03-20")
    assert client.delete(f"/wheels/{wheel}").code == "INVALID_STATE"
    assert client.delete(f"/wheels/{wheel}", force=True).data["is_active"] is False
    now = {"opened_at": None, "expiration_date": "2026-03-20"}
    refused = client.post(f"/wheels/{wheel}/trades", desk.sale(strike=50) | now)
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert client.post(f"/wheels/{wheel}/restore").data["is_active"] is True


def test_a_wheels_state_tells_the_next_moves_and_what_is_open(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel)
    state = client.get(f"/wheels/{wheel}/state").data
    assert state["state"] == "cash_put_open"
    assert [each["id"] for each in state["open_trades"]] == [trade]
    assert {"close", "assign", "expire", "roll", "sell_put"} <= set(state["next_moves"])


def test_a_symbol_has_one_wheel_in_a_portfolio(client: Client, desk: Desk) -> None:
    desk.wheel("ONE")
    body = {"symbol": "one", "capital_allocated": 1}
    again = client.post(f"/portfolios/{desk.portfolio}/wheels", body)
    assert (again.status, again.code) == (409, "CONFLICT")
    assert client.post(f"/portfolios/{Desk(client).portfolio}/wheels", body).status == 201


def test_margin_is_not_asked_for_cash(client: Client, desk: Desk) -> None:
    bare = {"capital_allocated": 100, "collateral": "margin"}
    assert desk.sell(desk.wheel("MAR", **bare))
    refused = client.post(f"/wheels/{desk.wheel('CSH', capital_allocated=100)}/trades", desk.sale())
    assert (refused.status, refused.code) == (409, "INVALID_STATE")


def test_other_capital_is_a_contribution(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    changed = client.put(f"/wheels/{wheel}", {"capital_allocated": 25_000}).data
    assert (changed["cash"], changed["capital_allocated"]) == (D("25000.00"), D("25000.00"))


def test_there_is_one_default_portfolio_and_it_can_be_chosen(client: Client, desk: Desk) -> None:
    chosen = client.put("/portfolios/default", {"portfolio_id": desk.portfolio})
    assert (chosen.status, chosen.data["is_default"]) == (200, True)
    assert client.get("/portfolios/default").data["id"] == desk.portfolio
    everyone = client.get("/portfolios", page_size=500).data
    assert [each["id"] for each in everyone if each["is_default"]] == [desk.portfolio]


def test_the_choice_of_a_default_has_a_version_of_its_own(client: Client, desk: Desk) -> None:
    client.put(f"/portfolios/{desk.portfolio}", {"description": "of another version"})
    client.put("/portfolios/default", {"portfolio_id": desk.portfolio})
    seen = {"If-Match": client.get("/portfolios/default").headers["etag"]}
    client.put("/config", {"changes": {"fee_per_contract": 0.51}})
    client.put("/config", {"changes": {"fee_per_contract": None}})
    other = {"portfolio_id": Desk(client).portfolio}
    chosen = client.put("/portfolios/default", other, headers=seen)
    assert chosen.status == 200
    assert client.get("/portfolios/default").headers["etag"] == chosen.headers["etag"]
    again = client.put("/portfolios/default", {"portfolio_id": desk.portfolio}, headers=seen)
    assert (again.status, again.code) == (409, "CONFLICT")


def test_a_portfolio_is_changed_put_away_and_brought_back(client: Client, desk: Desk) -> None:
    path = f"/portfolios/{desk.portfolio}"
    assert client.put(path, {"description": "the old one"}).data["description"] == "the old one"
    assert client.delete(path).data["is_active"] is False
    refused = client.post(f"{path}/wheels", {"symbol": "A", "capital_allocated": 1})
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert client.post(f"{path}/restore").data["is_active"] is True


def test_a_portfolio_with_options_open_is_put_away_only_by_force(
    client: Client, desk: Desk
) -> None:
    desk.sell(desk.wheel(), expiration_date="2026-03-20")
    path = f"/portfolios/{desk.portfolio}"
    assert client.delete(path).code == "INVALID_STATE"
    assert client.delete(path, force=True).status == 200


def test_a_portfolios_summary_adds_up_its_wheels(client: Client, desk: Desk) -> None:
    first, second = desk.wheel(), desk.wheel("PUT2", capital_allocated=10_000)
    desk.act(desk.sell(first), "expire", stock_price_at_expiry=101)
    desk.act(desk.sell(second, fees=0), "close", price_per_share=2, fees=0)
    desk.sell(first, expiration_date="2026-03-20")
    told = client.get(f"/portfolios/{desk.portfolio}/summary").data
    assert (told["total_wheels"], told["active_wheels"], told["open_positions"]) == (2, 2, 1)
    assert (told["wins"], told["losses"], told["win_rate"]) == (1, 1, D("50.00"))
    assert told["cash"] == D("30248.70")
    assert told["collateral_in_use"] == D("10000.00")
    assert told["realized_pnl"] == D("248.70")


def test_a_position_without_a_price_is_still_listed(client: Client, desk: Desk) -> None:
    trade = desk.sell(desk.wheel(), expiration_date="2026-03-20")
    (shown,) = client.get(f"/portfolios/{desk.portfolio}/positions").data
    assert (shown["trade_id"], shown["price_state"], shown["current_price"]) == (
        trade,
        "missing",
        None,
    )
    assert (shown["dte_calendar"], shown["dte_trading"]) == (18, 14)


# --- lists -----------------------------------------------------------------------------------


@pytest.fixture
def many(client: Client) -> Desk:
    """Three puts and a call, in two wheels."""
    desk = Desk(client)
    first = desk.wheel("AAA", capital_allocated=100_000)
    second = desk.wheel("BBB", shares=100, cost_basis=50)
    desk.sell(first, strike=90, opened_at="2026-01-05")
    desk.sell(first, strike=100, opened_at="2026-01-06")
    last = desk.sell(first, strike=95, opened_at="2026-01-07", expiration_date="2026-03-20")
    desk.sell(second, direction="call", strike=60, opened_at="2026-01-08")
    desk.act(last, "close", price_per_share=1, effective_at="2026-01-09")
    return desk


@pytest.mark.parametrize(
    ("query", "strikes"),
    [
        ({}, [60, 95, 100, 90]),
        ({"symbol": "aaa"}, [95, 100, 90]),
        ({"direction": "call"}, [60]),
        ({"outcome": "closed_early"}, [95]),
        ({"outcome": "open", "sort": "strike"}, [60, 90, 100]),
        ({"opened_from": "2026-01-06", "opened_to": "2026-01-07"}, [95, 100]),
        ({"closed_from": "2026-01-09", "closed_to": "2026-01-09"}, [95]),
        ({"expiring_from": "2026-03-01"}, [95]),
        ({"expiring_to": "2026-02-20", "sort": "-strike"}, [100, 90, 60]),
        ({"sort": "symbol,-strike"}, [100, 95, 90, 60]),
        ({"sort": "-direction,outcome,-strike"}, [95, 100, 90, 60]),
        ({"sort": "strike", "page": 2, "page_size": 3}, [100]),
        ({"as_of": "2026-01-06"}, [100, 90]),
        ({"as_of": "2026-01-08", "outcome": "closed_early"}, []),
    ],
)
def test_trades_are_found_and_sorted(
    client: Client, many: Desk, query: dict[str, Any], strikes: list[int]
) -> None:
    found = client.get("/trades", portfolio_id=many.portfolio, **query).data
    assert [int(each["strike"]) for each in found] == strikes


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ({}, ["AAA", "BBB"]),
        ({"sort": "-symbol"}, ["BBB", "AAA"]),
        ({"sort": "shares,symbol"}, ["AAA", "BBB"]),
        ({"state": "shares_call_open"}, ["BBB"]),
        ({"symbol": "aaa"}, ["AAA"]),
        ({"is_active": False}, []),
        ({"profile": "conservative", "page_size": 1, "page": 2}, ["BBB"]),
    ],
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_wheels_are_found_and_sorted(
    client: Client, many: Desk, query: dict[str, Any], symbols: list[str], everywhere: bool
) -> None:
    if everywhere:
        found = client.get("/wheels", portfolio_id=many.portfolio, **query)
    else:
        found = client.get(f"/portfolios/{many.portfolio}/wheels", **query)
    assert [each["symbol"] for each in found.data] == symbols


@pytest.mark.parametrize(
    ("query", "strikes"),
    [
        ({}, {60, 90, 100}),
        ({"symbol": "bbb"}, {60}),
        ({"sort": "-strike"}, {60, 90, 100}),
        ({"dte_max": -1}, {60, 90, 100}),
        ({"dte_min": 0}, set()),
        ({"risk_level": "HIGH"}, set()),
    ],
)
def test_open_positions_are_found(
    client: Client, many: Desk, query: dict[str, Any], strikes: set[int]
) -> None:
    found = client.get("/positions/open", portfolio_id=many.portfolio, **query).data
    assert {int(each["strike"]) for each in found} == strikes
    assert len(found) == len(strikes)
