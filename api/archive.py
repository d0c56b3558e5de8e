"""The past, for whoever asks: small questions in a thread, large ones from checkpoints.

A checkpoint is made by a process of its own, one at a time; those who ask the same wait for the
same one. It is made to its end also when nobody waits any more, so that who comes back finds it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters import settings
from api.aside import Aside
from domain import ports, refusals
from projections import past, views

FEW: Final = 10_000
"""Facts that are replayed in a thread: half a second of work, in turns with the event loop."""
NEAR: Final = 100
"""Facts by which a checkpoint may be behind to be brought on in a thread; each may be a wheel."""
AT_ONCE: Final = 2
MOST_WAITING: Final = 4
"""Different looks into the past that may be under way or wait for their turn."""
TRIES: Final = 3
PATIENCE: Final = 600.0
COME_BACK: Final = 30


class Archive:
    """Opens views of the past."""

    def __init__(self, config: settings.Settings, log: ports.Log, live: views.Live) -> None:
        self._log = log
        self._live = live
        self._views_path = config.views_path.absolute()
        self._aside = Aside(config, at_once=1, patience=PATIENCE)
        self._replaying = asyncio.Semaphore(AT_ONCE)
        self._making: dict[past.When, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def views(
        self, when: past.When, streams: Collection[UUID] | None
    ) -> AsyncIterator[views.Views]:
        """The views of some streams then, or of more; None asks for all streams."""
        head = await asyncio.to_thread(self._log.head)
        if await self._is_small(head, streams):
            async with self._replaying:
                connection = await asyncio.to_thread(past.replayed, self._log, when, streams)
            async with views.past(lambda: connection) as replayed:
                yield replayed
            return
        path = await self.file(when)
        async with views.past(partial(past.opened, path)) as kept:
            yield kept

    async def file(self, when: past.When) -> Path:
        """The checkpoint of everything then, up to the log's head; for who reads it aside, too."""
        path = past.place(self._views_path, when)
        await self._brought(path, when, await asyncio.to_thread(self._log.head))
        return path

    async def _is_small(self, head: int, streams: Collection[UUID] | None) -> bool:
        """Whether so few facts are asked about that a replay takes no time."""
        if head <= FEW:
            return True
        if streams is None or len(streams) > FEW:
            return False
        found = await self._live.rows(
            "SELECT SUM(version) FROM wheels WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps([each.hex for each in streams])],
        )
        return (found[0][0] or 0) <= FEW

    async def _brought(self, path: Path, when: past.When, head: int) -> None:
        """See to it that a checkpoint has read the log up to a position."""
        for _ in range(TRIES):
            reached = await asyncio.to_thread(past.reached, path)
            if reached is not None and reached >= head:
                return
            await self._made(when, None if reached is None else head - reached)
        raise refusals.Unavailable("the past does not come up to now", part="past")

    async def _made(self, when: past.When, behind: int | None) -> None:
        """Have it made once, whoever asks; the making does not end with one who no longer waits."""
        making = self._making.get(when)
        if making is None:
            if len(self._making) >= MOST_WAITING:
                raise refusals.Unavailable(
                    "too many look into the past already; come back in a while",
                    part="past",
                    retry_after=COME_BACK,
                )
            making = asyncio.create_task(self._make(when, behind), name=f"past {when.name}")
            self._making[when] = making
            making.add_done_callback(partial(self._done, when))
        await asyncio.wait([making])
        if making.cancelled():
            raise refusals.Unavailable("the look into the past was given up", part="past")
        making.result()

    def _done(self, when: past.When, making: asyncio.Task[None]) -> None:
        del self._making[when]
        if not making.cancelled():
            making.exception()  # whoever waits is told; nobody may be left who does

    async def _make(self, when: past.When, behind: int | None) -> None:
        if behind is not None and behind <= NEAR:
            await asyncio.to_thread(past.bring, self._log, self._views_path, when)
            return
        arguments = ["past"]
        for name, instant in (("--as-of", when.as_of), ("--known-at", when.known_at)):
            if instant is not None:
                arguments += [name, instant.isoformat()]
        try:
            async with self._aside.running("projections", *arguments) as child:
                await child.whole()
        except BaseException:
            past.give_up(self._views_path, when)
            raise

    async def close(self) -> None:
        """Give up what is being made; nothing of it is left."""
        making = list(self._making.values())
        for each in making:
            each.cancel()
        await asyncio.gather(*making, return_exceptions=True)
