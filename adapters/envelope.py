"""What a message on the bus looks like: CloudEvents 1.0, in JSON.

Money is a JSON number, written with every digit that it has: a reader that decodes numbers
as decimals gets back exactly what was sent.
"""

from datetime import datetime
from functools import cache
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

Data = TypeVar("Data")

SCHEMA_PREFIX: Final = "urn:wheelwright"
MESSAGE_ID: Final = "Nats-Msg-Id"


class Unreadable(Exception):
    """A message that is not what its subject promises."""


class Envelope(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    """The attributes of a CloudEvent around the data; `dataschema` names the data's version."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str
    data: Data
    dataschema: str
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


class Message(msgspec.Struct, frozen=True):
    """A message to be sent; `id` is the one under which the bus drops a repetition."""

    subject: str
    data: Any
    id: str
    type: str
    time: datetime
    version: int = 1


class Heard(msgspec.Struct, frozen=True):
    """A message as it came in; `id` is empty when it was sent without.

    `stored_at` is the server's (real) time, for a message that was read from a stream.
    """

    subject: str
    body: bytes
    id: str = ""
    stored_at: datetime | None = None

    def read(self, kind: type[Data]) -> Envelope[Data]:
        """The message with data of this kind. Raises Unreadable when it is none."""
        try:
            envelope: Envelope[Data] = _reader(kind).decode(self.body)  # type: ignore[arg-type]
        except msgspec.MsgspecError as reason:
            raise Unreadable(f"{self.subject}: {reason}") from reason
        return envelope


_encoder = msgspec.json.Encoder(decimal_format="number")


def plain(data: object) -> bytes:
    """The data alone, without an envelope."""
    return _encoder.encode(data)


def sealed(message: Message, source: str) -> bytes:
    """The message as it travels."""
    return _encoder.encode(
        Envelope(
            id=message.id,
            source=source,
            type=message.type,
            time=message.time,
            subject=message.subject,
            data=message.data,
            dataschema=schema_name(message.type, message.version),
        )
    )


def schema_name(kind: str, version: int = 1) -> str:
    """The `dataschema` of a type of message in one of its versions."""
    return f"{SCHEMA_PREFIX}:{kind}:{version}"


@cache
def _reader(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Envelope[kind])
