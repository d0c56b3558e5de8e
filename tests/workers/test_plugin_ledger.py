"""What the plugins' worker writes into the log, and what it finds there already."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from adapters import clock
from domain import facts, refusals
from workers.plugin_ledger import Ledger

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)


class Log:
    """Takes one fact for each stream."""

    def __init__(self) -> None:
        self.taken: list[UUID] = []

    def head(self) -> int:
        return len(self.taken)

    def stream(self, stream_id: UUID, *, after: int = 0) -> Sequence[facts.Recorded]:
        return []

    def append(self, recorded: Sequence[facts.Recorded]) -> Sequence[int]:
        if recorded[0].stream_id in self.taken:
            raise refusals.Stale("taken", expected=0, found=1)
        self.taken.append(recorded[0].stream_id)
        return [len(self.taken)]


async def nudge(position: int) -> None:
    return None


def ran(trigger: facts.Trigger, run_id: int) -> facts.PluginRan:
    return facts.PluginRan(
        plugin="idle",
        run_id=UUID(int=run_id),
        plugin_version="1",
        due_at=NOON,
        trigger=trigger,
        started_at=NOON,
        finished_at=NOON,
        outcome="succeeded",
    )


@pytest.mark.parametrize(
    ("second", "is_recorded"),
    [
        (ran("schedule", 2), False),
        (ran("catch_up", 1), False),
        (ran("manual", 1), True),
        (ran("manual", 2), True),
    ],
)
async def test_an_instant_is_run_for_once_but_by_hand_as_often_as_one_likes(
    second: facts.PluginRan, is_recorded: bool
) -> None:
    ledger = Ledger(Log(), Path("none"), nudge, clock.standing_at(NOON), None)
    assert await ledger.finish(ran("schedule", 1))
    assert await ledger.finish(ran("manual", 3))
    assert await ledger.finish(second) is is_recorded
