"""Heavy readings in processes of their own: they say all, and stay no longer than they must."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from adapters.settings import Settings
from api import aside
from domain import refusals
from tests.conftest import soon

DOING = "tests.api.aside_doing"


@pytest.fixture
def children(tmp_path: Path) -> aside.Aside:
    return aside.Aside(Settings(data_dir=tmp_path), at_once=1)


async def pid_of(chunks: AsyncIterator[bytes]) -> int:
    return int(await soon(anext(chunks)))


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - no event tells of another's child
        await asyncio.sleep(0.01)


async def places_are_free(children: aside.Aside) -> bool:
    """Whether another child can begin; it has to wait for the one before."""
    async with children.running(DOING, "tells") as child:
        return bool(await child.whole())


async def test_a_child_knows_the_settings_of_the_api(children: aside.Aside, tmp_path: Path) -> None:
    async with children.running(DOING, "tells") as child:
        assert await soon(child.whole()) == bytes(tmp_path / "views.db")


async def test_a_child_that_fails_is_told_with_its_last_words(
    children: aside.Aside, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(refusals.Unavailable, match="failed: no space left"):
        await soon(children.streamed(DOING, "fails"))
    assert "it began well" in caplog.text


async def test_a_child_that_is_killed_has_not_said_all(children: aside.Aside) -> None:
    async with children.running(DOING, "is killed") as child:
        with pytest.raises(refusals.Unavailable, match="ended by SIGKILL"):
            await soon(child.whole())


async def test_a_child_waits_for_whoever_takes_its_answer(children: aside.Aside) -> None:
    poured = await soon(children.streamed(DOING, "pours"))
    taken = [len(await soon(anext(poured))) for _ in range(20)]
    assert 0 < sum(taken) <= 20 * aside.CHUNK
    await poured.aclose()


async def test_a_child_ends_with_the_block(children: aside.Aside) -> None:
    async with children.running(DOING, "waits") as child:
        pid = await pid_of(child.chunks())
        assert psutil.Process(pid).nice() > 0
    assert not psutil.pid_exists(pid)


async def test_a_child_ends_with_an_answer_that_nobody_takes(children: aside.Aside) -> None:
    answer = await soon(children.streamed(DOING, "waits"))
    (child,) = (each for each in psutil.Process().children() if DOING in each.cmdline())
    del answer
    await soon(gone(child.pid))
    await soon(places_are_free(children))


async def test_a_child_ends_with_the_request_that_is_given_up(children: aside.Aside) -> None:
    pids: asyncio.Queue[int] = asyncio.Queue()

    async def request() -> None:
        async with children.running(DOING, "waits") as child:
            chunks = child.chunks()
            pids.put_nowait(await pid_of(chunks))
            await anext(chunks)

    asking = asyncio.create_task(request())
    pid = await soon(pids.get())
    asking.cancel()
    await asyncio.wait([asking])
    assert not psutil.pid_exists(pid)


async def test_who_would_wait_too_long_is_told_to_come_again(
    tmp_path: Path,
) -> None:
    children = aside.Aside(Settings(data_dir=tmp_path), at_once=1, patience=0.01)
    async with children.running(DOING, "waits"):
        with pytest.raises(refusals.Unavailable, match="try again") as told:
            await soon(children.streamed(DOING, "tells"))
    assert "retry_after" in told.value.details
    assert await soon(places_are_free(children))


PARENT = f"""
import asyncio, pathlib
from adapters.settings import Settings
from api import aside
async def main():
    async with aside.Aside(Settings(data_dir=pathlib.Path("."))).running("{DOING}", "waits") as it:
        async for chunk in it.chunks():
            print(chunk.decode(), flush=True)
asyncio.run(main())
"""


async def test_a_child_ends_with_an_api_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await soon(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    await soon(parent.wait())
    await soon(gone(pid))


def test_nothing_is_logged_of_a_child_that_does_well(
    children: aside.Aside, caplog: pytest.LogCaptureFixture
) -> None:
    async def told() -> bytes:
        async with children.running(DOING, "tells") as child:
            return await child.whole()

    with caplog.at_level(logging.WARNING):
        asyncio.run(told())
    assert not caplog.records
