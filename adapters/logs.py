"""Logs: to stderr and to a file, as text for a person or as JSON lines for a machine.

    record ──▶ _Marked: the request's id ──▶ Lines | JsonLines ──▶ Discreet: no secret ──▶ out

Each process has a file of its own, below the data directory, that is put aside when it is full.
"""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from textwrap import indent
from typing import Any, Final, TextIO

import msgspec

from adapters import discretion, request_id
from adapters.settings import HIDDEN, Settings

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROLS: Final = {
    code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)
}
"""What moves a terminal's cursor or ends a line, and how it is written instead."""
_BUT_LINES: Final = {code: text for code, text in _CONTROLS.items() if code != ord("\n")}
_CHATTY: Final = (
    "aiosqlite",
    "asyncio",
    "authlib",
    "httpx",
    "httpcore",
    "keyring",
    "nats",
    "schwab",
)
"""Who logs every step at `debug`; schwab-py also whole answers, with what is secret in them."""
_MEGABYTE: Final = 1_000_000
_log = logging.getLogger(__name__)


def configure(settings: Settings, process: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process; call it once, where the process starts."""
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
    missing = None
    if settings.log_files:
        try:
            handlers.append(_file(settings, process))
        except OSError as reason:
            missing = reason
    for handler in handlers:
        in_file = isinstance(handler, RotatingFileHandler)
        handler.addFilter(_Marked())
        handler.setFormatter(
            discretion.Discreet(
                JsonLines(process) if settings.log_format == "json" else Lines(dated=in_file),
                secrets=tuple(getattr(settings, key) for key in HIDDEN),
            )
        )
    logging.basicConfig(handlers=handlers, force=True)
    set_level(settings.log_level)
    logging.captureWarnings(capture=True)
    if missing is not None:
        _log.warning("no log file: %s", missing)


def set_level(level: str) -> None:
    """Log from this level on: debug, info, warning or error."""
    logging.root.setLevel(level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.root.level))


def path(settings: Settings, process: str) -> Path:
    """The file into which a process logs."""
    return settings.logs_dir / f"{process}.log"


def _file(settings: Settings, process: str) -> RotatingFileHandler:
    settings.logs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return RotatingFileHandler(
        path(settings, process),
        maxBytes=settings.log_file_size * _MEGABYTE,
        backupCount=settings.log_files_kept,
        encoding="utf-8",
    )


class _Marked(logging.Filter):
    """Marks what is said while a request is answered with the request's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        if (current := request_id.current.get()) is not None:
            record.request_id = current
        return True


class Lines(logging.Formatter):
    """Text, one line for each message whatever is in it; the traceback behind it is indented."""

    def __init__(self, *, dated: bool) -> None:
        date = "%(asctime)s " if dated else ""
        super().__init__(f"{date}%(levelname)-7s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  logging's own
        at = datetime.fromtimestamp(record.created, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's own name
        return indent(super().formatException(ei).translate(_BUT_LINES), "    ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        line = super().formatMessage(record).translate(_CONTROLS)
        asked = getattr(record, "request_id", None)
        return line if asked is None else f"{line} [request {asked}]"


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
        return _encoded(line)


def _encoded(line: Mapping[str, object]) -> str:
    """JSON of anything: what cannot be encoded is told as text."""
    return msgspec.json.encode(discretion.without_secrets(line), enc_hook=str).decode()
