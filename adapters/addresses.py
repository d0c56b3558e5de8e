"""The URLs of channels and the secret that signs links: on the disk, only for the owner's eyes.

A URL is kept under a name that is made from it with the secret: the same URL has the same name,
and who reads the name in the ledger cannot try URLs until one fits.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

from adapters import discretion, private
from adapters.alone import alone
from domain import refusals

_SECRET_BYTES: Final = 32


class Lost(Exception):
    """The URL of a channel is not kept here: it has to be said again."""


class Addresses:
    """Where URLs are kept. Blocking, but for no longer than a small file takes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._secret: bytes | None = None

    @property
    def secret(self) -> bytes:
        """What links are signed with; made when it is first asked for.

        Raises refusals.Unavailable when the disk does not keep it.
        """
        if self._secret is None:
            self._secret = self._read_or_make()
        return self._secret

    def key(self, url: str) -> str:
        """Under which name a URL is kept."""
        return hmac.new(self.secret, b"url|" + url.encode(), hashlib.sha256).hexdigest()[:32]

    def keep(self, url: str) -> str:
        """Keep a URL; its name. Raises refusals.Unavailable when the disk does not."""
        discretion.hush(url)
        key = self.key(url)
        try:
            private.write(self._directory / key, url.encode())
        except OSError as error:
            raise _unavailable(error) from error
        return key

    def read(self, key: str) -> str:
        """The URL of a name; raises Lost."""
        try:
            url = (self._directory / key).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as reason:
            raise Lost(
                "its URL is not kept here; set the channel up with its URL again"
            ) from reason
        discretion.hush(url)
        return url

    def forget(self, key: str) -> None:
        """Keep this URL no longer."""
        (self._directory / key).unlink(missing_ok=True)

    def _read_or_make(self) -> bytes:
        path = self._directory / "secret"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(self._directory / "lock"):
                if not path.exists():
                    private.write(path, secrets.token_bytes(_SECRET_BYTES))
                return path.read_bytes()
        except OSError as error:
            raise _unavailable(error) from error


def _unavailable(error: OSError) -> refusals.Unavailable:
    why = f"the channels' URLs cannot be kept: {error.strerror}"
    return refusals.Unavailable(why, part="notifications")
