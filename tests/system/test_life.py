"""An instance starts where it may, beside others, and stops whole."""

import signal
import socket
import time
from contextlib import ExitStack, closing

import psutil

from tests.system.conftest import Make
from tests.system.instance import Instance

IN_TIME = 5.0
SLACK = 1.0
"""For a machine that does other things as well."""


def test_a_signal_stops_everything_in_time_and_the_next_start_knows_all(
    instance: Instance,
) -> None:
    with instance.desk() as desk:
        trade = desk.sell(desk.wheel("SPY"), strike=10, expiration_date="2026-03-20")
        told = {path: desk.client.get(path).data for path in (f"/trades/{trade}", "/wheels")}
    assert stopped_in_time(instance, signal.SIGTERM)
    instance.start()
    with instance.client() as client:
        assert {path: client.get(path).data for path in told} == told
        assert client.get("/ledger/verify").data["ok"] is True
    assert stopped_in_time(instance, signal.SIGINT)


def stopped_in_time(instance: Instance, number: signal.Signals) -> bool:
    """Whether nothing is left of it in time, though connections stay open."""
    pids, began = instance.all_pids(), time.monotonic()
    with open_lines(instance):
        assert instance.end(number) == 0
    took = time.monotonic() - began
    return took < IN_TIME + SLACK and not any(psutil.pid_exists(pid) for pid in pids)


def open_lines(instance: Instance) -> ExitStack:
    """Connections that stay open, one idle, one used, and one in the middle of a request."""
    stack = ExitStack()
    head = b"POST /api/v1/portfolios HTTP/1.1\r\n"
    for said in (b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", head):
        line = socket.create_connection(("127.0.0.1", instance.api_port))
        stack.enter_context(closing(line))
        line.sendall(said)
    return stack


def test_a_taken_port_is_named(make: Make) -> None:
    instance = make()
    with socket.create_server(("127.0.0.1", instance.api_port)):
        instance.begin()
        assert instance.wait() == 1
    (line,) = instance.said
    assert f"port {instance.api_port} is taken (WHEEL_API_PORT)" in line


def test_two_instances_live_side_by_side(make: Make) -> None:
    both = [make("one"), make("two")]
    for each in both:
        each.begin()
    for each in both:
        each.up()
    with both[0].desk() as desk, both[1].client() as other:
        desk.wheel("SPY")
        assert (desk.client.head(), other.head()) == (2, 0)
