"""Every process starts with what the ledger says, and starts whatever it says."""

import logging
from pathlib import Path
from uuid import UUID

import pytest

from adapters import configured, event_store, settings
from domain import facts
from tests.adapters.logs import AT


def ledger(data_dir: Path, *changes: dict[str, str | None]) -> dict[str, str]:
    """A ledger in which this was configured, and the environment of a process beside it."""
    log = event_store.open_sqlite(data_dir / "ledger.db")
    for version, each in enumerate(changes, 1):
        fact = facts.ConfigurationChanged(changes=each, before=dict.fromkeys(each))
        log.append(
            [
                facts.Recorded(
                    0, facts.SETTINGS_STREAM, version, AT, AT, "api", UUID(int=5), None, fact
                )
            ]
        )
    log.close()
    return {"WHEEL_DATA_DIR": str(data_dir)}


def test_the_last_word_counts(tmp_path: Path) -> None:
    environ = ledger(tmp_path, {"log_level": "error", "market_seed": "7"}, {"log_level": "debug"})
    loaded = configured.load(environ)
    assert (loaded.log_level, loaded.market_seed) == ("debug", 7)


def test_the_environment_wins_over_the_ledger_and_the_ledger_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("market_seed: 1000\nprice_interval: 1000\n")
    environ = ledger(tmp_path, {"market_seed": "7", "price_interval": "8"})
    environ |= {"WHEEL_CONFIG": str(file), "WHEEL_MARKET_SEED": "6"}
    loaded = configured.load(environ)
    assert (loaded.market_seed, loaded.price_interval) == (6, 8.0)


@pytest.mark.parametrize(
    "changes", [{"log_level": "loud"}, {"api_port": "1"}, {"colour": "red"}, {"data_dir": "/"}]
)
def test_what_cannot_be_meant_any_more_is_left_out_and_said(
    tmp_path: Path, changes: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    environ = ledger(tmp_path, {"market_seed": "7", **changes})
    with caplog.at_level(logging.WARNING):
        loaded = configured.load(environ)
    assert loaded == settings.load(environ | {"WHEEL_MARKET_SEED": "7"})
    assert next(iter(changes)) in caplog.text


def test_a_process_starts_before_there_is_a_ledger(tmp_path: Path) -> None:
    environ = {"WHEEL_DATA_DIR": str(tmp_path / "nothing")}
    assert configured.load(environ) == settings.load(environ)
    assert not (tmp_path / "nothing").exists()


def test_a_process_starts_beside_a_ledger_that_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no ledger" * 1000)
    environ = {"WHEEL_DATA_DIR": str(tmp_path)}
    assert configured.load(environ) == settings.load(environ)
    assert "without what the ledger says" in caplog.text
