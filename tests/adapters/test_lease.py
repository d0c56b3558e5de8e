"""One has the word; another takes it over when it is not heard of any more."""

import pytest

from adapters import link
from adapters.lease import BELIEVED, Lease
from domain import subjects
from tests.conftest import Join, NatsServer

LASTS = 6.0


class Timer:
    """Stands until it is turned."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
async def two(server: NatsServer, join: Join, timer: Timer) -> tuple[Lease, Lease]:
    first, second = [Lease(await join("scheduler"), "jobs", LASTS, timer) for _ in range(2)]
    return first, second


async def test_the_first_who_asks_has_it(two: tuple[Lease, Lease]) -> None:
    assert [await each.renew() for each in two] == [True, False]


async def test_as_long_as_it_is_renewed_nobody_else_has_it(
    two: tuple[Lease, Lease], timer: Timer
) -> None:
    ours, theirs = two
    for _ in range(10):
        assert await ours.renew()
        assert not await theirs.renew()
        timer.at += LASTS / 2


async def test_it_is_taken_over_when_it_was_not_renewed_for_as_long_as_it_lasts(
    two: tuple[Lease, Lease], timer: Timer
) -> None:
    ours, theirs = two
    await ours.renew()
    assert not await theirs.renew()
    timer.at += LASTS - 0.1
    assert not await theirs.renew()
    assert not ours.held
    timer.at += 0.1
    assert await theirs.renew()
    assert not await ours.renew()


async def test_who_cannot_renew_it_stops_believing_in_it_before_another_may(
    two: tuple[Lease, Lease], timer: Timer, server: NatsServer
) -> None:
    ours, _ = two
    await ours.renew()
    server.stop()
    timer.at += LASTS * BELIEVED - 0.1
    assert await ours.renew()
    timer.at += 0.1
    assert not await ours.renew()


async def test_what_is_given_back_is_had_by_another_at_once(two: tuple[Lease, Lease]) -> None:
    ours, theirs = two
    await ours.renew()
    await ours.give_back()
    assert not ours.held
    assert await theirs.renew()


async def test_two_who_take_over_at_once_are_not_both_given_it(
    two: tuple[Lease, Lease], timer: Timer, join: Join
) -> None:
    ours, theirs = two
    third = Lease(await join("scheduler"), "jobs", LASTS, timer)
    await ours.renew()
    assert not await theirs.renew()
    assert not await third.renew()
    timer.at += LASTS
    assert [await theirs.renew(), await third.renew()] == [True, False]


async def test_what_is_there_is_not_overwritten_unseen(server: NatsServer, join: Join) -> None:
    bus = await join("scheduler")
    place = subjects.LEASES_BUCKET, "jobs"
    assert await bus.entry(*place) is None
    revision = await bus.put_behind(*place, b"one", 0)
    assert await bus.entry(*place) == (b"one", revision)
    for other in (0, revision - 1, revision + 1):
        with pytest.raises(link.OutOfOrder):
            await bus.put_behind(*place, b"two", other)
    assert await bus.put_behind(*place, b"two", revision) > revision
