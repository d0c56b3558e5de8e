"""A durable reader: what it left in hand when it died comes again at once, in order."""

from datetime import UTC, datetime

import pytest

from adapters.bus import Bus
from domain import subjects
from tests.conftest import Join

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
SUBJECT = subjects.risk_alert("HIGH", "XYZ", "itm")


async def said(bus: Bus, *ids: str) -> None:
    for each in ids:
        await bus.publish(SUBJECT, subjects.Nudge(1), id=each, type="risk.alert", time=NOON)


async def heard(bus: Bus, *, acknowledged: int) -> list[str]:
    """The ids that are handed out; as many of them are acknowledged before it dies."""
    async with bus.durable("RISK", subjects.EVERY_ALERT, "notifier") as reader:
        taken = list(await reader.next(1.0))
        for each in taken[:acknowledged]:
            await each.done()
        return [each.heard.id for each in taken]


@pytest.mark.usefixtures("server")
async def test_what_was_said_before_there_was_a_reader_is_read(join: Join) -> None:
    await said(await join("relay"), "a", "b")
    assert await heard(await join("notifier"), acknowledged=2) == ["a", "b"]


@pytest.mark.usefixtures("server")
async def test_what_was_not_acknowledged_comes_again_before_what_is_new(join: Join) -> None:
    relay = await join("relay")
    await said(relay, "a", "b", "c")
    assert await heard(await join("notifier"), acknowledged=1) == ["a", "b", "c"]
    await said(relay, "d")
    assert await heard(await join("notifier"), acknowledged=3) == ["b", "c", "d"]
    assert await heard(await join("notifier"), acknowledged=0) == []
