"""Whether a configuration fits, without waiting for what its author wrote."""

from typing import Annotated

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
