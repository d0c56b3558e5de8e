"""Exports: trades, performance and snapshots as files, made in a process of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from api import figures
from api.office import Office, When
from domain import refusals
from projections import exports, sheets, sums

_MEDIA: dict[sheets.Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


class ExportController(Controller):
    """Exports."""

    path = "/"
    tags = ("Performance",)

    @get("/performance/export")
    async def export(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        over: NamedDependency[figures.Over],
        whose: NamedDependency[sums.Scope],
        what: Annotated[
            exports.What, QueryParameter(description="trades, performance or snapshots.")
        ] = "trades",
        form: Annotated[
            sheets.Format, QueryParameter(name="format", description="csv, parquet or json.")
        ] = "csv",
        header: Annotated[
            Literal["ours", "old"],
            QueryParameter(description="old: trades in CSV with the columns of the old tool."),
        ] = "ours",
    ) -> Stream:
        """Export trades, performance or snapshots as CSV, Parquet or JSON.

        Trades: those that stand, opened in the span, one to a row. Performance: what each wheel
        realized under the policy, a row for each day with an amount. Snapshots: the marks of the
        span. JSON is one array without an envelope, a row to a line. In CSV, text that a
        spreadsheet would take for a formula begins with an apostrophe.
        """
        if header == "old" and (what, form) != ("trades", "csv"):
            raise refusals.Invalid("header", header, "must come with what=trades and format=csv")
        async with figures.views(office, clocks, whose):
            path = await _views(office, clocks)
        order = exports.Order(
            str(path),
            what,
            form,
            clocks.told_at(office.clock.now()),
            whose,
            over.policy,
            over.span,
            header,
        )
        told = msgspec.json.encode(order).decode()
        content = await office.aside.streamed("projections.exports", told)
        name = f"wheelwright-{what}-{over.today}.{form}"
        return Stream(
            content,
            media_type=_MEDIA[form],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


async def _views(office: Office, clocks: When) -> Path:
    """The file of views that tells of now, or of then."""
    if clocks.is_now:
        return office.settings.views_path.resolve()
    return await office.archive.file(clocks)
