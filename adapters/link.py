"""One connection to the bus, from its first moment to its last.

    BusFault
    ├── BusDown         no server, no stream, or no answer in time: try again later
    ├── OutOfOrder      the stream does not end where the publisher thought it does
    └── Rejected        the server will not take this message, now or later

nats-py's own reconnecting is switched off: it would send, after a gap, what was buffered
before it, and some errors end it for good. A new client for every connection has neither
trouble; adapters/bus.py makes them.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from domain import subjects

log = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 5.0
CLOSE_WITHIN: Final = 0.5
SILENCE: Final = 2
BACKLOG: Final = 64 * 1024 * 1024
"""Far above what is ever under way: nats-py makes a publisher wait, unstoppably, behind it."""

NAME_IN_USE: Final = 10058
WRONG_LAST: Final = frozenset({10070, 10071, 10164})
SERVER_TROUBLE: Final = 500


class BusFault(Exception):
    """Root of the tree."""


class BusDown(BusFault):
    """No server, no stream, or no answer in time: try again later."""


class OutOfOrder(BusFault):
    """The stream does not end where the publisher thought it does."""


class Rejected(BusFault):
    """The server will not take this message, now or later."""


class _Fault(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct, frozen=True):
    seq: int = 0
    error: _Fault | None = None


_acks = msgspec.json.Decoder(_Ack)


class _Client(Client):
    """nats-py's own, with nothing left to write once the connection has failed.

    It tries to write the rest while it closes. With the server dead, that error ends the closing
    before the callback, and nobody learns that the connection is no more.
    """

    async def _process_op_err(self, e: Exception) -> None:
        self._pending = []
        self._pending_data_size = 0
        await super()._process_op_err(e)


class Link:
    """A connection, and the acknowledgements that it is owed."""

    def __init__(self) -> None:
        self.client = _Client()
        self.lost = asyncio.Event()
        self._owed: dict[str, asyncio.Future[int]] = {}
        self._tokens = itertools.count()
        self._inbox = ""

    async def open(self, url: str, role: str, password: str) -> None:
        with border():
            await self.client.connect(
                servers=[url],
                user=role,
                password=password,
                name=f"wheelwright {role}",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=SILENCE,
                ping_interval=SILENCE,
                max_outstanding_pings=2,
                pending_size=BACKLOG,
                closed_cb=self.lose,
                error_cb=_complain,
            )
            self._inbox = self.client.new_inbox()
            await self.client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)

    @property
    def streams(self) -> JetStreamContext:
        return self.client.jetstream(timeout=ANSWER_WITHIN)

    async def lose(self) -> None:
        """The connection is of no use any more: nobody shall wait for it."""
        self.lost.set()
        for future in tuple(self._owed.values()):
            if not future.done():
                future.set_exception(BusDown("the connection was lost"))

    async def send(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None
    ) -> asyncio.Future[int]:
        """Send to a stream; the future is the sequence under which it is stored."""
        token = str(next(self._tokens))
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._owed[token] = future
        future.add_done_callback(lambda done: self._settled(token, done))
        await self.client.publish(subject, body, reply=f"{self._inbox}.{token}", headers=headers)
        return future

    async def heard(self) -> None:
        """Wait until the server has dealt with all that was written.

        nats-py writes a ping past what still waits to be written; a second one is behind it.
        """
        await self.client.flush(timeout=SILENCE)
        await self.client.flush(timeout=SILENCE)

    def _settled(self, token: str, future: asyncio.Future[int]) -> None:
        """Forget it, and look at its error: else asyncio complains that nobody did."""
        del self._owed[token]
        if not future.cancelled():
            future.exception()

    async def _acknowledged(self, message: Msg) -> None:
        future = self._owed.get(message.subject.rpartition(".")[2])
        if future is None or future.done():
            return
        if message.data:
            _settle(future, _acks.decode(message.data))
        else:
            future.set_exception(BusDown("no stream listens there"))
            self.lost.set()  # the next connection makes what is missing

    async def shut(self) -> None:
        """Let what was said reach the server, then end: within a second."""
        with suppress(nats.errors.Error, OSError, TimeoutError):
            if self.client.is_connected:
                await self.client.flush(timeout=CLOSE_WITHIN)  # type: ignore[arg-type]
        with suppress(nats.errors.Error, OSError, TimeoutError):
            await asyncio.wait_for(self.client.close(), CLOSE_WITHIN)
        await self.lose()


@contextmanager
def border() -> Iterator[None]:
    """What goes wrong inside comes out as a BusFault."""
    try:
        yield
    except nats.errors.MaxPayloadError as reason:
        raise Rejected("the message is too long for the bus") from reason
    except (nats.errors.Error, OSError, TimeoutError) as reason:
        raise BusDown(str(reason) or "no answer in time") from reason


async def prepare(link: Link) -> None:
    """Make the streams that are missing; harmless when several processes do it at once."""
    with border():
        for stream in subjects.STREAMS:
            await _ensure(link.streams, stream)
        for bucket in subjects.BUCKETS:
            await link.streams.create_key_value(
                bucket=bucket, history=1, direct=True, storage=api.StorageType.FILE
            )


async def stored(sent: Sequence[asyncio.Future[int]], after: int | None = None) -> int:
    """The last sequence once all are stored; raises the first failure when one is not.

    With `after`, they must have been stored right behind that sequence and each other: an
    old copy of a message, found by its id, is not what was asked for.
    """
    last = after or 0
    for sequence in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(sequence, BaseException):
            raise sequence
        if after is not None and sequence != last + 1:
            raise OutOfOrder(f"stored as {sequence}, not behind {last}")
        last = sequence
    return last


async def newest(link: Link, stream: str, subject: str) -> api.RawStreamMsg | None:
    try:
        return await link.streams.get_last_msg(stream, subject)
    except nats.js.errors.NotFoundError:
        return None


def place(bucket: str) -> str:
    """The subject before the keys of a bucket."""
    return f"$KV.{bucket}."


async def kept_under(link: Link, bucket: str, key: str) -> bytes | None:
    """The value of a key of a bucket, read straight from its stream; None where there is none."""
    try:
        found = await link.streams.get_last_msg(f"KV_{bucket}", place(bucket) + key, direct=True)
    except nats.js.errors.NotFoundError:
        return None
    return found.data or None


async def end_of(link: Link, stream: str) -> int:
    """The sequence with which a stream ends."""
    try:
        return (await link.streams.stream_info(stream)).state.last_seq
    except nats.js.errors.NotFoundError as reason:
        link.lost.set()  # the next connection makes it
        raise BusDown(f"there is no stream {stream}") from reason


async def _ensure(streams: JetStreamContext, stream: subjects.Stream) -> None:
    wanted = api.StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        max_age=stream.keep.total_seconds() if stream.keep else 0,
        duplicate_window=stream.duplicates.total_seconds(),
        storage=api.StorageType.FILE,
        allow_direct=True,
    )
    try:
        await streams.add_stream(wanted)
    except nats.js.errors.BadRequestError as reason:
        if reason.err_code != NAME_IN_USE:
            raise
        await streams.update_stream(wanted)


def _settle(future: asyncio.Future[int], ack: _Ack) -> None:
    if ack.error is None:
        future.set_result(ack.seq)
    elif ack.error.err_code in WRONG_LAST:
        future.set_exception(OutOfOrder(ack.error.description))
    elif ack.error.code >= SERVER_TROUBLE:
        future.set_exception(BusDown(ack.error.description))
    else:
        future.set_exception(Rejected(ack.error.description))


async def _complain(reason: Exception) -> None:
    """What the client tells beside the calls; only a refused permission is news."""
    level = logging.WARNING if "permissions violation" in str(reason).lower() else logging.DEBUG
    log.log(level, "bus: %s", reason)
