"""Live: what happens, told as it happens, as server-sent events or over a WebSocket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Final

from litestar import Controller, WebSocket, get, websocket
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from api import hub
from api.office import Office
from api.shapes.stream import TOPICS, Bye, Hello, Topic
from domain import refusals
from projections import answers

RETRY: Final = 1_000
"""Milliseconds after which a reader whose connection was lost comes back."""
PIECE: Final = 16 * 1024
GOING_AWAY: Final = 1001
NOT_MEANT: Final = 4400
NOT_NOW: Final = 4503
_LONGEST_REASON: Final = 120
_POSITION: Final = re.compile(r"[0-9]{1,18}")
_PARAMETERS: Final = frozenset({"topics", "last_event_id"})
_BYE: Final = hub.Message("bye", None, answers.ENCODER.encode(Bye("the service ends")))

Topics = Annotated[
    str | None,
    QueryParameter(description=f"Some of {', '.join(TOPICS)}, comma-separated; default all."),
]
Resumed = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        description="The position behind which to go on; without it, from now on.",
    ),
]
Resume = Annotated[
    str | None,
    QueryParameter(description="The same, for who cannot set the header, which comes first."),
]

EXAMPLE: Final = """\
: wheelwright
retry: 1000
id: 41

event: ledger
id: 42
data: {"position":42,"kind":"wheel","version":2,"type":"OptionSold","data":{"strike":95.00}}

event: quote
data: {"symbol":"SPY","last":512.34,"as_of":"2026-03-02T15:00:00Z","state":"live"}

"""


class StreamController(Controller):
    """What happens, as it happens."""

    path = "/stream"
    tags = ("Live",)

    @get(
        media_type="text/event-stream",
        responses={
            200: ResponseSpec(
                str,
                generate_examples=False,
                description="Events, until either side ends",
                media_type="text/event-stream",
                examples=[Example(summary="A sale and a price", value=EXAMPLE)],
            )
        },
    )
    async def events(
        self,
        office: NamedDependency[Office],
        topics: Topics = None,
        last_event_id: Resume = None,
        resumed: Resumed = None,
    ) -> ASGIApp:
        """Hear what happens, as it happens, as server-sent events.

        | event | topic | data | id |
        |---|---|---|---|
        | `ledger` | ledger | a fact of the ledger, as in `/ledger/events` | its position |
        | `alert` | alerts | an alert raised, cleared, acknowledged or muted | its position |
        | `position` | positions | the risk of an open option, when it has changed | |
        | `quote` | quotes | the last price of a symbol; at first of every known one | |
        | `bye` | | why we end, before we do | |

        Each fact is told once, in the order of the ledger: a fact of an alert as `alert` where
        that topic is asked for, else as `ledger`. With `Last-Event-ID` (an EventSource sends it
        by itself) nothing is lost and nothing told twice, across restarts too. Positions and
        quotes have no past: a reader that falls behind hears the newest of each.

        At first, and after 15 silent seconds, comes a comment, with the id to go on from.
        Who takes nothing for 30 seconds is given up. At most 1,000 may listen: a further one is
        answered 503.

        The same is told over a WebSocket at `/api/v1/stream/ws`, in text frames
        `{"event": "ledger", "id": 42, "data": {...}}`, between `hello` and `bye`, with a `ping`
        in a silence. There a refused request is a close, 4400 or 4503, with the reason.
        """
        return EventStream(await _reader(office, topics, resumed or last_event_id))

    @websocket("/ws")
    async def frames(
        self,
        socket: WebSocket[Any, Any, Any],
        office: NamedDependency[Office],
        topics: Topics = None,
        last_event_id: Resume = None,
        resumed: Resumed = None,
    ) -> None:
        """The same in the frames of a WebSocket."""
        try:
            _known_parameters_only(socket)
            reader = await _reader(office, topics, resumed or last_event_id)
        except refusals.Refusal as refusal:
            await _refused(socket, refusal)
        else:
            await Conversation(reader, socket).run()


async def _reader(office: Office, topics: str | None, after: str | None) -> hub.Reader:
    return await office.hub.reader(_wanted(topics), _position(after))


def _wanted(topics: str | None) -> frozenset[Topic]:
    """Which topics are meant; raises refusals.Invalid."""
    if topics is None:
        return frozenset(TOPICS)
    names = [name.strip() for name in topics.split(",")]
    found = frozenset(topic for topic in TOPICS if topic in names)
    if len(found) < len(set(names)):
        raise refusals.Invalid("topics", topics, f"must be among {', '.join(TOPICS)}")
    return found


def _position(after: str | None) -> int | None:
    if not after:
        return None
    if not _POSITION.fullmatch(after):
        raise refusals.Invalid("Last-Event-ID", after, "must be a position of the ledger")
    return int(after)


def _known_parameters_only(socket: WebSocket[Any, Any, Any]) -> None:
    """What the OpenAPI document does for the other routes; it knows no WebSockets."""
    for name in socket.query_params:
        if name not in _PARAMETERS:
            known = ", ".join(sorted(_PARAMETERS))
            raise refusals.Invalid(name, socket.query_params[name], f"is unknown; known: {known}")
        if len(socket.query_params.getall(name)) > 1:
            raise refusals.Invalid(name, socket.query_params[name], "must be said once")


class EventStream:
    """An answer of server-sent events, as the ASGI application that it is."""

    def __init__(self, reader: hub.Reader) -> None:
        self._reader = reader

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Tell until the reader goes, takes nothing any more, or the hub closes."""
        with self._reader.hub.listening(self._reader):
            await _first_of(self._tell(send), _gone(receive, "http.disconnect"))

    async def _tell(self, send: Send) -> None:
        reader = self._reader
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        with suppress(TimeoutError):
            await self._say(send, b": wheelwright\nretry: %d\n" % RETRY + _mark(reader))
            async for batch in reader.batches():
                for piece in _pieces(batch) if batch else [b":\n" + _mark(reader)]:
                    await self._say(send, piece)
            await self._say(send, _BYE.sse, more=False)

    async def _say(self, send: Send, body: bytes, *, more: bool = True) -> None:
        await self._reader.patiently(
            partial(send, {"type": "http.response.body", "body": body, "more_body": more})
        )


