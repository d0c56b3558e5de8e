"""What a price is worth, by the exchange's hours."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain import freshness, market

FRIDAY_CLOSE = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)


def quote(as_of: datetime) -> market.Quote:
    return market.Quote("XYZ", Decimal(100), None, None, as_of, "simulated", "live")


@pytest.mark.parametrize(
    ("as_of", "now", "state"),
    [
        (FRIDAY_CLOSE, datetime(2026, 3, 8, 12, tzinfo=UTC), "live"),
        (datetime(2026, 3, 6, 16, tzinfo=UTC), datetime(2026, 3, 8, 12, tzinfo=UTC), "stale"),
        (datetime(2026, 3, 5, 16, 0, tzinfo=UTC), datetime(2026, 3, 5, 16, 10, tzinfo=UTC), "live"),
        (datetime(2026, 3, 5, 16, 0, tzinfo=UTC), datetime(2026, 3, 5, 17, tzinfo=UTC), "stale"),
    ],
)
def test_a_price_is_stale_when_the_market_has_gone_on_without_it(
    as_of: datetime, now: datetime, state: str
) -> None:
    assert freshness.price_state(quote(as_of), now) == state
