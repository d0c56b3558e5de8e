"""The id of the request that is being answered, for whatever is said and stored meanwhile."""

from contextvars import ContextVar
from typing import Final

current: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""None outside of a request. Threads that asyncio.to_thread starts know it too."""
