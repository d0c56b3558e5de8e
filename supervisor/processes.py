"""The processes of an instance: the one list. A new worker is a new line here."""

import sys
from enum import IntEnum

import msgspec

from adapters import nats_server
from adapters.settings import Settings

WORKERS = ("projector", "relay", "prices", "risk", "scanner", "scheduler", "notifier", "plugins")


class Stop(IntEnum):
    """In which order processes are asked to stop: those that take orders first, the bus last."""

    FIRST = 0
    THEN = 1
    LAST = 2


class Process(msgspec.Struct, frozen=True):
    """One program of the instance, restarted whenever it ends."""

    name: str
    argv: list[str]
    stop: Stop = Stop.THEN
    environment: dict[str, str] = {}


class Port(msgspec.Struct, frozen=True):
    """A port that must be free before anything starts, and the setting that moves it."""

    host: str
    number: int
    variable: str


def of(settings: Settings) -> tuple[Process, ...]:
    """Everything that runs. All start at once: clients wait for their servers themselves."""
    bus = _bus(settings) if settings.has_own_bus else ()
    workers = (Process(name, _python("workers", name)) for name in WORKERS)
    return (*bus, Process("api", _python("api"), Stop.FIRST), *workers)


def ports(settings: Settings) -> tuple[Port, ...]:
    """The ports on which this instance will listen."""
    api = Port(settings.api_host, settings.api_port, "WHEEL_API_PORT")
    bus = Port("127.0.0.1", settings.nats_port, "WHEEL_NATS_PORT")
    return (api, bus) if settings.has_own_bus else (api,)


def _bus(settings: Settings) -> tuple[Process, ...]:
    environment = nats_server.environment(settings)
    return (Process("nats-server", nats_server.argv(), Stop.LAST, environment),)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
