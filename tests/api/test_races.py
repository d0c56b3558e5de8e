"""Many at the same moment: what can be only once is only once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from tests.api.client import Client, Desk, Reply
from tests.api.house import House

MANY = 10
ROUNDS = 30

D = Decimal


class Crowd:
    """Ten clients that act at the same moment."""

    def __init__(self, clients: list[Client], pool: ThreadPoolExecutor) -> None:
        self.clients = clients
        self._pool = pool
        self._start = Barrier(len(clients))

    def at_once(self, act: Callable[[int, Client], Reply]) -> list[Reply]:
        def one(place: int) -> Reply:
            self._start.wait(10)
            return act(place, self.clients[place])

        return list(self._pool.map(one, range(len(self.clients))))


@pytest.fixture(scope="module")
def crowd(house: House) -> Iterator[Crowd]:
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(house.client())) for _ in range(MANY)]
        yield Crowd(clients, stack.enter_context(ThreadPoolExecutor(MANY)))


@pytest.mark.parametrize("_", range(ROUNDS))
def test_collateral_for_one_secures_one_of_ten(crowd: Crowd, desk: Desk, _: int) -> None:
    wheel = desk.wheel(capital_allocated=10_000)
    answers = crowd.at_once(lambda _, each: each.post(f"/wheels/{wheel}/trades", desk.sale(fees=0)))
    assert sorted(each.status for each in answers) == [201] + [409] * 9
    assert {each.code for each in answers if each.status == 409} == {"INVALID_STATE"}
    assert len(desk.client.get(f"/wheels/{wheel}/trades").data) == 1


@pytest.mark.parametrize("_", range(ROUNDS))
def test_of_expiring_and_closing_exactly_one_wins(crowd: Crowd, desk: Desk, _: int) -> None:
    wheel = desk.wheel()
    trade = desk.sell(wheel, fees=0)
    orders: list[tuple[str, dict[str, Any]]] = [
        ("expire", {"stock_price_at_expiry": 101}),
        ("close", {"price_per_share": 1, "fees": 0}),
    ]

    def act(place: int, each: Client) -> Reply:
        action, said = orders[place % 2]
        return each.post(f"/trades/{trade}/{action}", said)

    answers = crowd.at_once(act)
    (won,) = [each for each in answers if each.status == 200]
    assert {each.code for each in answers if each.status != 200} == {"INVALID_STATE"}
    assert desk.client.get(f"/trades/{trade}").data == won.data
    cash = {"expired_worthless": D("20150.00"), "closed_early": D("20050.00")}
    assert desk.client.get(f"/wheels/{wheel}").data["cash"] == cash[won.data["outcome"]]


def test_of_ten_who_name_the_same_version_one_wins(crowd: Crowd, desk: Desk) -> None:
    wheel = desk.wheel()

    def act(place: int, each: Client) -> Reply:
        body = {"capital_allocated": 30_000 + place}
        return each.put(f"/wheels/{wheel}", body, headers={"If-Match": '"1"'})

    answers = crowd.at_once(act)
    assert sorted(each.status for each in answers) == [200] + [409] * 9
    assert {each.code for each in answers if each.status == 409} == {"CONFLICT"}


def test_of_ten_who_start_the_same_wheel_one_does(crowd: Crowd, desk: Desk) -> None:
    path, body = f"/portfolios/{desk.portfolio}/wheels", {"symbol": "ONE", "capital_allocated": 1}
    answers = crowd.at_once(lambda _, each: each.post(path, body))
    assert sorted(each.status for each in answers) == [201] + [409] * 9
    assert {each.code for each in answers if each.status == 409} == {"CONFLICT"}


def test_everyone_reads_what_they_wrote(crowd: Crowd, desk: Desk) -> None:
    wheels = [desk.wheel() for _ in crowd.clients]

    def act(place: int, each: Client) -> Reply:
        trade = each.post(f"/wheels/{wheels[place]}/trades", desk.sale()).data
        read = each.get(f"/trades/{trade['id']}")
        assert read.data == trade
        return read

    assert {each.status for each in crowd.at_once(act)} == {200}
