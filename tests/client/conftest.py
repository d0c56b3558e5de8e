"""Both clients, against the real API."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from shutil import copy

import pytest

from client import AsyncClient, Client
from projections import answers
from tests.api import house as houses
from tests.domain.finds import find
from workers import chore, running

_NUMBERS = count()
PLUGIN = Path(__file__).parents[2] / "examples/plugins/premium_target.py"


async def work(_: running.Context, __: chore.Due) -> chore.Done:
    """What every job does."""
    return chore.Done(done=1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[houses.House]:
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path_factory.mktemp("house"), patch) as opened,
        houses.scanning(opened, find),
        houses.scheduling(opened, lambda _: work),
        houses.plugged(opened) as plugins,
    ):
        copy(PLUGIN, plugins)
        yield opened


@pytest.fixture(scope="module")
def client(house: houses.House) -> Iterator[Client]:
    with Client(house.url, house.settings.api_token) as client:
        yield client


@pytest.fixture
async def awaited(house: houses.House) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(house.url, house.settings.api_token) as client:
        yield client


@pytest.fixture(scope="module")
def portfolio(client: Client) -> answers.Portfolio:
    return client.open_portfolio(name="Income", default_capital=Decimal(20_000)).data


@pytest.fixture
def wheel(client: Client, portfolio: answers.Portfolio) -> answers.Wheel:
    """A wheel with 20,000 of the test's own."""
    symbol = f"W{next(_NUMBERS)}"
    return client.start_wheel(portfolio.id, symbol=symbol, capital_allocated=20_000).data
