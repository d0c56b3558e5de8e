"""Logs: to stderr, as text for a person or as JSON lines for a machine, and never a secret."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

import msgspec

from adapters.settings import Settings

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PASSWORD_IN_URL: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BEARER: Final = re.compile(r"(?i)(?<=bearer )\S+")


def configure(settings: Settings, process: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process; call it once, where the process starts."""
    formatter: logging.Formatter = (
        JsonLines(process)
        if settings.log_format == "json"
        else logging.Formatter("%(levelname)-7s %(name)s: %(message)s")
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Discreet(formatter, secrets=(settings.api_token,)))
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    logging.captureWarnings(capture=True)
    for chatty in ("httpx", "httpcore", "nats"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.root.level))


class JsonLines(logging.Formatter):
    """One JSON object per line; what `extra` adds to a record becomes its own keys."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **extra,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class Discreet(logging.Formatter):
    """Blots out what must not be read: known secrets, bearer tokens, passwords in URLs.

    It stands around the other formatter, so that tracebacks and `extra` are covered too.
    """

    def __init__(self, formatter: logging.Formatter, secrets: tuple[str | None, ...]) -> None:
        super().__init__()
        self._formatter = formatter
        self._secrets = tuple(secret for secret in secrets if secret)

    def format(self, record: logging.LogRecord) -> str:
        line = self._formatter.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return _BEARER.sub("***", _PASSWORD_IN_URL.sub("***", line))
