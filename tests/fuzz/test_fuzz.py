"""A short run of the fuzzing, the same one each time."""

import pytest

from tests.api import house as houses
from tests.fuzz.__main__ import SEED, cases, fuzz


@pytest.mark.timeout(300)
def test_nothing_that_can_be_sent_is_answered_otherwise_than_documented(
    house: houses.House,
) -> None:
    done = fuzz(
        house,
        "--phases=examples,fuzzing,stateful",
        "--max-examples=3",
        f"--seed={SEED}",
        "--generation-deterministic",
    )
    assert done.returncode == 0, done.stdout
    assert cases(done.stdout) > 200
