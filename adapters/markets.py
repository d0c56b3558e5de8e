"""Which provider of prices an instance has: the one that its settings name."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import msgspec

from adapters import finnhub, replay, simulated
from adapters.settings import Misconfigured, Settings
from domain import market, ports

Script = dict[str, Decimal | list[tuple[datetime, Decimal]]]

if TYPE_CHECKING:
    from adapters.schwab.entrance import Entrance

# Schwab's client is an extra, and takes a while to load: who has another market does without.
# ruff: noqa: PLC0415

OPTIONS_COLUMN: Final = "quotedate"


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
    path = settings.market_script
    forced = ScriptedPrices(path, clock.now) if path else None
    return simulated.Simulated(clock.now, seed=settings.market_seed, prices=forced)


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


class ScriptedPrices(Mapping[str, Decimal]):
    """Prices that somebody forces from outside, while everything runs.

    The file says for a symbol either its price, `{"SPY": 371.5}`, or from which instants on
    it has which, `{"SPY": [["2021-01-04T14:30:00Z", 371.5], ...]}`. It is read again when it
    has changed; while it is missing or half written, what it said before holds.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._read: tuple[int, int] | None = None
        self._script: Script = {}

    def __getitem__(self, symbol: str) -> Decimal:
        price = _at(self._refreshed()[symbol], self._now())
        if price is None:
            raise KeyError(symbol)
        return price

    def __iter__(self) -> Iterator[str]:
        now = self._now()
        return (symbol for symbol, told in self._refreshed().items() if _at(told, now) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _refreshed(self) -> Script:
        try:
            stat = self._path.stat()
            if (seen := (stat.st_mtime_ns, stat.st_size)) != self._read:
                self._script = msgspec.json.decode(self._path.read_bytes(), type=Script)
                self._read = seen
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation):
            pass
        return self._script


MOST: Final = Decimal(1_000_000)


def _at(told: Decimal | list[tuple[datetime, Decimal]], now: datetime) -> Decimal | None:
    """The price of the moment, None before the first; nobody sells for nothing."""
    if isinstance(told, Decimal):
        price: Decimal | None = told
    else:
        begun = [(_aware(since), price) for since, price in told if _aware(since) <= now]
        price = max(begun, key=lambda pair: pair[0])[1] if begun else None
    return price if price is not None and price.is_finite() and 0 < price < MOST else None


def _aware(instant: datetime) -> datetime:
    """An instant without a zone is meant in UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
