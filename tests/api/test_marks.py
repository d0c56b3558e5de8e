"""Positions, gains and snapshots with what the market says of the options that are held."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import calendar, market, pricing
from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.market import Market, option
from tests.api.waiting import until
from tests.domain.desk import everywhere

D = Decimal
EXPIRY = "2026-04-17"


@pytest.fixture
def says(house: House) -> Market:
    return Market(house)


def position(client: Client, wheel: str, **clocks: Any) -> Any:
    return client.get(f"/wheels/{wheel}/position", **clocks).data


def once(client: Client, wheel: str, field: str, value: Any) -> Any:
    """The position as soon as it says so."""

    def told() -> Any:
        seen = position(client, wheel)
        return seen if seen[field] == value else None

    return until(told)


def put(strike: str = "100", expiration: str = EXPIRY, **said: Any) -> market.OptionMark:
    return option("put", strike, expiration, **said)


def sold(desk: Desk, wheel: str, **said: Any) -> str:
    return desk.sell(wheel, expiration_date=EXPIRY, **said)


def test_a_position_is_told_with_its_mark(client: Client, desk: Desk, says: Market) -> None:
    wheel = desk.wheel("MRK")
    sold(desk, wheel, contracts=2, fees=D("1.30"))
    assert position(client, wheel)["mark_state"] == "missing"
    greeks: dict[str, Any] = {
        "implied_volatility": 0.125,
        "delta": -0.3,
        "gamma": 0.02,
        "theta": -0.04,
        "vega": 0.1,
    }
    says.marks("MRK", "101.50", put(bid="0.90", ask="1.00", **greeks))
    seen = once(client, wheel, "option_mid", D("0.95"))
    assert {each: seen[each] for each in greeks} == {k: D(str(v)) for k, v in greeks.items()}
    assert (seen["bid"], seen["ask"], seen["extrinsic"]) == (D("0.90"), D("1.00"), D("0.95"))
    assert seen["unrealized_pnl"] == seen["premium_collected"] - 190 == D("108.70")
    assert seen["mark_state"] == "live"
    assert 0 < seen["probability_itm"] < 1


def test_what_the_provider_does_not_say_is_reckoned_from_the_mid(
    client: Client, desk: Desk, says: Market, house: House
) -> None:
    wheel = desk.wheel("IVS")
    sold(desk, wheel)
    as_of = house.watch.now()
    years = calendar.years_to_expiry(as_of, date.fromisoformat(EXPIRY))
    rate = house.settings.risk_free_rate
    found = pricing.greeks("put", 98, 100, years, rate, 0, 0.35)
    mid = f"{float(found.price):.6f}"
    says.marks("IVS", "98", put(bid=mid, ask=mid), as_of=as_of)
    seen = once(client, wheel, "option_mid", D(mid))
    assert float(seen["implied_volatility"]) == pytest.approx(0.35, abs=1e-5)
    assert float(seen["delta"]) == pytest.approx(float(found.delta), abs=1e-4)
    assert float(seen["probability_itm"]) == pytest.approx(float(found.probability_itm), abs=1e-4)
    assert seen["extrinsic"] == D(mid) - 2


def test_without_an_ask_there_is_no_mid_but_the_rest_is_told(
    client: Client, desk: Desk, says: Market
) -> None:
    wheel = desk.wheel("ASK")
    sold(desk, wheel)
    says.marks("ASK", "101", put(bid="0.90", delta=-0.3))
    seen = once(client, wheel, "delta", D("-0.3"))
    assert (seen["option_mid"], seen["extrinsic"], seen["unrealized_pnl"]) == (None, None, None)


def test_an_adjusted_contract_has_no_listed_mark(client: Client, desk: Desk, says: Market) -> None:
    wheel = desk.wheel("ADJ")
    desk.sell(wheel, expiration_date=EXPIRY, multiplier=150)
    plain = desk.wheel("ADJ2")
    sold(desk, plain)
    for symbol in ("ADJ", "ADJ2"):
        says.marks(symbol, "101", put(bid="0.90", ask="1.00"))
    once(client, plain, "option_mid", D("0.95"))
    assert position(client, wheel)["mark_state"] == "missing"


def test_a_provider_that_is_down_leaves_the_last_figures_with_their_age(
    client: Client, desk: Desk, says: Market, house: House
) -> None:
    wheel = desk.wheel("DWN")
    sold(desk, wheel)
    long_ago = house.watch.now() - timedelta(minutes=45)
    says.quotes("DWN", "104", as_of=long_ago)
    says.marks("DWN", "104", put(bid="0.60", ask="0.70"), as_of=long_ago)
    says.is_now("down", "no route to the provider")
    seen = once(client, wheel, "provider_state", "down")
    assert (seen["current_price"], seen["option_mid"]) == (D("104.00"), D("0.65"))
    assert (seen["price_state"], seen["mark_state"]) == ("stale", "stale")
    assert 45 * 60 <= seen["price_age_seconds"] < 46 * 60
    told = client.get("/health").data["parts"]["market"]
    assert (told["status"], told["state"]) == ("degraded", "down")
    assert "no route to the provider" in told["reason"]
    says.is_now("live")
    until(lambda: client.get("/health").data["parts"]["market"]["state"] == "live")


def test_the_market_and_its_login_are_measured(client: Client, says: Market, house: House) -> None:
    now = house.watch.now()
    login = market.Login(since=now - timedelta(days=5), ends=now + timedelta(days=2))

    def measured(state: market.ProviderState, login: market.Login | None = None) -> str:
        says.is_now(state, login=login)
        line = f'wheelwright_market_state{{source="test",wheelwright_market_state="{state}"}} 1.0'

        def told() -> str | None:
            text = client.http.get("/api/v1/metrics").text
            return text if line in text else None

        return until(told)

    lines = measured("throttled", login).splitlines()
    (age,) = [each for each in lines if each.startswith("wheelwright_login_age_seconds{")]
    assert float(age.split()[-1]) >= 5 * 86_400
    assert "wheelwright_login_age_seconds{" not in measured("live")


def gains(client: Client, path: str, **query: Any) -> dict[str, Any]:
    return {
        policy: client.get(path, policy=policy, **query).data
        for policy in ("cash", "close", "us_tax")
    }


def test_the_total_is_the_same_under_every_policy_while_options_are_open(
    client: Client, desk: Desk, says: Market
) -> None:
    wheel = desk.wheel("TOT", capital_allocated=40_000)
    puts = sold(desk, wheel, contracts=2, fees=D("1.30"))
    desk.act(puts, "assign", contracts=1, effective_at="2026-01-12")
    terms = {"direction": "call", "strike": 105, "opened_at": "2026-01-13", "fees": D("0.65")}
    sold(desk, wheel, **terms)
    says.quotes("TOT", "99.50")
    path = f"/wheels/{wheel}/performance"
    assert {each["unrealized_pnl"] for each in gains(client, path).values()} == {None}
    call = option("call", "105", EXPIRY, bid="1.10", ask="1.20")
    says.marks("TOT", "99.50", put(bid="2.00", ask="2.10"), call)
    until(lambda: client.get(path).data["unrealized_pnl"] is not None)
    told = gains(client, path)
    cash, shares, buying_back = client.get(f"/wheels/{wheel}").data["cash"], 9_950, 205 + 115
    whole = cash + shares - buying_back - 40_000
    assert {p: each["total_pnl"] for p, each in told.items()} == everywhere(str(whole))
    unrealized = {p: each["unrealized_pnl"] for p, each in told.items()}
    put_left, call_left = D("149.35"), D("149.35")
    assert unrealized["cash"] == -50 - 320
    assert unrealized["close"] == -50 + put_left + call_left - 320
    assert unrealized["us_tax"] == 99 + D("0.35") + put_left + call_left - 320


def test_every_figure_of_what_is_open_is_the_same_one(
    client: Client, desk: Desk, says: Market
) -> None:
    for n, symbol in enumerate(("FGA", "FGB")):
        sold(desk, desk.wheel(symbol), strike=90 + n)
        says.quotes(symbol, "95")
        says.marks(symbol, "95", put(str(90 + n), bid="0.40", ask="0.50"))
    among = {"portfolio_id": desk.portfolio}
    summary = f"/portfolios/{desk.portfolio}/summary"
    until(lambda: client.get(summary).data["unrealized_pnl"] is not None)
    told = client.get(summary).data
    assert (told["unrealized_pnl"], told["total_pnl"]) == (D("-90.00"), D("210.00") - told_fees())
    line = client.get("/performance/timeline", **among).data
    (compared,) = client.get("/performance/compare", **among).data
    assert line["unrealized_pnl"] == line["buckets"][-1]["unrealized_pnl"] == D("-90.00")
    assert compared["unrealized_pnl"] == D("-90.00")
    positions = client.get("/positions/open", **among).data
    closed = client.get("/performance/compare", policy="close", **among).data[0]
    assert closed["unrealized_pnl"] == sum(each["unrealized_pnl"] for each in positions)


def told_fees() -> Decimal:
    """The tariff's, for two contracts."""
    return D("1.30")


