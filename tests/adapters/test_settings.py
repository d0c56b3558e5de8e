"""Settings are what was meant, or one clear line about what was not."""

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import keys, settings
from adapters.settings import Layers, Misconfigured, Settings
from domain import commands

ROOT = Path(__file__).parents[2]


def written(path: Path, text: str) -> Path:
    file = path / "server.yaml"
    file.write_text(text)
    return file


def test_the_shipped_file_says_every_key_with_its_default() -> None:
    shipped = ROOT / "config" / "server.yaml"
    assert list(msgspec.yaml.decode(shipped.read_bytes())) == list(settings.keys())
    assert settings.load({}, shipped) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "api_port: 9000\nmarket_seed: 7\n")
    loaded = settings.load({"WHEEL_API_PORT": "9001"}, file)
    assert (loaded.api_port, loaded.market_seed) == (9001, 7)


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "data_dir: elsewhere\n")
    assert settings.load({"WHEEL_CONFIG": str(file)}).data_dir == Path("elsewhere")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings.load({"WHEEL_NATS_URL": "", "WHEEL_API_PORT": " "}) == Settings()


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("api_port", "8001", 8001),
        ("data_dir", "/srv/wheel", Path("/srv/wheel")),
        ("event_store", "postgresql://desk@db/wheel", "postgresql://desk@db/wheel"),
        ("clock_speed", "60", 60.0),
        ("clock", "2021-01-04T09:30:00-05:00", "2021-01-04T09:30:00-05:00"),
        ("fee_per_contract", "0.10", Decimal("0.10")),
        ("log_format", "json", "json"),
    ],
)
def test_a_variable_is_read_as_its_key_means_it(key: str, value: str, meant: object) -> None:
    assert getattr(settings.load({settings.variable(key): value}), key) == meant


