"""A table written as Parquet: amounts, prices, dates and instants as what they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO

import polars as pl
from polars.io.plugins import register_io_source

from projections.sheets import Columns, Kind, Rows, chunked

_GROUP = 50_000
_KNOWN = (str, int, Decimal, date)
_DTYPES: dict[Kind, pl.DataType] = {
    "text": pl.String(),
    "count": pl.Int64(),
    "flag": pl.Boolean(),
    "amount": pl.Decimal(38, 2),
    "price": pl.Decimal(38, 6),
    "date": pl.Date(),
    "instant": pl.Datetime("us", "UTC"),
}


def write(columns: Columns, rows: Rows, out: BinaryIO) -> None:
    """Write rows as Parquet, a group of them at a time."""
    schema = {name: _DTYPES[kind] for name, kind in columns.items()}

    def frames(
        _columns: list[str] | None, _where: pl.Expr | None, _most: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        for some in chunked(rows):
            plain = [tuple(map(_plain, row)) for row in some]
            yield pl.DataFrame(plain, schema=schema, orient="row")

    register_io_source(frames, schema=schema).sink_parquet(out, row_group_size=_GROUP)


def _plain(value: Any) -> Any:
    """What the columns know: an id is its text."""
    return value if value is None or isinstance(value, _KNOWN) else str(value)
