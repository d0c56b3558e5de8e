"""Without a bus orders are taken and questions answered; when it is back it hears everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.settings import Settings
from tests.api.waiting import until
from tests.conftest import NatsServer, free_port
from tests.system.conftest import Make
from tests.system.instance import Instance
from tests.system.test_kills import head, on_the_bus


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A bus that the instance does not start itself."""
    running = NatsServer(Settings(data_dir=tmp_path / "data", nats_port=free_port()))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def guest(make: Make, server: NatsServer) -> Instance:
    """An instance on that bus."""
    instance = make(WHEEL_NATS_URL=server.url)
    instance.start()
    return instance


def test_the_bus_goes_and_comes_and_misses_nothing(guest: Instance, server: NatsServer) -> None:
    for leave, come_back in ((server.freeze, server.thaw), (server.stop, server.start)):
        leave()
        orders_and_questions_go_on(guest)
        until(lambda: guest.health()["parts"]["bus"]["status"] == "degraded")
        come_back()
        until(guest.is_healthy)
    assert on_the_bus(guest) == list(range(1, head(guest) + 1))


def orders_and_questions_go_on(guest: Instance) -> None:
    with guest.desk() as desk:
        for _ in range(5):
            trade = desk.sell(desk.wheel(), expiration_date="2026-03-20")
            assert desk.client.get(f"/trades/{trade}").data["outcome"] == "open"
            assert desk.act(trade, "close", price_per_share=1)["outcome"] == "closed_early"
            assert desk.client.get("/trades", portfolio_id=desk.portfolio).status == 200
