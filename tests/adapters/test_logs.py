"""Logs are for people or for machines, and never hold a secret."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from adapters import logs
from adapters.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


def said(settings: Settings) -> str:
    stream = io.StringIO()
    logs.configure(settings, "risk", stream)
    try:
        raise ValueError("nats://risk:hush@bus")  # noqa: TRY301 - to be logged
    except ValueError:
        logging.getLogger("risk").exception("token %s", "hush", extra={"symbol": "SPY"})
    return stream.getvalue()


def test_a_person_reads_text() -> None:
    assert said(Settings()).startswith("ERROR   risk: token hush\nTraceback")


def test_a_machine_reads_one_object_per_line() -> None:
    (line,) = said(Settings(log_format="json")).splitlines()
    read = json.loads(line)
    assert (read["level"], read["process"], read["symbol"]) == ("error", "risk", "SPY")
    assert "ValueError" in read["exception"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_logged(log_format: str) -> None:
    chosen = Settings(api_token="hush", log_format="json" if log_format == "json" else "text")
    assert "hush" not in said(chosen)


def test_the_level_is_as_chosen() -> None:
    stream = io.StringIO()
    logs.configure(Settings(log_level="error"), "risk", stream)
    logging.getLogger("risk").warning("not this")
    assert stream.getvalue() == ""
