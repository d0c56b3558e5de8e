"""A house for each module, a desk for each test."""

from collections.abc import Iterator

import pytest

from tests.api import house as houses
from tests.api.client import Client, Desk


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[houses.House]:
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path_factory.mktemp("house"), patch) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def client(house: houses.House) -> Iterator[Client]:
    client = house.client()
    yield client
    client.close()


@pytest.fixture
def desk(client: Client) -> Desk:
    return Desk(client)
