"""Looks are shared, and nobody waits long for one."""

import asyncio

from api.glance import Glance


class Part:
    """Something to look at, that may take its time."""

    def __init__(self) -> None:
        self.looks = 0
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self) -> int:
        self.looks += 1
        await self.free.wait()
        return self.looks


async def test_all_who_ask_at_once_share_a_look() -> None:
    look = Glance(Part(), fresh=60)
    assert await asyncio.gather(*(look() for _ in range(50))) == [1] * 50


async def test_each_who_asks_later_has_a_look_of_their_own() -> None:
    look = Glance(Part(), fresh=-1)
    assert [await look() for _ in range(3)] == [1, 2, 3]


async def test_what_was_seen_last_is_told_while_a_look_takes_long() -> None:
    part = Part()
    look = Glance(part, fresh=-1, patience=0, overdue=60)
    part.free.clear()
    waiting = asyncio.ensure_future(look())
    await asyncio.sleep(0)
    part.free.set()
    assert await waiting == 1
    part.free.clear()
    assert [await look() for _ in range(3)] == [1, 1, 1]
    assert part.looks == 2


async def test_a_part_that_does_not_answer_is_given_up() -> None:
    part = Part()
    part.free.clear()
    look = Glance(part, overdue=0.01)
    assert await look() is None
    part.free.set()
