"""Which provider of prices an instance has: the one that its settings name."""

import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, cast

from adapters import replay, simulated
from adapters.settings import Misconfigured, Settings
from domain import market, ports

Script = dict[str, Decimal | list[tuple[datetime, Decimal]]]

OPTIONS_COLUMN: Final = "quotedate"


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
        raise Misconfigured("replay_file", None, "the path of a file, as market is replay")
    try:
        chains, bars = _recordings(path)
        return replay.Replay(clock.now, chains, bars)
    except (market.Unreadable, OSError, UnicodeDecodeError) as reason:
        raise Misconfigured("replay_file", str(path), f"a recording: {reason}") from reason


def _recordings(path: Path) -> tuple[Path | None, Path | None]:
    """The files of options and of bars: of a directory those it has, else the one that it is."""
    if path.is_dir():
        return _inside(path, "quotes"), _inside(path, "bars")
    return (path, None) if OPTIONS_COLUMN in _header(path) else (None, path)


def _inside(directory: Path, name: str) -> Path | None:
    candidates = (directory / f"{name}.csv", directory / f"{name}.csv.gz")
    return next((path for path in candidates if path.is_file()), None)


def _header(path: Path) -> str:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.readline()
    with path.open(encoding="utf-8") as file:
        return file.readline()
