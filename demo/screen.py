"""What the person sees: a line per event, how far the year is, the trades, the statement."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.rule import Row

NEW_YORK: Final = ZoneInfo("America/New_York")
WIDTH: Final = 80
"""Of the tables, where there is no terminal that has one."""
_COLOURS: Final = {"HIGH": "red", "MEDIUM": "yellow", "LOW": "green"}


class Screen:
    """A terminal, or a file that is read later: then without a bar and without colours."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._wide = Console(width=None if self.console.is_terminal else WIDTH, highlight=False)

    def say(self, text: str) -> None:
        self.console.print(text)

    def event(self, at: datetime, what: str, text: str) -> None:
        """One line of the year's story, under the time in New York."""
        self.console.print(f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}  {what:<8} {text}")

    def alert(self, notice: dict[str, Any]) -> None:
        """An alert as the bus brought it."""
        colour = _COLOURS[notice["severity"]]
        text = f"[{colour}]{notice['severity']:<6}[/] {notice['rule']} {notice['status']}"
        at = datetime.fromisoformat(notice["recorded_at"])
        message = notice["message"]
        self.event(at, "[bold]alert[/]   ", f"{text}: {message}" if message else text)

    @contextmanager
    def progress(self, first: datetime, last: datetime) -> Iterator["Bar"]:
        """A bar from one market instant to another, where there is a terminal to draw it on."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as drawn:
            yield Bar(drawn, first, last)

    def trades(self, trades: Sequence[dict[str, Any]], rows: Sequence[Row]) -> None:
        """The trades as the ledger has them, with the cash after each sale as it was told."""
        cash = {row.day: row.cash for row in rows if row.event == "sell_put"}
        table = Table(title="SPY, 2021: puts sold", box=None, pad_edge=False, collapse_padding=True)
        for name in ("sold", "strike", "expiration", "premium", "close", "net", "cash"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("outcome", no_wrap=True)
        for each in trades:
            sold = _day(each["opened_at"])
            table.add_row(
                str(sold),
                str(each["strike"]),
                each["expiration_date"],
                str(each["premium_per_share"]),
                str(each["stock_price_at_expiry"] or ""),
                str(each["net_premium"]),
                f"{cash[sold]:,}",
                each["outcome"],
            )
        self._wide.print(table)

    def statement(self, lines: Sequence[tuple[str, str]]) -> None:
        """The final figures."""
        table = Table(title="Statement", show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in lines:
            table.add_row(name, value)
        self._wide.print(table)


class Bar:
    """How much of the year is over."""

    def __init__(self, drawn: Progress, first: datetime, last: datetime) -> None:
        self._drawn = drawn
        self._first = first
        self._task = drawn.add_task("", total=(last - first).total_seconds())

    def at(self, now: datetime) -> None:
        """Move to a market instant."""
        done = max((now - self._first).total_seconds(), 0.0)
        text = f"{now.astimezone(NEW_YORK):%Y-%m-%d}"
        self._drawn.update(self._task, completed=done, description=text)


def _day(instant: str) -> date:
    return datetime.fromisoformat(instant).astimezone(NEW_YORK).date()