def test_yaml_may_write_the_clock_and_the_fee_in_its_own_way(tmp_path: Path) -> None:
    file = written(tmp_path, "clock: 2021-01-04T09:30:00-05:00\nfee_per_contract: 0.65\n")
    loaded = settings.load({}, file)
    assert loaded.market_start == datetime.fromisoformat("2021-01-04T09:30:00-05:00")
    assert loaded.fee_per_contract == Decimal("0.65")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("api_port", "http", "a port, 1 to 65535"),
        ("api_port", "0", "a port, 1 to 65535"),
        ("nats_port", "65536", "a port, 1 to 65535"),
        ("nats_url", "localhost", "nats://host:4222"),
        ("event_store", "mysql://db", "sqlite or a postgresql:// URL"),
        ("market", "bazaar", "simulated, replay or schwab"),
        ("clock", "yesterday", "an instant with its zone"),
        ("clock", "2021-01-04T09:30:00", "an instant with its zone"),
        ("clock_speed", "-1", "0 (standing still) to 10000000"),
        ("clock_speed", "nan", "0 (standing still) to 10000000"),
        ("price_interval", "0", "above 0"),
        ("price_interval", "inf", "at most 86400"),
        ("market_seed", "1.5", "a whole number"),
        ("fee_per_contract", "NaN", "an amount in dollars"),
        ("fee_per_contract", "-0.65", "an amount in dollars"),
        ("log_format", "xml", "text or json"),
        ("log_level", "loud", "debug, info, warning or error"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(key: str, value: str, expected: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        settings.load({settings.variable(key): value})
    said = str(refused.value)
    assert said.startswith(f"{key} ({settings.variable(key)}) is {value!r}, but it must be ")
    assert expected in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("api_prot: 8000\n", "without 'api_prot'"),
        ("api_port: null\n", "api_port (WHEEL_API_PORT) is None"),
        ("- a list\n", "a file of keys and values"),
        ("api_port: [\n", "readable YAML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        settings.load({}, written(tmp_path, text))
    assert said in str(refused.value)


def test_a_file_that_is_named_must_exist() -> None:
    with pytest.raises(Misconfigured, match="WHEEL_CONFIG"):
        settings.load({"WHEEL_CONFIG": "/nowhere/server.yaml"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "wheel.example"])
def test_beyond_the_loopback_a_token_is_required(host: str) -> None:
    with pytest.raises(Misconfigured, match="WHEEL_API_TOKEN"):
        settings.load({"WHEEL_API_HOST": host})
    assert settings.load({"WHEEL_API_HOST": host, "WHEEL_API_TOKEN": "t"}).api_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_the_loopback_no_token_is_needed(host: str) -> None:
    assert settings.load({"WHEEL_API_HOST": host}).api_token is None


def test_replay_needs_a_file() -> None:
    with pytest.raises(Misconfigured, match="WHEEL_REPLAY_FILE"):
        settings.load({"WHEEL_MARKET": "replay"})


def test_the_bus_and_the_api_cannot_share_a_port() -> None:
    with pytest.raises(Misconfigured, match="WHEEL_NATS_PORT"):
        settings.load({"WHEEL_API_PORT": "4222"})


def test_no_secret_is_ever_shown() -> None:
    shown = repr(Settings(api_token="hush", event_store="postgresql://desk:hush@db/wheel"))
    with pytest.raises(Misconfigured) as refused:
        settings.load({"WHEEL_EVENT_STORE": "mysql://desk:hush@db/wheel"})
    assert "hush" not in shown + str(refused.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
    ],
)
def test_the_api_is_reached_from_here_wherever_it_listens(host: str, url: str) -> None:
    assert Settings(api_host=host).local_api_url == url


def test_every_key_is_told_of_in_words() -> None:
    assert tuple(keys.KEYS) == settings.keys()
    assert all(settings.accepts(key) for key in keys.KEYS)
    assert all(
        known.restart == keys.INSTANCE for known in keys.KEYS.values() if not known.changeable
    )


def test_the_page_on_the_configuration_has_every_key() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"(?m)^\| `(WHEEL_\w+)` \| `(\w+)` \| (\S.*?) \| .+ \| (.+?) \|$", page)
    every = settings.keys()
    assert [row[:2] for row in rows] == [(settings.variable(key), key) for key in every]
    told = {key: default.strip("`") for _, key, default, _ in rows if default != "none"}
    assert Layers(environment=told).settings() == Settings()
    assert {key for key in every if getattr(Settings(), key)} <= {*told}
    words = {(): "nothing", keys.WORKERS: "workers"}
    assert {key: restart for _, key, _, restart in rows} == {
        key: words.get(known.restart, ", ".join(known.restart)) for key, known in keys.KEYS.items()
    }


def test_what_a_scan_reads_when_its_worker_starts_is_said_to_need_its_restart() -> None:
    source = (ROOT / "workers" / "finding.py").read_text()
    read = set(re.findall(r"\bconfig\.(\w+)", source))
    assert read == {key for key, known in keys.KEYS.items() if "scanner" in known.restart} - {
        key for key, known in keys.KEYS.items() if known.restart == keys.WORKERS
    }


def test_settings_made_by_hand_come_back_from_their_layers() -> None:
    made = Settings(
        api_token="t", cors_origins=("https://a.example",), log_files=False, data_dir=Path("/d")
    )
    layers = settings.given(made)
    assert layers.settings() == made
    assert set(layers.environment) == {"api_token", "cors_origins", "log_files", "data_dir"}


@pytest.mark.parametrize(
    ("layers", "source", "value"),
    [
        (Layers(), "default", 1),
        (Layers(file={"market_seed": 2}), "file", 2),
        (Layers(file={"market_seed": 2}, ledger={"market_seed": "3"}), "ledger", 3),
        (Layers(ledger={"market_seed": "3"}, environment={"market_seed": "4"}), "environment", 4),
    ],
)
def test_each_place_wins_over_those_before_it(layers: Layers, source: str, value: int) -> None:
    assert (layers.source("market_seed"), layers.settings().market_seed) == (source, value)


@pytest.mark.parametrize("text", ["https://a.example,http://b.example:8080", " https://a.example "])
def test_origins_are_separated_by_commas(text: str) -> None:
    origins = settings.load({"WHEEL_CORS_ORIGINS": text}).cors_origins
    assert origins == tuple(each.strip() for each in text.split(","))


def test_a_password_in_a_query_is_not_shown() -> None:
    shown = settings.without_secret("event_store", "postgresql:///wheel?password=hush&user=a")
    assert shown == "postgresql:///wheel?password=***&user=a"


@given(st.decimals(0, 1000, places=6))
def test_a_fee_that_is_ordered_as_a_number_counts_exactly_as_it_was_written(fee: Decimal) -> None:
    body = msgspec.json.Encoder(decimal_format="number").encode(
        {"changes": {"fee_per_contract": fee}}
    )
    order = msgspec.json.decode(body, type=commands.ChangeConfiguration)
    layers = Layers().overlaid({key: str(text) for key, text in order.texts().items()})
    assert layers.settings().fee_per_contract == fee
    assert layers.source("fee_per_contract") == "ledger"


@given(
    st.builds(
        Settings,
        market_seed=st.integers(0, 2**63),
        price_interval=st.floats(0, 86400, exclude_min=True),
        clock_speed=st.floats(0, 1e7),
        fee_per_contract=st.decimals(0, 1000, places=4),
        log_level=st.sampled_from(["debug", "info", "warning", "error"]),
        cors_origins=st.lists(st.just("https://a.example")).map(tuple),
        log_files=st.booleans(),
    )
)
def test_any_settings_come_back_from_their_text(made: Settings) -> None:
    assert settings.given(made).settings() == made
