"""What was said last on some subjects of a stream, until some instant: one question to NATS.

nats-py does not know this form of a direct get (`multi_last`, server 2.11): many messages come as
the answer, and an empty one with status 204 ends them.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from nats.aio.msg import Msg

from adapters.envelope import Heard
from adapters.link import ANSWER_WITHIN, BusDown, Link, border

AT_ONCE: Final = 500
"""Subjects in one question; the server takes 1024."""
_END, _NONE = "204", "404"


async def last_until(
    link: Link, stream: str, subjects: Sequence[str], until: datetime
) -> list[Heard]:
    """The last message of each subject that the server had stored by then (its, real, time).

    A subject without one is left out. Raises BusDown.
    """
    found: list[Heard] = []
    with border():
        async with asyncio.timeout(ANSWER_WITHIN):
            for first in range(0, len(subjects), AT_ONCE):
                found += await _asked(link, stream, subjects[first : first + AT_ONCE], until)
    return found


async def _asked(link: Link, stream: str, subjects: Sequence[str], until: datetime) -> list[Heard]:
    inbox = link.client.new_inbox()
    question = {"multi_last": subjects, "up_to_time": until.astimezone(UTC)}
    answers = await link.client.subscribe(inbox)
    try:
        await link.client.publish(
            f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(question), reply=inbox
        )
        found: list[Heard] = []
        while (message := await answers.next_msg(timeout=ANSWER_WITHIN)).data:
            found.append(_heard(message))
    finally:
        await answers.unsubscribe()
    status = (message.headers or {}).get("Status", "")
    if status not in {_END, _NONE}:
        raise BusDown(f"the stream {stream} answered {status}")
    return found


def _heard(message: Msg) -> Heard:
    headers = message.headers or {}
    return Heard(headers["Nats-Subject"], message.data)
