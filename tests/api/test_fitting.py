"""Whether a configuration fits, without waiting for what its author wrote."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest

from api import fitting
from domain import refusals

AA = Annotated[str, msgspec.Meta(pattern=r"^(a+)+$", max_length=100)]


class Inner(msgspec.Struct):
    word: AA


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    words: dict[AA, list[Inner]]


SCHEMA = msgspec.json.encode(msgspec.json.schema(Settings)).decode()
SLOW = "a" * 60 + "!"


@pytest.mark.timeout(20)
def test_a_pattern_that_takes_for_ever_is_not_tried() -> None:
    config = {"words": {SLOW: [{"word": SLOW}]}}
    fitting.fits(msgspec.json.encode(config).decode(), SCHEMA)


def test_all_else_of_the_schema_is() -> None:
    with pytest.raises(refusals.Invalid, match="too long"):
        fitting.fits(f'{{"words": {{"a": [{{"word": "{"a" * 101}"}}]}}}}', SCHEMA)


class Node(msgspec.Struct):
    child: "Node | None" = None


def test_what_is_nested_too_deeply_to_be_looked_at_does_not_fit() -> None:
    schema = msgspec.json.encode(msgspec.json.schema(Node)).decode()
    deep = '{"child":' * 400 + "null" + "}" * 400
    with pytest.raises(refusals.Invalid, match="nested too deeply"):
        fitting.fits(deep, schema)


class Kinds(msgspec.Struct, kw_only=True):
    """A field of each kind that is written as text, and a whole number."""

    day: date | None = None
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    clock: Annotated[time, msgspec.Meta(tz=True)] | None = None
    every: timedelta | None = None
    id: UUID | None = None
    money: Decimal | None = None
    raw: bytes | None = None
    count: int | None = None
    share: float | None = None


KINDS = msgspec.json.encode(msgspec.json.schema(Kinds)).decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("day", "no date"),
        ("day", "2026-02-30"),
        ("at", "2026-01-01T00:00:00"),
        ("at", "noon"),
        ("clock", "25:00:00Z"),
        ("every", "x"),
        ("id", "x"),
        ("money", "abc"),
        ("raw", "$$$"),
        ("count", 1.0),
        ("count", True),
    ],
)
def test_what_the_plugin_could_not_read_does_not_fit(field: str, value: Any) -> None:
    config = msgspec.json.encode({field: value})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(config, type=Kinds)
    with pytest.raises(refusals.Invalid):
        fitting.fits(config.decode(), KINDS)


def test_what_the_plugin_reads_fits() -> None:
    config = msgspec.json.encode(
        {
            "day": "2026-02-28",
            "at": "2026-01-01T00:00:00-05:00",
            "clock": "09:30:00Z",
            "every": "P1DT2H",
            "id": str(UUID(int=7)),
            "money": "12.50",
            "raw": "YQ==",
            "count": 1,
            "share": 1,
        }
    )
    msgspec.json.decode(config, type=Kinds)
    fitting.fits(config.decode(), KINDS)


def test_a_number_that_is_too_large_to_be_read_does_not_fit() -> None:
    with pytest.raises(refusals.Invalid, match="out of range"):
        fitting.fits('{"share": 1e400}', KINDS)
