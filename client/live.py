"""What is told live: server-sent events, taken apart, and where to go on after a break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from api.shapes import ledger
from api.shapes.stream import Bye, Topic
from client import errors, requests
from client.patience import PASSING, Patience
from client.requests import Request
from domain import market, risk, subjects

SILENCE: Final = 60.0
"""The service says at least a word in a quarter of this."""
KINDS: Final[dict[str, Any]] = {
    "ledger": ledger.Event,
    "alert": subjects.AlertNotice,
    "position": risk.PositionRisk,
    "quote": market.Quote,
    "bye": Bye,
}
Data = ledger.Event | subjects.AlertNotice | risk.PositionRisk | market.Quote


class Told(msgspec.Struct, frozen=True):
    """Something that happened; `position` is its place in the ledger, where it has one."""

    topic: str
    position: int | None
    data: Data


class Listener:
    """Hears one stream over as many connections as it takes; none is lost, none heard twice.

    It knows the last position that it heard of, and asks to go on behind it.
    """

    def __init__(
        self, topics: Sequence[Topic] | None, after: int | None, patience: Patience
    ) -> None:
        self._topics = topics
        self._after = after
        self._patience = patience
        self._tries = 0
        self._left = b""
        self._begun = False

    def request(self) -> Request[bytes]:
        """What to ask, at first and after each break."""
        self._left, self._begun = b"", False
        resumed = {} if self._after is None else {"Last-Event-ID": str(self._after)}
        topics = None if self._topics is None else ",".join(self._topics)
        asked = requests.question("/stream", requests.content, {"topics": topics})
        return msgspec.structs.replace(asked, headers=resumed, silence=SILENCE)

    def hear(self, chunk: bytes) -> Iterator[Told]:
        """What a piece of the stream tells, with what was left of the piece before."""
        if self._begun:  # the first words are said to everyone, also to who is then lost
            self._tries = 0
        self._begun = True
        *whole, self._left = (self._left + chunk).split(b"\n\n")
        for block in whole:
            if (told := self._told(block)) is not None:
                yield told

    def _told(self, block: bytes) -> Told | None:
        lines = (line.partition(b":") for line in block.split(b"\n"))
        fields = {name: value.removeprefix(b" ") for name, _, value in lines}
        position = int(fields[b"id"]) if fields.get(b"id") else None
        if position is not None:
            self._after = position
        topic = fields.get(b"event", b"").decode()
        if topic not in KINDS or topic == "bye":
            return None
        try:
            data = msgspec.json.decode(fields[b"data"], type=KINDS[topic])
        except (KeyError, msgspec.MsgspecError) as error:
            raise errors.Unreadable(f"{topic} at {position}: {error}") from error
        return Told(topic, position, data)

    def broken(self, reason: Exception | None) -> float:
        """Seconds after which to try again; raises when that has been in vain too often."""
        if reason is not None and not isinstance(reason, PASSING):
            raise reason
        self._tries += 1
        seconds = self._patience.wait(self._tries, reason)
        if seconds is None:
            raise reason or errors.Unreachable("the stream ends as soon as it begins")
        return seconds
