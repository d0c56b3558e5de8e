"""A Schwab to talk to, somebody logged in there, and an ear for what must not be logged."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters import clock, logs
from adapters.inquiry import Inquiry
from adapters.schwab import provider
from adapters.schwab.line import Line
from adapters.schwab.vault import Kept, Vault
from adapters.settings import Settings
from tests.adapters.schwab.fake import Fake, Reply, listening

NOW = datetime(2025, 1, 16, 21, 30, tzinfo=UTC)
DATA = Path(__file__).parent / "data"
APP_KEY, APP_SECRET = "app-key-0123456789", "app-secret-0123456789"
ACCESS, REFRESH = "access-0123456789", "refresh-0123456789"
RENEWED = "renewed-0123456789"
ACCOUNT = "76543210"
CODE = "code-0123456789"
SECRETS = (APP_SECRET, APP_KEY, ACCESS, REFRESH, RENEWED, ACCOUNT, CODE)
LATER = 4_102_444_800  # the year 2100


def token(access: str = ACCESS, expires_at: int = LATER) -> dict[str, Any]:
    return {
        "access_token": access,
        "refresh_token": REFRESH,
        "token_type": "Bearer",
        "expires_at": expires_at,
    }


def granted(access: str = RENEWED) -> Reply:
    """What Schwab answers to a login, or to its renewal."""
    said = token(access) | {"expires_in": 1800}
    del said["expires_at"]
    return Reply(body=msgspec.json.encode(said))


def said(name: str) -> Reply:
    return Reply(body=(DATA / name).read_bytes())


class House:
    """A provider that asks a fake, with its login in a vault, and seconds that somebody turns."""

    def __init__(self, fake: Fake, directory: Path) -> None:
        self.fake = fake
        self.seconds = 0.0
        self.settings = Settings(
            data_dir=directory,
            market="schwab",
            schwab_app_key=APP_KEY,
            schwab_app_secret=APP_SECRET,
            schwab_url=fake.url,
        )
        self.vault = Vault(self.settings.schwab_dir)

    def log_in(self, since: datetime = NOW - timedelta(days=1), **chosen: Any) -> None:
        Vault(self.settings.schwab_dir).write(Kept(since, token(**chosen)))

    def market(self, timeout: float = 10.0, longest: float = 20.0) -> provider.Schwab:
        pace = provider.inquiry()._pace
        asking = Inquiry(
            "Schwab", pace, pause=lambda _: 0.0, timer=lambda: self.seconds, longest=longest
        )
        line = Line(self.settings, self.vault, asking, timeout)
        return provider.Schwab(line, clock.standing_at(NOW))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def house(stack: AsyncExitStack, tmp_path: Path) -> House:
    """Somebody is logged in."""
    built = House(await stack.enter_async_context(listening()), tmp_path / "data")
    built.log_in()
    return built


@pytest.fixture
def schwab(house: House, stack: AsyncExitStack) -> provider.Schwab:
    opened = house.market()
    stack.push_async_callback(opened.aclose)
    return opened


@pytest.fixture(autouse=True)
def overheard(tmp_path: Path) -> Iterator[io.StringIO]:
    """All that is logged at `debug` during a test; no secret may be in it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    heard = io.StringIO()
    chosen = Settings(schwab_app_key=APP_KEY, schwab_app_secret=APP_SECRET, log_files=False)
    logs.configure(msgspec.structs.replace(chosen, log_level="debug"), "prices", heard)
    logging.getLogger("tests").debug("it is heard")
    yield heard
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    assert "it is heard" in heard.getvalue()
    assert [secret for secret in SECRETS if secret in heard.getvalue()] == []
