"""The process that raises alerts and clears them, as far as the API sees it: in the log."""

from contextlib import closing
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from adapters import event_store
from domain import facts
from tests.api.house import House


class Watch:
    """Watches one trade, under one rule."""

    def __init__(self, house: House, trade: dict[str, Any]) -> None:
        self.house = house
        self.alert = facts.alert_stream(UUID(trade["id"]), "itm")
        self.about: dict[str, Any] = {
            "portfolio_id": UUID(trade["portfolio_id"]),
            "wheel_id": UUID(trade["wheel_id"]),
            "trade_id": UUID(trade["id"]),
            "symbol": trade["symbol"],
            "rule": "itm",
            "severity": "HIGH",
        }

    def raising(self) -> facts.AlertRaised:
        return facts.AlertRaised(
            **self.about,
            message="in the money",
            direction="put",
            strike=Decimal(100),
            expiration_date=date(2026, 2, 20),
        )

    def clearing(self) -> facts.AlertCleared:
        return facts.AlertCleared(**self.about, reason="away from the strike")

    def says(self, fact: facts.Fact) -> None:
        at = self.house.watch.now()
        with closing(event_store.open_sqlite(self.house.settings.event_store_path)) as log:
            version = len(log.stream(self.alert)) + 1
            log.append(
                [facts.Recorded(0, self.alert, version, at, at, "risk", uuid4(), None, fact)]
            )
