"""The settings of an instance: a file, the ledger's word over it, the environment over both.

Every field is a key of config/server.yaml, and WHEEL_ with the key in capitals in the environment.
What a field accepts stands in its type, what it means in adapters.keys.
Whoever starts a process loads the settings and hands them on: nobody imports them.
"""

import ipaddress
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, get_args, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

from adapters import keys as known
from adapters import kinds

_log = logging.getLogger(__name__)

PREFIX: Final = "WHEEL_"
CONFIG_VARIABLE: Final = "WHEEL_CONFIG"
DEFAULT_CONFIG: Final = Path("config/server.yaml")
FIRST_YEAR: Final = 1973
LAST_YEAR: Final = 2200
HIDDEN: Final = frozenset({"api_token", "schwab_app_key", "schwab_app_secret", "finnhub_key"})
"""Keys whose value is never shown, whatever is wrong with it."""
_IN_QUERY: Final = re.compile(r"(?i)(password=)[^&\s]+")

Source = Literal["default", "file", "ledger", "environment"]


class Misconfigured(Exception):
    """A setting that cannot be meant: which one, its value, and what was expected, in one line."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(
            f"{key} ({variable(key)}) is {shown(key, value)}, but it must be {expected}"
        )
        self.key = key
        self.expected = expected


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may decide about an instance; the defaults make one that runs as it is."""

    api_host: kinds.Text = "127.0.0.1"
    api_port: kinds.Port = 8000
    api_token: kinds.Text | None = None
    public_url: kinds.Web | None = None
    cors_origins: kinds.Origins = ()
    rate_limit: kinds.Limit = 0
    data_dir: kinds.File = Path("var")
    plugins_dir: kinds.File | None = None
    event_store: kinds.Store = "sqlite"
    nats_url: kinds.BusUrl | None = None
    nats_port: kinds.Port = 4222
    market: kinds.Market = "simulated"
    replay_file: kinds.File | None = None
    market_seed: kinds.Seed = 1
    market_script: kinds.File | None = None
    price_interval: kinds.Seconds = 300.0
    clock: kinds.Start = "system"
    clock_speed: kinds.Speed = 1.0
    schwab_app_key: kinds.Text | None = None
    schwab_app_secret: kinds.Text | None = None
    schwab_callback: kinds.Web = "https://127.0.0.1:8182"
    schwab_url: kinds.Web = "https://api.schwabapi.com"
    finnhub_key: kinds.Text | None = None
    finnhub_url: kinds.Web = "https://finnhub.io/api/v1"
    risk_free_rate: kinds.Rate = 0.04
    max_dte: kinds.Days = 14
    profit_target: kinds.Percent = 50.0
    fee_per_contract: kinds.Dollars = Decimal("0.65")
    log_format: kinds.LogFormat = "text"
    log_level: kinds.LogLevel = "info"
    log_files: kinds.Switch = True
    log_file_size: kinds.Megabytes = 10
    log_files_kept: kinds.Files = 5

    def __repr__(self) -> str:
        """All of it, in case someone logs it, but no secret."""
        fields = (f"{key}={shown(key, getattr(self, key))}" for key in self.__struct_fields__)
        return f"Settings({', '.join(fields)})"

    @property
    def event_store_path(self) -> Path:
        """Where the log is when `event_store` is sqlite."""
        return self.data_dir / "ledger.db"

    @property
    def views_path(self) -> Path:
        return self.data_dir / "views.db"

    @property
    def backups_dir(self) -> Path:
        """Copies of the ledger."""
        return self.data_dir / "backups"

    @property
    def scan_path(self) -> Path:
        """How the last scan stands."""
        return self.data_dir / "scan.json"

    @property
    def plugins_path(self) -> Path:
        """Where the user's plugins are."""
        return self.plugins_dir or self.data_dir / "plugins"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def schwab_dir(self) -> Path:
        """The login at Schwab, encrypted, and its key where no keyring keeps that."""
        return self.data_dir / "schwab"

    @property
    def nats_dir(self) -> Path:
        """Passwords and streams of the bus."""
        return self.data_dir / "nats"

    @property
    def bus_url(self) -> str:
        """The bus to connect to, ours or another's."""
        return self.nats_url or f"nats://127.0.0.1:{self.nats_port}"

    @property
    def has_own_bus(self) -> bool:
        return self.nats_url is None

    @property
    def local_api_url(self) -> str:
        """The API as seen from this machine, also where it listens on every address."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.api_host, self.api_host)  # noqa: S104 - what is listened on, not a choice to listen
        return f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"

    @property
    def links_url(self) -> str:
        """Where the links in notifications lead."""
        return self.public_url or self.local_api_url

    @property
    def notifications_dir(self) -> Path:
        """The URLs of channels, and the secret that signs links."""
        return self.data_dir / "notifications"

    @property
    def market_start(self) -> datetime | None:
        """The instant at which market time begins, or None for the system's time."""
        return None if self.clock == "system" else datetime.fromisoformat(self.clock)


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of the keys, and where: each place wins over those before it."""

    file: Mapping[str, object] = {}
    ledger: Mapping[str, object] = {}
    environment: Mapping[str, object] = {}

    def settings(self) -> Settings:
        """What all of it comes to; raises Misconfigured about the first that cannot be meant."""
        wanted = {**self.file, **self.ledger, **self.environment}
        meant = {key: _meant(key, value) for key, value in wanted.items()}
        settings = msgspec.structs.replace(Settings(), **meant)
        _check_together(settings)
        return settings

    def source(self, key: str) -> Source:
        """Where a key's value comes from."""
        if key in self.environment:
            return "environment"
        if key in self.ledger:
            return "ledger"
        return "file" if key in self.file else "default"

    def told(self, ledger: Mapping[str, object]) -> "Layers":
        """With this as all that the ledger says."""
        return msgspec.structs.replace(self, ledger=ledger)

    def overlaid(self, ledger: Mapping[str, str]) -> "Layers":
        """With what the ledger says, except for what cannot be meant any more: that is logged.

        A process must start whatever was said once, so that it can be said anew.
        """
        layers = self.told({})
        for key, value in ledger.items():
            tried = layers.told({**layers.ledger, key: value})
            try:
                _must_be_changeable(key, value)
                tried.settings()
            except Misconfigured as reason:
                _log.warning("left out of what the ledger says: %s", reason)
            else:
                layers = tried
        return layers


