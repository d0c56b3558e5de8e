"""What keeps an instance from starting is said in one line."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.settings import Settings
from supervisor import health, preflight, processes
from supervisor.processes import Port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def start(data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor"],
        env=os.environ | {"WHEEL_DATA_DIR": str(data_dir)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("variable", ["WHEEL_API_PORT", "WHEEL_NATS_PORT"])
def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    tmp_path: Path, taken: int, free: int, variable: str
) -> None:
    other = {"WHEEL_API_PORT": "WHEEL_NATS_PORT", "WHEEL_NATS_PORT": "WHEEL_API_PORT"}[variable]
    ended = start(tmp_path, **{variable: str(taken), other: str(free)})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"wheelwright: port {taken} is taken ({variable}): ")
    assert ended.stderr.count("\n") == 1


def test_a_bad_setting_is_named_and_nothing_is_tried_again(tmp_path: Path) -> None:
    ended = start(tmp_path, WHEEL_MARKET="bazaar")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "market (WHEEL_MARKET) is 'bazaar'" in ended.stderr


def test_a_data_directory_belongs_to_one_instance(tmp_path: Path) -> None:
    lock = preflight.check(tmp_path, [])
    with pytest.raises(preflight.CannotStart, match="another instance"):
        preflight.check(tmp_path, [])
    os.close(lock)
    os.close(preflight.check(tmp_path, []))


def test_a_data_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(preflight.CannotStart, match=r"WHEEL_DATA_DIR\) cannot be used"):
        preflight.check(tmp_path / "file" / "below", [])


def test_an_address_that_is_not_ours_is_said(tmp_path: Path) -> None:
    with pytest.raises(preflight.CannotStart, match=r"cannot listen on 192\.0\.2\.1:8000"):
        preflight.check(tmp_path, [Port("192.0.2.1", 8000, "WHEEL_API_PORT")])


def test_an_instance_starts_a_bus_of_its_own_unless_it_is_told_of_one(tmp_path: Path) -> None:
    own = Settings(data_dir=tmp_path)
    shared = Settings(data_dir=tmp_path, nats_url="nats://bus.example:4222")
    without = {each.name for each in processes.of(shared)}
    assert {each.name for each in processes.of(own)} - without == {"nats-server"}
    assert [port.variable for port in processes.ports(shared)] == ["WHEEL_API_PORT"]


async def test_healthy_means_that_the_api_says_so() -> None:
    answers = iter(
        [b"", b"nonsense", b'{"data": {"status": "degraded"}}', b'{"data": {"status": "healthy"}}']
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = next(answers)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await health.healthy(f"http://127.0.0.1:{port}", token="t")
    assert list(answers) == []
