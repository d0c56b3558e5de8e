"""The chain read on each night, and a checkpoint where it is whole."""

import pytest

from adapters import chain
from tests.workers.chores.test_backup import damage
from tests.workers.chores.yard import Yard
from workers import chore
from workers.chores import ledger_checkpoint


async def checked(yard: Yard, **settings: bool) -> chore.Done:
    due = yard.due("ledger_checkpoint", settings=settings)
    return await ledger_checkpoint.run(yard.context, due)


async def test_each_run_goes_on_from_the_checkpoint_of_the_last(yard: Yard) -> None:
    yard.desk()
    assert (await checked(yard)).done == yard.log.head()
    yard.desk("ABC").put("50", "1.00")
    assert (await checked(yard)).done == 2
    assert [each.position for each in yard.log.checkpoints(9)] == [5, 3]


async def test_a_second_run_notes_nothing_more(yard: Yard) -> None:
    await checked(yard)
    assert (await checked(yard)).done == 0
    assert len(yard.log.checkpoints(9)) == 1


async def test_the_whole_chain_is_read_where_that_is_asked_for(yard: Yard) -> None:
    await checked(yard)
    assert (await checked(yard, full=True)).done == yard.log.head()


async def test_a_ledger_that_is_not_whole_is_a_failure_that_names_the_place(yard: Yard) -> None:
    yard.desk().put("100", "1.50")
    damage(yard.settings.event_store_path)
    with pytest.raises(chain.Torn, match="NOT WHOLE: first bad position 4"):
        await checked(yard)
    assert yard.log.checkpoints(9) == []
