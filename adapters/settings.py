"""The settings of an instance: a file, overridden by the environment, checked once at the start.

Every field is a key of config/server.yaml, and WHEEL_ with the key in capitals in the environment.
What a field accepts stands in its type, and in words for the person who wrote something else.
Whoever starts a process loads the settings and hands them on: nobody imports them.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

PREFIX: Final = "WHEEL_"
CONFIG_VARIABLE: Final = "WHEEL_CONFIG"
DEFAULT_CONFIG: Final = Path("config/server.yaml")
FIRST_YEAR: Final = 1973
LAST_YEAR: Final = 2200
HIDDEN: Final = frozenset({"api_token"})
"""Keys whose value is never shown, whatever is wrong with it."""

Port = Annotated[int, Meta(ge=1, le=65535, description="a port, 1 to 65535")]
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
File = Annotated[Path, Meta(description="a path")]
BusUrl = Annotated[
    str,
    Meta(pattern=r"^(nats|tls|wss?)://[^/\s]+$", description="a URL such as nats://host:4222"),
]
Store = Annotated[
    str,
    Meta(pattern=r"^(sqlite|postgres(ql)?://.+)$", description="sqlite or a postgresql:// URL"),
]
Market = Annotated[
    Literal["simulated", "replay", "schwab"], Meta(description="simulated, replay or schwab")
]
Start = Annotated[
    str,
    Meta(description="system, or an instant with its zone such as 2021-01-04T09:30:00-05:00"),
]
Speed = Annotated[
    float,
    Meta(
        ge=0, le=1e7, description="market seconds per real second, 0 (standing still) to 10000000"
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=86400, description="seconds, above 0 and at most 86400")]
Dollars = Annotated[Decimal, Meta(description="an amount in dollars, 0 to 1000")]
Seed = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]
LogFormat = Annotated[Literal["text", "json"], Meta(description="text or json")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    Meta(description="debug, info, warning or error"),
]


class Misconfigured(Exception):
    """A setting that cannot be meant: which one, its value, and what was expected, in one line."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(
            f"{key} ({variable(key)}) is {shown(key, value)}, but it must be {expected}"
        )
        self.key = key


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may decide about an instance; the defaults make one that runs as it is."""

    api_host: Text = "127.0.0.1"
    api_port: Port = 8000
    api_token: Text | None = None
    data_dir: File = Path("var")
    event_store: Store = "sqlite"
    nats_url: BusUrl | None = None
    nats_port: Port = 4222
    market: Market = "simulated"
    replay_file: File | None = None
    market_seed: Seed = 1
    market_script: File | None = None
    price_interval: Seconds = 300.0
    clock: Start = "system"
    clock_speed: Speed = 1.0
    fee_per_contract: Dollars = Decimal("0.65")
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

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
    def market_start(self) -> datetime | None:
        """The instant at which market time begins, or None for the system's time."""
        return None if self.clock == "system" else datetime.fromisoformat(self.clock)


def load(environ: Mapping[str, str], config_path: Path | None = None) -> Settings:
    """Read the settings, or raise Misconfigured about the first that cannot be meant.

    The file is `config_path`, else the one that WHEEL_CONFIG names (which then must exist), else
    config/server.yaml if there is one. An empty environment variable counts as not set.
    """
    wanted = {**_from_file(_config_file(environ, config_path)), **_from_environment(environ)}
    meant = {key: _meant(key, value) for key, value in wanted.items()}
    settings = msgspec.structs.replace(Settings(), **meant)
    _check_together(settings)
    return settings


def keys() -> tuple[str, ...]:
    """Every key that there is, in the order of the file."""
    return Settings.__struct_fields__


def variable(key: str) -> str:
    """The environment variable that overrides a key."""
    return CONFIG_VARIABLE if key == "config" else PREFIX + key.upper()


def shown(key: str, value: object) -> str:
    """A value as it may be shown: no token, and no password inside a URL."""
    if key in HIDDEN and value is not None:
        return "(hidden)"
    return repr(_without_password(value) if isinstance(value, str) else value)


def _without_password(text: str) -> str:
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
            return meant.is_finite() and 0 <= meant <= 1000  # noqa: PLR2004 - said in Dollars
        case "clock", str():
            return meant == "system" or _has_zone(meant)
        case _:
            return True


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
    if settings.market == "schwab":
        raise Misconfigured("market", "schwab", "simulated or replay: schwab comes later")
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
