"""A yard for each test."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters import event_store
from adapters.event_store import EventStore
from adapters.settings import Settings
from tests.conftest import Join, NatsServer
from tests.workers.chores.yard import Yard


@pytest.fixture
def log(settings: Settings) -> Iterator[EventStore]:
    with closing(event_store.open_store(settings)) as opened:
        yield opened


@pytest.fixture
async def yard(settings: Settings, log: EventStore, server: NatsServer, join: Join) -> Yard:
    return Yard(settings, log, await join("scheduler"), await join("prices"))
