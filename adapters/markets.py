"""Which provider of prices an instance has: the one that its settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from adapters import finnhub, replay, simulated
from adapters.settings import Misconfigured, Settings
from domain import market, ports

if TYPE_CHECKING:
    from adapters.schwab.entrance import Entrance

# Schwab's client is an extra, and takes a while to load: who has another market does without.
# ruff: noqa: PLC0415


def open_market(settings: Settings, clock: ports.Clock) -> market.MarketData:
    """The provider. Raises Misconfigured when it cannot be what the settings say."""
    match settings.market:
        case "simulated":
            return _simulated(settings, clock)
        case "replay":
            return _replay(settings, clock)
        case "schwab":
            return _schwab(settings, clock)


def open_earnings(
    settings: Settings, clock: ports.Clock, provider: market.MarketData
) -> market.EarningsData | None:
    """Who knows when companies report: Finnhub where there is a key, else the provider if it does.

    None where nobody knows.
    """
    if settings.finnhub_key is not None:
        return finnhub.Finnhub(settings, clock, finnhub.inquiry())
    return provider if isinstance(provider, market.EarningsData) else None


def open_entrance(settings: Settings, clock: ports.Clock) -> "Entrance":
    """Where a person logs in. Raises Misconfigured when the market needs no login."""
    if settings.market != "schwab":
        raise Misconfigured("market", settings.market, "schwab: no other market has a login")
    with _extra():
        from adapters.schwab import entrance, vault

        kept = vault.Vault(settings.schwab_dir, vault.system_keyring())
        return entrance.Entrance(settings, clock, kept)


def _schwab(settings: Settings, clock: ports.Clock) -> market.MarketData:
    with _extra():
        from adapters.schwab import line, provider, vault

        kept = vault.Vault(settings.schwab_dir, vault.system_keyring())
        return provider.Schwab(line.Line(settings, kept, provider.inquiry()), clock)


@contextmanager
def _extra() -> Iterator[None]:
    """What Schwab needs is an extra of its own, and not always installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        wanted = "simulated or replay, as long as the extra `schwab` is not installed"
        raise Misconfigured("market", "schwab", wanted) from missing


async def close(*opened: object) -> None:
    """Close what has connections, of providers and of who knows of earnings."""
    for each in opened:
        if isinstance(each, _Connected):
            await each.aclose()


@runtime_checkable
class _Connected(Protocol):
    async def aclose(self) -> None: ...


def _simulated(settings: Settings, clock: ports.Clock) -> market.MarketData:
    return simulated.Simulated(
        clock.now, seed=settings.market_seed, script_file=settings.market_script
    )


def _replay(settings: Settings, clock: ports.Clock) -> market.MarketData:
    path = settings.replay_file
    if path is None:
        raise Misconfigured("replay_file", None, "a file or a directory, as market is replay")
    try:
        return replay.Replay(clock.now, path)
    except market.Unreadable as reason:
        raise Misconfigured("replay_file", str(path), f"a recording: {reason}") from reason
