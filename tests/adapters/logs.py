"""What the tests of the event store have in common: facts to store, and a real PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from adapters import event_store
from domain import facts, ports

AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
_PROGRAMS = ("initdb", "pg_ctl", "postgres")


def fact(version: int, stream: UUID = ONE, *, shares: int = 100) -> facts.Recorded:
    """A purchase that can be told from any other."""
    bought = facts.SharesBought(
        portfolio_id=UUID(int=9), symbol="XYZ", shares=shares, price=Decimal("1.10")
    )
    at = AT + timedelta(minutes=version)
    return facts.Recorded(0, stream, version, at, at, "api", UUID(int=5), None, bought)


def some(count: int, stream: UUID = ONE, *, first: int = 1) -> list[facts.Recorded]:
    return [fact(version, stream) for version in range(first, first + count)]


def answer(key: str, at: datetime = AT) -> ports.Answered:
    return ports.Answered(key, "print", 201, "/here", 'W/"1"', b'{"data":1}', at)


def opened(address: str) -> event_store.EventStore:
    """The log in a SQLite file, or in a PostgreSQL database."""
    if not address.startswith("postgresql:"):
        return event_store.open_sqlite(Path(address))
    return event_store.open_postgres(address)


def write(address: str, stream: UUID, count: int) -> None:
    """Append facts one by one, as a process of its own would."""
    log = opened(address)
    for each in some(count, stream):
        log.append([each])
    log.close()


def programs() -> dict[str, str]:
    """Where PostgreSQL's programs are, on the path or where Debian keeps them; empty if nowhere."""
    found = {}
    for name in _PROGRAMS:
        kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        path = str(kept[-1]) if kept else shutil.which(name)
        if path is None:
            return {}
        found[name] = path
    return found


@contextmanager
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL of our own, that listens nowhere but in its own folder.

    Each call answers the address of a new database. It refuses to run as root, so that then
    it runs as nobody.
    """
    import psycopg  # noqa: PLC0415  psycopg is an extra

    found = programs()
    place = Path(tempfile.mkdtemp(prefix="pg-"))
    other = "nobody" if os.geteuid() == 0 else None
    if other is not None:
        shutil.chown(place, other)

    def run(program: str, *arguments: str) -> None:
        argv = [found[program], *arguments]
        subprocess.run(argv, check=True, cwd=place, stdout=subprocess.DEVNULL, user=other)

    data = str(place / "data")
    run("initdb", "-D", data, "-U", "desk", "-A", "trust", "--no-sync", "-E", "UTF8")
    quick = f"-k {place} -c listen_addresses= -c fsync=off -c max_connections=40"
    run("pg_ctl", "start", "-w", "-D", data, "-o", quick, "-l", str(place / "log"))
    address = f"postgresql:///{{}}?host={place}&user=desk"
    names = iter(f"log_{n}" for n in range(1_000))

    def created() -> str:
        name = next(names)
        with psycopg.connect(address.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return address.format(name)

    try:
        yield created
    finally:
        run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", data)
        shutil.rmtree(place)