def test_a_past_position_has_the_mark_of_then(client: Client, desk: Desk, says: Market) -> None:
    wheel = desk.wheel("PST")
    sold(desk, wheel)
    low = says.marks("PST", "104", put(bid="0.60", ask="0.70"))
    says.marks("PST", "99", put(bid="2.60", ask="2.70"))
    once(client, wheel, "option_mid", D("2.65"))
    seen = position(client, wheel, as_of=low.isoformat(), known_at=low.isoformat())
    assert (seen["option_mid"], seen["mark_state"]) == (D("0.65"), "live")
    assert seen["provider_state"] is None


def test_beyond_the_memory_of_the_bus_a_snapshot_tells_the_mid(client: Client, desk: Desk) -> None:
    wheel = desk.wheel("MEM")
    trade = sold(desk, wheel)
    said = {"price": 101, "options": [{"trade_id": trade, "mid": D("1.75")}]}
    client.post(f"/wheels/{wheel}/snapshots", said | {"effective_at": "2026-01-07T15:00:00Z"})
    at_once, later = (
        position(client, wheel, as_of=f"2026-01-07T{hour}:00:00Z") for hour in (15, 18)
    )
    assert (at_once["option_mid"], at_once["bid"], at_once["mark_state"]) == (
        D("1.75"),
        None,
        "live",
    )
    assert (later["option_mid"], later["mark_state"]) == (D("1.75"), "stale")
    assert 0 < at_once["implied_volatility"] < 1


