"""Recommendations and rolls over HTTP, on real chains and on a market that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from domain import recommendation
from tests.api import house as houses
from tests.api.client import Client, Desk
from tests.api.waiting import until

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests/recordings"


class Day(NamedTuple):
    """A recorded chain, and the instant at which it is looked at."""

    symbol: str
    file: Path
    at: datetime


DAYS = [
    Day("MSFT", RECORDINGS / "msft_2020-08-28.csv.gz", datetime(2020, 8, 30, 16, 0, tzinfo=UTC)),
    Day("SPY", ROOT / "data/spy_2021", datetime(2021, 6, 15, 20, 30, tzinfo=UTC)),
    Day("SPY", RECORDINGS / "spy_2024-06-14.parquet", datetime(2024, 6, 14, 15, 29, tzinfo=UTC)),
    Day("AAPL", RECORDINGS / "aapl_2025-01-16.csv.gz", datetime(2025, 1, 16, 22, 0, tzinfo=UTC)),
]


@contextmanager
def market_of(day: Day, place: Path) -> Iterator[Client]:
    """The API on a day that was recorded."""
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(
            place, patch, at=day.at, priced=True, market="replay", replay_file=day.file
        ) as house,
    ):
        client = house.client()
        yield client
        client.close()


@pytest.fixture(scope="module", params=DAYS, ids=lambda day: day.file.stem)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, str]]:
    """Two wheels in a recorded symbol: one with cash and one with shares."""
    day: Day = request.param
    with market_of(day, tmp_path_factory.mktemp("recorded")) as client:
        yield client, day.symbol


def wheel(client: Client, symbol: str, **changes: Any) -> str:
    portfolio = client.post("/portfolios", {"name": uuid4().hex}).data["id"]
    terms = {"symbol": symbol, "capital_allocated": 1_000_000} | changes
    return str(client.post(f"/portfolios/{portfolio}/wheels", terms).data["id"])


@pytest.mark.parametrize("direction", ["put", "call"])
@pytest.mark.parametrize("ranking", ["income", "bias"])
def test_on_real_chains_nothing_is_recommended_that_nobody_should_sell(
    recorded: tuple[Client, str], direction: str, ranking: str
) -> None:
    client, symbol = recorded
    held = {"shares": 1_000, "cost_basis": 1} if direction == "call" else {}
    here, found = wheel(client, symbol, **held), 0
    for profile, (least, most) in recommendation.BANDS.items():
        terms = {"profile": profile, "max_dte": 40, "limit": 50, "ranking": ranking}
        told = client.get(f"/wheels/{here}/recommend", direction=direction, **terms).data
        found += len(told["recommendations"])
        for each in told["recommendations"]:
            assert least <= each["sigma_distance"] <= most
            assert each["bid"] >= Decimal("0.05")
            assert each["open_interest"] >= 100
            assert each["ask"] - each["bid"] <= max(
                Decimal("0.10"), (each["ask"] + each["bid"]) / 10
            )
        scores = [each["score"] for each in told["recommendations"]]
        assert scores == sorted(scores, reverse=True)
    assert found or (symbol, direction) == ("AAPL", "call")


def test_on_real_chains_every_rejection_has_its_rule(recorded: tuple[Client, str]) -> None:
    client, symbol = recorded
    told = client.get(f"/wheels/{wheel(client, symbol)}/recommend", max_dte=40, explain=True).data
    known = {rule.name for rule in recommendation.RULES}
    assert told["rejections"]
    assert {each["rule"] for each in told["rejections"]} <= known
    assert sum(told["rejected"].values()) == len(told["rejections"])


def test_the_one_cent_bid_that_the_old_ranking_put_first_is_rejected_by_name(
    recorded: tuple[Client, str],
) -> None:
    client, symbol = recorded
    asked = {"max_dte": 40, "explain": True, "ranking": "bias", "direction": "put"}
    told = client.get(f"/wheels/{wheel(client, symbol)}/recommend", **asked).data
    out = [e for e in told["rejections"] if e["rules"][0] != "in_the_money" and e["bias_score"]]
    out = [each for each in out if "expiration" not in each["rules"]]
    if symbol == "SPY" and told["considered"] < 30:
        return  # ten contracts a day were recorded, none of them so cheap
    first = max(out, key=lambda each: each["bias_score"])
    assert (first["bid"] or 0) < Decimal("0.05")
    assert first["rule"] in {"no_bid", "low_bid"}
    best = max((each["bias_score"] for each in told["recommendations"]), default=0)
    assert first["bias_score"] > best


def test_no_call_is_recommended_under_the_cost_basis_unless_allowed(
    recorded: tuple[Client, str],
) -> None:
    client, symbol = recorded
    here = wheel(client, symbol, shares=500, cost_basis=100_000)
    asked = {"direction": "call", "max_dte": 40, "profile": "aggressive"}
    strict = client.get(f"/wheels/{here}/recommend", **asked).data
    free = client.get(f"/wheels/{here}/recommend", allow_below_basis=True, **asked).data
    assert strict["recommendations"] == []
    assert bool(free["recommendations"]) == (symbol != "AAPL")
    assert all(
        any("cost basis" in said for said in each["warnings"]) for each in free["recommendations"]
    )


# --- a market of our own ----------------------------------------------------------------------


class Town(NamedTuple):
    """A house with a market whose behaviour a file says."""

    house: houses.House
    client: Client
    script: Path

    def says(self, text: str) -> None:
        self.script.write_text(text)

    def later(self) -> None:
        """What is kept has grown old, and whoever was left alone may be asked again."""
        self.house.watch.turn_to(self.house.watch.now() + timedelta(minutes=16))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    script = tmp_path / "market.json"
    script.write_text('{"AAPL": 150}')
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path / "house", patch, priced=True, market_script=script) as house,
    ):
        client = house.client()
        yield Town(house, client, script)
        client.close()


@pytest.mark.parametrize(
    ("forced", "state"),
    [
        ('{"*": {"fault": "down"}}', "down"),
        ('{"*": {"fault": "throttled"}}', "throttled"),
        ('{"*": {"fault": "unauthenticated"}}', "unauthenticated"),
        ('{"*": {"fault": "unreadable"}}', "unreadable"),
        ('{"*": {"fault": "unknown"}}', "missing"),
        ('{"*": {"stale": true}}', "stale"),
        ('{"*": {"halt": true}}', "stale"),
    ],
)
def test_without_a_price_to_act_upon_nothing_is_recommended_and_the_state_is_named(
    town: Town, forced: str, state: str
) -> None:
    here = wheel(town.client, "AAPL")
    assert town.client.get(f"/wheels/{here}/recommend").data["recommendations"] is not None
    town.later()
    town.says(forced)
    refused = town.client.get(f"/wheels/{here}/recommend")
    assert (refused.status, refused.code) == (502, "EXTERNAL_API_ERROR")
    assert refused.error["details"]["state"] == state
    town.says('{"AAPL": 150}')


def test_without_the_price_worker_advice_is_503_and_the_ledger_goes_on(
    client: Client, desk: Desk
) -> None:
    here = desk.wheel()
    assert client.get(f"/wheels/{here}/recommend").code == "SERVICE_UNAVAILABLE"
    assert client.get(f"/wheels/{here}").status == 200


def test_several_wheels_are_each_told_what_is_worth_selling_or_why_nothing_is(town: Town) -> None:
    wheel(town.client, "AAPL")
    wheel(town.client, "MSFT")
    town.says('{"AAPL": 150, "MSFT": {"fault": "unknown"}}')
    asked = {"symbols": ["aapl", "MSFT", "NONE"], "max_dte": 30, "profile": "aggressive"}
    told = town.client.post("/wheels/recommend/batch", asked).data
    codes = {each["symbol"]: each["error"] and each["error"]["code"] for each in told["results"]}
    assert codes == {"AAPL": None, "MSFT": "EXTERNAL_API_ERROR", "NONE": "NOT_FOUND"}
    assert (told["succeeded"], told["failed"]) == (1, 2)
    assert told["results"][0]["recommended"]["recommendations"]


def test_a_wheel_that_is_named_twice_is_told_once(town: Town) -> None:
    here, there = wheel(town.client, "IBM"), wheel(town.client, "INTC")
    asked = {"wheel_ids": [here, here, there], "symbols": ["IBM", "ibm"]}
    told = town.client.post("/wheels/recommend/batch", asked).data["results"]
    assert [each["wheel_id"] for each in told] == [here, there]


def test_shares_that_were_brought_in_are_capital_too(town: Town) -> None:
    here = wheel(town.client, "AAPL", shares=100, cost_basis=120, capital_allocated=100_000)
    terms = {"direction": "call", "max_dte": 30, "profile": "aggressive"}
    told = town.client.get(f"/wheels/{here}/recommend", **terms).data["recommendations"]
    assert told
    assert not [each for each in told if "concentration" in str(each["warnings"])]


def test_calls_are_recommended_on_shares_that_no_call_covers(town: Town) -> None:
    here = wheel(town.client, "AAPL", shares=250, cost_basis=120)
    told = town.client.get(f"/wheels/{here}/recommend", max_dte=30, profile="aggressive").data
    assert (told["direction"], told["uncovered_shares"]) == ("call", 250)
    assert {each["contracts"] for each in told["recommendations"]} == {2}


def test_what_a_portfolio_has_in_shares_is_part_of_its_capital(town: Town) -> None:
    alone = wheel(town.client, "AAPL", capital_allocated=None, shares=200, cost_basis=100)
    beside = wheel(town.client, "AAPL", capital_allocated=None, shares=200, cost_basis=100)
    portfolio = town.client.get(f"/wheels/{beside}").data["portfolio_id"]
    cash = {"symbol": "SPY", "capital_allocated": 60_000}
    town.client.post(f"/portfolios/{portfolio}/wheels", cash)
    asked = {"max_dte": 20, "profile": "aggressive", "limit": 1}
    warned = [
        [said for said in told["recommendations"][0]["warnings"] if "concentration" in said]
        for told in (
            town.client.get(f"/wheels/{each}/recommend", **asked).data for each in (alone, beside)
        )
    ]
    assert warned == [["concentration: 100% of the portfolio's capital in AAPL"], []]


def test_a_recommended_sale_is_taken_and_its_amounts_are_those_of_the_ledger(town: Town) -> None:
    here = wheel(town.client, "AAPL", capital_allocated=30_000)
    asked = {"max_dte": 30, "profile": "aggressive", "limit": 1}
    (best,) = town.client.get(f"/wheels/{here}/recommend", **asked).data["recommendations"]
    sale = {"direction": "put", "strike": best["strike"], "contracts": best["contracts"]}
    sale |= {"expiration_date": best["expiration_date"], "premium_per_share": best["bid"]}
    sold = town.client.post(f"/wheels/{here}/trades", sale).data
    assert sold["total_premium"] == best["total_premium"]
    after = town.client.get(f"/wheels/{here}/recommend", **asked, explain=True).data
    assert after["recommendations"] == []
    assert "not_covered" in after["rejected"]


def test_rolls_are_to_later_dates_and_no_nearer_strikes_for_a_net_credit(town: Town) -> None:
    here = wheel(town.client, "AAPL")
    asked = {"max_dte": 20, "profile": "aggressive", "limit": 1}
    (best,) = town.client.get(f"/wheels/{here}/recommend", **asked).data["recommendations"]
    sale = {"direction": "put", "strike": best["strike"], "premium_per_share": best["bid"]}
    sale |= {"expiration_date": best["expiration_date"], "contracts": 3}
    sold = town.client.post(f"/wheels/{here}/trades", sale).data["id"]
    told = town.client.get(f"/trades/{sold}/roll-candidates").data
    assert told["rolls"]
    for each in told["rolls"]:
        assert each["net_credit"] > 0
        assert each["expiration_date"] > best["expiration_date"]
        assert each["strike"] <= best["strike"]
        credit = (each["premium_per_share"] - each["close_price"]) * 300 - each["fees"]
        assert each["net_credit"] == credit
        assert each["why"]
    assert told["close_now"]["why"]
    assert told["take_assignment"]["shares"] == 300


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("recommend", {"max_dte": 0}, "max_dte"),
        ("recommend", {"max_dte": 91}, "max_dte"),
        ("recommend", {"limit": 0}, "limit"),
        ("recommend", {"ranking": "best"}, "ranking"),
        ("recommend", {"profile": "wild"}, "profile"),
        ("recommend", {"expiration_date": "2020-01-17"}, "expiration_date"),
        ("recommend", {"expiration_date": "soon"}, "expiration_date"),
        ("recommend", {"expiration_date": "9999-12-31"}, "expiration_date"),
        ("recommend", {"horizon": 3}, "horizon"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_name(
    client: Client, desk: Desk, path: str, query: dict[str, Any], field: str
) -> None:
    refused = client.get(f"/wheels/{desk.wheel()}/{path}", **query)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] == field


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"max_dte": 100},
        {"symbol": "X"},
        {"symbols": 1},
        {"expiration_date": "2020-01-17"},
        {"expiration_date": "9999-12-31"},
    ],
)
def test_a_batch_that_cannot_be_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert client.post("/wheels/recommend/batch", body).code == "VALIDATION_ERROR"


def test_a_trade_that_is_not_open_cannot_be_rolled(client: Client, desk: Desk) -> None:
    sold = desk.sell(desk.wheel())
    client.post(f"/trades/{sold}/close", {"price_per_share": "0.10"})
    assert client.get(f"/trades/{sold}/roll-candidates").code == "INVALID_STATE"
    nobody = "00000000-0000-0000-0000-000000000001"
    assert client.get(f"/trades/{nobody}/roll-candidates").code == "NOT_FOUND"
    assert client.get(f"/wheels/{nobody}/recommend").code == "NOT_FOUND"


def test_an_archived_wheel_is_told_nothing(client: Client, desk: Desk) -> None:
    here = desk.wheel()
    client.delete(f"/wheels/{here}")
    until(lambda: client.get(f"/wheels/{here}/recommend").code == "INVALID_STATE")
