"""A log on the disk, and where its views go; or both in memory, with a desk that has traded."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.event_store import EventStore
from projections import tables, views
from tests.domain.desk import Desk, Memory
from tests.projections import ledger


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventStore]:
    with closing(ledger.opened(tmp_path)) as store:
        yield store


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


@pytest.fixture
def written(link: Path) -> Iterator[sqlite3.Connection]:
    with closing(tables.create(tables.current(link))) as connection:
        yield connection


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def desk(memory: Memory) -> Desk:
    return ledger.lively(memory)


@pytest.fixture
def asked(memory: Memory, desk: Desk) -> Iterator[views.Views]:
    with ledger.projected(memory) as opened:
        yield opened
