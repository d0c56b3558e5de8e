"""The supervisor that a keeper keeps: `python -m supervisor.instance LIFELINE [again]`.

Checks that the instance can start here, starts it, says when it is healthy, and stops it.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Final

from adapters import nats_server, settings
from supervisor import health, keeper, preflight, processes
from supervisor.console import Console
from supervisor.supervise import Supervisor

CRASHED: Final = 70


def main(lifeline: int, *, again: bool) -> int:
    """Run the instance; answers the exit status that tells the keeper what to do."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to stop
    try:
        with socket.socket(fileno=lifeline) as line:
            return _supervise(line, again=again)
    except settings.Misconfigured as reason:
        return _no(reason, keeper.MISCONFIGURED)
    except (preflight.CannotStart, nats_server.NoServer) as reason:
        return _no(reason, keeper.CANNOT_START)
    except Exception:  # noqa: BLE001 - whatever it is, the keeper starts us again
        traceback.print_exc()
        return CRASHED


def _no(reason: Exception, status: int) -> int:
    print(f"wheelwright: {reason}", file=sys.stderr)
    return status


def _supervise(line: socket.socket, *, again: bool) -> int:
    began = time.monotonic()
    chosen = settings.load(os.environ)
    patience = preflight.WAIT_AFTER_A_CRASH if again else 0.0
    preflight.check(chosen.data_dir, processes.ports(chosen), patience=patience)
    return asyncio.run(_run(chosen, line, began))


async def _run(chosen: settings.Settings, line: socket.socket, began: float) -> int:
    listed = processes.of(chosen)
    console = Console((each.name for each in listed), as_json=chosen.log_format == "json")
    announcing = asyncio.create_task(_announce(chosen, console, began))
    try:
        return await live(Supervisor(listed, console, teller(line)), line)
    finally:
        announcing.cancel()


async def live(supervisor: Supervisor, line: socket.socket) -> int:
    """Run until a person asks to stop, or the keeper has gone; answers the exit status."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(line)
        supervisor.stop()

    loop.add_signal_handler(signal.SIGTERM, supervisor.stop)
    loop.add_signal_handler(signal.SIGINT, supervisor.interrupt)
    loop.add_reader(line, gone)
    await supervisor.run()
    return keeper.CUT_SHORT if supervisor.was_cut_short else keeper.STOPPED


def teller(line: socket.socket) -> Callable[[str], None]:
    """How a supervisor tells its keeper what it started and what has ended."""

    def tell(word: str) -> None:
        with contextlib.suppress(OSError):  # the keeper has gone, as we are about to hear
            line.sendall(f"{word}\n".encode())

    return tell


async def _announce(chosen: settings.Settings, console: Console, began: float) -> None:
    await health.healthy(chosen.local_api_url, chosen.api_token)
    console.say(
        f"Wheelwright is healthy at {chosen.local_api_url}"
        f" (described at /schema/openapi.json), Ctrl-C stops ({time.monotonic() - began:.1f} s)"
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), again="again" in sys.argv[2:]))
