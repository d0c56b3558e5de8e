"""The provider that the settings name."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters import clock, markets
from adapters.settings import Misconfigured, Settings
from domain import market

NOON = datetime(2021, 6, 1, 17, 0, tzinfo=UTC)
SPY_2021 = Path(__file__).parents[2] / "data" / "spy_2021"


async def price(provider: market.MarketData, symbol: str) -> Decimal:
    quote = (await provider.quotes([symbol]))[symbol]
    assert isinstance(quote, market.Quote)
    return quote.last


def write(path: Path, content: object, at: float) -> None:
    """Write it as if at that second, as two writes can fall into one tick of the disk's clock."""
    path.write_text(json.dumps(content))
    os.utime(path, (at, at))


async def test_the_default_is_a_simulated_market() -> None:
    provider = markets.open_market(Settings(), clock.standing_at(NOON))
    assert await price(provider, "SPY") > 0


async def test_the_same_seed_gives_the_same_prices() -> None:
    one, same, other = (
        markets.open_market(Settings(market_seed=seed), clock.standing_at(NOON))
        for seed in (1, 1, 2)
    )
    assert await price(one, "SPY") == await price(same, "SPY") != await price(other, "SPY")


async def test_a_script_drives_a_price_from_outside(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    provider = markets.open_market(Settings(market_script=script), clock.standing_at(NOON))
    free = await price(provider, "SPY")
    write(script, {"SPY": 371.5}, at=1)
    assert await price(provider, "SPY") == Decimal("371.5")
    write(script, {"SPY": 372}, at=2)
    assert await price(provider, "SPY") == 372
    script.write_text("{")
    assert await price(provider, "SPY") == 372
    write(script, {}, at=3)
    assert await price(provider, "SPY") == free


@pytest.mark.parametrize("path", [SPY_2021, SPY_2021 / "quotes.csv.gz"])
async def test_a_recording_is_played_to_the_clock(path: Path) -> None:
    settings = Settings(market="replay", replay_file=path)
    evening = datetime(2021, 1, 4, 22, 0, tzinfo=UTC)
    provider = markets.open_market(settings, clock.standing_at(evening))
    assert await price(provider, "SPY") == Decimal("368.79")


@pytest.mark.parametrize(
    "settings",
    [
        Settings(market="schwab"),
        Settings(market="replay"),
        Settings(market="replay", replay_file=Path("nowhere.csv")),
        Settings(market="replay", replay_file=Path(__file__)),
    ],
)
def test_a_market_that_cannot_be_is_a_misconfiguration(settings: Settings) -> None:
    with pytest.raises(Misconfigured):
        markets.open_market(settings, clock.standing_at(NOON))
