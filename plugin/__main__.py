"""`python -m plugin FD`: the process of one plugin. It is started by the plugins' worker only.

Our own modules are loaded first, then the memory is limited, then the plugin's code is let in.
"""

from __future__ import annotations

import inspect
import logging
import os
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from adapters import errand, growth
from plugin import loading
from plugin.base import Plugin
from plugin.context import Context
from plugin.line import Line

MISUSED: Final = 2
_MEGABYTE: Final = 1024 * 1024
_POLITE: Final = 5
_LONGEST_ERROR: Final = 2_000
_LONGEST_DESCRIPTION: Final = 1_000


def main(arguments: list[str]) -> int:
    """Do the errand that comes over the socket, and tell how it ended."""
    if len(arguments) != 1 or not arguments[0].isdecimal():
        print("usage: python -m plugin FD; it is started by the plugins' worker", file=sys.stderr)
        return MISUSED
    line = Line(socket.socket(fileno=int(arguments[0])))
    given = line.begin()
    _confine(given.memory_mb)
    line.tell(_done(line, given))
    return 0


def _confine(memory_mb: int) -> None:
    """Step back behind the others, and take no more than this over what we have."""
    growth.limit(memory_mb * _MEGABYTE)
    os.nice(_POLITE)


def _done(line: Line, given: errand.Errand) -> errand.Told | errand.Finished:
    """Load, and tell or run; whatever the plugin raises is said, not raised."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        found = loading.load(given.plugin, given.origin)
        if given.task == "inspect":
            told = _told(found)
            errand.line(told)  # what cannot be said is its fault
            return told
    except BaseException as error:  # noqa: BLE001  also what calls sys.exit when it is loaded
        return errand.Finished(_outcome(error, "broken"), _said(error))
    return _run(found, line, given)


def _told(found: type[Plugin]) -> errand.Told:
    return errand.Told(
        name=found.name,
        version=str(found.version),
        description=inspect.cleandoc(found.__doc__ or "").partition("\n\n")[0][
            :_LONGEST_DESCRIPTION
        ],
        schedule=found.default_schedule,
        market_hours=found.default_market_hours,
        config_schema=msgspec.json.encode(msgspec.json.schema(found.config)).decode(),
        wants=tuple(found.commands),
    )


def _run(found: type[Plugin], line: Line, given: errand.Errand) -> errand.Finished:
    try:
        plugin = found(msgspec.json.decode(given.config, type=found.config))
        context = Context(line, given)
    except BaseException as error:  # noqa: BLE001  its configuration, or its own beginning
        return errand.Finished(_outcome(error, "failed"), _said(error))
    try:
        _do(plugin.on_startup, context)
        _do(plugin.execute, context)
        _do(plugin.on_success, context)
    except BaseException as error:  # noqa: BLE001  whatever it is, the run has failed
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)
        _print_error()
        _also_say(plugin, context, error)
        return errand.Finished(_outcome(error, "failed"), _said(error))
    return errand.Finished("succeeded")


def _also_say(plugin: Plugin, context: Context, error: BaseException) -> None:
    if not isinstance(error, Exception):
        return
    try:
        _do(plugin.on_failure, context, error)
    except BaseException:  # noqa: BLE001  it has failed already
        _print_error()


def _do(method: Callable[..., object], *arguments: object) -> None:
    """Call what a plugin does. Raises loading.Unfit where that is only the beginning of it."""
    begun = method(*arguments)
    if inspect.iscoroutine(begun) or inspect.isgenerator(begun) or inspect.isasyncgen(begun):
        if not inspect.isasyncgen(begun):
            begun.close()
        raise loading.Unfit(f"{method.__name__} must be a plain `def` that yields nothing")


def _print_error() -> None:
    """Where it is printed to is the plugin's to close."""
    with suppress(Exception):
        traceback.print_exc()


def _outcome(error: BaseException, otherwise: Any) -> Any:
    return "out_of_memory" if isinstance(error, MemoryError) else otherwise


def _said(error: BaseException) -> str:
    """The last line of a traceback, and for what cannot be read the place."""
    told = "".join(traceback.format_exception_only(error)).strip()
    return told[-_LONGEST_ERROR:].encode("utf-8", "backslashreplace").decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
