"""A rehearsed order says what it would reach, and then it does."""

from decimal import Decimal
from typing import Any

import pytest

from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.watch import Watch

D = Decimal
POLICIES = ("cash", "close", "us_tax")
MONTHS = {"2026-01": ("2026-01-01", "2026-01-31"), "2026-02": ("2026-02-01", "2026-02-28")}
FIGURES = ("option_income", "stock_gain", "dividends", "realized_pnl")


@pytest.fixture
def turned(client: Client, desk: Desk) -> tuple[str, str]:
    """Two puts, one assigned, the other bought back; the shares called away. Wheel and put."""
    wheel = desk.wheel()
    put = desk.sell(wheel, contracts=2)
    desk.act(put, "assign", contracts=1, effective_at="2026-01-20")
    desk.act(put, "close", price_per_share=D("0.40"), effective_at="2026-01-27")
    call = desk.sell(wheel, direction="call", strike=105, opened_at="2026-02-02")
    desk.act(call, "assign", effective_at="2026-02-10")
    return wheel, put


def booked(desk: Desk, wheel: str) -> dict[tuple[str, str], dict[str, Decimal]]:
    """What performance says of each policy and month."""
    return {
        (policy, month): {
            figure: desk.performance(wheel, policy=policy, **{"from": first, "to": last})[figure]
            for figure in FIGURES
        }
        for policy in POLICIES
        for month, (first, last) in MONTHS.items()
    }


CORRECTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/trades/{put}", {"premium_per_share": D("1.75"), "reason": "the statement"}),
    ("PUT", "/trades/{put}", {"strike": 98, "reason": "typed over"}),
    ("PUT", "/trades/{put}", {"close_price": D("0.55"), "reason": "typed over"}),
    ("PUT", "/trades/{put}", {"notes": "earnings week"}),
    ("POST", "/wheels/{wheel}/events/4/void", {"reason": "never happened"}),
    (
        "POST",
        "/wheels/{wheel}/dividends",
        {"amount_per_share": D("0.5"), "ex_date": "2026-01-28", "effective_at": "2026-01-30"},
    ),
    ("PUT", "/wheels/{wheel}", {"profile": "defensive"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CORRECTIONS)
def test_what_a_rehearsal_says_of_the_months_comes_true(
    client: Client,
    desk: Desk,
    turned: tuple[str, str],
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    wheel, put = turned
    path = path.format(wheel=wheel, put=put)
    before = booked(desk, wheel)
    shown = client.ask(method, path, body, dry_run=True).data["radius"]
    assert booked(desk, wheel) == before
    assert client.ask(method, path, body).status in (200, 201)
    after = booked(desk, wheel)
    changed = {(each["policy"], each["month"]): each for each in shown["months"]}
    assert changed.keys() == {month for month in before if before[month] != after[month]}
    for month, each in changed.items():
        assert (each["before"], each["after"]) == (before[month], after[month])


def test_what_a_rehearsal_says_of_trades_and_cycles_comes_true(
    client: Client, turned: tuple[str, str]
) -> None:
    wheel, put = turned
    body = {"premium_per_share": D("1.75"), "reason": "the statement"}
    was = client.get(f"/trades/{put}").data
    (cycle_was,) = client.get(f"/wheels/{wheel}/cycles").data
    shown = client.put(f"/trades/{put}", body, dry_run=True).data["radius"]
    client.put(f"/trades/{put}", body)
    assert shown["trades"] == [
        {"trade_id": put, "before": was, "after": client.get(f"/trades/{put}").data}
    ]
    (cycle_is,) = client.get(f"/wheels/{wheel}/cycles").data
    assert shown["cycles"] == [{"number": 1, "before": cycle_was, "after": cycle_is}]


def test_a_rehearsal_stores_nothing_under_its_key_and_honours_the_version(
    client: Client, turned: tuple[str, str]
) -> None:
    _, put = turned
    body = {"premium_per_share": D("1.75"), "reason": "the statement"}
    head, once = client.head(), {"Idempotency-Key": f"rehearsal-{put}"}
    for _ in range(2):
        assert client.put(f"/trades/{put}", body, headers=once, dry_run=True).data["dry_run"]
    stale = client.put(f"/trades/{put}", body, headers={"If-Match": '"1"'}, dry_run=True)
    assert (stale.status, stale.code, client.head()) == (409, "CONFLICT", head)
    meant = client.put(f"/trades/{put}", body, headers=once)
    assert meant.status == 200
    assert "idempotency-replayed" not in meant.headers


def test_an_alert_on_a_trade_that_never_was_is_reached(
    client: Client, desk: Desk, house: House
) -> None:
    wheel = desk.wheel()
    put = desk.sell(wheel, expiration_date="2026-03-20", opened_at="2026-02-02")
    watch = Watch(house, client.get(f"/trades/{put}").data)
    watch.says(watch.raising())
    shown = client.delete(f"/trades/{put}", reason="another account", dry_run="true")
    (reached,) = shown.data["radius"]["alerts"]
    assert (reached["alert_id"], reached["rule"]) == (str(watch.alert), "itm")
    assert "not have been open" in reached["why"]


def test_an_order_that_is_no_wheels_reaches_nothing(client: Client, desk: Desk) -> None:
    shown = client.put(f"/portfolios/{desk.portfolio}", {"name": "anew"}, dry_run=True).data
    assert shown["radius"] is None
