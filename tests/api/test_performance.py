"""Performance over the API: G1 in every answer, over time, side by side and taken apart."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import policies
from projections import explained
from tests.api.client import Client, Desk

D = Decimal
POLICIES = policies.POLICIES


@pytest.fixture
def g1(desk: Desk) -> str:
    """Contribute 20,000; two puts, one assigned, one bought back; a call; a dividend; away."""
    wheel = desk.wheel()
    puts = desk.sell(wheel, contracts=2, fees=D("1.30"))
    desk.act(puts, "assign", contracts=1, fees=0, effective_at="2026-01-12")
    desk.act(puts, "close", price_per_share=D("0.40"), fees=D("0.65"), effective_at="2026-01-13")
    call = desk.sell(
        wheel,
        direction="call",
        strike=105,
        premium_per_share=D("1.20"),
        fees=D("0.65"),
        opened_at="2026-01-14",
    )
    dividend = {"amount_per_share": D("0.50"), "ex_date": "2026-02-02"}
    desk.client.post(f"/wheels/{wheel}/dividends", dividend | {"effective_at": "2026-02-02"})
    desk.act(call, "expire", stock_price_at_expiry=106)
    return wheel


def pages(client: Client, **query: Any) -> list[Any]:
    """All pages of an explanation."""
    told = [client.get("/performance/explain", **query).data]
    while told[-1]["next_after"]:
        after = told[-1]["next_after"]
        told.append(client.get("/performance/explain", **query, after=after).data)
    return told


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("interval", ["day", "week", "month"])
def test_the_buckets_of_a_timeline_sum_to_g1(
    client: Client, g1: str, policy: str, interval: str
) -> None:
    told = client.get("/performance/timeline", wheel_id=g1, policy=policy, interval=interval).data
    buckets = told["buckets"]
    assert sum(each["realized_pnl"] for each in buckets) == told["realized_pnl"] == D("927.40")
    assert buckets[-1]["cumulative_pnl"] == D("927.40")
    assert buckets[-1]["equity"] == D("20927.40")
    assert sum(each["trades_opened"] for each in buckets) == 2
    assert (buckets[0]["from"], buckets[-1]["to"]) == ("2026-01-05", "2026-03-02")


def test_a_wheel_has_its_capital_since_the_first_of_its_trades(client: Client, g1: str) -> None:
    """It is set up today, and what was traded before is entered then."""
    told = client.get("/performance/timeline", wheel_id=g1, interval="week").data
    held = [client.get(f"/wheels/{g1}", as_of=each["to"]).data for each in told["buckets"]]
    assert told["buckets"][0]["equity"] == held[0]["cash"] == D("20298.70")
    assert told["buckets"][-1]["equity"] == held[-1]["cash"] == D("20927.40")


def test_a_timeline_tells_the_quiet_days_too(client: Client, g1: str) -> None:
    told = client.get("/performance/timeline", wheel_id=g1, **{"from": "2025-12-30"}).data
    days = [date.fromisoformat(each["from"]) for each in told["buckets"]]
    assert days == [date(2025, 12, 30) + timedelta(days=n) for n in range(63)]


def test_a_timeline_tells_how_deep_it_went(client: Client, g1: str) -> None:
    told = client.get("/performance/timeline", wheel_id=g1, interval="month").data
    assert (told["max_drawdown"], told["max_drawdown_on"]) == (D("40.65"), "2026-01-13")
    assert told["buckets"][-1]["drawdown"] == 0


def test_capital_is_tied_up_as_long_as_there_is_collateral_or_stock(
    client: Client, g1: str
) -> None:
    buckets = client.get("/performance/timeline", wheel_id=g1).data["buckets"]
    tied = {each["to"]: each["capital_tied_up"] for each in buckets}
    days = ("2026-01-05", "2026-01-12", "2026-01-13", "2026-02-19", "2026-02-20")
    assert [tied[day] for day in days] == [20_000, 20_000, 10_000, 10_000, 0]


@pytest.mark.parametrize("policy", POLICIES)
def test_returns_are_on_the_capital_that_was_tied_up(desk: Desk, g1: str, policy: str) -> None:
    told = desk.performance(g1, policy=policy)
    dollar_days = 8 * 20_000 + 38 * 10_000
    assert told["days"] == 57
    assert told["capital_tied_up"] == round(D(dollar_days) / 57, 2)
    assert told["return_on_collateral"] == round(D(92740) * 57 / dollar_days, 2)
    assert told["annualized_return"] == round(D(92740) * 365 / dollar_days, 2)


def test_below_thirty_days_nothing_is_annualized(desk: Desk, g1: str) -> None:
    span = {"from": "2026-01-05", "to": "2026-02-02"}
    assert desk.performance(g1, **span)["annualized_return"] is None
    assert desk.performance(g1, **span | {"to": "2026-02-03"})["annualized_return"] is not None


def test_days_before_the_first_fact_dilute_nothing(desk: Desk, g1: str) -> None:
    assert (
        desk.performance(g1, period="365d")["capital_tied_up"]
        == (desk.performance(g1)["capital_tied_up"])
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("figure", explained.FIGURES)
def test_what_explains_a_figure_sums_to_it(desk: Desk, g1: str, policy: str, figure: str) -> None:
    shown = desk.performance(g1, policy=policy)[figure]
    (told,) = pages(desk.client, wheel_id=g1, policy=policy, figure=figure)
    assert told["amount"] == told["page_amount"] == shown
    assert sum(each["amount"] for each in told["parts"]) == shown
    assert sum(each["amount"] for each in told["rules"]) == shown
    assert {each["rule"] for each in told["rules"]} == {each["rule"] for each in told["parts"]}


def test_an_explanation_names_the_events_and_what_amended_them(desk: Desk) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel, fees=0)
    correction = {"premium_per_share": 2, "reason": "a slip of the pen"}
    position = desk.client.put(f"/trades/{trade}", correction).position
    (told,) = pages(desk.client, wheel_id=wheel, figure="premium_collected")
    (part,) = told["parts"]
    assert part["amount"] == 200
    assert (part["type"], part["version"], part["trade_id"]) == ("OptionSold", 2, trade)
    assert (part["date"], part["position"]) == ("2026-01-05", position - 1)
    assert part["amended_by"] == [position]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_all_pages_of_an_explanation_sum_to_the_figure(desk: Desk, g1: str, limit: int) -> None:
    other = desk.wheel()
    for day in ("2026-01-06", "2026-01-07"):
        desk.sell(other, strike=50, opened_at=day, fees=0)
    found = pages(desk.client, portfolio_id=desk.portfolio, limit=limit)
    assert all(len(each["parts"]) <= limit for each in found)
    amounts = [part["amount"] for each in found for part in each["parts"]]
    assert sum(amounts) == found[0]["amount"] == D("1227.40")


def test_further_pages_tell_of_the_ledger_as_the_first_one_found_it(desk: Desk, g1: str) -> None:
    first = desk.client.get("/performance/explain", wheel_id=g1, limit=1).data
    desk.sell(g1, strike=1, opened_at="2026-01-02", fees=0)
    rest = pages(desk.client, wheel_id=g1, limit=100, after=first["next_after"])
    parts = [*first["parts"], *(part for each in rest for part in each["parts"])]
    assert sum(part["amount"] for part in parts) == rest[-1]["amount"] == D("927.40")
    assert rest[-1]["position"] == first["position"]


def test_pages_of_another_question_do_not_go_on(desk: Desk, g1: str) -> None:
    first = desk.client.get("/performance/explain", wheel_id=g1, limit=1).data
    for other in ({"figure": "fees"}, {"policy": "close"}, {"to": "2026-01-12"}, {"symbol": "X"}):
        query = {"wheel_id": g1, "after": first["next_after"], **other}
        told = desk.client.get("/performance/explain", **query)
        assert (told.status, told.error["details"]["field"]) == (400, "after")


def test_nothing_is_unrealized_in_a_span_without_today(desk: Desk) -> None:
    wheel = desk.wheel()
    spans = {"from": "2026-01-05"}, {"from": "2099-01-01"}, {"to": "2025-12-31"}
    told = [desk.performance(wheel, **span)["unrealized_pnl"] for span in spans]
    assert told == [0, None, None]


def test_an_explanation_of_the_past_is_of_what_was_known_then(desk: Desk, g1: str) -> None:
    as_of = {"as_of": "2026-01-13", "wheel_id": g1}
    (told,) = pages(desk.client, **as_of)
    assert told["amount"] == told["page_amount"] == D("258.05")
    assert desk.performance(g1, as_of="2026-01-13")["realized_pnl"] == D("258.05")


def test_wins_and_losses_of_g1(desk: Desk, g1: str) -> None:
    told = desk.client.get("/performance/win-loss", wheel_id=g1).data
    overall = told["overall"]
    assert (overall["trades_ended"], overall["winning_trades"]) == (2, 1)
    assert (overall["losing_trades"], overall["win_rate"]) == (1, 50)
    assert overall["net_premium"] == D("377.40")
    assert told["puts"]["average_win"] == D("258.05")
    assert told["calls"]["average_loss"] == D("119.35")
    assert told["streaks"] == {
        "longest_win": 1,
        "longest_loss": 1,
        "current": {"result": "loss", "trades": 1},
    }


def test_rates_and_extremes_are_of_what_trades_brought(desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated=100_000)
    for day, price in enumerate(("0.50", "0.50", "6.00", "1.50", "0.50"), start=5):
        trade = desk.sell(wheel, fees=0, opened_at=f"2026-01-{day:02}")
        desk.act(trade, "close", price_per_share=D(price), fees=0, effective_at=f"2026-02-{day:02}")
    told = desk.client.get("/performance/win-loss", wheel_id=wheel).data
    overall, streaks = told["overall"], told["streaks"]
    assert (overall["largest_win"], overall["largest_loss"]) == (100, -450)
    assert (overall["gross_gain"], overall["gross_loss"]) == (300, -450)
    assert (overall["profit_factor"], overall["expectancy"]) == (D("0.67"), -30)
    assert overall["even_trades"] == 1
    assert (streaks["longest_win"], streaks["longest_loss"]) == (2, 1)


def test_everything_is_the_sum_of_its_portfolios_and_of_its_symbols(desk: Desk, g1: str) -> None:
    told = desk.client.get("/performance/aggregate", top=500).data
    compared = desk.client.get("/performance/compare", page_size=500).body["data"]
    for rows in (told["best_symbols"], told["worst_symbols"], told["best_portfolios"], compared):
        assert sum(each["realized_pnl"] for each in rows) == told["realized_pnl"]
    assert told["symbols"] == len(told["best_symbols"])


def test_the_best_come_first_and_the_worst_too(desk: Desk, g1: str) -> None:
    other = Desk(desk.client)
    loser = other.sell(other.wheel("LOSS"), fees=0)
    other.act(loser, "close", price_per_share=90, fees=0, effective_at="2026-01-09")
    told = desk.client.get("/performance/aggregate", top=1).data
    assert [each["symbol"] for each in told["worst_symbols"]] == ["LOSS"]
    assert told["worst_portfolios"][0]["portfolio_id"] == other.portfolio
    assert told["best_portfolios"][0]["portfolio_id"] != other.portfolio


def test_portfolios_compare_by_any_figure(desk: Desk, g1: str) -> None:
    other = Desk(desk.client)
    third = Desk(desk.client)
    other.sell(other.wheel(), fees=0)
    ids = f"{desk.portfolio},{other.portfolio},{third.portfolio}"
    for sort, order in (
        ("realized_pnl", [third, other, desk]),
        ("-realized_pnl", [desk, other, third]),
        ("-win_rate,-total_trades", [desk, other, third]),
    ):
        told = desk.client.get("/performance/compare", portfolio_id=ids, sort=sort).data
        assert [each["portfolio_id"] for each in told] == [each.portfolio for each in order]


def test_a_portfolio_compares_as_it_is_told_alone(desk: Desk, g1: str) -> None:
    query = {"policy": "us_tax", "from": "2026-01-10", "to": "2026-02-25"}
    alone = desk.client.get(f"/portfolios/{desk.portfolio}/performance", **query).data
    (told,) = desk.client.get("/performance/compare", portfolio_id=desk.portfolio, **query).data
    assert told == alone | {"portfolio_id": desk.portfolio, "name": told["name"]}


@pytest.mark.parametrize(
    ("path", "field", "query"),
    [
        ("timeline", "interval", {"interval": "hour"}),
        ("timeline", "interval", {"from": "0001-01-01"}),
        ("timeline", "policy", {"policy": "creative"}),
        ("timeline", "from", {"from": "2026-02-01", "to": "2026-01-01"}),
        ("win-loss", "period", {"period": "7d"}),
        ("win-loss", "direction", {"direction": "up"}),
        ("compare", "portfolio_id", {"portfolio_id": "mine"}),
        ("compare", "sort", {"sort": "colour"}),
        ("explain", "figure", {"figure": "luck"}),
        ("explain", "after", {"after": "nonsense"}),
        ("explain", "after", {"after": "AAAA"}),
        ("aggregate", "top", {"top": -1}),
        ("aggregate", "wheel_id", {"wheel_id": "1"}),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: Client, path: str, field: str, query: dict[str, Any]
) -> None:
    error = client.get(f"/performance/{path}", **query).error
    assert (error["code"], error["details"]["field"]) == ("VALIDATION_ERROR", field)


@pytest.mark.parametrize("path", ["timeline", "win-loss", "explain", "compare"])
def test_whom_there_is_not_is_not_found(client: Client, path: str) -> None:
    nobody = "00000000-0000-0000-0000-000000000077"
    assert client.get(f"/performance/{path}", portfolio_id=nobody).code == "NOT_FOUND"


def test_an_empty_book_has_nothing_to_tell(desk: Desk) -> None:
    of = {"portfolio_id": desk.portfolio}
    told = desk.client.get("/performance/timeline", **of).data
    assert (told["buckets"], told["max_drawdown"]) == ([], 0)
    assert desk.client.get("/performance/win-loss", **of).data["overall"]["win_rate"] is None
    (page,) = pages(desk.client, **of)
    assert (page["parts"], page["amount"], page["rules"]) == ([], 0, [])
