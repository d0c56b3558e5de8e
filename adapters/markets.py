"""Which provider of prices an instance has: the one that its settings name."""

from typing import cast

from adapters import replay, simulated
from adapters.settings import Misconfigured, Settings
from domain import market, ports


def open_market(settings: Settings, clock: ports.Clock) -> market.MarketData:
    """The provider. Raises Misconfigured when it cannot be what the settings say."""
    match settings.market:
        case "simulated":
            return _simulated(settings, clock)
        case "replay":
            return _replay(settings, clock)
        case "schwab":
            raise Misconfigured(
                "market", "schwab", "simulated or replay: the schwab adapter is not wired yet"
            )


def open_earnings(
    settings: Settings,  # noqa: ARG001
    clock: ports.Clock,  # noqa: ARG001
    provider: market.MarketData,
) -> market.EarningsData | None:
    """Who knows earnings: the provider itself where it does, None where nobody does."""
    return cast("market.EarningsData", provider) if hasattr(provider, "earnings") else None


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