def _must_be_changeable(key: str, value: str) -> None:
    if key not in known.KEYS or not known.KEYS[key].changeable:
        raise Misconfigured(key, value, "a key that the ledger may change")


def load(environ: Mapping[str, str], config_path: Path | None = None) -> Settings:
    """The settings without the ledger's word; raises Misconfigured."""
    return layers(environ, config_path).settings()


def layers(environ: Mapping[str, str], config_path: Path | None = None) -> Layers:
    """Read the file and the environment; raises Misconfigured when the file cannot be read.

    The file is `config_path`, else the one that WHEEL_CONFIG names (which then must exist), else
    config/server.yaml if there is one. An empty environment variable counts as not set.
    """
    return Layers(
        file=_from_file(_config_file(environ, config_path)),
        environment=_from_environment(environ),
    )


def given(settings: Settings) -> Layers:
    """Settings that somebody made by hand, as if by the environment."""
    said = {key: getattr(settings, key) for key in keys()}
    defaults = Settings()
    return Layers(
        environment={
            key: as_text(value) for key, value in said.items() if value != getattr(defaults, key)
        }
    )


def as_text(value: object) -> str | None:
    """A value as it would stand in the environment."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def keys() -> tuple[str, ...]:
    """Every key that there is, in the order of the file."""
    return Settings.__struct_fields__


def variable(key: str) -> str:
    """The environment variable that overrides a key."""
    return CONFIG_VARIABLE if key == "config" else PREFIX + key.upper()


def shown(key: str, value: object) -> str:
    """A value in a sentence: no token, and no password inside a URL."""
    if key in HIDDEN and value is not None:
        return "(hidden)"
    return repr(without_secret(key, value))


def accepts(key: str) -> str:
    """What a key accepts, in words."""
    return _expected(_KINDS[key])


def without_secret(key: str, value: object) -> object:
    """A value as it may be shown."""
    if key in HIDDEN and value is not None:
        return "(hidden)"
    return _without_password(value) if isinstance(value, str) else value


def _without_password(text: str) -> str:
    text = _IN_QUERY.sub(r"\1***", text)
    if "@" not in text:
        return text
    try:
        url = urlsplit(text)
    except ValueError:
        return "(hidden)"
    return urlunsplit(url._replace(netloc=f"***@{url.netloc.rpartition('@')[2]}"))


def _config_file(environ: Mapping[str, str], config_path: Path | None) -> Path | None:
    named = config_path or (Path(name) if (name := environ.get(CONFIG_VARIABLE)) else None)
    if named is None:
        return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None
    if not named.is_file():
        raise Misconfigured("config", str(named), "a file that exists")
    return named


def _from_file(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        content = msgspec.yaml.decode(path.read_bytes())
    except (msgspec.DecodeError, OSError, UnicodeDecodeError) as reason:
        raise Misconfigured("config", str(path), f"readable YAML: {_line(reason)}") from reason
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Misconfigured("config", str(path), "a file of keys and values")
    for key in content:
        if key not in keys():
            raise Misconfigured("config", str(path), f"without {key!r}; keys: {', '.join(keys())}")
    return content


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    return {key: text for key in keys() if (text := environ.get(variable(key), "").strip())}


def _line(reason: Exception) -> str:
    return " ".join(str(reason).split())


def _meant(key: str, value: object) -> object:
    """One value in its own type, whether it came as YAML or as text."""
    kind = _KINDS[key]
    if isinstance(value, datetime):  # YAML reads an instant where we want its text
        value = value.isoformat()
    elif isinstance(value, float) and key == "fee_per_contract":
        value = str(value)  # the decimal that was written, not the binary float nearest to it
    elif isinstance(value, str) and key == "cors_origins":
        value = [origin.strip() for origin in value.split(",") if origin.strip()]
    try:
        meant: object = msgspec.convert(value, kind, strict=False, dec_hook=_path)
    except msgspec.ValidationError as reason:
        raise Misconfigured(key, value, _expected(kind)) from reason
    if not _acceptable(key, meant):
        raise Misconfigured(key, value, _expected(kind))
    return meant


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value).expanduser()
    raise ValueError(value)


def _acceptable(key: str, meant: object) -> bool:
    """What the types cannot say."""
    match key, meant:
        case "fee_per_contract", Decimal():
            return meant.is_finite() and 0 <= meant <= 1000 and _digits_after(meant) <= 6  # noqa: PLR2004 - said in Dollars
        case "clock", str():
            return meant == "system" or _has_zone(meant)
        case _:
            return True


def _digits_after(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _has_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _expected(kind: object) -> str:
    """The description in a type, also one inside a union with None."""
    return next(_descriptions(kind), "a value of its type")


def _descriptions(kind: object) -> Iterator[str]:
    for part in get_args(kind):
        if isinstance(part, Meta) and part.description:
            yield part.description
        yield from _descriptions(part)


def _check_together(settings: Settings) -> None:
    """What makes no sense only next to another setting."""
    if settings.api_token is None and not _is_loopback(settings.api_host):
        raise Misconfigured(
            "api_token", None, f"set, as api_host is {settings.api_host}: others can reach it"
        )
    for key in ("schwab_app_key", "schwab_app_secret") if settings.market == "schwab" else ():
        if getattr(settings, key) is None:
            raise Misconfigured(key, None, "set, as market is schwab: it is the app's at Schwab")
    start = settings.market_start
    if start is not None and not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise Misconfigured("clock", settings.clock, f"from {FIRST_YEAR} to {LAST_YEAR}")
    token = settings.api_token or ""
    if not (token.isascii() and token.isprintable()):
        raise Misconfigured("api_token", token, "printable ASCII, as it travels in a header")
    if settings.replay_file is not None and not settings.replay_file.exists():
        raise Misconfigured("replay_file", str(settings.replay_file), "a path that exists")
    if settings.market == "replay" and settings.replay_file is None:
        raise Misconfigured("replay_file", None, "the path of a file, as market is replay")
    if settings.has_own_bus and settings.api_port == settings.nats_port:
        raise Misconfigured("nats_port", settings.nats_port, "another port than api_port")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_KINDS: Final[Mapping[str, object]] = get_type_hints(Settings, include_extras=True)
