"""What a plugin is given when it runs: what it may read, ask, and tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import msgspec

from adapters import errand
from api.shapes.performance import Aggregate, Performance
from api.shapes.positions import Position
from client import Client
from domain import facts, market
from plugin.line import Line, Transport
from projections import answers

ABOUT_NO_SYMBOL: Final = "PLUGIN"
"""In the place of a symbol, in an alert that is about none."""


class Unanswered(Exception):
    """Something that was asked for is not known now, or may not be asked for; says why."""


class Context:
    """One run of a plugin.

    `now` is the instant at which it began and `due_at` the one for which it runs, both market
    time; `trigger` is schedule, catch_up or manual. `api` is the whole typed client: its questions
    are answered, of its commands those that the user granted. `log` goes into the run's output.
    """

    def __init__(self, line: Line, run: errand.Errand) -> None:
        self._line = line
        self.now: datetime = run.now
        self.due_at: datetime = run.due_at
        self.trigger: facts.Trigger = run.trigger
        self.granted = frozenset(run.grants)
        self.api = Client("http://wheelwright", transport=Transport(line))
        self.log = logging.getLogger(f"plugin.{run.plugin}")

    def positions(self, **filters: Any) -> Iterator[Position]:
        """The open options of all portfolios, the next to expire first."""
        return self.api.open_positions.each(**filters)

    def portfolios(self) -> Iterator[answers.Portfolio]:
        """The active portfolios, by name."""
        return self.api.portfolios.each(is_active=True)

    def wheels(self, **filters: Any) -> Iterator[answers.Wheel]:
        """The active wheels, by symbol."""
        return self.api.wheels.each(**({"is_active": True} | filters))

    def performance(
        self, portfolio_id: UUID | None = None, **query: Any
    ) -> Performance | Aggregate:
        """What a portfolio has earned, or, without one, everything together."""
        if portfolio_id is None:
            return self.api.aggregate(**query)
        return self.api.portfolio_performance(portfolio_id, **query)

    def quote(self, symbol: str) -> market.Quote | None:
        """The last price of a symbol that is held or watched; None where there is none."""
        found: market.Quote | None = self._asked(f"quotes/{_in_path(symbol)}", market.Quote | None)
        return found

    def earnings(self, symbol: str, until: date) -> Sequence[market.Earning]:
        """The earnings up to a date, in order. Raises Unanswered where nobody knows them."""
        found: list[market.Earning] = self._asked(
            f"earnings/{_in_path(symbol)}?until={until}", list[market.Earning]
        )
        return found

    def history(self, symbol: str) -> Sequence[market.Bar]:
        """The finished sessions of a year, in order. Raises Unanswered where there are none."""
        found: list[market.Bar] = self._asked(f"history/{_in_path(symbol)}", list[market.Bar])
        return found

    def volatilities(self, symbol: str) -> Sequence[market.DayVolatility]:
        """The at-the-money volatilities of a year, in order; Unanswered where there are none."""
        found: list[market.DayVolatility] = self._asked(
            f"volatilities/{_in_path(symbol)}", list[market.DayVolatility]
        )
        return found

    def alert(
        self,
        message: str,
        *,
        severity: facts.Severity = "MEDIUM",
        symbol: str = ABOUT_NO_SYMBOL,
        key: str | None = None,
        about: answers.Wheel | Position | None = None,
    ) -> None:
        """Tell something, which then stands as an alert until a run tells it no more.

        What is told under one `key` is one alert; without one the symbol tells it apart. `about`
        names the wheel. Raises Unanswered for what cannot be told.
        """
        wheel_id = about and (about.id if isinstance(about, answers.Wheel) else about.wheel_id)
        told = {
            "message": message,
            "severity": severity,
            "symbol": about.symbol if about else symbol,
            "key": key or (about.symbol if about else symbol),
            "wheel_id": wheel_id,
            "portfolio_id": about and about.portfolio_id,
        }
        self._asked("alerts", Any, "POST", msgspec.json.encode(told).decode())

    def _asked(self, path: str, kind: Any, method: str = "GET", body: str | None = None) -> Any:
        reply = self._line.ask(errand.Ask(method, f"/plugin/{path}", body))
        if reply.status != 200:  # noqa: PLR2004  HTTP's word for all is well
            raise Unanswered(reply.body)
        return msgspec.json.decode(reply.body, type=kind)


def _in_path(symbol: str) -> str:
    return quote(symbol, safe="")
