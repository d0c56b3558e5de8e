"""One process at a time."""

from pathlib import Path

from adapters import alone


def test_a_turn_that_is_taken_is_not_waited_for_and_can_be_had_once_it_is_over(
    tmp_path: Path,
) -> None:
    place = tmp_path / "lock"
    with alone.tried(place) as first, alone.tried(place) as second:
        assert (first, second) == (True, False)
    with alone.tried(place) as third:
        assert third
