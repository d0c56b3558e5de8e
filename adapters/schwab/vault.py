"""The login at Schwab, on the disk: encrypted, and only for the owner's eyes.

The key is kept by the keyring of the system where there is one, else in a file beside the login.
One process logs in, another one renews: both write whole files, one at a time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import keyring
import msgspec
from cryptography.fernet import Fernet, InvalidToken
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from adapters import discretion, private
from adapters.alone import alone
from domain import market

LIFE: Final = timedelta(days=7)
"""How long Schwab lets an app in after a person has logged in; nothing makes it longer."""
SERVICE: Final = "wheelwright-schwab"
SECRETS: Final = ("access_token", "refresh_token", "id_token")
USABLE: Final = 1
"""The least priority of a keyring that keeps what it is given, and keeps it safe."""
Stamp = tuple[int, int, int]


class Broken(Exception):
    """The login that is kept cannot be read; a new one takes its place."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A login: since when, and the tokens that Schwab gave for it, as it gave them."""

    since: datetime
    token: dict[str, Any]

    @property
    def login(self) -> market.Login:
        return market.Login(self.since, self.since + LIFE)

    def __repr__(self) -> str:
        """Without its tokens, in case someone logs it."""
        return f"Kept(since={self.since})"


def system_keyring() -> KeyringBackend | None:
    """The keyring of the system; None where there is none that is worth the name."""
    found = keyring.get_keyring()
    return found if found.priority >= USABLE else None


class Vault:
    """Where the login is kept. Blocking, but for no longer than a small file takes."""

    def __init__(self, directory: Path, ring: KeyringBackend | None = None) -> None:
        self._directory = directory
        self._ring = ring
        self._file = directory / "login"
        self._key_file = directory / "key"
        self._key: bytes | None = None

    def stamp(self) -> Stamp | None:
        """What changes whenever the login is written; None when there is none."""
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def read(self) -> Kept | None:
        """The login, None when there is none. Raises Broken when there is, but unreadable."""
        try:
            written = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as reason:
            raise self._broken(str(reason.strerror)) from reason
        kept = self._opened(written)
        _hush(kept)
        return kept

    def write(self, kept: Kept) -> None:
        """Keep a login in the place of the one before. Raises Broken when it cannot be kept."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(self._directory / "lock"):
                self._put(kept)
        except OSError as reason:
            raise self._broken(f"not written: {reason.strerror}") from reason

    def renew(self, kept: Kept, token: dict[str, Any]) -> None:
        """Keep the renewed tokens of a login, unless a person made it another one, or none."""
        renewed = Kept(kept.since, token)
        with alone(self._directory / "lock"):
            if (now := self.read()) is not None and now.since == kept.since:
                self._put(renewed)

    def _put(self, kept: Kept) -> None:
        _hush(kept)
        key = self._find_key() or self._new_key()
        private.write(self._file, Fernet(key).encrypt(msgspec.json.encode(kept)))

    def _opened(self, written: bytes) -> Kept:
        for key in self._keys():
            try:
                return msgspec.json.decode(Fernet(key).decrypt(written), type=Kept)
            except InvalidToken:
                continue
            except msgspec.MsgspecError as reason:
                raise self._broken("it is of another version") from reason
        raise self._broken("the key that it was encrypted with is not here")

    def _keys(self) -> Iterator[bytes]:
        """The key in memory, as a keyring can be slow; should that not fit, the one kept."""
        if self._key is not None:
            yield self._key
        if (found := self._find_key()) is not None:
            yield found

    def _find_key(self) -> bytes | None:
        found = self._key_in_file() or self._key_in_ring()
        self._key = found if found is not None and _is_key(found) else None
        return self._key

    def _key_in_file(self) -> bytes | None:
        try:
            return self._key_file.read_bytes().strip() or None
        except FileNotFoundError:
            return None
        except OSError as reason:
            raise self._broken(f"its key: {reason.strerror}") from reason

    def _key_in_ring(self) -> bytes | None:
        if self._ring is None:
            return None
        try:
            found = self._ring.get_password(SERVICE, str(self._directory.resolve()))
        except KeyringError:
            return None
        return found.encode() if found else None

    def _new_key(self) -> bytes:
        self._key = key = Fernet.generate_key()
        if not self._entrusted(key):
            private.write(self._key_file, key)
        return key

    def _entrusted(self, key: bytes) -> bool:
        """Whether the keyring took the key."""
        if self._ring is None:
            return False
        try:
            self._ring.set_password(SERVICE, str(self._directory.resolve()), key.decode())
        except KeyringError:
            return False
        return self._key_in_ring() == key

    def _broken(self, why: str) -> Broken:
        return Broken(f"the login in {self._file} cannot be used ({why}); log in anew")


def _is_key(found: bytes) -> bool:
    try:
        Fernet(found)
    except ValueError:
        return False
    return True


def _hush(kept: Kept) -> None:
    discretion.hush(*(str(kept.token.get(name) or "") for name in SECRETS))
