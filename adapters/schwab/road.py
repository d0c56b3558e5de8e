"""Where Schwab is, and how it is reached."""

from typing import Final

import httpx
from authlib.integrations.httpx_client import AsyncOAuth2Client

from adapters.settings import Settings

HOME: Final = "https://api.schwabapi.com"
"""Where schwab-py believes that Schwab is, wherever the settings say."""
AUTHORIZE: Final = "/v1/oauth/authorize"
TOKEN: Final = "/v1/oauth/token"  # noqa: S105 - a path
TIMEOUT: Final = 10.0
LEEWAY: Final = 300
"""Seconds before an access token ends from which on it is renewed; it lives 30 minutes."""


class Road(httpx.AsyncBaseTransport):
    """Takes every request to the place that the settings name; all else stays as it is."""

    def __init__(self, place: str) -> None:
        self._place = httpx.URL(place)
        self._http = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it there."""
        place = self._place
        request.url = request.url.copy_with(scheme=place.scheme, host=place.host, port=place.port)
        request.headers["Host"] = request.url.netloc.decode()
        return await self._http.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()


def session(settings: Settings, timeout: float = TIMEOUT) -> AsyncOAuth2Client:
    """The app, as it presents itself to Schwab, without a login."""
    return AsyncOAuth2Client(
        settings.schwab_app_key,
        client_secret=settings.schwab_app_secret,
        redirect_uri=settings.schwab_callback,
        token_endpoint=HOME + TOKEN,
        leeway=LEEWAY,
        transport=Road(settings.schwab_url),
        timeout=timeout,
    )
