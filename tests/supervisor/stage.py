"""A supervisor of make-believe processes: `python -m tests.supervisor.stage`.

Alone it is the keeper; with a lifeline it is the supervisor that this keeper starts. The processes
come as JSON in the variable STAGE.
"""

import asyncio
import os
import socket
import sys

import msgspec

from supervisor import instance
from supervisor.console import Console
from supervisor.keeper import Keeper
from supervisor.processes import Process
from supervisor.supervise import Supervisor


async def act(line: socket.socket) -> int:
    processes = msgspec.json.decode(os.environ["STAGE"], type=list[Process])
    console = Console(each.name for each in processes)
    console.say(f"up {os.getpid()}")
    return await instance.live(Supervisor(processes, console, instance.teller(line)), line)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(Keeper([sys.executable, "-m", "tests.supervisor.stage"]).run())
    sys.exit(asyncio.run(act(socket.socket(fileno=int(sys.argv[1])))))
