"""What must be true before anything starts: said in one line, with the setting that helps."""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from supervisor.processes import Port

WAIT_AFTER_A_CRASH: Final = 5.0
"""How long ports and lock may take to come free when our predecessor was killed, in seconds."""


class CannotStart(Exception):
    """Why this instance cannot start here and now."""


def check(data_dir: Path, ports: Iterable[Port], *, patience: float = 0.0) -> int:
    """Make sure of the ports and take the data directory.

    Answers the lock on the directory, a file descriptor: it holds until the process ends.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            for port in ports:
                _must_be_free(port)
            return _lock(data_dir)
        except CannotStart:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.05)


def _must_be_free(port: Port) -> None:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family) as probe:
        # Connections of a server that has gone may linger; only a listener is in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
        except OSError as reason:
            raise CannotStart(_why_not(port, reason)) from reason


def _why_not(port: Port, reason: OSError) -> str:
    if reason.errno == errno.EADDRINUSE:
        return (
            f"port {port.number} is taken ({port.variable}):"
            " stop whatever listens there, or choose another port"
        )
    return f"cannot listen on {port.host}:{port.number} ({port.variable}): {reason.strerror}"


def _lock(data_dir: Path) -> int:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(data_dir / "instance.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as reason:
        raise CannotStart(
            f"the data directory {data_dir} (WHEEL_DATA_DIR) cannot be used: {reason.strerror}"
        ) from reason
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as reason:
        os.close(descriptor)
        raise CannotStart(
            f"the data directory {data_dir} (WHEEL_DATA_DIR) is in use by another instance"
        ) from reason
    return descriptor
