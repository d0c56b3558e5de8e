"""Is the instance well? It says so itself, over HTTP."""

import asyncio
import http.client
import json
from typing import Final
from urllib.parse import urlsplit

EVERY: Final = 0.1
_TIMEOUT: Final = 2.0


async def healthy(url: str, token: str | None) -> None:
    """Return once the API answers that all is healthy."""
    while not await asyncio.to_thread(_is_healthy, url, token):  # noqa: ASYNC110 - we ask others
        await asyncio.sleep(EVERY)


def _is_healthy(url: str, token: str | None) -> bool:
    place = urlsplit(url)
    line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        line.request("GET", "/api/v1/health", headers=headers)
        answer = line.getresponse()
        return answer.status == http.client.OK and _status(answer.read()) == "healthy"
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        line.close()


def _status(body: bytes) -> object:
    match json.loads(body):
        case {"data": {"status": status}} | {"status": status}:
            return status
        case _:
            return None
