"""What is told live, and how it is wrapped."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Topic = Literal["ledger", "alerts", "positions", "quotes"]
TOPICS: tuple[Topic, ...] = get_args(Topic)


class Frame(msgspec.Struct, frozen=True):
    """What a WebSocket's text frames hold: the fields of a server-sent event.

    `id` is a position of the ledger, where telling goes on behind; null where there is none.
    """

    event: str
    id: int | None
    data: msgspec.Raw


class Hello(msgspec.Struct, frozen=True):
    """The first frame: what will be told."""

    topics: list[Topic]


class Bye(msgspec.Struct, frozen=True):
    """The last that is told, and why."""

    reason: str
