"""What the stream tells of the bus: the newest of each symbol and of each position."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from adapters import bus, nats_server
from domain import market, risk, subjects
from tests.api.client import Client
from tests.api.house import MONDAY, House
from tests.api.listening import listening
from tests.api.waiting import until


def said(house: House, role: str, say: Callable[[bus.Bus], Awaitable[object]]) -> None:
    """Say something on the house's bus, as one of the workers."""

    async def visit() -> None:
        password = nats_server.password(house.settings.data_dir, role)
        async with bus.connect(
            house.settings.bus_url, role, password, house.watch, shelf=house.settings.market
        ) as connected:
            assert await connected.wait_up(10)
            await say(connected)

    asyncio.run(visit())


def priced(house: House, symbol: str, last: int) -> None:
    quote = market.Quote(symbol, Decimal(last), None, None, house.watch.now(), "test", "live")
    said(house, "prices", lambda connected: connected.put_quote(quote))


def test_the_last_price_of_a_symbol_comes_first_and_then_each_newer(
    house: House, client: Client
) -> None:
    priced(house, "SPY", 500)
    until(lambda: client.get("/health").data["parts"]["market"]["quotes"])
    with listening(house.url, "?topics=quotes") as listener:
        first = listener.next(1)
        priced(house, "SPY", 501)
        prices = [event.data["last"] for event in first + listener.next(1)]
    assert prices == [500, 501]


def test_a_changed_risk_is_told(house: House) -> None:
    changed = risk.PositionRisk(
        portfolio_id=uuid4(),
        wheel_id=UUID(int=7),
        trade_id=uuid4(),
        symbol="SPY",
        direction="put",
        strike=Decimal("99.50"),
        expiration_date=date(2026, 3, 20),
        contracts=1,
        level="HIGH",
        is_itm=True,
        pct=Decimal("-1.5"),
        label="ITM by 1.5%",
        dte_calendar=18,
        dte_trading=14,
        price=Decimal("98.00"),
        price_as_of=MONDAY,
        price_state="live",
    )
    subject = subjects.risk_position(changed.portfolio_id, changed.wheel_id)

    async def say(connected: bus.Bus) -> None:
        await connected.publish(subject, changed, id="1", type="risk.position", time=MONDAY)

    with listening(house.url, "?topics=positions") as listener:
        said(house, "risk", say)
        (event,) = listener.next(1)
    assert (event.event, event.id, event.data["wheel_id"]) == ("position", None, str(UUID(int=7)))
    assert event.data["strike"] == Decimal("99.50")
