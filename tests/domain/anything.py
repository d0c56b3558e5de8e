"""Hypothesis strategies for facts: any that can be written down, in any order."""

import types
import typing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from domain import facts

T = typing.TypeVar("T", bound=msgspec.Struct)
SOME_TRADES = [UUID(int=each) for each in (1, 2, 3)]
AMOUNTS = st.decimals(0, 10**12 - 1, places=6) | st.decimals(0, 500, places=2)
INSTANTS = st.datetimes(
    datetime(1980, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda instant: instant.replace(fold=0))
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(1, 10_000),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
    Decimal: AMOUNTS,
    UUID: st.sampled_from(SOME_TRADES),
    date: st.dates(date(1980, 1, 1), date(2090, 1, 1)),
    datetime: INSTANTS,
}


def _of(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is dict:
        key, value = arguments
        return st.dictionaries(_of(key), _of(value), max_size=3)
    if origin is tuple:
        return st.lists(_of(arguments[0]), max_size=2).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _struct(annotation)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(_of, arguments))
    raise TypeError(annotation)


def _struct(kind: type[T]) -> st.SearchStrategy[T]:
    return st.builds(kind, **{field: _of(hint) for field, hint in get_type_hints(kind).items()})


def fact(kind: type[facts.Fact]) -> st.SearchStrategy[facts.Fact]:
    """Any fact of one kind."""
    return _struct(kind)


def recorded(kinds: typing.Iterable[type[facts.Fact]]) -> st.SearchStrategy[facts.Recorded]:
    """Any fact of some kinds, recorded."""
    return st.builds(
        facts.Recorded,
        st.just(0),
        st.just(UUID(int=9)),
        st.just(1),
        INSTANTS,
        INSTANTS,
        st.sampled_from(["api", "import:file"]),
        st.uuids(),
        st.none() | st.text(max_size=3),
        st.one_of(*map(fact, kinds)),
        st.none() | st.text(max_size=8),
        st.none() | st.text(max_size=8),
    )


CORRECTIONS = st.builds(
    facts.FactCorrected,
    portfolio_id=st.just(UUID(int=1)),
    symbol=st.just("XYZ"),
    fact_version=st.integers(1, 12),
    changes=st.dictionaries(
        st.sampled_from(["effective_at", "contracts", "strike", "shares", "nonsense"]),
        st.sampled_from(["2026-01-05T15:00:00+00:00", "2026-01-05T15:00:00", "7", 3, None, True]),
        max_size=2,
    ),
    reason=st.just("a slip of the pen"),
)
