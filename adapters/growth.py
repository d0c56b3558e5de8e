"""How much more memory this process may take than it has now."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def size() -> int:
    """The bytes that we take of our address space, where that is told (Linux); else 0."""
    if sys.platform != "linux":
        return 0
    pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    return int(pages) * resource.getpagesize()


def limit(more: int) -> None:
    """Take so many bytes more at most, on Linux; and leave no core behind."""
    if sys.platform == "linux":
        most = size() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
