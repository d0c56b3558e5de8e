"""The provider that the settings name."""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters import clock, finnhub, markets, simulated
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
        Settings(market="replay"),
        Settings(market="replay", replay_file=Path("nowhere.csv")),
        Settings(market="replay", replay_file=Path(__file__)),
    ],
)
def test_a_market_that_cannot_be_is_a_misconfiguration(settings: Settings) -> None:
    with pytest.raises(Misconfigured):
        markets.open_market(settings, clock.standing_at(NOON))


@pytest.fixture
def at_schwab(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path, market="schwab", schwab_app_key="key", schwab_app_secret="secret"
    )


async def test_schwab_is_opened_without_a_word_to_it(at_schwab: Settings) -> None:
    provider = markets.open_market(at_schwab, clock.standing_at(NOON))
    assert provider.login() is None
    assert isinstance((await provider.quotes(["SPY"]))["SPY"], market.ReauthRequired)


@pytest.mark.parametrize("open_it", [markets.open_market, markets.open_entrance])
def test_schwab_without_its_extra_is_a_misconfiguration(
    at_schwab: Settings,
    open_it: Callable[[Settings, clock.Clock], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("adapters.schwab")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "authlib.integrations.httpx_client", None)
    with pytest.raises(Misconfigured, match="extra"):
        open_it(at_schwab, clock.standing_at(NOON))


def test_only_schwab_has_a_login() -> None:
    with pytest.raises(Misconfigured):
        markets.open_entrance(Settings(), clock.standing_at(NOON))


class Reporting(simulated.Simulated):
    """A market that knows when companies report."""

    async def earnings(self, symbol: str, first: date, last: date) -> tuple[market.Earning, ...]:
        return ()


def test_who_knows_of_earnings_is_finnhub_else_the_provider_else_nobody(
    at_schwab: Settings,
) -> None:
    now = clock.standing_at(NOON)
    silent, reporting = markets.open_market(at_schwab, now), Reporting(now.now)
    keyed = Settings(finnhub_key="key")
    assert markets.open_earnings(at_schwab, now, silent) is None
    assert markets.open_earnings(at_schwab, now, reporting) is reporting
    assert isinstance(markets.open_earnings(keyed, now, reporting), finnhub.Finnhub)


class Connected:
    """Something that is open until it is closed."""

    is_open = True

    async def aclose(self) -> None:
        self.is_open = False


async def test_what_has_connections_is_closed_and_the_rest_left_alone() -> None:
    connected = Connected()
    await markets.close(markets.open_market(Settings(), clock.standing_at(NOON)), None, connected)
    assert not connected.is_open
