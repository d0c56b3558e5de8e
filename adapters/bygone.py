"""Many messages of a stream for one question to NATS, without a consumer.

nats-py does not know this form of a direct get (server 2.11): many messages come as the answer, and
an empty one with status 204 ends them. Its own way to read a bucket, a watch, can end before the
first message has come, and leaves a consumer for minutes.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from nats.aio.msg import Msg

from adapters.envelope import Heard
from adapters.link import ANSWER_WITHIN, BusDown, Link, border, place

AT_ONCE: Final = 500
"""Subjects, or messages, in one question; the server takes 1024."""
EVERY: Final = ">"
_END, _NONE = "204", "404"
_GONE: Final = {"KV-Operation", "Nats-Marker-Reason"}
"""Headers of what says that a key of a bucket holds nothing any more."""


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
                some = subjects[first : first + AT_ONCE]
                question = {"multi_last": some, "up_to_time": until.astimezone(UTC)}
                found += [_heard(each) for each in (await _asked(link, stream, question))[:-1]]
    return found


async def kept(link: Link, bucket: str, keys: str = EVERY) -> dict[str, bytes]:
    """What a bucket holds under some keys (wildcards allowed). Raises BusDown."""
    found: dict[str, bytes] = {}
    wanted = place(bucket) + keys
    following, is_more = 1, True
    with border():
        async with asyncio.timeout(ANSWER_WITHIN):
            while is_more:
                question = {"batch": AT_ONCE, "seq": following, "next_by_subj": wanted}
                *some, end = await _asked(link, f"KV_{bucket}", question)
                for each in some:
                    headers = each.headers or {}
                    following = int(headers["Nats-Sequence"]) + 1
                    if not headers.keys() & _GONE:
                        found[headers["Nats-Subject"].removeprefix(place(bucket))] = each.data
                left = int((end.headers or {}).get("Nats-Num-Pending", 0))
                is_more = bool(some) and left > 0
    return found


async def _asked(link: Link, stream: str, question: object) -> list[Msg]:
    """The messages that answer it, and behind them the one that ends them."""
    inbox = link.client.new_inbox()
    answers = await link.client.subscribe(inbox)
    try:
        await link.client.publish(
            f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(question), reply=inbox
        )
        found = [await answers.next_msg(timeout=ANSWER_WITHIN)]
        while not _ends(found[-1]):
            found.append(await answers.next_msg(timeout=ANSWER_WITHIN))
    finally:
        await answers.unsubscribe()
    status = (found[-1].headers or {}).get("Status", "")
    if status not in {_END, _NONE}:
        raise BusDown(f"the stream {stream} answered {status}")
    return found


def _ends(message: Msg) -> bool:
    return not message.data and "Status" in (message.headers or {})


def _heard(message: Msg) -> Heard:
    headers = message.headers or {}
    return Heard(headers["Nats-Subject"], message.data)
