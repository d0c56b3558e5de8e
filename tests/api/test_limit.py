"""How often one address may ask."""

from api.limit import Limit


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_of_a_minutes_requests_may_come_at_once_and_then_one_by_one() -> None:
    watch = Watch()
    limit = Limit(lambda: 60, watch)
    assert [limit.wait("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait("a") == 1.0
    watch.now = 1.0
    assert (limit.wait("a"), limit.wait("a")) == (0.0, 1.0)


def test_each_address_has_its_own() -> None:
    limit = Limit(lambda: 1, Watch())
    assert (limit.wait("a"), limit.wait("b")) == (0.0, 0.0)
    assert limit.wait("a") == 60.0


def test_patience_is_not_saved_up_beyond_a_minute() -> None:
    watch = Watch()
    limit = Limit(lambda: 2, watch)
    limit.wait("a")
    watch.now = 10_000.0
    assert [limit.wait("a") == 0.0 for _ in range(3)] == [True, True, False]


def test_a_limit_that_is_lowered_counts_at_once() -> None:
    most = [100]
    limit = Limit(lambda: most[0], Watch())
    limit.wait("a")
    most[0] = 1
    assert [limit.wait("a") == 0.0 for _ in range(2)] == [True, False]


def test_many_addresses_do_not_fill_the_memory() -> None:
    limit = Limit(lambda: 1, Watch())
    for n in range(20_000):
        limit.wait(str(n))
    assert len(limit._left) <= 10_000
