"""A process that is confined does not outlive who confined it, however that one ends."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psutil

from adapters import confined
from tests.api.waiting import until

ROOT = Path(__file__).parents[2]
KEEPER = """
import asyncio, sys, uuid
from datetime import UTC, datetime
from adapters import confined, errand

async def silent(said):
    return None

at = datetime(2026, 3, 2, tzinfo=UTC)
given = errand.Errand(
    task="run", plugin="sleeper", origin=f"file:{sys.argv[1]}", memory_mb=256,
    run_id=uuid.UUID(sys.argv[2]), now=at, due_at=at,
)
asyncio.run(confined.run(
    ["plugin"], 10_000, given.run_id, errand.line(given), silent, longest=1_000_000
))
"""
SLEEPER = """
import time
from plugin import Plugin

class Sleeper(Plugin):
    name = "sleeper"
    def execute(self, context):
        time.sleep(10_000)
"""


def marked(mark: bytes) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in confined._marked(mark)]


def test_who_is_killed_without_a_word_leaves_no_plugin_behind(tmp_path: Path) -> None:
    path, run_id = tmp_path / "sleeper.py", uuid4()
    path.write_text(SLEEPER)
    mark = f"{confined.MARK}={run_id.hex}".encode()
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, str(path), str(run_id)], cwd=ROOT)
    try:
        until(lambda: [each for each in marked(mark) if each.nice() == 5])
    finally:
        keeper.kill()
        keeper.wait()
    until(lambda: not marked(mark))
