"""What a position was worth then: at the price that was known then, where one is still kept."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters import bus, nats_server
from domain import market, subjects
from tests.api.client import Client, Desk
from tests.api.house import House

D = Decimal


def quoted(house: House, symbol: str, last: str, **said: Any) -> datetime:
    """Say a price on the bus; an instant by which it was known."""

    async def say() -> datetime:
        password = nats_server.password(house.settings.data_dir, "prices")
        now = house.watch.now()
        quote = market.Quote(symbol, D(last), None, None, said.get("as_of", now), "test", "live")
        async with bus.connect(
            house.settings.bus_url, "prices", password, house.watch, shelf=house.settings.market
        ) as prices:
            subject = subjects.market_quote(symbol)
            identity = f"{symbol}={last}"
            await prices.publish(subject, quote, id=identity, type="market.quote", time=now)
            await prices.put_quote(quote)
            return house.watch.now()

    return asyncio.run(say())


@pytest.fixture
def wheel(desk: Desk) -> str:
    made = desk.wheel("PRC")
    desk.sell(made, expiration_date="2026-03-20")
    return made


def at(then: datetime) -> dict[str, str]:
    return {"as_of": then.isoformat(), "known_at": then.isoformat()}


def position(client: Client, wheel: str, then: datetime) -> Any:
    return client.get(f"/wheels/{wheel}/position", **at(then)).data


def test_a_past_position_has_the_price_of_then(client: Client, wheel: str, house: House) -> None:
    before = house.watch.now()
    low, high = quoted(house, "PRC", "95"), quoted(house, "PRC", "107")
    told = [position(client, wheel, then) for then in (before, low, high)]
    assert [each["current_price"] for each in told] == [None, D("95.00"), D("107.00")]
    assert [each["price_state"] for each in told] == ["missing", "live", "live"]
    assert [each["risk_level"] for each in told] == [None, "HIGH", "LOW"]
    listed = client.get("/positions/open", symbol="PRC", **at(low)).data
    assert {each["current_price"] for each in listed} == {D("95.00")}


def test_a_price_is_judged_at_the_instant_that_is_asked_about(
    client: Client, desk: Desk, house: House
) -> None:
    wheel = desk.wheel("OLD")
    desk.sell(wheel, expiration_date="2026-03-20")
    then = quoted(house, "OLD", "99", as_of=house.watch.now() - timedelta(minutes=20))
    assert position(client, wheel, then)["price_state"] == "stale"


def test_shares_alone_have_the_price_of_then(client: Client, desk: Desk, house: House) -> None:
    wheel = desk.wheel("SHR", shares=100, cost_basis=50)
    then = quoted(house, "SHR", "53")
    quoted(house, "SHR", "54")
    assert position(client, wheel, then)["unrealized_pnl"] == D("300.00")


def test_where_the_bus_has_forgotten_a_snapshot_of_that_day_tells_the_price(
    client: Client, desk: Desk, house: House
) -> None:
    wheel = desk.wheel("SNP")
    desk.sell(wheel, expiration_date="2026-03-20")
    for price, instant in ((101, "2026-01-07T15:00:00Z"), (102, "2026-01-07T18:00:00Z")):
        said = {"price": price, "effective_at": instant}
        assert client.post(f"/wheels/{wheel}/snapshots", said).status == 201
    told = {
        then: client.get(f"/wheels/{wheel}/position", as_of=then).data["current_price"]
        for then in ("2026-01-07T16:00:00Z", "2026-01-07", "2026-01-08")
    }
    assert list(told.values()) == [D("101.00"), D("102.00"), None]
    unknown = client.get(f"/wheels/{wheel}/position", **at(house.watch.now() - timedelta(hours=1)))
    assert unknown.status == 404


def test_a_snapshot_that_was_superseded_tells_no_price(client: Client, desk: Desk) -> None:
    wheel = desk.wheel("SUP", shares=100, cost_basis=50)
    for price in (60, 70, 65):
        said = {"price": price, "effective_at": "2026-01-07T15:00:00Z"}
        assert client.post(f"/wheels/{wheel}/snapshots", said).status == 201
    told = client.get(f"/wheels/{wheel}/position", as_of="2026-01-07").data
    assert (told["current_price"], told["unrealized_pnl"]) == (D("65.00"), D("1500.00"))