_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


def _mark(reader: hub.Reader) -> bytes:
    """Where to go on from: an EventSource keeps it, and tells nobody."""
    return b"id: %d\n\n" % reader.position


def _pieces(batch: list[hub.Message]) -> Iterator[bytes]:
    """Some events at a time: the server keeps a number of pieces, however large they are."""
    piece = b""
    for message in batch:
        piece += message.sse
        if len(piece) >= PIECE:
            yield piece
            piece = b""
    if piece:
        yield piece


class Conversation:
    """A WebSocket on which only we speak."""

    def __init__(self, reader: hub.Reader, socket: WebSocket[Any, Any, Any]) -> None:
        self._reader = reader
        self._socket = socket

    async def run(self) -> None:
        """Tell until the reader goes, takes nothing any more, or the hub closes."""
        await self._socket.accept()
        with self._reader.hub.listening(self._reader):
            await _first_of(self._tell(), _gone(self._socket.receive, "websocket.disconnect"))
            if self._reader.hub.closing:  # not before: granian cannot, while somebody receives
                await self._close()

    async def _tell(self) -> None:
        reader = self._reader
        topics = [topic for topic in TOPICS if topic in reader.topics]
        hello = hub.Message("hello", reader.position, answers.ENCODER.encode(Hello(topics)))
        with suppress(TimeoutError):
            await self._say(hello)
            async for batch in reader.batches():
                for message in batch or [hub.Message("ping", reader.position, b"null")]:
                    await self._say(message)
            await self._say(_BYE)

    async def _close(self) -> None:
        with suppress(TimeoutError):
            await self._reader.patiently(partial(self._socket.close, GOING_AWAY))

    async def _say(self, message: hub.Message) -> None:
        await self._reader.patiently(partial(self._socket.send_text, message.frame))


async def _refused(socket: WebSocket[Any, Any, Any], refusal: refusals.Refusal) -> None:
    """Say why in a close: a browser does not show the answer to a failed handshake."""
    await socket.accept()
    reason = refusal.message.encode()[:_LONGEST_REASON].decode(errors="ignore")
    code = NOT_MEANT if isinstance(refusal, refusals.Invalid) else NOT_NOW
    await socket.close(code, reason)


async def _gone(receive: Receive, how: str) -> None:
    """Until the other side has gone; what else it says is not for us."""
    while (await receive())["type"] != how:
        pass


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()
