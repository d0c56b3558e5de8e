"""The login is kept so that only its owner can read it, and can always be replaced."""

import stat
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from cryptography.fernet import Fernet
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringError, PasswordDeleteError

from adapters.schwab import vault
from adapters.schwab.vault import Broken, Kept, Vault
from tests.adapters.schwab.conftest import ACCESS, NOW, RENEWED, SECRETS, token

KEPT = Kept(NOW, token())


class Ring(KeyringBackend):
    """A keyring in memory; a locked one refuses."""

    priority = 5

    def __init__(self, *, locked: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.locked = locked
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringError("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringError("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError(username)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "schwab"


def test_what_is_kept_is_read_again(place: Path) -> None:
    Vault(place).write(KEPT)
    assert Vault(place).read() == KEPT


def test_where_nobody_logged_in_there_is_nothing(place: Path) -> None:
    assert (Vault(place).read(), Vault(place).stamp()) == (None, None)
    assert not place.exists()


def test_no_token_can_be_read_in_the_files(place: Path) -> None:
    Vault(place).write(KEPT)
    written = b"".join(path.read_bytes() for path in place.iterdir())
    assert not any(secret.encode() in written for secret in SECRETS)


def test_the_files_are_their_owners_alone_and_no_drafts_are_left(place: Path) -> None:
    Vault(place).write(KEPT)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}
    assert modes == {"login": 0o600, "key": 0o600, "lock": 0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_keyring_keeps_the_key(place: Path) -> None:
    ring = Ring()
    Vault(place, ring).write(KEPT)
    assert not (place / "key").exists()
    assert Vault(place, ring).read() == KEPT


def test_two_instances_have_a_key_each(place: Path, tmp_path: Path) -> None:
    ring = Ring()
    for each in (place, tmp_path / "other"):
        Vault(each, ring).write(KEPT)
    assert len(set(ring.kept.values())) == 2


def test_a_locked_keyring_is_none(place: Path) -> None:
    Vault(place, Ring(locked=True)).write(KEPT)
    assert (place / "key").exists()
    assert Vault(place).read() == KEPT


def test_a_login_whose_key_is_locked_away_is_broken_but_can_be_made_anew(place: Path) -> None:
    ring = Ring()
    Vault(place, ring).write(KEPT)
    ring.locked = True
    with pytest.raises(Broken, match="log in anew"):
        Vault(place, ring).read()
    Vault(place, ring).write(KEPT)
    assert Vault(place, ring).read() == KEPT


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_a_keyring_that_keeps_nothing_is_none(backend: Callable[[], KeyringBackend]) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(backend())
    try:
        assert vault.system_keyring() is None
        keyring.set_keyring(ring := Ring())
        assert vault.system_keyring() is ring
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("login", b""),
        ("login", b"{}"),
        ("login", b"\x00\xff"),
        ("login", Fernet(Fernet.generate_key()).encrypt(b"{}")),
        ("key", b""),
        ("key", b"no key"),
        ("key", Fernet.generate_key()),
    ],
    ids=[
        "an empty login",
        "a plain login",
        "a login of noise",
        "another key's login",
        "an empty key",
        "no key",
        "another key",
    ],
)
def test_a_broken_or_foreign_file_is_said_to_be_one_and_can_be_replaced(
    place: Path, name: str, content: bytes
) -> None:
    Vault(place).write(KEPT)
    (place / name).write_bytes(content)
    with pytest.raises(Broken, match="log in anew"):
        Vault(place).read()
    Vault(place).write(KEPT)
    assert Vault(place).read() == KEPT


def test_a_login_of_another_version_is_broken(place: Path) -> None:
    Vault(place).write(KEPT)
    key = (place / "key").read_bytes()
    (place / "login").write_bytes(Fernet(key).encrypt(b'{"token":{}}'))
    with pytest.raises(Broken, match="version"):
        Vault(place).read()


def test_a_lost_key_is_a_broken_login(place: Path) -> None:
    Vault(place).write(KEPT)
    (place / "key").unlink()
    with pytest.raises(Broken, match="key"):
        Vault(place).read()


def test_a_place_that_cannot_be_written_is_said(place: Path) -> None:
    place.write_text("a file")
    with pytest.raises(Broken):
        Vault(place).write(KEPT)


def test_who_has_the_key_in_memory_notices_another_one(place: Path) -> None:
    reader = Vault(place)
    reader.write(KEPT)
    (place / "key").unlink()
    Vault(place).write(Kept(NOW, token(RENEWED)))
    read = reader.read()
    assert read is not None
    assert read.token["access_token"] == RENEWED


def test_a_new_writing_can_be_told_from_the_one_before(place: Path) -> None:
    kept = Vault(place)
    stamps = set()
    for _ in range(2):
        kept.write(KEPT)
        stamps.add(kept.stamp())
    assert len(stamps) == 2


def test_a_renewal_never_takes_the_place_of_another_login(place: Path) -> None:
    kept = Vault(place)
    kept.write(KEPT)
    kept.renew(Kept(NOW.replace(hour=1), token()), token(RENEWED))
    read = kept.read()
    assert read is not None
    assert read.token["access_token"] == ACCESS


def test_a_renewal_does_not_bring_a_login_back_that_somebody_took_away(place: Path) -> None:
    kept = Vault(place)
    kept.write(KEPT)
    (place / "login").unlink()
    kept.renew(KEPT, token(RENEWED))
    assert kept.read() is None


def test_a_login_does_not_show_its_tokens() -> None:
    assert not any(secret in repr(KEPT) for secret in SECRETS)
