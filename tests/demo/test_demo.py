"""The demonstration as a person starts it, only faster."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTSIDE = {"adapters.replay", "domain.market", "httpx", "msgspec", "nats", "rich"}
"""What a stranger to the project may use: its reader of recordings, and public libraries."""


def start(scratch: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_year_ends_with_the_cash_of_the_reference(tmp_path: Path) -> None:
    with start(tmp_path, "--seconds", "15") as process:
        said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert "All 25 lines equal data/spy_2021/reference.csv" in said
    assert "│ Cash              │ 55,958.42" in said
    assert said.count(" 16:00  sold ") == 13
    assert "near_expiration raised: SPY" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_at_any_moment_and_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        while "Healthy" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.endswith("Stopped; nothing is left behind.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_year_takes_a_time_that_can_be_meant(tmp_path: Path) -> None:
    with start(tmp_path, "--seconds", "1") as process:
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "--seconds must be 5 to 3600" in said


def test_it_uses_only_what_a_stranger_could() -> None:
    used = set()
    for path in (ROOT / "demo").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                used |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                used.add(node.module or "")
    ours = {name for name in used if name.split(".")[0] not in sys.stdlib_module_names}
    theirs = {name for name in ours if not name.startswith("demo")}
    assert {name for name in theirs if name.split(".")[0] not in OUTSIDE} <= OUTSIDE
