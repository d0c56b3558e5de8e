"""Looks into the past, several at once, and what goes wrong with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from adapters.event_store import EventStore
from adapters.settings import Settings
from api import archive
from domain import refusals
from projections import past, views
from projections.past import When
from tests.conftest import soon
from tests.domain.desk import MONDAY, Desk
from tests.projections import ledger

THEN = [When(MONDAY + timedelta(seconds=n), None) for n in range(9)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "past"


@pytest.fixture
async def opened(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[archive.Archive, EventStore]]:
    """An archive that thinks everything large, and its log."""
    monkeypatch.setattr(archive, "FEW", 0)
    monkeypatch.setattr(archive, "NEAR", 0)
    with closing(ledger.opened(settings.data_dir)) as log:
        kept = archive.Archive(settings, log, views.Live(settings.views_path))
        yield kept, log
        await kept.close()


Opened = tuple[archive.Archive, EventStore]


async def wheels(kept: archive.Archive, when: When) -> int:
    async with kept.views(when, None) as then:
        return len(await soon(then.rows("SELECT * FROM wheels")))


def left(folder: Path, name: str = "*") -> list[str]:
    return [each.name for each in folder.glob(name)]


def builders() -> list[psutil.Process]:
    """Our children that make checkpoints."""
    return [each for each in psutil.Process().children() if _builds(each)]


def _builds(child: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "projections" in child.cmdline()
    return False


async def building() -> psutil.Process:
    """The child that makes a checkpoint, when it is at it."""
    async with asyncio.timeout(10):
        while not (found := builders()):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
    return found[0]


async def test_who_asks_the_same_waits_for_the_same_checkpoint(opened: Opened) -> None:
    kept, log = opened
    ledger.lively(log)
    asked = [asyncio.create_task(wheels(kept, THEN[8])) for _ in range(20)]
    child = await building()
    assert builders() == [child]
    assert set(await asyncio.gather(*asked)) == {2}


async def test_what_is_recorded_meanwhile_is_in_the_answer(opened: Opened) -> None:
    kept, log = opened
    ledger.lively(log)
    first = asyncio.create_task(wheels(kept, THEN[8]))
    await building()
    Desk("10000", symbol="NEW", log=log)
    assert await wheels(kept, THEN[8]) == 3
    assert await first in {2, 3}


async def test_a_child_that_dies_is_an_error_and_leaves_nothing(
    opened: Opened, folder: Path
) -> None:
    kept, log = opened
    ledger.lively(log)
    asked = asyncio.create_task(wheels(kept, THEN[0]))
    (await building()).kill()
    with pytest.raises(refusals.Unavailable, match="ended by SIGKILL"):
        await soon(asked)
    assert await wheels(kept, THEN[8]) == 2
    assert left(folder, "*.past") == [THEN[8].name]


async def test_an_error_of_the_child_is_told(opened: Opened, folder: Path) -> None:
    kept, log = opened
    ledger.lively(log)
    await asyncio.to_thread(folder.write_text, "no folder")
    with pytest.raises(refusals.Unavailable, match="the past cannot be kept"):
        await soon(wheels(kept, THEN[0]))


async def test_too_many_different_questions_are_told_to_come_back(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_WAITING", 1)
    kept, log = opened
    ledger.lively(log)
    asked = [asyncio.create_task(wheels(kept, when)) for when in THEN]
    told = await soon(asyncio.gather(*asked, return_exceptions=True))
    refused = [each for each in told if isinstance(each, refusals.Unavailable)]
    assert len(refused) == len(THEN) - 1
    assert {each.details["retry_after"] for each in refused} == {archive.COME_BACK}


async def test_who_gives_up_finds_it_when_he_comes_back(opened: Opened) -> None:
    kept, log = opened
    ledger.lively(log)
    asked = asyncio.create_task(wheels(kept, THEN[8]))
    child = await building()
    asked.cancel()
    await asyncio.wait([asked])
    assert child.is_running()
    assert await wheels(kept, THEN[8]) == 2


async def test_at_the_end_nothing_is_left_half_made(opened: Opened, folder: Path) -> None:
    kept, log = opened
    ledger.lively(log)
    asked = asyncio.create_task(wheels(kept, THEN[8]))
    await building()
    await soon(kept.close())
    with pytest.raises(refusals.Unavailable, match="given up"):
        await asked
    assert builders() == []
    assert left(folder, "*.part*") == []


async def test_a_small_question_needs_no_checkpoint(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FEW", 100)
    kept, log = opened
    ledger.lively(log)
    assert await wheels(kept, THEN[8]) == 2
    assert left(folder) == []


async def test_answers_are_read_while_checkpoints_make_room(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MOST_FILES", 1)
    kept, log = opened
    ledger.lively(log)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(kept.views(THEN[8], None))
        assert await wheels(kept, THEN[0]) == 2
        assert len(await first.rows("SELECT * FROM wheels")) == 2
