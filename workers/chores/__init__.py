"""What each job does: a module for each, loaded when its job is first due."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Final

from domain import job as jobs
from workers import chore

Load = Callable[[str], chore.Chore]
"""The chore of a job. Raises what it likes where there is none: the run has then failed."""

CHORES: Final[Mapping[str, str]] = {name: f"workers.chores.{name}" for name in jobs.JOBS}
"""The module whose `run` does a job's work."""


def load(job: str) -> chore.Chore:
    """A job's chore; the first time takes a while."""
    found: chore.Chore = importlib.import_module(CHORES[job]).run
    return found
