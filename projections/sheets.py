"""A table of any length written as CSV, as JSON or as Parquet, a few thousand rows at a time.

CSV: a header, then a line for each row; instants in UTC with Z. Text that a spreadsheet would
take for a formula gets an apostrophe before it; numbers are left alone. JSON: one array with an
object to a line. Parquet: amounts as decimal(38, 2), prices as decimal(38, 6), dates as dates,
instants as timestamps in UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO, Literal, TypeVar, get_args

from projections import answers

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
Kind = Literal["text", "count", "flag", "amount", "price", "date", "instant"]
Columns = dict[str, Kind]
Rows = Iterable[tuple[Any, ...]]
T = TypeVar("T")
_CHUNK = 5_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(columns: Columns, rows: Rows, form: Format, out: BinaryIO) -> None:
    """Write rows of as many values as there are columns; UUIDs may stand for their text."""
    match form:
        case "csv":
            _write_csv(columns, rows, out)
        case "json":
            _write_json(columns, rows, out)
        case "parquet":
            from projections import parquet  # noqa: PLC0415  polars is large, and seldom needed

            parquet.write(columns, rows, out)


def _write_csv(columns: Columns, rows: Rows, out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    for some in chunked(rows):
        writer.writerows(map(_cell, row) for row in some)
    text.detach()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case _:
            return str(value)


def _write_json(columns: Columns, rows: Rows, out: BinaryIO) -> None:
    lines = (answers.ENCODER.encode(dict(zip(columns, row, strict=True))) for row in rows)
    out.write(b"[")
    before = b"\n"
    for some in chunked(lines):
        out.write(before + b",\n".join(some))
        before = b",\n"
    out.write(b"\n]\n")


def chunked(rows: Iterable[T]) -> Iterator[list[T]]:
    """Some thousand at a time."""
    following = iter(rows)
    while some := list(islice(following, _CHUNK)):
        yield some
