"""The NATS server that an instance starts for itself: where it is, how it starts, who may enter.

nats.conf says what each role may do; the values that differ between instances (port, store,
passwords) reach it through the environment that `environment` makes.
"""

import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Final

from adapters.settings import Settings

CONFIG: Final = Path(__file__).resolve().parent.parent / "nats.conf"
ROLES: Final = (
    "api",
    "projector",
    "relay",
    "prices",
    "risk",
    "scanner",
    "notifier",
    "scheduler",
    "plugins",
    "subscriber",
)


class NoServer(Exception):
    """The nats-server program is neither installed beside Python nor on the PATH."""


class NoPassword(Exception):
    """A role's password has not been made yet, or is not readable by this user."""


def argv() -> list[str]:
    """The command that starts the server."""
    return [str(binary()), "--config", str(CONFIG)]


def binary() -> Path:
    """The program: the one installed with our packages, else whichever the PATH has."""
    beside = Path(sys.executable).parent
    found = shutil.which("nats-server", path=str(beside)) or shutil.which("nats-server")
    if found is None:
        raise NoServer(f"no nats-server in {beside} or on the PATH; `make install` brings it")
    return Path(found)


def environment(settings: Settings) -> dict[str, str]:
    """What nats.conf refers to. Makes the passwords, so only whoever starts the server asks."""
    prepare(settings.data_dir)
    passwords = {
        f"WHEEL_NATS_PASSWORD_{role.upper()}": _quoted(password(settings.data_dir, role))
        for role in ROLES
    }
    return {
        "WHEEL_NATS_PORT": str(settings.nats_port),
        "WHEEL_NATS_STORE": _quoted(str((settings.nats_dir / "store").resolve())),
        **passwords,
    }


def prepare(data_dir: Path) -> None:
    """Make the directory and, at the first start, a password for each role."""
    directory = data_dir / "nats"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for role in ROLES:
        if not (path := _password_file(data_dir, role)).exists():
            _write_new(path, secrets.token_urlsafe(32))


def password(data_dir: Path, role: str) -> str:
    """With which a role of this instance enters."""
    path = _password_file(data_dir, role)
    try:
        return path.read_text("ascii").strip()
    except OSError as reason:
        raise NoPassword(f"{path}: {reason.strerror}; the first start makes it") from reason


def _password_file(data_dir: Path, role: str) -> Path:
    return data_dir / "nats" / f"{role}.password"


def _write_new(path: Path, text: str) -> None:
    """Whole or not at all, the first writer wins, and nobody else can ever read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _quoted(text: str) -> str:
    """The server reads a variable as a piece of its configuration: 12ab would be no text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
