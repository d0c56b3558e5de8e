"""Whole instances, ended whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.instance import Instance

Make = Callable[..., Instance]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make instances, not started yet; the end of the test ends them."""
    with ExitStack() as stack:

        def made(name: str = "data", **variables: str) -> Instance:
            instance = Instance(tmp_path / name, **variables)
            stack.callback(instance.close)
            return instance

        yield made


@pytest.fixture
def instance(make: Make) -> Instance:
    """An instance that is up and healthy."""
    up = make()
    up.start()
    return up