def test_a_snapshot_takes_the_markets_mids(client: Client, desk: Desk, says: Market) -> None:
    wheel = desk.wheel("SNM")
    sold(desk, wheel)
    says.quotes("SNM", "101")
    said_at = says.marks("SNM", "101", put(bid="1.00", ask="1.10"))
    once(client, wheel, "option_mid", D("1.05"))
    made = client.post(f"/wheels/{wheel}/snapshots").data
    (seen,) = made["options"]
    assert (seen["option_mid"], seen["value"]) == (D("1.05"), D("105.00"))
    assert made["unrealized_pnl"] == seen["unrealized_pnl"]
    says.marks("SNM", "99", put(bid="2.00", ask="2.10"))
    once(client, wheel, "option_mid", D("2.05"))
    then = {"price": 101, "effective_at": said_at.isoformat()}
    late = client.post(f"/wheels/{wheel}/snapshots", then).data
    assert late["options"][0]["option_mid"] == D("1.05")


def test_a_snapshot_takes_no_mid_that_is_out_of_date(
    client: Client, desk: Desk, says: Market, house: House
) -> None:
    wheel = desk.wheel("OLD")
    sold(desk, wheel)
    says.quotes("OLD", "101")
    long_ago = house.watch.now() - timedelta(minutes=31)
    says.marks("OLD", "101", put(bid="1.00", ask="1.10"), as_of=long_ago)
    until(lambda: position(client, wheel)["option_mid"] and position(client, wheel)["price_as_of"])
    assert client.post(f"/wheels/{wheel}/snapshots").data["option_value"] is None


# AAPL's put 645 of 2014-06-13 on the day before the split of 7 to 1 and, then 92.14, on the day
# after: bid, ask and close as in QuantConnect/Lean (Apache-2.0), Data/option/usa.
FRIDAY, MONDAY = "2014-06-06", "2014-06-09"
BEFORE = option("put", "645", "2014-06-13", bid="9.05", ask="9.20")
AFTER = option("put", "92.14", "2014-06-13", bid="0.30", ask="0.32")


def test_a_split_leaves_the_premium_and_goes_on_with_the_new_contracts_mark(
    client: Client, desk: Desk, says: Market
) -> None:
    wheel = desk.wheel("AAPL", capital_allocated=70_000)
    terms = {"strike": 645, "expiration_date": "2014-06-13", "premium_per_share": D("11.40")}
    desk.sell(wheel, opened_at="2014-06-02", fees=D("0.65"), **terms)
    says.marks("AAPL", "645.57", BEFORE, as_of=_close(FRIDAY))
    before = once(client, wheel, "option_mid", D("9.125"))
    assert (before["contracts"], before["unrealized_pnl"]) == (1, D("1139.35") - D("912.50"))
    split = {"numerator": 7, "denominator": 1, "effective_at": f"{MONDAY}T13:30:00Z"}
    assert client.post(f"/wheels/{wheel}/splits", split).status == 201
    assert client.get(f"/wheels/{wheel}/performance").data["unrealized_pnl"] is None
    assert client.post(f"/wheels/{wheel}/snapshots").code == "INVALID_STATE"
    between = position(client, wheel)
    assert (between["strike"], between["contracts"]) == (D("92.14"), 7)
    assert (between["option_mid"], between["mark_state"]) == (None, "missing")
    assert (between["current_price"], between["price_state"]) == (None, "missing")
    says.marks("AAPL", "93.70", AFTER, as_of=_close(MONDAY))
    after = once(client, wheel, "option_mid", D("0.31"))
    assert after["premium_collected"] == before["premium_collected"] == D("1139.35")
    assert after["unrealized_pnl"] == D("1139.35") - D("217.00")
    assert after["extrinsic"] == D("0.31")


def _close(day: str) -> datetime:
    return calendar.close_at(date.fromisoformat(day))
