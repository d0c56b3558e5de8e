"""Where the URLs of channels are kept."""

from pathlib import Path

import pytest

from adapters.addresses import Addresses, Lost

URL = "mailtos://me:hunter2@example.com"


def test_a_url_is_kept_under_a_name_that_tells_nothing_of_it(tmp_path: Path) -> None:
    key = Addresses(tmp_path / "a").keep(URL)
    assert Addresses(tmp_path / "a").read(key) == URL
    assert Addresses(tmp_path / "a").key(URL) == key
    assert Addresses(tmp_path / "b").key(URL) != key


def test_all_that_is_kept_is_for_the_owner_alone(tmp_path: Path) -> None:
    Addresses(tmp_path / "a").keep(URL)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_url_that_was_forgotten_or_never_known_is_lost(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path / "a")
    key = addresses.keep(URL)
    for _ in range(2):
        addresses.forget(key)
    with pytest.raises(Lost):
        addresses.read(key)
